"""The chain of the MLP."""

from __future__ import annotations

import torch
from torch import Tensor

from grok.kernels.fixed_order.reference import Product
from grok.kernels.fixed_order.triton import Products
from grok.kernels.token_mix.triton import gather_pairs, gather_pairs_backward
from grok.models import names
from grok.models.names import Weights
from grok.train.engines.beside import Beside
from grok.train.engines.chains.chain import Mixed, padded


class MLP:
    """pre = T[a] + T[b], T = W_E W_in."""

    heads = 0

    def __init__(self, w: Weights, grad: Weights, precision: str):
        embed, read = w[names.MLP_W_E], w[names.MLP_W_IN]
        self.width = read.shape[2]
        unembed, self.dreadout = w[names.MLP_W_U], grad[names.MLP_W_U]
        self.n_classes = unembed.shape[2]
        n_seeds, p = embed.shape[:2]
        self.readout = embed.new_zeros(n_seeds, self.width, padded(self.n_classes))
        self.table, self.dtable = embed.new_empty(n_seeds, p, self.width), embed.new_empty(n_seeds, p, self.width)
        # The unembedding is copied to rows that kernels read fast, as a product with the identity: no launch more.
        one = torch.eye(32, device=embed.device).expand(n_seeds, -1, -1)
        copies = [
            Product(into[..., : self.n_classes], ((one[:, : rows.shape[1], : rows.shape[1]], rows),))
            for into, rows in zip(self.readout.split(32, dim=1), unembed.split(32, dim=1), strict=True)
        ]
        self.folding = Products([Product(self.table, ((embed, read),)), *copies], precision)
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

    def unfold(self, readout: Beside) -> None:
        self.unfolding()
        readout.join()
