"""What a model was trained on, told from its answers; and what its neurons are, told by its file."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count, takewhile

from torch import Tensor

from grok.errors import GrokError
from grok.models.architectures import Architecture
from grok.models.names import Weights
from grok.models.quadratic import SQUARE
from grok.recipe import RELU, Activation, Recipe
from grok.store.formats.shapes import Layout, shown
from grok.task import Operation, Task

MODULAR: tuple[Operation, ...] = ("add_mod", "sub_mod")
SPELLINGS = {SQUARE: (SQUARE, "squared", "quadratic", "x^2", "x**2", "x²")}  # what people call it in configurations
GROUPS: tuple[Operation, ...] = ("dihedral", "symmetric", "alternating")


def told_task(
    layout: Layout, weights: Weights, guess: Tensor, architecture: Architecture, wanted: Recipe | None
) -> tuple[Task, list[str]]:
    """The task, from the number of classes and from the labels that the model gets right; and a note about how.

    guess: the model's answer to every pair, [n²]. wanted: the recipe that the user names. Raises GrokError if the model
    shows no task and none is wanted, and if it shows another one.
    """
    recipe = wanted and wanted.name
    if wanted is not None and wanted.architecture != architecture.name:
        raise GrokError(f"it is a {architecture.name}, but {recipe} is a {wanted.architecture}; leave out --recipe")
    p = layout.p
    classes = weights[architecture.unembedding].shape[1]
    if classes == 2 * p:
        found: Operation | None = "add"
        candidates: dict[Operation, Task] = {"add": Task(p, "add")}
        told = f"p = {p}, a + b without a modulus: there are {classes} classes"
    else:
        candidates = _candidates(p)
        right: dict[Operation, float] = {
            op: float((guess == task.labels()).double().mean()) for op, task in candidates.items()
        }
        found = _told_apart(right, p)
        told = _right_on(candidates, right, p)
    if wanted is not None and found is not None and wanted.task.operation != found:
        raise GrokError(f"the model's task is {found}, but {recipe} is {wanted.task.operation} ({told})")
    operation = wanted.task.operation if wanted is not None else found
    if operation is None:
        raise GrokError(f"the model does not show its task ({told}); give --recipe")
    if (operation == "add") != (classes == 2 * p):
        raise GrokError(f"{recipe} has 2p classes, the file has {classes} with p = {p}")
    if operation not in candidates:
        raise GrokError(f"{recipe} is {operation}, and there is none with {p} elements; a ± b modulo p needs an odd p")
    return candidates[operation], [told]


def told_activation(said: str | None, architecture: Architecture) -> tuple[Activation, list[str]]:
    """The activation of the neurons, from the name in the file (``unwrap.state_dict``); and a note, if it is not ReLU.

    A file that names none holds ReLU neurons, or those that its architecture fixes. Where it fixes them, the result is
    the usual value of ``Network.activation``, which such a network does not read. Raises GrokError for an activation
    that such a network cannot have here.
    """
    choices, fixed = architecture.network.activations, architecture.network.fixed_activation
    for known in choices:
        if said == known:
            return known, [] if known == RELU else [f"its neurons are {known}, as the file says"]
    if said is None or (not choices and said in SPELLINGS.get(fixed, (fixed,))):
        return RELU, []
    expected = " or ".join(choices or (fixed,))
    raise GrokError(f"it says act_fn = {shown(said)}, expected {expected} for a {architecture.name}")


def _candidates(n: int) -> dict[Operation, Task]:
    """The tasks on n ≥ 5 elements with n classes; there is one at least, a + b for odd n and a polygon for even n."""
    found: dict[Operation, Task] = {op: Task(n, op) for op in MODULAR if n % 2 == 1}
    for op in GROUPS:
        for task in takewhile(lambda task: task.n <= n, (Task(p, op) for p in count(3))):
            if task.n == n:
                found[op] = task
    return found


def _right_on(candidates: Mapping[Operation, Task], right: Mapping[Operation, float], n: int) -> str:
    if candidates.keys() == set(MODULAR):
        return f"p = {n}; right on {right['add_mod']:.4f} of all a + b and {right['sub_mod']:.4f} of all a - b modulo p"
    shares = ", ".join(f"{right[op]:.4f} of all a ∘ b in {op} p = {task.p}" for op, task in candidates.items())
    return f"{n} elements; right on {shares}"


def _told_apart(right: Mapping[Operation, float], n: int) -> Operation | None:
    """The operation that clearly more answers fit than chance (1/n) and than the next best; None if there is none."""
    (best, most), *others = sorted(right.items(), key=lambda item: -item[1])
    return best if most > 2 / n and all(most > 2 * other for _, other in others) else None
