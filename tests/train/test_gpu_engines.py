"""The GPU engines, as far as a CPU can run them: kernels in Triton's interpreter.

On a machine with a GPU the same tests run on it. TransformerLens need not be there.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from grok.errors import GrokError
from grok.models import names
from grok.recipe import RECIPES, Recipe
from grok.task import Task
from grok.train import run
from grok.train.engines import engine, folded
from grok.train.engines.beside import Beside
from grok.train.graph import CHUNKS
from grok.train.state import PRECISIONS, Settings, State

DEVICE = "cuda" if torch.cuda.is_available() and os.environ.get("TRITON_INTERPRET") != "1" else "cpu"


def _small(name: str) -> Recipe:
    """The recipe with small and all different sizes."""
    recipe = RECIPES[name]
    p = 7 if recipe.task.modular else 5
    heads = {"n_heads": 2, "d_head": 5} if recipe.architecture == "transformer" else {}
    task = Task(p=p, operation=recipe.task.operation)
    return replace(recipe, task=task, train_frac=0.6, d_model=12, d_mlp=20, **heads)


def _relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def test_the_ordered_gradient_of_a_table_is_gathers():
    table = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    token = torch.tensor([[0, 4, 4, 1], [2, 2, 2, 3]])
    assert torch.autograd.gradcheck(lambda t: folded.OrderedRows.apply(t, token), [table])
    expected = folded._rows(table, token)
    torch.testing.assert_close(folded.OrderedRows.apply(table, token), expected, atol=0, rtol=0)


@pytest.mark.parametrize("name", ["modadd-mlp", "modsub-transformer", "add-transformer"])
def test_the_triton_engine_equals_folded(name: str, monkeypatch: pytest.MonkeyPatch):
    """In Triton's interpreter where there is no GPU; two seeds, three steps, float32. What is cut is cut here, too."""
    pytest.importorskip("triton", reason="Triton is for Linux on x86-64")
    monkeypatch.setattr("grok.train.engines.chains.transformer.DEEP", 8)
    recipes = [_small(name), _small(name).with_seed(7)]
    states = [State.fresh(recipes, DEVICE) for _ in range(2)]
    reference, kernels = (engine.make(recipes, e, s) for e, s in zip(("folded", "triton"), states, strict=True))
    torch.testing.assert_close(kernels.test_loss(), reference.test_loss(), rtol=1e-5, atol=0)
    for _ in range(3):
        torch.testing.assert_close(kernels.advance(), reference.advance(), rtol=1e-5, atol=0)
    assert _relative(states[1].exp_avg, states[0].exp_avg) < 1e-5
    assert _relative(states[1].flat, states[0].flat) < 1e-4
    torch.testing.assert_close(kernels.train_loss(), reference.train_loss(), rtol=1e-5, atol=0)


def test_what_is_no_gradient_of_a_weight_is_not_in_parts():
    """On a GPU parts are added up beside it. Of wide networks with many heads every deep product would be in parts."""
    pytest.importorskip("triton", reason="Triton is for Linux on x86-64")
    recipe = replace(_small("modsub-transformer"), d_model=24, d_mlp=700, n_heads=12, d_head=2)
    chain = engine.make([recipe], "triton", State.fresh([recipe], DEVICE)).inner.chain
    in_parts = {out.untyped_storage().data_ptr() for out, _ in chain.to_weights.in_parts}
    assert in_parts == {chain.grad[names.W_IN].untyped_storage().data_ptr()}  # all gradients are in one memory


class _Sums(TorchDispatchMode):
    """Names of torch's own operations that add up; how these split the work depends on how much of it there is."""

    ADDING = (
        "mm",
        "mv",
        "dot",
        "sum",
        "mean",
        "norm",
        "cumsum",
        "index_add",
        "scatter",
        "embedding",
        "softmax",
        "var",
        "std",
    )

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if any(part in func.__name__ for part in self.ADDING):
            self.seen.add(func.__name__)
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("name", ["modadd-mlp", "modsub-transformer"])
def test_a_seed_has_the_same_bits_alone_and_in_a_batch(name: str):
    """And by construction: every sum and product is a kernel of ours, whose order of additions is fixed."""
    pytest.importorskip("triton", reason="Triton is for Linux on x86-64")
    recipes = [_small(name), _small(name).with_seed(7), _small(name).with_seed(8)]
    together, alone = State.fresh(recipes, DEVICE), State.fresh(recipes[1:2], DEVICE)
    batch, single = engine.make(recipes, "triton", together), engine.make(recipes[1:2], "triton", alone)
    for _ in range(3):
        with _Sums() as sums:
            losses = batch.test_loss()[1], batch.advance()[1]
        assert sums.seen == set()
        assert losses == (single.test_loss()[0], single.advance()[0])
    assert torch.equal(together.flat[1], alone.flat[0])
    assert torch.equal(together.exp_avg_sq[1], alone.exp_avg_sq[0])


def test_torchs_own_sums_would_be_seen():
    recipe = _small("modadd-mlp")
    step = engine.make([recipe], "folded", State.fresh([recipe], DEVICE))
    with _Sums() as sums:
        step.advance()
    assert any("mm" in name for name in sums.seen)


def test_an_engine_that_cannot_run_here_says_what_can(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    recipe = _small("modadd-mlp")
    for name, expected in (("cuda_graph", "--device cuda"), ("triton", "--device cuda"), ("fast", "known: manual")):
        with pytest.raises(GrokError, match=expected):
            engine.make([recipe], name, State.fresh([recipe], "cpu"))


def test_the_interpreter_gets_no_addresses_of_a_gpu(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    engine.check("cuda_graph", "cuda")
    for name in PRECISIONS:
        engine.check(name, "cpu")
        with pytest.raises(GrokError, match="TRITON_INTERPRET=1 is for a CPU"):
            engine.check(name, "cuda")


@pytest.mark.parametrize(
    ("device", "name", "expected"),
    [
        ("cpu", "fast", "unknown engine 'fast'"),
        ("cpu", "cuda_graph", "give --device cuda"),
        ("gpu", "folded", "unknown device 'gpu'"),
        ("cuda:", "folded", "unknown device 'cuda:'"),
        ("cuda:99", "folded", "torch finds"),
        ("cuda:99", "manual", "torch finds"),
    ],
)
def test_what_cannot_run_leaves_nothing_behind(tmp_path: Path, device: str, name: str, expected: str):
    """Or the same command with the mistake corrected would find another run in the folder."""
    with pytest.raises(GrokError, match=expected):
        run.train([_small("modadd-mlp")], tmp_path / "work", Settings(device=device, engine=name), progress=False)
    assert not (tmp_path / "work").exists()


@pytest.mark.skipif(DEVICE == "cpu", reason="CUDA graphs need a GPU")
@pytest.mark.parametrize(("name", "d_mlp"), [("cuda_graph", 20), ("triton", 20), ("triton", 300)])
def test_a_captured_chunk_is_the_steps_one_by_one(name: str, d_mlp: int):
    """Also after steps outside the graph, and the same bits when captured anew. Wide, with products in parts."""
    recipe = replace(_small("modadd-transformer"), d_mlp=d_mlp)
    states = [State.fresh([recipe], DEVICE) for _ in range(2)]
    single, captured = (engine.make([recipe], name, state, 10) for state in states)
    for _ in range(2):
        captured.advance()
        train, _ = captured.advance_chunk()
        assert all(stream != captured.stream for stream in _streams(captured.inner))
    losses = [float(single.advance()) for _ in range(2 * CHUNKS[0] + 2)]
    assert train[0].tolist() == losses[-CHUNKS[0] :]
    assert torch.equal(states[0].flat, states[1].flat)


def _streams(engine_of_kernels: object) -> list[torch.cuda.Stream]:
    """Those on which it and its chain work beside the main one."""
    chain = getattr(engine_of_kernels, "chain", engine_of_kernels)
    owners = {id(x): x for x in (engine_of_kernels, chain)}.values()
    return [x.stream for owner in owners for x in vars(owner).values() if isinstance(x, Beside) and x.stream]
