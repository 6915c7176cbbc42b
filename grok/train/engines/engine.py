"""Engines: the ways to compute one step. They give the same numbers up to rounding, and tests check this.

``manual``  hand-written gradients, CPU, seeds one after another.
``folded``  autograd over the folded model, any device, all seeds in one batch.
``cuda_graph``  ``folded``, many steps in one CUDA graph.
``triton``  the kernels of ``grok.kernels``, many steps in one CUDA graph; products in tensor units, six for one.
``triton_tf32x3``  ``triton`` with three products for one, of fewer bits: to be compared, taken by no default.
``triton_ieee``  ``triton`` with products in float32 units: to be compared, taken by no default.
``definition``  ``grok.models.hooked.definition``, CPU: the others are compared with it. Slow: for small recipes.
"""

from __future__ import annotations

import os
import re
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from grok.errors import GrokError
from grok.models import matrices as weights
from grok.models.tables import Batch, Tables, fold, keep_memory
from grok.recipe import CROSS_ENTROPY, RELU, Recipe
from grok.train import graph
from grok.train.engines import folded, manual
from grok.train.engines.adamw import AdamW
from grok.train.state import PRECISIONS

if TYPE_CHECKING:
    from grok.train.state import State


class Engine(Protocol):
    """Steps a batch of S runs in place."""

    def advance(self) -> Tensor:
        """One AdamW update; returns the train losses *before* it: [S]."""
        ...

    def train_loss(self) -> Tensor:
        """Losses on the train pairs: [S]."""
        ...

    def test_loss(self) -> Tensor:
        """Losses on the test pairs: [S]."""
        ...


ON_CUDA = ("cuda_graph", *PRECISIONS)
ENGINES = ("manual", "folded", *ON_CUDA, "definition")
ALONE_AS_IN_A_BATCH = ("manual", *PRECISIONS, "definition")  # run i of a batch has the bits of run i alone


def device_of(name: str) -> str:
    """The device of this name; for ``auto`` the GPU if torch finds one, and the CPU if not."""
    return name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


def on(device: str) -> AbstractContextManager[Any]:
    """``with on(device):`` what runs on "the GPU" runs on this one: streams, events and the launches of kernels."""
    return torch.cuda.device(device) if device.startswith("cuda") else nullcontext()


def default(recipe: Recipe, device: str) -> str:
    """The engine for a recipe on a device where the user names none and none is checked (``train.choose``)."""
    by_hand = recipe.architecture in manual.KNOWN and recipe.loss == CROSS_ENTROPY and recipe.activation == RELU
    return "manual" if device == "cpu" and by_hand else "folded"


def check(name: str, device: str) -> None:
    """Raises GrokError for a device that is not there, and for an engine that is unknown or does not run on it."""
    found = re.fullmatch(r"(cpu|cuda)(?::(\d+))?", device)
    if not found:
        raise GrokError(f"unknown device {device!r}; known: auto, cpu, cuda, cuda:N")
    if name not in ENGINES:
        raise GrokError(f"unknown engine {name!r}; known: {', '.join(ENGINES)}")
    kind, gpus = found[1], torch.cuda.device_count()
    if kind == "cuda" and int(found[2] or 0) >= gpus:
        raise GrokError(f"--device {device}: torch finds {gpus or 'no'} GPU here; `grok env` says what it finds")
    needed = {"manual": "cpu", "definition": "cpu", **dict.fromkeys(ON_CUDA, "cuda")}.get(name, kind)
    interpreted = name.startswith("triton") and os.environ.get("TRITON_INTERPRET") == "1"
    if interpreted and kind == "cuda":  # the interpreter would follow the device's addresses on the host
        raise GrokError(f"engine {name!r}: TRITON_INTERPRET=1 is for a CPU; unset it, or give --device cpu")
    if kind != needed and not interpreted:
        raise GrokError(f"engine {name!r} does not run on {kind}: give --device {needed}, or --engine folded")


def make(
    recipes: list[Recipe], name: str, state: State, eval_every: int = 1, chunk: int | None = None
) -> Engine | graph.Graphed:
    """An engine that steps ``state``'s tensors in place. Raises GrokError like ``check``.

    Those that are ``graph.Graphed`` also take ``chunk`` steps at once, with a test loss at every ``eval_every``-th.
    """
    check(name, str(state.flat.device))
    recipe = recipes[0]
    if name == "manual" and recipe.architecture not in manual.KNOWN:
        known = ", ".join(manual.KNOWN)
        raise GrokError(f"engine 'manual' cannot train a {recipe.architecture}, but {known}: give --engine folded")
    if name.startswith("triton") and recipe.warmup:
        raise GrokError(
            f"engine {name!r} has one learning rate for all steps, {recipe.name} has a warm-up: --engine cuda_graph"
        )
    differs = recipe.activation if recipe.loss == CROSS_ENTROPY else recipe.loss
    if differs != RELU and name not in ("folded", "cuda_graph", "definition"):
        raise GrokError(
            f"engine {name!r} is for {RELU} and the {CROSS_ENTROPY}, {recipe.name} has {differs}: --engine folded"
        )
    if name == "manual":
        return _Manual(recipes, state)
    if name == "definition":
        return _Definition(recipes, state)
    if name == "folded":
        return _Folded(recipes, state)
    if name == "cuda_graph":
        return graph.Graphed(_Folded(recipes, state), eval_every, chunk)
    from grok.train.engines.fused import Fused  # Triton is not on every machine

    return graph.Graphed(Fused(recipes, state, PRECISIONS[name]), eval_every, chunk)


class _Manual:
    def __init__(self, recipes: list[Recipe], state: State):
        splits = [r.split() for r in recipes]
        self.train = [Batch.unordered(r, s.train) for r, s in zip(recipes, splits, strict=True)]
        self.test = [Batch.unordered(r, s.test) for r, s in zip(recipes, splits, strict=True)]
        self.adamw = AdamW(recipes[0], state)
        self.weights = [weights.views(row, recipes[0]) for row in state.flat]
        self.grads = [weights.views(row, recipes[0]) for row in self.adamw.grad]
        self.folded: list[Tables] = []
        keep_memory()

    @property
    def tables(self) -> list[Tables]:
        """Of the weights as they are: a test loss and the step after it share them."""
        self.folded = self.folded or [fold(w) for w in self.weights]
        return self.folded

    def advance(self) -> Tensor:
        losses = []
        for w, tables, batch, into in zip(self.weights, self.tables, self.train, self.grads, strict=True):
            loss, grads = manual.loss_and_grads(w, tables, batch)
            losses.append(loss)
            for name, grad in grads.items():
                into[name].copy_(grad)
        self.adamw.update()
        self.folded = []
        return torch.stack(losses)

    def train_loss(self) -> Tensor:
        return torch.stack([manual.loss(t, b) for t, b in zip(self.tables, self.train, strict=True)])

    def test_loss(self) -> Tensor:
        return torch.stack([manual.loss(t, b) for t, b in zip(self.tables, self.test, strict=True)])


class _Folded:
    def __init__(self, recipes: list[Recipe], state: State):
        self.recipe = recipes[0]
        device = state.flat.device
        pairs, labels = self.recipe.task.pairs(), self.recipe.task.labels()

        def batch(which: list[Tensor]) -> tuple[Tensor, Tensor]:
            rows = torch.stack(which)
            return pairs[rows].to(device), labels[rows].to(device)

        splits = [r.split() for r in recipes]
        self.train = batch([s.train for s in splits])
        self.test = batch([s.test for s in splits])
        self.adamw = AdamW(self.recipe, state)
        self.weights = weights.views(state.flat, self.recipe)
        self.grads = weights.views(self.adamw.grad, self.recipe)
        keep_memory()

    @property
    def mutable(self) -> list[Tensor]:
        """Everything that a step changes."""
        return [self.adamw.flat, *self.adamw.moments, self.adamw.count]

    def advance(self) -> Tensor:
        loss, grads = folded.loss_and_grads(self.weights, *self.train, self.recipe)
        for name, grad in grads.items():
            self.grads[name].copy_(grad)
        self.adamw.update()
        return loss

    def advance_tested(self) -> tuple[Tensor, Tensor]:
        return self.test_loss(), self.advance()

    @torch.no_grad()
    def train_loss(self) -> Tensor:
        return folded.mean_loss(self.weights, *self.train, self.recipe)

    @torch.no_grad()
    def test_loss(self) -> Tensor:
        return folded.mean_loss(self.weights, *self.test, self.recipe)


class _Definition:
    def __init__(self, recipes: list[Recipe], state: State):
        try:
            from grok.models.hooked import definition  # TransformerLens is not on every machine
        except ImportError as error:
            raise GrokError(
                f"engine 'definition' needs {error.name}: pip install it, or give --engine folded"
            ) from error

        self.rows = [
            [weights.views(flat[i], r) for flat in (state.flat, state.exp_avg, state.exp_avg_sq)]
            for i, r in enumerate(recipes)
        ]
        self.runs = [
            definition.Training(w, r, (first, second), state.step)
            for r, (w, first, second) in zip(recipes, self.rows, strict=True)
        ]

    def advance(self) -> Tensor:
        losses = [run.advance() for run in self.runs]
        for run, rows in zip(self.runs, self.rows, strict=True):
            for into, values in zip(rows, (run.weights(), *run.moments()), strict=True):
                for name, value in values.items():
                    into[name].copy_(value)
        return torch.stack(losses)

    def train_loss(self) -> Tensor:
        return torch.stack([run.train_loss() for run in self.runs])

    def test_loss(self) -> Tensor:
        return torch.stack([run.test_loss() for run in self.runs])
