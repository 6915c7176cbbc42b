"""The pairs of a split, in the orders in which the Triton kernels need them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

ROWS = 8  # pairs of a table row whose gradients a program reads at once; ``longest`` is a multiple


@dataclass(frozen=True, eq=False)
class Segments:
    """The pairs of each seed, and row by row the pairs that use a row; int32. Rows are a, then p + b.

    pairs: [S, N, 2]; order: [S, 2N], pair numbers sorted by row; offsets: [S, 2p + 1], where each row's pairs begin;
    longest: the most pairs of a row, rounded up to ``ROWS``, so that many splits share one compiled kernel.
    """

    pairs: Tensor
    order: Tensor
    offsets: Tensor
    longest: int

    @classmethod
    def of(cls, pairs: Tensor, p: int) -> Segments:
        """From pairs [S, N, 2] of tokens below p, on any device."""
        n_seeds, n = pairs.shape[:2]
        rows = torch.cat([pairs[..., 0], p + pairs[..., 1]], dim=1)  # [S, 2N]
        order = rows.argsort(dim=1, stable=True) % n
        counts = torch.zeros(n_seeds, 2 * p, dtype=torch.int64, device=pairs.device)
        counts.scatter_add_(1, rows.long(), torch.ones_like(rows, dtype=torch.int64))
        offsets = torch.nn.functional.pad(counts.cumsum(1), (1, 0))
        longest = -(-int(counts.max()) // ROWS) * ROWS
        return cls(pairs.int().contiguous(), order.int().contiguous(), offsets.int().contiguous(), longest)

    @property
    def p(self) -> int:
        return (self.offsets.shape[1] - 1) // 2
