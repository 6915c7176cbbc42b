"""The MLP of Chughtai et al. 2023: the embeddings of a and b side by side, (W_x[a] ‖ W_y[b]) W → ReLU → logits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from einops import rearrange
from torch import Generator, Tensor

from grok.models import names
from grok.models.names import Weights
from grok.models.network import Network
from grok.recipe import Recipe

REQUIRED = (names.CONCAT_W_X, names.CONCAT_W_Y, names.CONCAT_W, names.CONCAT_W_U)
UNEMBEDDING = names.CONCAT_W_U


def shapes(recipe: Recipe) -> dict[str, tuple[int, ...]]:
    """In the order in which the source draws them. The first d_model rows of W read a, the others b."""
    n, d, m, c = recipe.task.n, recipe.d_model, recipe.d_mlp, recipe.task.n_classes
    return {names.CONCAT_W_X: (n, d), names.CONCAT_W_Y: (n, d), names.CONCAT_W: (2 * d, m), names.CONCAT_W_U: (m, c)}


def initial(recipe: Recipe, generator: Generator) -> Weights:
    """randn / √d_model for the embeddings, / √(2 d_model) for W, / √d_mlp for W_U."""
    d, m = recipe.d_model, recipe.d_mlp
    scale = {names.CONCAT_W_X: d, names.CONCAT_W_Y: d, names.CONCAT_W: 2 * d, names.CONCAT_W_U: m}
    return {name: torch.randn(s, generator=generator) / math.sqrt(scale[name]) for name, s in shapes(recipe).items()}


def embeddings(weights: Weights) -> tuple[Tensor, Tensor]:
    """Of every token as a and as b: [n, d_model] each."""
    return weights[names.CONCAT_W_X], weights[names.CONCAT_W_Y]


def embedded(weights: Weights, first: Tensor, second: Tensor) -> Weights:
    """With these embeddings of a and of b, [n_a, d_model] and [n, d_model], in place of the weights' own."""
    return weights | {names.CONCAT_W_X: first, names.CONCAT_W_Y: second}


@dataclass(frozen=True, eq=False)
class Concat(Network):
    """(W_x[a] ‖ W_y[b]) W → ReLU → logits, without biases (Chughtai et al. 2023)."""

    architecture = "concat"

    @property
    def W_E(self) -> Tensor:
        """Both embeddings side by side: [n, 2 d_model]."""
        return torch.cat(embeddings(self.weights), dim=1)

    @property
    def U(self) -> Tensor:
        return self.weights[names.CONCAT_W_U]

    @cached_property
    def neuron_embeddings(self) -> tuple[Tensor, Tensor]:
        """Token → neurons, as a and as b: W_x W[:d], W_y W[d:], [n, d_mlp] each. The source's "total embeddings"."""
        w_x, w_y = self.weights[names.CONCAT_W_X], self.weights[names.CONCAT_W_Y]
        reads_a, reads_b = self.weights[names.CONCAT_W].tensor_split([w_x.shape[1]])
        return w_x @ reads_a, w_y @ reads_b

    @cached_property
    def pre(self) -> Tensor:
        of_a, of_b = self.neuron_embeddings
        return rearrange(of_a[:, None] + of_b, "a b m -> (a b) m")

    @cached_property
    def skip_logits(self) -> Tensor:
        return self.U.new_zeros(1, self.U.shape[1])
