"""Products of matrices and sums of rows for many seeds at once, each seed's as if it were alone.

cuBLAS and torch's sums choose how to split the work by the size of all of it, so a seed may have other bits in a batch
than alone. These have tiles and splits of a fixed size: every entry adds its terms in the same order.
"""

from __future__ import annotations

import torch
from torch import Tensor


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """[..., n, k], [..., k, m] → [..., n, m]; leading dimensions are broadcast."""
    return torch.matmul(a, b)


def add_rows(x: Tensor) -> Tensor:
    """[..., n, m] → [..., m]."""
    return x.sum(-2)
