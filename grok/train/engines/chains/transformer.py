"""The chain of the one-layer transformer."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from grok.kernels.fixed_order.reference import Product
from grok.kernels.fixed_order.triton import Products
from grok.kernels.residual.triton import residual
from grok.kernels.token_mix.triton import scores_backward, token_mix, values_backward
from grok.models import names
from grok.models.names import Weights
from grok.train.engines.beside import Beside
from grok.train.engines.chains.chain import Mixed, padded


class Transformer:
    """Attention as tables over tokens, relative to ``=`` (``grok.kernels.token_mix``).

    D is m + ``padded(C)``, for the columns of [W_in | W_U], then zeros. Rows of tables are a and p + b. With x the
    residual stream at these rows and x₌ that of ``=``,

        v_h = x W_V,h,   values_h = v_h W_O,h [W_in | W_U],   scores_h = x W_K,h (x₌ W_Q,h)ᵀ / √k,
        constants = x₌ W_V,h W_O,h [W_in | W_U] of each head, and x₌ [W_in | W_U].
    """

    def __init__(self, w: Weights, grad: Weights, precision: str):
        n_seeds, h, d_model, k = w[names.W_Q].shape
        p, m, n_classes = w[names.W_E].shape[1] - 1, w[names.W_OUT].shape[1], w[names.W_U].shape[2]
        self.w, self.grad, self.heads, self.n_classes, self.scale = w, grad, h, n_classes, 1 / math.sqrt(k)
        self.width = m + padded(n_classes)
        self.of_pre, self.of_logits = slice(m), slice(m, m + n_classes)  # of D
        self.reads = ((w[names.W_IN], self.of_pre), (w[names.W_U], self.of_logits))

        def zeros(*shape: int) -> Tensor:
            """Some are never written: columns that are no class."""
            return w[names.W_E].new_zeros(n_seeds, *shape)

        def pair(*shape: int) -> tuple[Tensor, Tensor]:
            """A table and its gradient."""
            return zeros(*shape), zeros(*shape)

        self.readout, self.dreadout = pair(m, padded(n_classes))  # W_out W_U
        self.residual = zeros(2 * p + 1, d_model)
        self.x, self.equals = self.residual[:, :-1], self.residual[:, -1:]
        self.dx = zeros(d_model, 2 * p).mT  # so the last level reads all factors in one way
        self.query, self.dquery = pair(h, 1, k)  # scaled
        self.key, self.dkey = zeros(d_model, h).mT, zeros(h, d_model)  # W_K query
        self.keys, self.v, self.dv = zeros(h, 2 * p, k), *pair(h, 2 * p, k)
        self.v_equals, self.dv_equals = pair(h, 1, k)  # the gradient also by the differences in x
        self.w_or, self.dw_or = pair(h, k, self.width)  # W_O [W_in | W_U]
        self.values, self.dvalues = pair(h, 2 * p, self.width)
        self.scores, self.dscores = pair(2 * p, h)
        self.dscores_equals = zeros(1, h)
        self.constants = zeros(h + 1, self.width)  # of each head, and of = itself
        self.dconstant = zeros(1, self.width)
        self.totals = zeros(p, self.width)  # of the gradient by the constants, for each a
        self.dtotals = zeros(h, p, k)  # what the constants' part of dv_equals is the sum of
        self.to_equals = zeros(d_model, 5).mT  # of the gradient by x₌: two parts by pre, by logits, key and query

        def products(levels: list[list[Product]]) -> list[Products]:
            return [Products(level, precision) for level in levels]

        self.folding, self.unscoring = products(self._fold()), products(self._unscore())
        self.from_tables, self.to_weights, self.last = products(self._unfold())
        self.scored, self.added = Beside(self.x.device), Beside(self.x.device)
        self.wait_for_dscores = self.scored.mark()

    def fold(self) -> None:
        residual(self.w[names.W_E], self.w[names.W_POS], x=self.residual)
        for level in self.folding:
            level()

    def mix(self, to: Mixed) -> None:
        token_mix(self.scores, self.values, self.constants, to.segments, mixed=to.mixed, weights=to.weights)

    def unmix(self, dmixed: Tensor, of: Mixed) -> None:
        with self.scored():
            memory = torch.empty_like(of.weights)
            scores_backward(dmixed, self.values, of.weights, of.segments, pair_dscores=memory, dscores=self.dscores)
            self.wait_for_dscores = self.scored.mark()
            for level in self.unscoring:
                level()
        values_backward(dmixed, of.weights, of.segments, dvalues=self.dvalues, totals=self.totals)

    def unfold(self, readout: Beside) -> None:
        self.from_tables()
        readout.join()
        self.wait_for_dscores()
        self.to_weights.multiply()
        with self.added():  # gradients only, which nothing here waits for
            self.to_weights.add()
        self.scored.join()
        self.last()
        self.added.join()

    def _fold(self) -> list[list[Product]]:
        w, heads, equals, x = self.w, range(self.heads), self.equals, self.x
        of_weights = [
            Product(self.readout[..., : self.n_classes], ((w[names.W_OUT], w[names.W_U]),)),
            *(Product(_flat(self.w_or)[..., at], ((_flat(w[names.W_O]), read),)) for read, at in self.reads),
            *(Product(self.v[:, i], ((x, w[names.W_V][:, i]),)) for i in heads),
            *(Product(self.keys[:, i], ((x, w[names.W_K][:, i]),)) for i in heads),
            *(Product(self.v_equals[:, i], ((equals, w[names.W_V][:, i]),)) for i in heads),
            *(Product(self.query[:, i], ((equals, w[names.W_Q][:, i]),), self.scale) for i in heads),
            *(Product(self.constants[:, -1:, at], ((equals, read),)) for read, at in self.reads),
        ]
        tables = [
            *(Product(self.values[:, i], ((self.v[:, i], self.w_or[:, i]),)) for i in heads),
            *(Product(self.constants[:, i : i + 1], ((self.v_equals[:, i], self.w_or[:, i]),)) for i in heads),
            *(Product(self.scores[..., i : i + 1], ((self.keys[:, i], self.query[:, i].mT),)) for i in heads),
            *(Product(self.key[:, i : i + 1], ((self.query[:, i], w[names.W_K][:, i].mT),)) for i in heads),
        ]
        return [of_weights, tables]

    def _unscore(self) -> list[list[Product]]:
        """Gradients from those of the scores: of W_K and W_Q, and by x₌. That by x is in ``_unfold``."""
        w, g, heads, dkey = self.w, self.grad, range(self.heads), self.dkey
        minus = -torch.ones_like(self.x[..., :1]).mT.contiguous()
        return [
            [Product(dkey, ((self.dscores.mT, self.x),)), Product(self.dscores_equals, ((minus, self.dscores),))],
            [
                *(Product(g[names.W_K][:, i], ((dkey[:, i : i + 1].mT, self.query[:, i]),)) for i in heads),
                *(Product(self.dquery[:, i], ((dkey[:, i : i + 1], w[names.W_K][:, i]),), self.scale) for i in heads),
                Product(self.to_equals[:, 3:4], ((self.dscores_equals, self.key),)),
            ],
            [
                *(Product(g[names.W_Q][:, i], ((self.equals.mT, self.dquery[:, i]),)) for i in heads),
                Product(self.to_equals[:, 4:], tuple((self.dquery[:, i], w[names.W_Q][:, i].mT) for i in heads)),
            ],
        ]

    def _unfold(self) -> list[list[Product]]:
        """Gradients of the nine matrices from those of the tables, by the chain rule of ``_fold``.

        The gradient by each of the constants is the sum of ``totals``. What is multiplied by it is multiplied by
        ``totals`` here, so that no launch has to wait for the sum: ``every`` repeats a row for each a, without memory.
        What the last level reads is whole, as it does not wait for parts to be added up.
        """
        w, g, x, equals = self.w, self.grad, self.x, self.equals
        p, heads, pre, logits = x.shape[1] // 2, range(self.heads), self.of_pre, self.of_logits
        w_o, dw_or, dconstant = _flat(w[names.W_O]), _flat(self.dw_or), self.dconstant
        ones = torch.ones_like(x[..., :1]).mT.contiguous()
        of_first, half = ones[..., :p], -(-self.of_pre.stop // 2)
        halves = [at for at in (slice(half), slice(half, self.of_pre.stop)) if at.start != at.stop]
        dreadout = self.dreadout[..., : self.n_classes]

        def every(row: Tensor) -> Tensor:
            """[S, 1, n] → [S, p, n]"""
            return row.expand(-1, p, -1)

        def of_head(i: int) -> tuple[tuple[Tensor, Tensor], ...]:
            return (self.v[:, i].mT, self.dvalues[:, i]), (every(self.v_equals[:, i]).mT, self.totals)

        from_tables = [
            *(Product(self.dv[:, i], ((self.dvalues[:, i], self.w_or[:, i].mT),)) for i in heads),
            *(Product(self.dtotals[:, i], ((self.totals, self.w_or[:, i].mT),)) for i in heads),
            *(Product(self.dw_or[:, i], of_head(i)) for i in heads),
            Product(dconstant, ((of_first, self.totals),)),
        ]
        rows_of = slice(p), slice(p, 2 * p)  # a, b
        to_x = [
            [(self.dv[:, i, rows], w[names.W_V][:, i].mT) for i in heads] + [(self.dscores[:, rows], self.key)]
            for rows in rows_of
        ]
        of_read = [
            (w_o.mT, dw_or[..., logits]),
            (equals.mT, dconstant[..., logits]),
            (w[names.W_OUT].mT, dreadout),
        ]
        to_weights = [
            Product(g[names.W_OUT], ((dreadout, w[names.W_U].mT),)),
            Product(g[names.W_IN], ((w_o.mT, dw_or[..., pre]), (equals.mT, dconstant[..., pre]))),
            Product(g[names.W_U], tuple(of_read)),
            Product(_flat(g[names.W_O]), tuple((dw_or[..., at], read.mT) for read, at in self.reads)),
            *(
                Product(g[names.W_V][:, i], ((x.mT, self.dv[:, i]), (every(equals).mT, self.dtotals[:, i])))
                for i in heads
            ),
            *(
                Product(self.dv_equals[:, i], ((of_first, self.dtotals[:, i]), (-ones, self.dv[:, i])), whole=True)
                for i in heads
            ),
            *(Product(self.dx[:, rows], tuple(to_x[j]), whole=True) for j, rows in enumerate(rows_of)),
            Product(g[names.W_E][:, :-1], (*to_x[0], *to_x[1])),
            *(
                Product(self.to_equals[:, i : i + 1], ((dconstant[..., at], w[names.W_IN][..., at].mT),), whole=True)
                for i, at in enumerate(halves)
            ),
            Product(self.to_equals[:, 2:3], ((dconstant[..., logits], w[names.W_U].mT),), whole=True),
        ]
        dpos, of_a, of_b = g[names.W_POS], self.dx[:, :p], self.dx[:, p:]
        dequals = (
            (x.new_ones(len(x), 1, self.to_equals.shape[1]), self.to_equals),
            *((self.dv_equals[:, i], w[names.W_V][:, i].mT) for i in heads),
        )
        last = [
            Product(g[names.W_E][:, -1:], dequals),
            Product(dpos[:, 2:], dequals),
            Product(dpos[:, :1], ((of_first, of_a),)),
            Product(dpos[:, 1:2], ((of_first, of_b),)),
        ]
        return [from_tables, to_weights, last]


def _flat(heads: Tensor) -> Tensor:
    """[S, h, k, D] → [S, h · k, D], in the same memory, or an error."""
    return heads.view(heads.shape[0], -1, heads.shape[3])
