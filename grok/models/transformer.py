"""The one-layer transformer of sources B, F, N and S: no LayerNorm, context ``a b =``, read at the last position."""

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

REQUIRED = (
    names.W_E,
    names.W_POS,
    names.W_Q,
    names.W_O,
    names.W_K,
    names.W_V,
    names.W_IN,
    names.W_OUT,
    names.W_U,
)
UNEMBEDDING = names.W_U


def shapes(recipe: Recipe) -> dict[str, tuple[int, ...]]:
    """Shapes of the matrices, in the order in which the sources draw them.

    The order W_Q, W_O, W_K, W_V is TransformerLens's own. With ``manual_seed(999)`` it gives
    ``HookedTransformer(seed=999)`` bit for bit (claim S1 checks the resulting losses).
    """
    n, d, m, c = recipe.task.n, recipe.d_model, recipe.d_mlp, recipe.task.n_classes
    h, k = recipe.n_heads, recipe.d_head
    found = (n + 1, d), (3, d), (h, d, k), (h, k, d), (h, d, k), (h, d, k), (d, m), (m, d), (d, c)
    return dict(zip(REQUIRED, found, strict=True))


def initial(recipe: Recipe, generator: Generator) -> Weights:
    """Initial weights: normal numbers with standard deviation 0.8 / √d_model."""
    std = 0.8 / math.sqrt(recipe.d_model)
    return {name: torch.empty(s).normal_(std=std, generator=generator) for name, s in shapes(recipe).items()}


def embeddings(weights: Weights) -> tuple[Tensor, Tensor]:
    """Of the number tokens, without the ``=`` row, as first and as second input: [n, d_model] each."""
    table = weights[names.W_E][:-1]
    return weights.get(names.W_E_A, table), table


def embedded(weights: Weights, first: Tensor, second: Tensor) -> Weights:
    """With these embeddings of a and of b, [n_a, d_model] and [n, d_model], in place of the weights' own."""
    return weights | {names.W_E_A: first, names.W_E: torch.cat([second, weights[names.W_E][-1:]])}


@dataclass(frozen=True, eq=False)
class Transformer(Network):
    """One layer, no LayerNorm, context ``a b =`` (sources B, F, N, S)."""

    architecture = "transformer"
    activations = get_args(Activation)

    def _bias(self, name: str, *shape: int) -> Tensor:
        return self.weights.get(name, self.weights[names.W_E].new_zeros(*shape))

    @property
    def n_heads(self) -> int:
        return self.weights[names.W_Q].shape[0]

    @property
    def d_head(self) -> int:
        return self.weights[names.W_Q].shape[2]

    @property
    def W_E(self) -> Tensor:
        return self.weights[names.W_E][: self.task.n]

    @property
    def W_K(self) -> Tensor:
        return self.weights[names.W_K]

    @property
    def W_V(self) -> Tensor:
        return self.weights[names.W_V]

    @property
    def W_O(self) -> Tensor:
        return self.weights[names.W_O]

    @property
    def W_in(self) -> Tensor:
        return self.weights[names.W_IN]

    @property
    def W_out(self) -> Tensor:
        return self.weights[names.W_OUT]

    @property
    def W_U(self) -> Tensor:
        return self.weights[names.W_U]

    @cached_property
    def U(self) -> Tensor:
        return self.W_out @ self.W_U

    @cached_property
    def resid_pre(self) -> tuple[Tensor, Tensor, Tensor]:
        """Residual stream before attention at the three positions: [n, d], [n, d], [1, d].

        With the weight ``embed.W_E_a`` the first position has its own embedding. If it has fewer rows, there are fewer
        pairs.
        """
        pos = self.weights[names.W_POS]
        return (
            self.weights.get(names.W_E_A, self.W_E) + pos[0],
            self.W_E + pos[1],
            self.weights[names.W_E][self.task.n :][:1] + pos[2],
        )

    @cached_property
    def query(self) -> Tensor:
        """Query of ``=``, one per head, divided by √d_head: [h, k]."""
        q = torch.einsum("d,hdk->hk", self.resid_pre[2][0], self.weights[names.W_Q])
        return (q + self._bias("blocks.0.attn.b_Q", self.n_heads, self.d_head)) / math.sqrt(self.d_head)

    @cached_property
    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Attention score of ``=`` to each token at each position: [n, h], [n, h], [1, h]."""
        bias = self._bias("blocks.0.attn.b_K", self.n_heads, self.d_head)
        w_k = self.weights[names.W_K]
        return tuple(  # type: ignore[return-value]
            torch.einsum("thk,hk->th", torch.einsum("td,hdk->thk", x, w_k) + bias, self.query) for x in self.resid_pre
        )

    @cached_property
    def pattern(self) -> Tensor:
        """Attention of ``=`` to a, b and itself: [n², h, 3], rows sum to one."""
        s0, s1, s2 = self.scores
        shape = len(s0), len(s1), self.n_heads
        stacked = torch.stack([s0[:, None].expand(shape), s1[None].expand(shape), s2[None].expand(shape)], dim=-1)
        return rearrange(stacked, "a b h position -> (a b) h position").softmax(-1)

    @cached_property
    def z(self) -> Tensor:
        """Attention-weighted values at the last position: [n², h, k]."""
        bias = self._bias("blocks.0.attn.b_V", self.n_heads, self.d_head)
        v0, v1, v2 = (torch.einsum("td,hdk->thk", x, self.W_V) + bias for x in self.resid_pre)
        to_a, to_b, to_equals = rearrange(self.pattern, "(a b) h position -> position a b h 1", b=len(v1))
        return rearrange(to_a * v0[:, None] + to_b * v1 + to_equals * v2, "a b h k -> (a b) h k")

    @cached_property
    def resid_mid(self) -> Tensor:
        """Residual stream between attention and MLP: [n², d]."""
        out = torch.einsum("nhk,hkd->nd", self.z, self.W_O)
        return self.resid_pre[2] + out + self._bias("blocks.0.attn.b_O", out.shape[1])

    @cached_property
    def pre(self) -> Tensor:
        w_in = self.weights[names.W_IN]
        return self.resid_mid @ w_in + self._bias("blocks.0.mlp.b_in", w_in.shape[1])

    @cached_property
    def skip_logits(self) -> Tensor:
        b_out = self._bias("blocks.0.mlp.b_out", self.W_U.shape[0])
        return (self.resid_mid + b_out) @ self.W_U + self._bias("unembed.b_U", self.W_U.shape[1])
