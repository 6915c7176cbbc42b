"""What a network's weights become before any pair is seen, and the gradients' way back: products, a launch a level.

A chain reads the matrices where they are in the flat row and writes each gradient to its place. Everything between has
memory of its own, allocated once: the tables of ``Products`` hold addresses. Products of one level depend on no other
of that level.

``manual`` writes the same chain rule for one seed. The two are not shared: ``manual`` folds values relative to the
``=`` row and pads its tables to cache lines, so its gradients arrive in another form; and it multiplies by torch, whose
bits change with a seed dimension in front. Tests hold both to ``folded``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from grok.kernels.fixed_order.reference import Product
from grok.kernels.fixed_order.triton import Products
from grok.kernels.token_mix.triton import (
    Segments,
    equals_row,
    gather_pairs,
    gather_pairs_backward,
    token_mix,
    token_mix_backward,
)
from grok.models import names
from grok.models.names import Weights


@dataclass(frozen=True, eq=False)
class Mixed:
    """The pairs of each seed and what a chain makes of them: segments of [S, N, 2], [S, N, D], twice [S, N, 3, h]."""

    segments: Segments
    mixed: Tensor  # [pre | direct], or pre alone
    weights: Tensor  # the softmax, h = 0 without attention
    pair_dscores: Tensor  # like it; memory of the way back


def padded(n_classes: int) -> int:
    """Columns for so many classes. Kernels read and write several columns at a time only where all rows begin at a
    multiple of 16; of 113 adjacent columns each is an access of its own, which took three times as long.
    """
    return -(-n_classes // 16) * 16


class Chain(Protocol):
    """Made from views of the weights and of their gradients, [S, …], and how products round (``relu_readout``)."""

    width: int  # D, of ``Mixed.mixed``
    heads: int
    n_classes: int  # C
    readout: Tensor  # U [S, m, C], or padded with zeros
    dreadout: Tensor  # like it

    def fold(self) -> None:
        """``readout`` and the tables, of the weights as they are."""
        ...

    def mix(self, to: Mixed) -> None:
        """``to.mixed`` and ``to.weights``; after ``fold``."""
        ...

    def unmix(self, dmixed: Tensor, of: Mixed) -> None:
        """The tables' gradients from ``dmixed`` [S, N, D]; after ``mix``."""
        ...

    def unfold(self) -> None:
        """Every gradient, from ``dreadout`` and the tables'."""
        ...


class MLP:
    """pre = T[a] + T[b], T = W_E W_in."""

    heads = 0

    def __init__(self, w: Weights, grad: Weights, precision: str):
        embed, read = w[names.MLP_W_E], w[names.MLP_W_IN]
        self.width = read.shape[2]
        self.readout, self.dreadout = w[names.MLP_W_U], grad[names.MLP_W_U]
        self.n_classes = self.readout.shape[2]
        n_seeds, p = embed.shape[:2]
        self.table = embed.new_empty(n_seeds, p, self.width)
        self.dtable = embed.new_empty(n_seeds, self.width, p).mT  # so both products below read along memory
        self.folding = Products([Product(self.table, ((embed, read),))], precision)
        self.unfolding = Products(
            [
                Product(grad[names.MLP_W_E], ((self.dtable, read.mT),)),
                Product(grad[names.MLP_W_IN], ((embed.mT, self.dtable),)),
            ],
            precision,
        )

    def fold(self) -> None:
        self.folding()

    def mix(self, to: Mixed) -> None:
        gather_pairs(self.table, to.segments, mixed=to.mixed)

    def unmix(self, dmixed: Tensor, of: Mixed) -> None:
        gather_pairs_backward(dmixed, of.segments, dtable=self.dtable)

    def unfold(self) -> None:
        self.unfolding()


class Transformer:
    """Attention as tables over tokens: ``grok.models.tables`` for many seeds, but with a row for ``=``.

    D is m + ``padded(C)``, for the columns of [W_in | W_U], then zeros. Rows of tables are a, p + b and 2p for ``=``.
    """

    def __init__(self, w: Weights, grad: Weights, precision: str):
        n_seeds, h, d_model, k = w[names.W_Q].shape
        p, m, n_classes = w[names.W_E].shape[1] - 1, w[names.W_OUT].shape[1], w[names.W_U].shape[2]
        self.w, self.grad, self.heads, self.n_classes, self.scale = w, grad, h, n_classes, 1 / math.sqrt(k)
        self.width = m + padded(n_classes)
        self.of_pre, self.of_logits = slice(m), slice(m, m + n_classes)  # of D

        def empty(*shape: int) -> Tensor:
            """Zeros, where nothing is written: in columns that are no class."""
            return w[names.W_E].new_zeros(n_seeds, *shape)

        def pair(*shape: int) -> tuple[Tensor, Tensor]:
            """A table and its gradient."""
            return empty(*shape), empty(*shape)

        rows = 2 * p + 1
        # Where a gradient lies transposed, or a product is there twice, the products that use it read along memory.
        self.readout = empty(m, padded(n_classes))  # W_out W_U
        self.dreadout = empty(padded(n_classes), m).mT
        self.x, self.dx = pair(rows, d_model)  # residual stream at each row
        self.query, self.dquery = pair(h, 1, k)  # scaled
        self.key, self.dkey = empty(d_model, h).mT, empty(h, d_model)  # W_K query
        self.v, self.dv = pair(h, rows, k)
        self.w_or = empty(h, k, self.width)  # W_O [W_in | W_U]
        self.w_or_t, dw_or_t = pair(self.width, h * k)
        self.dw_or = dw_or_t.mT
        self.values, self.dvalues = pair(h, rows, self.width)
        self.scores, self.dscores = pair(rows, h)
        self.constant, self.dconstant = pair(1, self.width)  # what the = token itself adds
        self.dequals = empty(1, d_model)  # the part of dx's last row that comes from there
        self.totals = empty(p, self.width)
        self.folding = [Products(level, precision) for level in self._fold()]
        self.unfolding = [Products(level, precision) for level in self._unfold()]

    def fold(self) -> None:
        embed, pos, p = self.w[names.W_E], self.w[names.W_POS], self.x.shape[1] // 2
        torch.add(embed[:, :-1], pos[:, :1], out=self.x[:, :p])
        torch.add(embed[:, :-1], pos[:, 1:2], out=self.x[:, p:-1])
        torch.add(embed[:, -1:], pos[:, 2:], out=self.x[:, -1:])
        for level in self.folding:
            level()

    def mix(self, to: Mixed) -> None:
        token_mix(self.scores, self.values, self.constant, to.segments, mixed=to.mixed, weights=to.weights)

    def unmix(self, dmixed: Tensor, of: Mixed) -> None:
        gradients = {"dscores": self.dscores, "dvalues": self.dvalues, "totals": self.totals}
        token_mix_backward(dmixed, self.values, of.weights, of.segments, **gradients, pair_dscores=of.pair_dscores)

    def unfold(self) -> None:
        for level in self.unfolding:
            level()
        p = self.x.shape[1] // 2
        torch.add(self.dx[:, :p], self.dx[:, p:-1], out=self.grad[names.W_E][:, :-1])

    def _fold(self) -> list[list[Product]]:
        w, equals = self.w, self.x[:, -1:]
        reads = ((w[names.W_IN], self.of_pre), (w[names.W_U], self.of_logits))
        of_weights = [
            Product(self.readout[..., : self.n_classes], ((w[names.W_OUT], w[names.W_U]),)),
            *(
                Product(w_or[..., at], ((_flat(w[names.W_O]), read),))
                for w_or in (_flat(self.w_or), self.w_or_t.mT)
                for read, at in reads
            ),
            *(Product(self.constant[..., at], ((equals, read),)) for read, at in reads),
        ]
        values, scores = [], []
        for i in range(self.heads):
            of_weights.append(Product(self.v[:, i], ((self.x, w[names.W_V][:, i]),)))
            of_weights.append(Product(self.query[:, i], ((equals, w[names.W_Q][:, i]),), self.scale))
            values.append(Product(self.values[:, i], ((self.v[:, i], self.w_or[:, i]),)))
            values.append(Product(self.key[:, i : i + 1], ((self.query[:, i], w[names.W_K][:, i].mT),)))
        scores.append(Product(self.scores, ((self.x, self.key.mT),)))
        return [of_weights, values, scores]

    def _unfold(self) -> list[list[Product]]:
        """Gradients of the nine matrices from those of the tables, by the chain rule of ``_fold``."""
        w, g, x, equals = self.w, self.grad, self.x, self.x[:, -1:]
        p, heads, pre, logits = x.shape[1] // 2, range(self.heads), self.of_pre, self.of_logits
        w_o, dw_or, dconstant, k = _flat(w[names.W_O]), self.dw_or, self.dconstant, self.v.shape[3]
        of_head = [slice(i * k, (i + 1) * k) for i in heads]  # rows of dw_or
        dreadout = self.dreadout[..., : self.n_classes]
        from_mix = [
            Product(g[names.W_OUT], ((dreadout, w[names.W_U].mT),)),
            Product(self.dkey, ((self.dscores.mT, x),)),
            *(Product(self.dv[:, i], ((self.dvalues[:, i], self.w_or_t[..., of_head[i]]),)) for i in heads),
            *(Product(dw_or[:, of_head[i]], ((self.v[:, i].mT, self.dvalues[:, i]),)) for i in heads),
        ]
        to_dx = [(self.dv[:, i], w[names.W_V][:, i].mT) for i in heads] + [(self.dscores, self.key)]
        most = [
            Product(g[names.W_IN], ((w_o.mT, dw_or[..., pre]), (equals.mT, dconstant[..., pre]))),
            Product(
                g[names.W_U],
                (
                    (w_o.mT, dw_or[..., logits]),
                    (equals.mT, dconstant[..., logits]),
                    (w[names.W_OUT].mT, dreadout),
                ),
            ),
            Product(
                _flat(g[names.W_O]),
                ((dw_or[..., pre], w[names.W_IN].mT), (dw_or[..., logits], w[names.W_U].mT)),
            ),
            *(Product(g[names.W_V][:, i], ((x.mT, self.dv[:, i]),)) for i in heads),
            *(Product(g[names.W_K][:, i], ((self.dkey[:, i : i + 1].mT, self.query[:, i]),)) for i in heads),
            *(Product(self.dquery[:, i], ((self.dkey[:, i : i + 1], w[names.W_K][:, i]),), self.scale) for i in heads),
            Product(self.dx, tuple(to_dx)),
            Product(self.dequals, ((dconstant[..., pre], w[names.W_IN].mT), (dconstant[..., logits], w[names.W_U].mT))),
        ]
        one, dpos = torch.ones_like(x[:, :1, :1]), g[names.W_POS]
        ones = one.repeat(1, 1, p)
        dequals = (
            (one, self.dx[:, -1:]),
            (one, self.dequals),
            *((self.dquery[:, i], w[names.W_Q][:, i].mT) for i in heads),
        )
        last = [
            Product(g[names.W_E][:, -1:], dequals),
            Product(dpos[:, 2:], dequals),
            Product(dpos[:, :1], ((ones, self.dx[:, :p]),)),
            Product(dpos[:, 1:2], ((ones, self.dx[:, p:-1]),)),
            *(Product(g[names.W_Q][:, i], ((equals.mT, self.dquery[:, i]),)) for i in heads),
        ]
        return [equals_row(self.dscores, self.dvalues, self.totals, dconstant), from_mix, most, last]


def _flat(heads: Tensor) -> Tensor:
    """[S, h, k, D] → [S, h · k, D], in the same memory, or an error."""
    return heads.view(heads.shape[0], -1, heads.shape[3])


CHAINS: dict[str, type[MLP] | type[Transformer]] = {"mlp": MLP, "transformer": Transformer}
