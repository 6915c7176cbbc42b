"""The engine that is taken where the user names none: what is wrong does not pass the check, and the card says so.

The check needs no GPU: kernels run in Triton's interpreter, and the CPU stands for a GPU where one is chosen.
"""

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grok.errors import GrokError
from grok.recipe import RECIPES, SQUARED_ERROR, Recipe
from grok.task import Task
from grok.train import choose, finish, run
from grok.train.engines import engine
from grok.train.state import Settings

pytest.importorskip("triton", reason="Triton is for Linux on x86-64")

import triton
import triton.language as tl

from grok.kernels.cross_entropy import triton as cross_entropy
from grok.train.engines import fused

DEVICE = "cuda" if torch.cuda.is_available() and os.environ.get("TRITON_INTERPRET") != "1" else "cpu"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "STEPS", 3)


def _small(name: str = "modadd-mlp") -> Recipe:
    return replace(RECIPES[name], task=Task(5), train_frac=0.6, d_model=8, d_mlp=16, steps=20)


def test_an_engine_that_is_right_is_taken():
    name, why = choose.checked(_small(), DEVICE)
    assert name == "triton"
    assert why.startswith("engine triton: 3 steps agree with folded to ")
    assert why.endswith(" of each loss, the same bits twice")


def _adamw(change: Callable[[torch.Tensor], object]) -> Callable:
    right = fused.adamw

    def wrong(flat: torch.Tensor, *args: object, **settings: object) -> None:
        right(flat, *args, **settings)
        change(flat)

    return wrong


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda flat: flat.mul_(1.001), r"within 3 steps a loss differs from folded's by \d\.\de-\d\d, above 0\.0001"),
        (lambda flat: flat[0, -1].fill_(float("nan")), "a loss or a weight is not finite within 3 steps"),
        (lambda flat: flat[0, 0].add_(1e-6 * torch.rand(())), "a second trial gave other bits"),
        (lambda flat: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
def test_an_engine_that_is_wrong_is_not(change: Callable, problem: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fused, "adamw", _adamw(change))
    other = "manual" if DEVICE == "cpu" else "cuda_graph"
    name, why = choose.checked(_small(), DEVICE, ("triton", other))
    assert name == other
    assert why.startswith(f"engine {other}: 3 steps agree")
    assert re.fullmatch(problem, why.partition("; not triton: ")[2])


@triton.jit
def _mean_of_too_few(partial, means, N, BLOCKS: tl.constexpr, ROWS: tl.constexpr):
    """Without the last row."""
    seed = tl.program_id(0)
    acc = tl.zeros((ROWS,), tl.float32)
    for start in range(0, BLOCKS, ROWS):
        i = start + tl.arange(0, ROWS)
        acc += tl.load(partial + seed * BLOCKS + i, mask=i < BLOCKS, other=0.0)
    tl.store(means + seed, tl.sum(acc, axis=0) / (N - 1))


def test_an_engine_with_a_wrong_kernel_is_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cross_entropy, "_mean", _mean_of_too_few)
    name, why = choose.checked(_small(), DEVICE, ("triton",))
    assert name == "folded"
    assert re.fullmatch(
        r"engine folded; not triton: within 3 steps a loss differs .* by \d\.\de-0[12], above 0\.0001", why
    )


def test_without_a_fast_engine_the_reference_is_taken():
    """cuda_graph does not run on a CPU, and triton has no warm-up."""
    recipe, fast = (_small("pizza-a"), "triton") if DEVICE == "cuda" else (_small(), "cuda_graph")
    name, why = choose.checked(recipe, DEVICE, (fast,))
    assert name == "folded"
    assert why.startswith(f"engine folded; not {fast}: GrokError: engine '{fast}' ")


def test_on_a_cpu_nothing_is_checked():
    assert choose.choose(_small(), "cpu") == ("manual", "")
    assert choose.choose(replace(_small(), loss=SQUARED_ERROR), "cpu") == ("folded", "")


def test_a_run_tells_its_check_and_so_does_its_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The CPU stands for a GPU. A run that goes on takes the engine that it has."""
    monkeypatch.setattr(choose, "choose", lambda recipe, on: choose.checked(recipe, on, ("cuda_graph",)))
    settings = Settings(engine=choose.AUTO)
    recipe = replace(_small(), steps=100)
    run.train([recipe], tmp_path / "work", settings)
    card = json.loads((finish.finish(tmp_path / "work", tmp_path / "out", progress=False)[0] / "card.json").read_text())
    assert card["engine"] == "folded"
    assert card["engine_check"] in capsys.readouterr().out
    assert card["engine_check"].startswith("engine folded; not cuda_graph: ")
    monkeypatch.setattr(choose, "choose", lambda *_: pytest.fail("checked again"))
    run.train([recipe], tmp_path / "work", settings, progress=False)


def test_auto_on_a_device_that_is_not_there_is_refused():
    with pytest.raises(GrokError, match="unknown device 'gpu'"):
        choose.check(Settings(device="gpu", engine=choose.AUTO))
    with pytest.raises(GrokError, match="unknown engine 'auto'"):
        engine.check(choose.AUTO, "cpu")
