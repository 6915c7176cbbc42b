"""The one-hidden-layer MLP of source K: E[a] + E[b] → ReLU → logits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import torch
from einops import rearrange
from torch import Generator, Tensor

from grok.models import names
from grok.models.names import Weights
from grok.models.network import Network
from grok.recipe import Activation, Recipe

REQUIRED = (names.MLP_W_E, names.MLP_W_IN, names.MLP_W_U)
UNEMBEDDING = names.MLP_W_U


def shapes(recipe: Recipe) -> dict[str, tuple[int, ...]]:
    """Shapes of the matrices, in the order in which the source draws them."""
    n, d, m, c = recipe.task.n, recipe.d_model, recipe.d_mlp, recipe.task.n_classes
    return {names.MLP_W_E: (n, d), names.MLP_W_IN: (d, m), names.MLP_W_U: (m, c)}


def initial(recipe: Recipe, generator: Generator) -> Weights:
    """Initial weights: standard normal numbers over √fan-in."""
    return {name: torch.randn(s, generator=generator) / math.sqrt(s[0]) for name, s in shapes(recipe).items()}


def embeddings(weights: Weights) -> tuple[Tensor, Tensor]:
    """Of every token as first and as second input: [n, d_model] each."""
    return weights[names.MLP_W_E], weights.get("W_E_b", weights[names.MLP_W_E])


def embedded(weights: Weights, first: Tensor, second: Tensor) -> Weights:
    """With these embeddings of a and of b, [n_a, d_model] and [n, d_model], in place of the weights' own."""
    return weights | {names.MLP_W_E: first, "W_E_b": second}


@dataclass(frozen=True, eq=False)
class MLP(Network):
    """E[a] + E[b] → ReLU → logits (source K). With the weight ``W_E_b`` the second input has its own embedding."""

    architecture = "mlp"
    activations = get_args(Activation)

    @property
    def W_E(self) -> Tensor:
        return self.weights[names.MLP_W_E]

    @property
    def U(self) -> Tensor:
        return self.weights[names.MLP_W_U]

    @cached_property
    def W_neur(self) -> Tensor:
        """Token → neurons: W_E W_in, [n, d_mlp]."""
        return self.W_E @ self.weights[names.MLP_W_IN]

    @cached_property
    def pre(self) -> Tensor:
        second = self.weights.get("W_E_b", self.W_E) @ self.weights[names.MLP_W_IN]
        pre = rearrange(self.W_neur[:, None] + second, "a b m -> (a b) m")
        return pre + self.weights.get("b_in", torch.zeros(1, dtype=pre.dtype))

    @cached_property
    def skip_logits(self) -> Tensor:
        return self.weights.get("b_U", self.U.new_zeros(self.U.shape[1]))[None]
