"""The arithmetic tasks: every pair (a, b), its label, and the train/test split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Operation = Literal["add_mod", "sub_mod", "add"]


@dataclass(frozen=True)
class Split:
    """Indices into the a-major list of all p² pairs.

    train: [n_train] and test: [p² - n_train], int64, disjoint, together every pair, in drawn order.
    """

    train: Tensor
    test: Tensor


@dataclass(frozen=True)
class Task:
    """A binary operation on {0 … p-1}, learned as classification.

    ``add_mod``: (a + b) mod p; ``sub_mod``: (a - b) mod p; both have p classes.
    ``add``: a + b without the modulus, with 2p classes (the source's head; 2p - 1 is never a label).
    """

    p: int
    operation: Operation = "add_mod"

    @property
    def n_classes(self) -> int:
        return 2 * self.p if self.operation == "add" else self.p

    @property
    def sign(self) -> int:
        """+1 or -1: the sign of b in s = (a ± b)."""
        return -1 if self.operation == "sub_mod" else 1

    @property
    def modular(self) -> bool:
        return self.operation != "add"

    def pairs(self) -> Tensor:
        """All pairs, a-major: [p², 2], int64. Row a·p + b is (a, b)."""
        tokens = torch.arange(self.p)
        return torch.cartesian_prod(tokens, tokens)

    def labels(self) -> Tensor:
        """The right class of each pair: [p²], int64, in 0 … n_classes - 1."""
        a, b = self.pairs().unbind(dim=1)
        total = a + self.sign * b
        return total % self.p if self.modular else total

    def split(self, seed: int, train_frac: float) -> Split:
        """The sources' split: the first ⌊p²·train_frac⌋ of ``torch.randperm(p²)`` under ``seed``."""
        n_pairs = self.p * self.p
        order = torch.randperm(n_pairs, generator=torch.Generator().manual_seed(seed))
        cutoff = int(n_pairs * train_frac)
        return Split(train=order[:cutoff], test=order[cutoff:])
