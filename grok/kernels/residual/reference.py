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
