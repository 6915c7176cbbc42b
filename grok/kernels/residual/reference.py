"""The residual stream that the last position attends to: tokens at their positions, relative to the ``=`` token."""

from __future__ import annotations

import torch
from torch import Tensor


def residual(embed: Tensor, pos: Tensor) -> Tensor:
    """W_E [S, p+1, d], W_pos [S, 3, d] → [S, 2p+1, d]: rows a at position 0, p + b at 1, both less the last row, ``=``.

    The softmax over three tokens does not change when a number is taken from all scores, and its weights sum to one, so
    attention needs differences only.
    """
    equals = embed[:, -1:] + pos[:, 2:]
    tokens = embed[:, :-1]
    return torch.cat([tokens + pos[:, :1] - equals, tokens + pos[:, 1:2] - equals, equals], dim=1)


def residual_backward(dx: Tensor, dequals: Tensor, *, dembed: Tensor, dpos: Tensor) -> None:
    """Gradients [S, p+1, d] and [S, 3, d] from those by the rows a and p + b, dx [S, 2p, d], and by the row ``=``.

    The latter is given as rows that are to be added up, dequals [S, R, d].
    """
    of_a, of_b = dx.chunk(2, dim=1)
    dembed[:, :-1] = of_a + of_b
    dpos[:, 0], dpos[:, 1] = of_a.sum(1), of_b.sum(1)
    dembed[:, -1] = dpos[:, 2] = dequals.sum(1) - dx.sum(1)
