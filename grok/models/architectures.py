"""The known architectures, and the only place in the code that distinguishes them.

A new architecture needs a module like ``models.mlp``, one like ``models.hooked.mlp``, and an entry in
``ARCHITECTURES``. Two that differ in little, like those of ``models.pizza``, may share their modules. That is enough
for fixtures, checkpoints and claims. The engines in ``train`` are optional: each has a table of the architectures that
it can train, and refuses the others.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Generator, Tensor

from grok.errors import GrokError
from grok.models import concat, mlp, pizza, quadratic, transformer
from grok.models.names import Weights
from grok.models.network import Network
from grok.recipe import RELU, Activation, Recipe
from grok.task import Split, Task


@dataclass(frozen=True)
class Architecture:
    """What the project has to know about an architecture.

    required: names of the matrices. Weights that have all of them are of this architecture, or of one that requires
        them and more.
    unembedding: the name of the matrix whose columns are the classes.
    shapes: recipe → shapes of the trained matrices, in the order in which they are drawn.
    initial: draws the initial matrices, float32.
    embeddings: weights → embeddings of the number tokens as a and as b, [n, d_model] each.
    embedded: weights, embeddings of a [n_a, d_model] and of b [n_b, d_model] → weights that have these in place of
        their own. The network of these weights, of a task with n_b elements, computes the n_a · n_b pairs, a-major.
    network: the class that measures read. hooked: the module of the definition, imported only on request.
    """

    name: str
    required: frozenset[str]
    unembedding: str
    shapes: Callable[[Recipe], dict[str, tuple[int, ...]]]
    initial: Callable[[Recipe, Generator], Weights]
    embeddings: Callable[[Weights], tuple[Tensor, Tensor]]
    embedded: Callable[[Weights, Tensor, Tensor], Weights]
    network: type[Network]
    hooked: str

    @classmethod
    def of(cls, module: ModuleType, network: type[Network], *more: str) -> Architecture:
        """The architecture of a network that a module like ``models.mlp`` describes; more: what else it requires.

        The definition is in the module of the same name in ``models.hooked``.
        """
        return cls(
            network.architecture,
            frozenset((*module.REQUIRED, *more)),
            module.UNEMBEDDING,
            module.shapes,
            module.initial,
            module.embeddings,
            module.embedded,
            network,
            f"grok.models.hooked.{module.__name__.rpartition('.')[2]}",
        )

    def chunks(self, weights: Weights, rows: int) -> Iterator[Weights]:
        """Weights whose networks compute that many values of a, and every b, in turn."""
        first, second = self.embeddings(weights)
        for part in first.split(rows):
            yield self.embedded(weights, part, second)

    def definition(self) -> Any:
        """The module with this architecture's hooked model. It imports TransformerLens, which takes seconds."""
        return importlib.import_module(self.hooked)


ARCHITECTURES = {
    found.name: found
    for found in (
        Architecture.of(mlp, mlp.MLP),
        Architecture.of(concat, concat.Concat),
        Architecture.of(quadratic, quadratic.QuadraticMLP),
        Architecture.of(transformer, transformer.Transformer),
        Architecture.of(pizza, pizza.ConstantAttention),
        Architecture.of(pizza, pizza.SoftmaxAttention, *pizza.ATTENTION),
    )
}


def named(name: str) -> Architecture:
    """The architecture of this name. Raises GrokError with the known names."""
    if name not in ARCHITECTURES:
        raise GrokError(f"unknown architecture {name!r}; known: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def recognise(weights: Mapping[str, Any]) -> Architecture:
    """The architecture of these weights, from their names. Raises GrokError if it is none of those known.

    Of several whose matrices are all there, the one that requires all that the others do.
    """
    fitting = [architecture for architecture in ARCHITECTURES.values() if architecture.required <= weights.keys()]
    found = [one for one in fitting if all(other.required <= one.required for other in fitting)]
    if len(found) != 1:
        held = ", ".join(sorted(weights))[:200]
        raise GrokError(f"weights of no known architecture ({', '.join(ARCHITECTURES)}); they hold {held}")
    return found[0]


def network(
    weights: Weights,
    task: Task,
    split: Split | None = None,
    dtype: torch.dtype = torch.float64,
    activation: Activation = RELU,
) -> Network:
    """The network of these weights, converted to ``dtype``. Raises GrokError if no architecture has such weights."""
    converted = {name: w.detach().to(dtype) for name, w in weights.items()}
    return recognise(converted).network(task, converted, split, activation)
