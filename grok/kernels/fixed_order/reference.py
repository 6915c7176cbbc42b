"""Products of matrices for many seeds at once, each seed's as if it were alone.

cuBLAS and torch's sums choose how to split the work by the size of all of it, so a seed may have other bits in a batch
than alone. The kernels beside this have tiles of a fixed size: every entry adds its terms in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Product:
    """out = scale · Σ a b over the terms (a, b): a [S, n, k], b [S, k, m], out [S, n, m]; k may differ.

    ``multiply`` takes any strides. The kernel needs the rows or the columns of each factor to be adjacent in memory, in
    the same way in all terms, and at least one term with k > 0. ``whole``: it does not make it in parts.
    """

    out: Tensor
    terms: tuple[tuple[Tensor, Tensor], ...]
    scale: float = 1.0
    whole: bool = False


def multiply(products: Iterable[Product]) -> None:
    """Write ``out`` of each product. None may read what another one writes."""
    for product in products:
        product.out.zero_()
        for a, b in product.terms:
            product.out.add_(a @ b, alpha=product.scale)
