"""A model as measures see it: its weights and every activation at the last position, on all p² pairs, in float64.

This is a functional forward without hooks, equal to the hooked definitions in ``grok.models`` (a test holds it).
Activations are computed when first read and kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from grok.errors import NotEvaluable
from grok.fourier import keys
from grok.fourier.basis import pair_powers
from grok.models import matrices as names
from grok.models.matrices import Weights
from grok.recipe import Architecture, matched_count
from grok.task import Split, Task


@dataclass(frozen=True, eq=False)
class Network:
    """A trained model of either architecture. Build with ``network``.

    weights: float64, with the names of ``models.matrices`` and, for models of others, TransformerLens's bias names.
    split: the train and test pairs; None if not known (then test = all pairs, and there is no train).
    """

    task: Task
    weights: Weights
    split: Split | None

    architecture: ClassVar[Architecture]

    @cached_property
    def labels(self) -> Tensor:
        """[p²], int64."""
        return self.task.labels()

    @property
    def train(self) -> Tensor:
        """Indices of the train pairs. Raises NotEvaluable if the split is not known."""
        if self.split is None:
            raise NotEvaluable("the train pairs are not known: give --split-seed and --train-frac")
        return self.split.train

    @property
    def test(self) -> Tensor:
        """Indices of the test pairs; all pairs if the split is not known."""
        return torch.arange(self.task.p**2) if self.split is None else self.split.test

    @property
    def W_E(self) -> Tensor:
        """Embedding of the p number tokens, without the ``=`` row: [p, d_model]."""
        raise NotImplementedError

    @property
    def U(self) -> Tensor:
        """Neurons → logits: W_U (MLP) or W_out W_U (transformer): [d_mlp, C]."""
        raise NotImplementedError

    @cached_property
    def pre(self) -> Tensor:
        """MLP inputs to the ReLU: [p², d_mlp]."""
        raise NotImplementedError

    @cached_property
    def post(self) -> Tensor:
        """MLP activations: [p², d_mlp]."""
        return self.pre.relu()

    @cached_property
    def skip_logits(self) -> Tensor:
        """What reaches the logits around the neurons (residual path and biases): [p², C] or [1, C]."""
        raise NotImplementedError

    def logits_from(self, post: Tensor) -> Tensor:
        """Logits with these MLP activations in place of the model's: [p², d_mlp] → [p², C]."""
        return post @ self.U + self.skip_logits

    @cached_property
    def logits(self) -> Tensor:
        """[p², C]."""
        return self.logits_from(self.post)

    @cached_property
    def pre_powers(self) -> Tensor:
        """``grok.fourier.basis.pair_powers`` of ``pre``: [57, 57, d_mlp] for p = 113."""
        return pair_powers(self.pre, self.task.p)

    @cached_property
    def post_powers(self) -> Tensor:
        """Those of ``post``: [57, 57, d_mlp]."""
        return pair_powers(self.post, self.task.p)

    @cached_property
    def logit_powers(self) -> Tensor:
        """Those of ``logits``: [57, 57, C]."""
        return pair_powers(self.logits, self.task.p)

    @cached_property
    def keys(self) -> keys.Keys:
        """K from the powers of ``U`` over the classes, by rank where no frequency stands out: ``fourier.keys.matched``.

        Raises NotEvaluable if no frequency stands out and no published run says how many to take by rank.
        """
        return keys.matched(self.U, matched_count(self.architecture, self.task))

    @property
    def rank_note(self) -> str | None:
        """How K was found, where no frequency stands out and it is the strongest ones; None otherwise."""
        try:
            return str(self.keys) if self.task.modular and self.keys.by_rank else None
        except NotEvaluable:
            return None

    @property
    def key_frequencies(self) -> tuple[int, ...]:
        """The frequencies of ``keys``, ascending."""
        return self.keys.frequencies


@dataclass(frozen=True, eq=False)
class MLP(Network):
    """E[a] + E[b] → ReLU → logits (source K). With ``W_E_b`` the second input has its own embedding."""

    architecture = "mlp"

    @property
    def W_E(self) -> Tensor:
        return self.weights[names.MLP_W_E]

    @property
    def U(self) -> Tensor:
        return self.weights[names.MLP_W_U]

    @cached_property
    def W_neur(self) -> Tensor:
        """Token → neurons: W_E W_in, [p, d_mlp]."""
        return self.W_E @ self.weights[names.MLP_W_IN]

    @cached_property
    def pre(self) -> Tensor:
        second = self.weights.get("W_E_b", self.W_E) @ self.weights[names.MLP_W_IN]
        pre = (self.W_neur[:, None] + second[None]).flatten(0, 1)
        return pre + self.weights.get("b_in", torch.zeros(1, dtype=pre.dtype))

    @cached_property
    def skip_logits(self) -> Tensor:
        return self.weights.get("b_U", self.U.new_zeros(self.U.shape[1]))[None]


@dataclass(frozen=True, eq=False)
class Transformer(Network):
    """One layer, no LayerNorm, context ``a b =`` (sources B, F, N, S)."""

    architecture = "transformer"

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
        return self.weights[names.W_E][: self.task.p]

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
        """Residual stream before attention at the three positions: [p, d], [p, d], [1, d].

        With ``embed.W_E_a`` the first position has its own embedding; fewer rows of it give fewer pairs.
        """
        pos = self.weights[names.W_POS]
        return (
            self.weights.get("embed.W_E_a", self.W_E) + pos[0],
            self.W_E + pos[1],
            self.weights[names.W_E][self.task.p :][:1] + pos[2],
        )

    @cached_property
    def query(self) -> Tensor:
        """Query of ``=``, one per head, divided by √d_head: [h, k]."""
        q = torch.einsum("d,hdk->hk", self.resid_pre[2][0], self.weights[names.W_Q])
        return (q + self._bias("blocks.0.attn.b_Q", self.n_heads, self.d_head)) / math.sqrt(self.d_head)

    @cached_property
    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Attention score of ``=`` to each token at each position: [p, h], [p, h], [1, h]."""
        bias = self._bias("blocks.0.attn.b_K", self.n_heads, self.d_head)
        w_k = self.weights[names.W_K]
        return tuple(  # type: ignore[return-value]
            torch.einsum("thk,hk->th", torch.einsum("td,hdk->thk", x, w_k) + bias, self.query) for x in self.resid_pre
        )

    @cached_property
    def pattern(self) -> Tensor:
        """Attention of ``=`` to a, b and itself: [p², h, 3], rows sum to one."""
        s0, s1, s2 = self.scores
        shape = len(s0), len(s1), self.n_heads
        stacked = torch.stack([s0[:, None].expand(shape), s1[None].expand(shape), s2[None].expand(shape)], dim=-1)
        return stacked.flatten(0, 1).softmax(-1)

    @cached_property
    def z(self) -> Tensor:
        """Attention-weighted values at the last position: [p², h, k]."""
        bias = self._bias("blocks.0.attn.b_V", self.n_heads, self.d_head)
        v0, v1, v2 = (torch.einsum("td,hdk->thk", x, self.W_V) + bias for x in self.resid_pre)
        w = self.pattern.unflatten(0, (-1, self.task.p))[..., None]  # [a, b, h, 3, 1]
        return (w[..., 0, :] * v0[:, None] + w[..., 1, :] * v1[None] + w[..., 2, :] * v2[None]).flatten(0, 1)

    @cached_property
    def resid_mid(self) -> Tensor:
        """Residual stream between attention and MLP: [p², d]."""
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


def network(weights: Weights, task: Task, split: Split | None = None, dtype: torch.dtype = torch.float64) -> Network:
    """The network of these weights, converted to ``dtype``; the names decide the architecture."""
    converted = {name: w.detach().to(dtype) for name, w in weights.items()}
    return (MLP if names.MLP_W_IN in converted else Transformer)(task, converted, split)
