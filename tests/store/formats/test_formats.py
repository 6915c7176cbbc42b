"""Every layout, shape and type gives the same logits as the weights it was written from."""

from pathlib import Path

import layouts
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grok.errors import GrokError
from grok.models.architectures import network
from grok.store import checkpoint
from grok.store.formats import container
from grok.task import Task

P = st.sampled_from([5, 7, 11])
SIZE = st.integers(1, 9)
TYPES = st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64])
RECIPE_OF = {
    "one_embedding": "modadd-mlp",
    "two_embeddings": "modadd-mlp",
    "concatenated": "c113-mlp",
    "two_hot": "quad-mlp",
}
TRANSFORMER_BIASES = ("attn.b_Q", "attn.b_K", "attn.b_V", "attn.b_O", "mlp.b_in", "mlp.b_out")


def _shapes_of_a_transformer(draw: st.DrawFn, p: int, classes: int, biases: list[str]) -> dict[str, tuple[int, ...]]:
    d, h, k, m = (draw(SIZE) for _ in range(4))
    shapes = {
        "embed.W_E": (p + 1, d),
        "pos_embed.W_pos": (3, d),
        **{f"blocks.0.attn.W_{x}": (h, d, k) for x in "QKV"},
        "blocks.0.attn.W_O": (h, k, d),
        "blocks.0.mlp.W_in": (d, m),
        "blocks.0.mlp.W_out": (m, d),
        "unembed.W_U": (d, classes),
    }
    known = dict(zip(TRANSFORMER_BIASES, [(h, k)] * 3 + [(d,), (m,), (d,)], strict=True)) | {"unembed.b_U": (classes,)}
    return shapes | {(n if n.startswith("un") else f"blocks.0.{n}"): known[n] for n in biases}


@st.composite
def models(draw: st.DrawFn) -> tuple[str, str, Task, dict[str, torch.Tensor]]:
    """A layout, the recipe it belongs to, its task, and random weights with this project's names."""
    layout = draw(st.sampled_from(["transformerlens", "progress_measures", *RECIPE_OF]))
    operation = draw(st.sampled_from(["add_mod", "sub_mod"])) if layout not in RECIPE_OF else "add_mod"
    if layout == "transformerlens" and draw(st.booleans()):
        operation = "add"
    task = Task(draw(P), operation)
    if layout == "concatenated":
        d, m = draw(SIZE), draw(SIZE)
        shapes: dict[str, tuple[int, ...]] = {"W_x": (task.p, d), "W_y": (task.p, d), "W": (2 * d, m)}
        shapes |= {"W_U": (m, task.p)}
    elif layout == "two_hot":
        m = draw(SIZE)
        shapes = {"W_a": (task.p, m), "W_b": (task.p, m), "W_out": (m, task.p)}
    elif "embedding" in layout:
        d, m = draw(SIZE), draw(SIZE)
        shapes = {"W_E": (task.p, d), "W_in": (d, m), "W_U": (m, task.p)}
        shapes |= {"b_in": (m,)} if draw(st.booleans()) else {}
        shapes |= {"b_U": (task.p,)} if draw(st.booleans()) else {}
        shapes |= {"W_E_b": (task.p, d)} if layout == "two_embeddings" else {}
    else:
        possible = TRANSFORMER_BIASES[4:] if layout == "progress_measures" else (*TRANSFORMER_BIASES, "unembed.b_U")
        biases = draw(st.lists(st.sampled_from(possible), unique=True))
        shapes = _shapes_of_a_transformer(draw, task.p, task.n_classes, biases)
    dtype, generator = draw(TYPES), torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    family = {"add": "add-transformer", "sub_mod": "modsub-transformer"}.get(operation, "modadd-transformer")
    weights = {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in shapes.items()}
    return layout, RECIPE_OF.get(layout, family), task, weights


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(models(), st.sampled_from(sorted(layouts.NESTINGS)), st.sampled_from(["safetensors", "pt"]), st.data())
def test_round_trip_through_every_layout_gives_identical_logits(tmp_path: Path, model, nesting: str, kind: str, data):
    layout, recipe, task, weights = model
    saved = getattr(layouts, layout)(weights)
    saved = {name: saved[name] for name in data.draw(st.permutations(sorted(saved)))}
    wrap, index = layouts.NESTINGS[nesting if kind == "pt" else "bare"]
    path = layouts.write(tmp_path / f"model.{kind}", wrap(saved), kind)
    loaded = checkpoint.load(path, recipe=recipe, index=index)
    expected = network(weights, task).logits
    assert loaded.recipe_name == recipe
    assert torch.equal(loaded.network.logits, expected)
    if layout == "transformerlens":
        assert set(layouts.MASK) <= set(loaded.ignored_keys)
        assert any(note.startswith("not used: ") and "mask" in note for note in loaded.notes)
    checkpoint.convert(loaded, tmp_path / "converted.safetensors")
    again = checkpoint.load(tmp_path / "converted.safetensors", recipe=recipe)
    assert torch.equal(again.network.logits, expected)
    assert again.ignored_keys == []


def _transformer(**changed: tuple[int, ...]) -> dict[str, torch.Tensor]:
    shapes = {
        "embed.W_E": (8, 4),
        "pos_embed.W_pos": (3, 4),
        **{f"blocks.0.attn.W_{x}": (2, 4, 3) for x in "QKV"},
        "blocks.0.attn.W_O": (2, 3, 4),
        "blocks.0.mlp.W_in": (4, 6),
        "blocks.0.mlp.W_out": (6, 4),
        "unembed.W_U": (4, 7),
    }
    return {name: torch.randn(shape) for name, shape in (shapes | changed).items()}


def _mlp(**changed: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"W_E": torch.randn(7, 4), "W_in": torch.randn(4, 6), "W_U": torch.randn(6, 7)} | changed


def _concatenated(**changed: torch.Tensor) -> dict[str, torch.Tensor]:
    shapes = {"W_x": (7, 4), "W_y": (7, 4), "W": (8, 6), "W_U": (6, 7)}
    return {name: torch.randn(shape) for name, shape in shapes.items()} | changed


REFUSED = {
    "a W that reads one embedding": (_concatenated(W=torch.ones(4, 6)), r"W is \[4, 6\], expected \[8, 6\]"),
    "two embeddings of other sizes": (_concatenated(W_y=torch.ones(7, 5)), r"W_y is \[7, 5\], expected \[7, 4\]"),
    "a bias that the architecture lacks": (_concatenated(b=torch.ones(6)), "it holds b; expected .* without biases"),
    "a size that contradicts another": (_mlp(W_in=torch.ones(5, 6)), r"W_in is \[5, 6\], expected \[4, d_mlp\]"),
    "a dimension too many": (_mlp(W_U=torch.ones(6, 7, 1)), r"W_U is \[6, 7, 1\], expected \[6, 7\]"),
    "NaN": (_mlp(W_E=torch.full((7, 4), torch.nan)), "W_E holds NaN or infinity"),
    "infinity in a bias": (_mlp(b_in=torch.full((6,), torch.inf)), "b_in holds NaN or infinity"),
    "integers": (_mlp(W_E=torch.ones(7, 4, dtype=torch.int64)), "W_E is torch.int64"),
    "complex numbers": (
        _mlp(W_E=torch.ones(7, 4, dtype=torch.complex64)),
        "tensors: torch.ComplexFloatStorage",
    ),
    "repeated values": (_mlp(W_E=torch.ones(1, 1).expand(7, 4)), "W_E .* repeats its values"),
    "an even p": ({"W_E": torch.ones(6, 4), "W_in": torch.ones(4, 3), "W_U": torch.ones(3, 6)}, "6 elements.*--recipe"),
    "a tiny p": ({"W_E": torch.ones(3, 4), "W_in": torch.ones(4, 3), "W_U": torch.ones(3, 3)}, "p = 3"),
    "two layers": (_transformer() | {"blocks.1.mlp.W_in": torch.ones(2)}, "blocks.1.mlp.W_in.*one layer"),
    "LayerNorm": (_transformer() | {"blocks.0.ln1.w": torch.ones(4)}, "ln1.*without LayerNorm"),
    "a gated MLP": (_transformer() | {"blocks.0.mlp.W_gate": torch.ones(4, 6)}, "without a gated MLP"),
    "two positions": (_transformer() | {"pos_embed.W_pos": torch.ones(2, 4)}, "2 positions, expected at least 3"),
    "classes of no task": (_transformer() | {"unembed.W_U": torch.ones(4, 12)}, "8 tokens and 12 classes"),
    "heads that do not fit": (
        layouts.progress_measures(_transformer()) | {"blocks.0.attn.W_O": torch.ones(4, 5)},
        "reads 5 values, expected 2 heads × 3",
    ),
    "other names": ({"fc.weight": torch.ones(2, 2)}, r"holds fc.weight \[2, 2\].*\n.*docs/checkpoints.md"),
    "no tensors": ({"epoch": 3, "lr": 0.1}, "no tensors by name, but a dict with the keys epoch, lr"),
    "a number": (3, "no tensors by name, but a int"),
    "a list without an index": ([_mlp(), _mlp()], "a list of 2 checkpoints; choose one with --index"),
    "more than any such model": (
        {"W_E": torch.ones(7, 4096), "W_in": torch.ones(4096, 4096), "W_U": torch.ones(4096, 7)},
        "16,834,560 parameters, expected at most 16,777,216",
    ),
    "an unclear task": (_mlp(), "the model does not show its task .*give --recipe"),
    "escape codes": ({"\x1b[2J": torch.ones(2)}, r"\\x1b\[2J"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_expected_and_found(tmp_path: Path, case: str):
    torch.manual_seed(0)
    held, reason = REFUSED[case]
    path = tmp_path / "model.pt"
    torch.save(held, path)
    with pytest.raises(GrokError, match=reason) as refusal:
        checkpoint.load(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\x1b" not in str(refusal.value)


def test_a_huge_p_is_refused_before_anything_is_computed(tmp_path: Path):
    """p² pairs: 200 kB of weights would ask for 80 GB."""
    p = 10_001
    torch.save({"W_E": torch.zeros(p, 1), "W_in": torch.zeros(1, 1), "W_U": torch.zeros(1, p)}, tmp_path / "a.pt")
    with pytest.raises(GrokError, match="p = 10001"):
        checkpoint.load(tmp_path / "a.pt")


@pytest.mark.parametrize("index", [5, -3])
def test_an_index_outside_the_list(tmp_path: Path, index: int):
    torch.save([_mlp(), _mlp()], tmp_path / "a.pt")
    with pytest.raises(GrokError, match=f"--index {index}: the file holds 2 checkpoints, expected -2 … 1"):
        checkpoint.load(tmp_path / "a.pt", index=index)


def test_a_fixtures_checkpoints_are_a_list_by_step(tmp_path: Path):
    at = {step: _mlp() for step in (0, 1000, 200)}
    held = {f"{step}/{name}": w for step, weights in at.items() for name, w in weights.items()}
    layouts.write(tmp_path / "checkpoints.safetensors", held, "safetensors")
    for index, step in ((0, 0), (1, 200), (-1, 1000)):
        loaded = checkpoint.load(tmp_path / "checkpoints.safetensors", recipe="modadd-mlp", index=index)
        assert torch.equal(loaded.network.W_E, at[step]["W_E"].double())


def test_an_index_without_a_list(tmp_path: Path):
    torch.save(_mlp(), tmp_path / "a.pt")
    with pytest.raises(GrokError, match="--index 0 was given, but the file holds one model"):
        checkpoint.load(tmp_path / "a.pt", index=0)


def test_a_longer_context_is_cut_and_said(tmp_path: Path):
    held = _transformer()
    longer = held | {"pos_embed.W_pos": torch.cat([held["pos_embed.W_pos"], torch.randn(2, 4)])}
    torch.save(longer, tmp_path / "a.pt")
    loaded = checkpoint.load(tmp_path / "a.pt", recipe="modadd-transformer")
    assert torch.equal(loaded.network.logits, network(held, Task(7)).logits)
    assert any("of 5 positions the first 3 are used" in note for note in loaded.notes)


def test_not_a_file(tmp_path: Path):
    for path, reason in ((tmp_path, "not a file"), (tmp_path / "x", "No such file"), (Path("/dev/zero"), "not a file")):
        with pytest.raises(GrokError, match=reason):
            container.read(path)
