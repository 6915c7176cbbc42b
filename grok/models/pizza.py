"""The transformer of Zhong et al. 2023 (arXiv 2306.17844): context ``a b``, no ``=``, read at b; no mask, no LayerNorm.

    attention of b to a and to b  =  α softmax(scores) + (1 - α)

With α = 0 (their model A, here ``pizza-a``) both tokens get 1, not 1/2, and W_Q and W_K do nothing: they are absent
here. With α = 1 (their kind of model B, ``pizza-b``) it is the usual attention. Only the MLP has biases, b_in, b_out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from einops import rearrange
from torch import Generator, Tensor

from grok.models import names
from grok.models.names import Weights
from grok.models.network import Network
from grok.recipe import Recipe

ATTENTION = (names.W_Q, names.W_K)  # of α = 1 only
REQUIRED = (
    names.W_E,
    names.W_POS_AB,
    names.W_U,
    names.W_V,
    names.W_O,
    names.W_IN,
    names.B_IN,
    names.W_OUT,
    names.B_OUT,
)
UNEMBEDDING = names.W_U


def shapes(recipe: Recipe) -> dict[str, tuple[int, ...]]:
    """In the order in which they are drawn: the source's, with W_K and W_Q last."""
    n, d, m, c = recipe.task.n, recipe.d_model, recipe.d_mlp, recipe.task.n_classes
    h, k = recipe.n_heads, recipe.d_head
    found = (n, d), (2, d), (d, c), (h, d, k), (h, k, d), (d, m), (m,), (m, d), (d,)
    attention = ATTENTION if recipe.architecture == SoftmaxAttention.architecture else ()
    return dict(zip(REQUIRED, found, strict=True)) | dict.fromkeys(attention, (h, d, k))


def initial(recipe: Recipe, generator: Generator) -> Weights:
    """The source's: randn / √d_model, but W_U / √C and W_in / √d_mlp; the biases are zero."""
    fan = {names.W_U: recipe.task.n_classes, names.W_IN: recipe.d_mlp}
    return {
        name: torch.zeros(s)
        if name in (names.B_IN, names.B_OUT)
        else torch.randn(s, generator=generator) / math.sqrt(fan.get(name, recipe.d_model))
        for name, s in shapes(recipe).items()
    }


def embeddings(weights: Weights) -> tuple[Tensor, Tensor]:
    """Of the number tokens as first and as second input: [n, d_model] each."""
    return weights.get(names.W_E_A, weights[names.W_E]), weights[names.W_E]


def embedded(weights: Weights, first: Tensor, second: Tensor) -> Weights:
    """With these embeddings of a and of b, [n_a, d_model] and [n, d_model], in place of the weights' own."""
    return weights | {names.W_E_A: first, names.W_E: second}


@dataclass(frozen=True, eq=False)
class Pizza(Network):
    """One layer, read at b, with attention α softmax + (1 - α)."""

    coefficient: ClassVar[float]  # α

    @property
    def n_heads(self) -> int:
        return self.weights[names.W_V].shape[0]

    @property
    def W_E(self) -> Tensor:
        return self.weights[names.W_E]

    @property
    def W_U(self) -> Tensor:
        return self.weights[names.W_U]

    @cached_property
    def U(self) -> Tensor:
        return self.weights[names.W_OUT] @ self.W_U

    @cached_property
    def resid_pre(self) -> tuple[Tensor, Tensor]:
        """Residual stream before attention at the positions of a and of b: [n_a, d], [n, d]."""
        pos = self.weights[names.W_POS_AB]
        first, second = embeddings(self.weights)
        return first + pos[0], second + pos[1]

    @property
    def d_head(self) -> int:
        return self.weights[names.W_V].shape[2]

    @cached_property
    def query(self) -> Tensor:
        """Query of b, one per head, divided by √d_head: [n, h, k]. Of α = 1 only."""
        return torch.einsum("bd,hdk->bhk", self.resid_pre[1], self.weights[names.W_Q]) / math.sqrt(self.d_head)

    @cached_property
    def scores(self) -> tuple[Tensor, Tensor]:
        """Attention score of b to a and to itself: [n_a, n, h], [n, h]. Of α = 1 only."""
        of_a, of_b = (torch.einsum("td,hdk->thk", x, self.weights[names.W_K]) for x in self.resid_pre)
        return torch.einsum("ahk,bhk->abh", of_a, self.query), torch.einsum("bhk,bhk->bh", of_b, self.query)

    @cached_property
    def pattern(self) -> Tensor:
        """Attention of b to a and to itself: [n_a · n, h, 2]. Rows sum to 2 - α."""
        x_a, x_b = self.resid_pre
        shape = len(x_a) * len(x_b), self.n_heads, 2
        if self.coefficient == 0:
            return x_a.new_ones(shape)
        to_a, to_b = self.scores
        softmax = torch.stack([to_a, to_b.expand_as(to_a)], dim=-1).softmax(-1).reshape(shape)
        return self.coefficient * softmax + (1 - self.coefficient)

    @cached_property
    def z(self) -> Tensor:
        """Attention-weighted values at b: [n_a · n, h, k]."""
        v_a, v_b = (torch.einsum("td,hdk->thk", x, self.weights[names.W_V]) for x in self.resid_pre)
        to_a, to_b = rearrange(self.pattern, "(a b) h position -> position a b h 1", b=len(v_b))
        return rearrange(to_a * v_a[:, None] + to_b * v_b, "a b h k -> (a b) h k")

    @cached_property
    def resid_mid(self) -> Tensor:
        """Residual stream between attention and MLP, at b: [n_a · n, d]."""
        x_a, x_b = self.resid_pre
        out = torch.einsum("nhk,hkd->nd", self.z, self.weights[names.W_O])
        return out + x_b.repeat(len(x_a), 1)

    @cached_property
    def pre(self) -> Tensor:
        return self.resid_mid @ self.weights[names.W_IN] + self.weights[names.B_IN]

    @cached_property
    def skip_logits(self) -> Tensor:
        return (self.resid_mid + self.weights[names.B_OUT]) @ self.W_U


class ConstantAttention(Pizza):
    """α = 0: model A of the paper."""

    architecture = "pizza-a"
    coefficient = 0.0


class SoftmaxAttention(Pizza):
    """α = 1: the kind of its model B."""

    architecture = "pizza-b"
    coefficient = 1.0
