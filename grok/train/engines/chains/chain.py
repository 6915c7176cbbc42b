"""What every chain has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from grok.kernels.token_mix.segments import Segments
from grok.train.engines.beside import Beside


@dataclass(frozen=True, eq=False)
class Mixed:
    """The pairs of each seed and what a chain makes of them: segments of [S, N, 2], [S, N, D], [S, N, 2, h]."""

    segments: Segments
    mixed: Tensor  # [pre | direct], or pre alone
    weights: Tensor  # the softmax, h = 0 without attention


def padded(n_classes: int) -> int:
    """Columns for so many classes. Kernels read and write several columns at a time only where all rows begin at a
    multiple of 16; of 113 adjacent columns each is an access of its own, which took three times as long.
    """
    return -(-n_classes // 16) * 16


class Chain(Protocol):
    """Made from views of the weights and of their gradients, [S, …], and how products round (``kernels.dot``)."""

    width: int  # D, of ``Mixed.mixed``
    heads: int
    n_classes: int  # C
    readout: Tensor  # U [S, m, padded(C)], zeros behind C
    dreadout: Tensor  # its gradient [S, m, C], and what is behind

    def fold(self) -> None:
        """``readout`` and the tables, of the weights as they are."""
        ...

    def mix(self, to: Mixed) -> None:
        """``to.mixed`` and ``to.weights``; after ``fold``."""
        ...

    def unmix(self, dmixed: Tensor, of: Mixed) -> None:
        """The tables' gradients from ``dmixed`` [S, N, D]; after ``mix``. Some may still be on their way."""
        ...

    def unfold(self, readout: Beside) -> None:
        """Every gradient, from the tables' and ``dreadout``, which ``readout`` is about to write; after ``unmix``."""
        ...
