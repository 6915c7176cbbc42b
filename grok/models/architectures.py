"""The architectures that are known, and the one place that tells them apart.

A new architecture is a module like ``models.mlp`` and one like ``models.hooked.mlp``, and an entry in
``ARCHITECTURES``. That suffices for fixtures, checkpoints and claims. The engines in ``train`` are optional: each has
a table of the architectures that it can train, and refuses the others.
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
from grok.models import concat, mlp, transformer
from grok.models.names import Weights
from grok.models.network import Network
from grok.recipe import Recipe
from grok.task import Split, Task


@dataclass(frozen=True)
class Architecture:
    """What the project has to know of an architecture.

    required: names of the matrices; weights that have them all are of this architecture.
    unembedding: the name of the matrix whose columns are the classes.
    shapes: of the matrices a recipe trains, in the order in which they are drawn. initial: draws them, float32.
    embedding: weights → embedding of the number tokens, [n, d_model].
    chunks: weights, n tokens, rows → weights whose networks compute that many values of a, and every b, in turn.
    network: the class that measures read. hooked: the module of the definition, imported when it is asked for.
    """

    name: str
    required: frozenset[str]
    unembedding: str
    shapes: Callable[[Recipe], dict[str, tuple[int, ...]]]
    initial: Callable[[Recipe, Generator], Weights]
    embedding: Callable[[Weights], Tensor]
    chunks: Callable[[Weights, int, int], Iterator[Weights]]
    network: type[Network]
    hooked: str

    @classmethod
    def of(cls, module: ModuleType) -> Architecture:
        """The architecture that a module like ``models.mlp`` describes; its definition has the same name."""
        name = module.__name__.rpartition(".")[2]
        return cls(
            name,
            frozenset(module.REQUIRED),
            module.UNEMBEDDING,
            module.shapes,
            module.initial,
            module.embedding,
            module.chunks,
            module.NETWORK,
            f"grok.models.hooked.{name}",
        )

    def definition(self) -> Any:
        """The module with this architecture's hooked model. It imports TransformerLens, which takes seconds."""
        return importlib.import_module(self.hooked)


ARCHITECTURES = {found.name: found for found in map(Architecture.of, (mlp, transformer, concat))}


def named(name: str) -> Architecture:
    """The architecture of this name. Raises GrokError with the known names."""
    if name not in ARCHITECTURES:
        raise GrokError(f"unknown architecture {name!r}; known: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def recognise(weights: Mapping[str, Any]) -> Architecture:
    """The architecture of these weights, from their names. Raises GrokError if it is none of those known."""
    found = [architecture for architecture in ARCHITECTURES.values() if architecture.required <= weights.keys()]
    if len(found) != 1:
        held = ", ".join(sorted(weights))[:200]
        raise GrokError(f"weights of no known architecture ({', '.join(ARCHITECTURES)}); they hold {held}")
    return found[0]


def network(weights: Weights, task: Task, split: Split | None = None, dtype: torch.dtype = torch.float64) -> Network:
    """The network of these weights, converted to ``dtype``. Raises GrokError if no architecture has such weights."""
    converted = {name: w.detach().to(dtype) for name, w in weights.items()}
    return recognise(converted).network(task, converted, split)
