"""The chain of the one-layer transformer."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from grok.kernels.fixed_order.reference import Product
from grok.kernels.fixed_order.triton import Products
from grok.kernels.residual.triton import residual, residual_backward
from grok.kernels.token_mix.triton import groups, scores_backward, token_mix, values_backward
from grok.models import names
from grok.models.names import Weights
from grok.train.engines.beside import Beside
from grok.train.engines.chains.chain import Mixed, padded

DEEP = 128  # neurons in a part of the gradient by x₌ that comes through W_in: all others wait for the deepest sum


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
        self.dx = zeros(2 * p, d_model)
        self.query, self.dquery_parts = zeros(h, 1, k), zeros(h, groups(p), k)  # scaled; the gradient in groups of rows
        self.key, self.dkey_parts = zeros(d_model, h).mT, zeros(groups(p), h, d_model)  # W_K query
        self.keys, self.v, self.dv = zeros(h, 2 * p, k), *pair(h, 2 * p, k)
        self.v_equals = zeros(h, 1, k)
        self.w_or, self.dw_or = pair(h, k, self.width)  # W_O [W_in | W_U]
        self.values, self.dvalues = pair(h, 2 * p, self.width)
        self.scores, self.dscores = pair(2 * p, h)
        self.constants = zeros(h + 1, self.width)  # of each head, and of = itself
        self.dconstant = zeros(1, self.width)
        self.totals = zeros(p, self.width)  # of the gradient by the constants, for each a
        self.dtotals = zeros(h, p, k)  # of the gradient by v_equals, for each a
        self.cuts = (*(slice(i, min(i + DEEP, m)) for i in range(0, m, DEEP)), self.of_logits)  # of D
        # The gradient by x₌ is their sum: by v_equals for each a, by the query for each group of rows, by each cut.
        self.dequals = zeros(p + groups(p) + len(self.cuts), d_model)

        self.folding = [Products(level, precision) for level in self._fold()]
        self.unscoring = Products(self._unscore(), precision)
        self.from_tables, self.to_weights = (Products(level, precision) for level in self._unfold())
        self.scored, self.added = Beside(self.x.device), Beside(self.x.device)

    def fold(self) -> None:
        residual(self.w[names.W_E], self.w[names.W_POS], x=self.residual)
        for level in self.folding:
            level()

    def mix(self, to: Mixed) -> None:
        token_mix(self.scores, self.values, self.constants, to.segments, mixed=to.mixed, weights=to.weights)

    def unmix(self, dmixed: Tensor, of: Mixed) -> None:
        with self.scored():
            memory, into = torch.empty_like(of.weights), {"dscores": self.dscores, "dkey_parts": self.dkey_parts}
            scores_backward(dmixed, self.values, of.weights, of.segments, self.x, pair_dscores=memory, **into)
            self.unscoring()
        values_backward(dmixed, of.weights, of.segments, dvalues=self.dvalues, totals=self.totals)

    def unfold(self, readout: Beside) -> None:
        self.from_tables()
        readout.join()
        self.scored.join()
        self.to_weights.multiply()
        with self.added():  # gradients only, which nothing here waits for
            self.to_weights.add()
        residual_backward(self.dx, self.dequals, dembed=self.grad[names.W_E], dpos=self.grad[names.W_POS])
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

    def _unscore(self) -> list[Product]:
        """The gradients of W_K and by the queries, from that by ``key``.

        It is the sum of ``dkey_parts``. What is multiplied by it is multiplied by each part, so that no launch has to
        wait for the sum. The sum of ``dquery_parts`` is the gradient by the queries, which ``_unfold`` reads alike.
        """
        w, g, parts = self.w, self.grad, self.dkey_parts
        return [
            product
            for i in range(self.heads)
            for product in (
                Product(g[names.W_K][:, i], ((parts[:, :, i].mT, _every(self.query[:, i], parts.shape[1])),)),
                Product(self.dquery_parts[:, i], ((parts[:, :, i], w[names.W_K][:, i]),), self.scale),
            )
        ]

    def _unfold(self) -> list[list[Product]]:
        """Gradients of six matrices, and by x, from those of the tables, by the chain rule of ``_fold``.

        The gradient by each of the constants is the sum of ``totals``. What is multiplied by it is multiplied by
        ``totals`` here, so that no launch has to wait for the sum. What ``residual_backward`` reads is whole: it does
        not wait for parts to be added up.
        """
        w, g, x, equals = self.w, self.grad, self.x, self.equals
        p, heads, pre, logits = x.shape[1] // 2, range(self.heads), self.of_pre, self.of_logits
        w_o, dw_or, dconstant = _flat(w[names.W_O]), _flat(self.dw_or), self.dconstant
        of_first, dreadout = x.new_ones(len(x), 1, p), self.dreadout[..., : self.n_classes]
        cuts = [(at, (w[names.W_U] if at == logits else w[names.W_IN][..., at]).mT) for at in self.cuts]

        def of_head(i: int) -> tuple[tuple[Tensor, Tensor], ...]:
            return (self.v[:, i].mT, self.dvalues[:, i]), (_every(self.v_equals[:, i], p).mT, self.totals)

        from_tables = [
            *(Product(self.dv[:, i], ((self.dvalues[:, i], self.w_or[:, i].mT),)) for i in heads),
            *(Product(self.dtotals[:, i], ((self.totals, self.w_or[:, i].mT),)) for i in heads),
            *(Product(self.dw_or[:, i], of_head(i)) for i in heads),
            Product(dconstant, ((of_first, self.totals),)),
        ]
        to_x = [(self.dv[:, i], w[names.W_V][:, i].mT) for i in heads] + [(self.dscores, self.key)]
        by_v_equals = [(self.dtotals[:, i], w[names.W_V][:, i].mT) for i in heads]
        by_queries = [(self.dquery_parts[:, i], w[names.W_Q][:, i].mT) for i in heads]
        of_read = [
            (w_o.mT, dw_or[..., logits]),
            (equals.mT, dconstant[..., logits]),
            (w[names.W_OUT].mT, dreadout),
        ]
        n_groups = self.dquery_parts.shape[2]
        of_v_equals, of_queries, of_constants = self.dequals.split((p, n_groups, len(cuts)), dim=1)
        to_weights = [
            Product(g[names.W_OUT], ((dreadout, w[names.W_U].mT),)),
            Product(g[names.W_IN], ((w_o.mT, dw_or[..., pre]), (equals.mT, dconstant[..., pre]))),
            Product(g[names.W_U], tuple(of_read)),
            Product(_flat(g[names.W_O]), tuple((dw_or[..., at], read.mT) for read, at in self.reads)),
            *(
                Product(g[names.W_V][:, i], ((x.mT, self.dv[:, i]), (_every(equals, p).mT, self.dtotals[:, i])))
                for i in heads
            ),
            *(Product(g[names.W_Q][:, i], ((_every(equals, n_groups).mT, self.dquery_parts[:, i]),)) for i in heads),
            Product(self.dx, tuple(to_x), whole=True),
            Product(of_v_equals, tuple(by_v_equals), whole=True),
            Product(of_queries, tuple(by_queries), whole=True),
            *(
                Product(of_constants[:, i : i + 1], ((dconstant[..., at], read),), whole=True)
                for i, (at, read) in enumerate(cuts)
            ),
        ]
        return [from_tables, to_weights]


def _flat(heads: Tensor) -> Tensor:
    """[S, h, k, D] → [S, h · k, D], in the same memory, or an error."""
    return heads.view(heads.shape[0], -1, heads.shape[3])


def _every(row: Tensor, n: int) -> Tensor:
    """[S, 1, m] → [S, n, m]: the row n times, without memory."""
    return row.expand(-1, n, -1)
