"""Reading and writing checkpoints: the shipped fixtures, and other people's models in any known layout.

Loading does not trust the file. The file is opened within size limits (``formats.container``), its layout is read from
names and shapes, and every matrix is checked for type, shape and finiteness before anything is computed from it. The
labels that the model gets right show whether it adds, subtracts, or composes the elements of another group.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from grok import files
from grok.errors import GrokError
from grok.models.architectures import Architecture, network, recognise
from grok.models.names import Weights
from grok.models.network import Network
from grok.recipe import FAMILIES, RECIPES, RELU, Activation, Recipe
from grok.store import formats, pairs
from grok.store.fixture import CARD, MODEL, Fixture, load_fixture, save_fixture
from grok.store.formats import container, unwrap
from grok.store.formats.shapes import Layout, listed, shown
from grok.store.told import MODULAR, told_activation, told_task
from grok.task import Split, Task

__all__ = ["Fixture", "Loaded", "convert", "load", "load_fixture", "save_fixture"]

MAX_PARAMETERS = 1 << 24
MAX_ACTIVATION_BYTES = 1 << 30  # one activation of all pairs in float64; the suite holds several
CHUNK_BYTES = 34 << 20  # of one activation: malloc returns blocks over 32 MB and may keep smaller ones as holes
GROKKED = 0.99
TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model from a file, and what was found in the file.

    recipe_name: the recipe whose claims apply; None if no source makes claims about such a model.
    accuracy: share of pairs answered correctly: "all", and "train" and "test" if the split is known.
    notes: what the user should know before reading verdicts. format: name of the layout. ignored_keys: names in the
    file that were not used. sha256: digest of the file.
    """

    path: Path
    network: Network
    recipe_name: str | None
    accuracy: dict[str, float]
    notes: list[str]
    format: str
    ignored_keys: list[str]
    sha256: str

    @property
    def grokked(self) -> bool:
        return self.accuracy.get("test", self.accuracy["all"]) >= GROKKED


def load(
    path: Path | str,
    recipe: str | None = None,
    split_seed: int | None = None,
    train_frac: float | None = None,
    index: int | None = None,
    split: Path | None = None,
) -> Loaded:
    """Load a checkpoint of any known layout, or the final network of a fixture's folder.

    The task and the split of a fixture, or of its model.safetensors, come from its card unless you give others.
    recipe: the expected recipe. Another task or architecture is an error. If the model does not show its task, the task
    is taken from the recipe. The recipe also chooses between published recipes of one architecture, task and size.
    split_seed, train_frac: give both or neither. split: in their place, a file with the train pairs
    (``pairs.split_in``). Without them the split is unknown. index: position in a list of checkpoints.
    Raises GrokError for a file that cannot be used. No code in the file is ever run.
    """
    path = Path(path)
    if path.is_dir() and (path / CARD).is_file():
        path = path / MODEL
    elif (path / "work").is_dir():
        raise GrokError(f"{path}: its run is not finished; the `grok train` command that began it goes on with it")
    trained = None
    if path.name == MODEL and path.with_name(CARD).is_file():
        trained = load_fixture(path.parent).recipe
    try:
        wanted = _wanted(recipe) or trained
        tensors, said, ignored = unwrap.state_dict(container.read(path), index)
        name, layout = formats.recognise(tensors)
        activation, neurons = told_activation(said, recognise(layout.weights))
        activation = trained.activation if trained else activation
        weights, guess, reading = _read(layout, wanted.architecture if wanted else None, activation)
        architecture = recognise(weights)
        if trained is not None and recipe is None:
            task, told = trained.task, [_stated(trained.task, guess)]
        else:
            task, told = told_task(layout, weights, guess, architecture, wanted)
        family = _family(weights, architecture, task, wanted.name if wanted else None)
    except GrokError as error:
        raise GrokError(f"{path}: {error}") from None
    known = _split(task, split_seed, train_frac, split)
    if known is None and trained is not None:
        known = trained.split()
    accuracy = _accuracy(task, known, guess)
    ignored += [shown(key) for key in tensors if key not in layout.used]
    notes = [*layout.notes, *neurons, *reading, *told]
    if trained is not None and family is not None and (changes := trained.changes(RECIPES[family])):
        notes.append(f"trained with {changes}: the claims about {family} may fail on its published figures")
    if ignored:
        notes.append(f"not used: {listed(ignored)}")
    if known is None:
        notes.append(
            "the split is not known (--split, or --split-seed and --train-frac): test = all pairs, and there are no "
            "train pairs"
        )
    if accuracy.get("test", accuracy["all"]) < GROKKED:
        figures = ", ".join(f"{value:.4f} of {which} pairs" for which, value in accuracy.items())
        notes.append(f"this model has not grokked: it is right on {figures}")
    of_file = network(weights, task, known, activation=activation)
    return Loaded(path, of_file, family, accuracy, notes, name, ignored, _sha256(path))


def convert(loaded: Loaded, out: Path) -> None:
    """Write the weights as safetensors under this project's names, in float32. Raises OSError.

    Weights that float32 cannot represent stay in float64. Neurons other than ReLU are named in the metadata. ``load``
    gives the same network from the file, to the bit.
    """
    found = loaded.network
    named: dict[str, str] = {} if found.activation == RELU else {container.ACT_FN: found.activation}
    files.write_bytes(out, save({n: _narrow(w) for n, w in found.weights.items()}, named or None))


def _narrow(weight: Tensor) -> Tensor:
    single = weight.float()
    return (single if torch.equal(single.double(), weight) else weight).contiguous().clone()


def _checked(tensors: Mapping[str, Tensor]) -> Weights:
    """The tensors, dense, of a floating type and finite; float32 unless they are float64."""
    total = sum(w.numel() for w in tensors.values())
    if total > MAX_PARAMETERS:
        raise GrokError(f"it has {total:,} parameters, expected at most {MAX_PARAMETERS:,}")
    out = {}
    for name, w in tensors.items():
        if w.layout != torch.strided or w.dtype not in TYPES or w.device.type != "cpu":
            raise GrokError(f"{name} is {w.dtype} ({w.layout}), expected float16, bfloat16, float32 or float64, dense")
        if w.numel() * w.element_size() > w.untyped_storage().nbytes():
            raise GrokError(f"{name} {list(w.shape)} repeats its values; save it with .contiguous()")
        if not torch.isfinite(w).all():
            raise GrokError(f"{name} holds NaN or infinity")
        # a copy, contiguous and aligned, so that rounding does not depend on how the file stored it
        wide = torch.float64 if w.dtype == torch.float64 else torch.float32
        out[name] = w.to(wide, copy=True, memory_format=torch.contiguous_format)
    return out


def _wanted(recipe: str | None) -> Recipe | None:
    if recipe is not None and recipe not in RECIPES:
        raise GrokError(f"unknown recipe {recipe!r}; known: {', '.join(RECIPES)}")
    return None if recipe is None else RECIPES[recipe]


def _stated(task: Task, guess: Tensor) -> str:
    """The task that a card states, and how well the model has learned it."""
    right = float((guess == task.labels()).double().mean())
    return f"its card: {task.operation} with p = {task.p}; right on {right:.4f} of all pairs"


def _read(layout: Layout, asked: str | None, activation: Activation) -> tuple[Weights, Tensor, list[str]]:
    """The weights, their answers, and how the reading was told, where the file has more than one.

    That of the architecture asked for, if it is one of them; otherwise the one that is right on more pairs, and of two
    that are right on as many the one with the smaller loss: a network was trained to do well as it was run.
    """
    readings = {recognise(w).name: _checked(w) for w in (layout.weights, *layout.other_readings)}
    answers = {name: _answers(weights, layout.p, activation) for name, weights in readings.items()}
    if len(readings) == 1:
        return next(iter(readings.values())), next(iter(answers.values())), []
    fits = {name: _fit(readings[name], answers[name], layout.p) for name in readings}
    chosen = asked if asked in readings else max(fits, key=lambda name: fits[name])
    shown = "; ".join(
        f"as {name} it is right on {right:.4f} with loss {-loss:.3g}" for name, (right, loss) in fits.items()
    )
    return readings[chosen], answers[chosen], [f"read as {chosen}: {shown}"]


def _fit(weights: Weights, guess: Tensor, p: int) -> tuple[float, float]:
    """Share of right pairs and minus the mean loss, of the modular operation that the answers fit best."""
    labels = max((Task(p, op).labels() for op in MODULAR), key=lambda labels: int((guess == labels).sum()))
    loss = torch.nn.functional.cross_entropy(network(weights, Task(p)).logits, labels)
    return float((guess == labels).double().mean()), -float(loss)


def _answers(weights: Weights, p: int, activation: Activation) -> Tensor:
    """The class with the greatest logit of every pair: [p²]. In float32, a few values of a at once, to save memory."""
    widths = [max(w.shape) for w in weights.values()]
    if p < 5 or p * p * max(widths) * 8 > MAX_ACTIVATION_BYTES:
        raise GrokError(f"p = {p} with matrices up to {max(widths)} wide; expected p ≥ 5 and p² × width ≤ 2²⁷")
    rows = -(-CHUNK_BYTES // (p * max(widths) * 4))
    chunks = recognise(weights).chunks(weights, rows)
    single = (network(chunk, Task(p), dtype=torch.float32, activation=activation) for chunk in chunks)
    return torch.cat([part.logits.argmax(-1) for part in single])


def _family(weights: Weights, architecture: Architecture, task: Task, recipe: str | None) -> str | None:
    """The published recipe whose claims apply. Of several, the one named in ``recipe``, or the one with these shapes.

    None if no source makes claims about such a model. Raises GrokError if several recipes are left.
    """
    fitting = [r for r in FAMILIES if (r.architecture, r.task.operation) == (architecture.name, task.operation)]
    asked = [r for r in fitting if r.name == recipe]
    if len(fitting) > 1 and not asked:
        sizes = {name: tuple(w.shape) for name, w in weights.items()}
        same = [r for r in fitting if architecture.shapes(r).items() <= sizes.items()]
        if len(same) != 1:
            candidates = ", ".join(r.name for r in same or fitting)
            raise GrokError(f"its claims could be those of {candidates}; choose one with --recipe")
        return same[0].name
    return (asked or fitting)[0].name if fitting else None


def _split(task: Task, seed: int | None, fraction: float | None, file: Path | None) -> Split | None:
    if seed is None and fraction is None:
        return None if file is None else pairs.split_in(file, task)
    if file is not None:
        raise GrokError("--split names the train pairs: leave out --split-seed and --train-frac")
    if seed is None or fraction is None:
        raise GrokError("--split-seed and --train-frac belong together: give both, or neither")
    if not 0 < fraction < 1:
        raise GrokError(f"--train-frac is {fraction}, expected a share between 0 and 1")
    return task.split(seed, fraction)


def _accuracy(task: Task, split: Split | None, guess: Tensor) -> dict[str, float]:
    right = (guess == task.labels()).double()
    parts = {"all": right} | ({} if split is None else {"train": right[split.train], "test": right[split.test]})
    return {which: float(part.mean()) for which, part in parts.items()}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
