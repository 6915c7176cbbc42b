"""What a checkpoint does is read from its answers: task, accuracies, whether it has grokked; and the user's split."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from grok.errors import GrokError, NotEvaluable
from grok.models import analytic, matrices, quadratic
from grok.models.architectures import network
from grok.models.names import Weights
from grok.recipe import RECIPES, Recipe
from grok.store import checkpoint, told
from grok.task import Task

KEYS = (2, 3, 5)


def _save(tmp_path: Path, weights: Weights) -> Path:
    save_file({name: w.contiguous() for name, w in weights.items()}, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def _adder(p: int, n_right: int) -> Weights:
    """A transformer with 2p classes whose logits are a ramp: it answers the same class for every pair."""
    task = Task(p, "add")
    weights = {name: torch.zeros_like(w) for name, w in analytic.transformer(Task(11), KEYS).items()}
    d = weights["embed.W_E"].shape[1]
    weights["embed.W_E"] = torch.ones(p + 1, d)
    weights["unembed.W_U"] = torch.zeros(d, task.n_classes)
    weights["unembed.W_U"][:, n_right] = 1
    return {name: w for name, w in weights.items() if "b_" not in name}


@pytest.mark.parametrize(
    ("build", "operation", "recipe"),
    [
        (analytic.mlp, "add_mod", "modadd-mlp"),
        (analytic.transformer, "add_mod", "modadd-transformer"),
        (analytic.transformer, "sub_mod", "modsub-transformer"),
    ],
)
def test_the_task_is_told_by_the_answers(tmp_path: Path, build, operation: str, recipe: str):
    task = Task(11, operation)
    loaded = checkpoint.load(_save(tmp_path, build(task, KEYS)))
    assert loaded.network.task == task
    assert loaded.recipe_name == recipe
    assert loaded.accuracy == {"all": 1.0}
    assert loaded.grokked
    assert loaded.network.key_frequencies == KEYS


def test_no_source_claims_anything_of_an_mlp_that_subtracts(tmp_path: Path):
    """It needs an embedding of its own for b: that of -b."""
    weights = analytic.mlp(Task(11), KEYS)
    weights["W_E_b"] = weights["W_E"][-torch.arange(11) % 11]
    loaded = checkpoint.load(_save(tmp_path, weights))
    assert loaded.network.task == Task(11, "sub_mod")
    assert loaded.accuracy == {"all": 1.0}
    assert loaded.recipe_name is None


@pytest.mark.parametrize(
    "task", [Task(11), Task(11, "sub_mod"), Task(3, "symmetric"), Task(3, "dihedral"), Task(4, "alternating")], ids=str
)
def test_the_group_is_told_by_the_answers(tmp_path: Path, task: Task):
    """A neuron for each pair, which writes its answer."""
    (a, b), tokens, one = task.pairs().unbind(1), torch.arange(task.n)[:, None], torch.eye(task.n)
    reads = torch.cat([(tokens == a).float() * 2 - 1, (tokens == b).float() * 2 - 1])
    loaded = checkpoint.load(_save(tmp_path, {"W_x": one, "W_y": one.clone(), "W": reads, "W_U": one[task.labels()]}))
    assert loaded.network.task == task
    assert loaded.accuracy == {"all": 1.0}
    assert loaded.recipe_name == {"add_mod": "c113-mlp", "symmetric": "s5-mlp"}.get(task.operation)


def test_a_recipe_of_a_group_of_another_size_is_refused(tmp_path: Path):
    torch.manual_seed(0)
    shapes = {"W_x": (10, 3), "W_y": (10, 3), "W": (6, 5), "W_U": (5, 10)}
    path = _save(tmp_path, {name: torch.randn(shape) for name, shape in shapes.items()})
    with pytest.raises(GrokError, match=r"does not show its task \(10 elements; right on .* in dihedral p = 5\)"):
        checkpoint.load(path)
    with pytest.raises(GrokError, match="s5-mlp is symmetric, and there is none with 10 elements"):
        checkpoint.load(path, recipe="s5-mlp")
    with pytest.raises(GrokError, match=r"c113-mlp is add_mod, and there is none with 10 elements; .* odd p"):
        checkpoint.load(path, recipe="c113-mlp")


def test_addition_without_a_modulus_is_told_by_its_classes(tmp_path: Path):
    loaded = checkpoint.load(_save(tmp_path, _adder(6, 5)))
    assert loaded.network.task == Task(6, "add")
    assert loaded.recipe_name == "add-transformer"
    assert loaded.accuracy == {"all": 6 / 36}  # six pairs sum to 5
    assert not loaded.grokked
    assert "this model has not grokked: it is right on 0.1667 of all pairs" in loaded.notes


def test_answers_in_chunks_are_the_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One row of pairs at a time, on weights that get about half of the pairs right."""
    task = Task(13, "sub_mod")
    noise = torch.Generator().manual_seed(0)
    weights = analytic.transformer(task, (1, 4))
    weights = {n: w + 0.3 * w.std() * torch.randn(w.shape, generator=noise, dtype=w.dtype) for n, w in weights.items()}
    whole = network(weights, task)
    expected = float((whole.logits.argmax(-1) == whole.labels).double().mean())
    assert 0.1 < expected < 1
    monkeypatch.setattr(checkpoint, "CHUNK_BYTES", 1)
    assert checkpoint.load(_save(tmp_path, weights), recipe="modsub-transformer").accuracy["all"] == expected


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ("modadd-transformer", "it is a mlp, but modadd-transformer is a transformer"),
        ("no-such", "unknown recipe 'no-such'; known: modadd-mlp"),
    ],
)
def test_another_recipe_is_refused(tmp_path: Path, recipe: str, reason: str):
    with pytest.raises(GrokError, match=reason):
        checkpoint.load(_save(tmp_path, analytic.mlp(Task(11), KEYS)), recipe=recipe)


@pytest.mark.parametrize("recipe", ["modsub-transformer", "add-transformer"])
def test_another_task_is_refused(tmp_path: Path, recipe: str):
    with pytest.raises(GrokError, match=f"the model's task is add_mod, but {recipe} is"):
        checkpoint.load(_save(tmp_path, analytic.transformer(Task(11), KEYS)), recipe=recipe)


def test_a_recipe_with_other_classes_is_refused(tmp_path: Path):
    """Nothing can be told from the answers of untrained weights, but their shape says that they do not just add."""
    shapes = {name: w.shape for name, w in analytic.transformer(Task(11), KEYS).items()}
    torch.manual_seed(0)
    path = _save(tmp_path, {name: torch.randn(shape) for name, shape in shapes.items()})
    with pytest.raises(GrokError, match="add-transformer has 2p classes, the file has 11 with p = 11"):
        checkpoint.load(path, recipe="add-transformer")


def test_the_split(tmp_path: Path):
    path = _save(tmp_path, analytic.mlp(Task(11), KEYS))
    unknown = checkpoint.load(path)
    assert len(unknown.network.test) == 121
    assert any("the split is not known" in note for note in unknown.notes)
    with pytest.raises(NotEvaluable):
        _ = unknown.network.train
    known = checkpoint.load(path, split_seed=598, train_frac=0.3)
    assert torch.equal(known.network.train, Task(11).split(598, 0.3).train)
    assert known.accuracy == {"all": 1.0, "train": 1.0, "test": 1.0}
    (tmp_path / "pairs.json").write_text("[100, 3, 7]")
    own = checkpoint.load(path, split=tmp_path / "pairs.json")
    assert own.network.train.tolist() == [100, 3, 7]
    assert len(own.network.test) == 121 - 3


def test_a_split_that_cannot_be_is_refused(tmp_path: Path):
    path, pairs = _save(tmp_path, analytic.mlp(Task(11), KEYS)), tmp_path / "pairs.txt"
    pairs.write_text("5 121")
    with pytest.raises(GrokError, match=r"^\S+pairs.txt: index 2 is 121, expected 0 … 120"):
        checkpoint.load(path, split=pairs)
    with pytest.raises(GrokError, match="leave out --split-seed and --train-frac"):
        checkpoint.load(path, split_seed=1, train_frac=0.3, split=pairs)


@pytest.mark.parametrize(("seed", "fraction"), [(1, None), (None, 0.3), (1, 0.0), (1, 1.5), (1, float("nan"))])
def test_half_a_split_is_refused(tmp_path: Path, seed: int | None, fraction: float | None):
    with pytest.raises(GrokError, match="--train-frac"):
        checkpoint.load(_save(tmp_path, analytic.mlp(Task(11), KEYS)), split_seed=seed, train_frac=fraction)


def test_of_two_recipes_for_one_task_the_shapes_choose(tmp_path, monkeypatch):
    """A second recipe beside the first: by its sizes if they tell, by --recipe if they do not."""
    published = RECIPES["modadd-mlp"]
    wide = replace(published, name="modadd-mlp-wide", d_mlp=24, d_model=9, task=Task(13))
    narrow = replace(wide, name="modadd-mlp-narrow", d_mlp=12)
    twin = replace(narrow, name="modadd-mlp-twin", weight_decay=0.1)
    path = _save(tmp_path, matrices.initial(narrow))

    def family(*recipes: Recipe, recipe: str | None = None) -> str | None:
        monkeypatch.setattr(checkpoint, "FAMILIES", recipes)
        monkeypatch.setattr(checkpoint, "RECIPES", {r.name: r for r in recipes})
        monkeypatch.setattr(told, "_told_apart", lambda right, p: "add_mod")  # untrained: it answers anything
        return checkpoint.load(path, recipe=recipe).recipe_name

    assert family(wide, narrow) == family(narrow, wide) == "modadd-mlp-narrow"
    assert family(wide) == "modadd-mlp-wide"  # the only one: a user's model may have any size
    assert family(wide, narrow, recipe="modadd-mlp-wide") == "modadd-mlp-wide"
    assert family(narrow, twin, recipe="modadd-mlp-twin") == "modadd-mlp-twin"
    with pytest.raises(GrokError, match="those of modadd-mlp-narrow, modadd-mlp-twin; choose one with --recipe"):
        family(wide, narrow, twin)
    with pytest.raises(GrokError, match="those of modadd-mlp-wide, modadd-mlp; choose one with --recipe"):
        family(wide, published)


@pytest.mark.parametrize("said", ["square", "quadratic", "x^2", None])
def test_quadratic_neurons_may_be_named(tmp_path: Path, said: str | None):
    weights = quadratic.gromov(Task(7), 140).weights
    torch.save({"model": weights, "config": {"act_fn": said} if said else {}}, tmp_path / "model.pt")
    loaded = checkpoint.load(tmp_path / "model.pt")
    assert (loaded.recipe_name, loaded.accuracy) == ("quad-mlp", {"all": 1.0})


@pytest.mark.parametrize(
    ("weights", "said", "reason"),
    [
        (quadratic.gromov(Task(7), 14).weights, "relu", "relu, expected square for a quadratic"),
        (analytic.mlp(Task(11), KEYS), "square", "square, expected relu or gelu for a mlp"),
        (matrices.initial(RECIPES["c113-mlp"]), "gelu", "gelu, expected relu for a concat"),
    ],
)
def test_neurons_that_contradict_the_matrices_are_refused(tmp_path: Path, weights: Weights, said: str, reason: str):
    torch.save({"model": weights, "config": {"act_fn": said}}, tmp_path / "model.pt")
    with pytest.raises(GrokError, match=f"it says act_fn = {reason}"):
        checkpoint.load(tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("beside", "unused"),
    [
        ({"act_fn": "relu"}, []),
        ({"config": {"act_fn": "relu"}}, []),
        ({"config": {"act_fn": "relu", "n_layers": 1}}, ["config but for its act_fn"]),
        ({"config": {"n_layers": 1}, "epoch": 3}, ["config", "epoch"]),
    ],
)
@pytest.mark.parametrize("nested", [True, False])
def test_what_was_read_is_not_called_unused(tmp_path: Path, beside: dict, unused: list[str], nested: bool):
    weights = analytic.mlp(Task(11), KEYS)
    torch.save({"model": weights, **beside} if nested else {**weights, **beside}, tmp_path / "model.pt")
    loaded = checkpoint.load(tmp_path / "model.pt")
    assert loaded.ignored_keys == unused
    noted = [f"not used: {', '.join(unused)}"] if unused else []
    assert [note for note in loaded.notes if "not used" in note] == noted


def test_the_chosen_checkpoint_of_a_list_names_its_own_neurons(tmp_path: Path):
    weights = analytic.mlp(Task(11), KEYS)
    torch.save([{"model": weights, "config": {"act_fn": said}} for said in ("gelu", "relu")], tmp_path / "run.pt")
    loaded = [checkpoint.load(tmp_path / "run.pt", recipe="modadd-mlp", index=index) for index in (0, 1)]
    assert [one.network.activation for one in loaded] == ["gelu", "relu"]


def test_a_run_that_is_not_finished_is_named(tmp_path: Path):
    (tmp_path / "seed5" / "work").mkdir(parents=True)
    with pytest.raises(GrokError, match="seed5: its run is not finished; the `grok train` command"):
        checkpoint.load(tmp_path / "seed5")
