"""The tasks, sums and products in finite groups: every pair (a, b), its label, and the train/test split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from math import factorial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from grok.errors import GrokError
from grok.fourier.basis import Blocks, cyclic
from grok.groups import representations, tables, young
from grok.groups.representations import Representation

# the keys of LAWS, and that of a group which is given by its Cayley table
Operation = Literal["add_mod", "sub_mod", "add", "dihedral", "symmetric", "alternating", "table"]


@dataclass(frozen=True)
class Split:
    """Indices into the a-major list of all n² pairs.

    train: [n_train], test: [n² - n_train], int64, in drawn order. They are disjoint and together contain every pair.
    """

    train: Tensor
    test: Tensor


@dataclass(frozen=True)
class Law:
    """How an operation combines two elements, for every p.

    size: p → n, the number of elements. combine: a, b, p → the class of a ∘ b, elementwise, int64.
    n_classes: p → the number of classes of the readout. blocks: p → the basis that fits the operation, or None.
    sign: the sign of b in s = (a ± b).
    """

    combine: Callable[[Tensor, Tensor, int], Tensor]
    n_classes: Callable[[int], int] = lambda p: p
    blocks: Callable[[int], Blocks] | None = cyclic
    size: Callable[[int], int] = lambda p: p
    sign: int = 1


def group(
    size: Callable[[int], int], table: Callable[[int], Tensor], irreducible: Callable[[int], list[Representation]]
) -> Law:
    """The law of a family of groups: p → order, Cayley table, and irreducible representations, trivial one first."""
    return Law(
        lambda a, b, p: table(p)[a, b],
        n_classes=size,
        blocks=cache(lambda p: representations.blocks(irreducible(p))),
        size=size,
    )


def group_of(table: Tensor) -> Law:
    """The law of one group, from its Cayley table [n, n] (``groups.tables.read_csv``); p is not read."""
    return group(lambda p: len(table), lambda p: table, lambda p: representations.split(table))


# Another group is an entry here: its elements numbered from 0, and the blocks of its irreducible representations.
LAWS: dict[str, Law] = {
    "add_mod": Law(lambda a, b, p: (a + b) % p),
    "sub_mod": Law(lambda a, b, p: (a - b) % p, sign=-1),
    "add": Law(lambda a, b, p: a + b, n_classes=lambda p: 2 * p, blocks=None),
    "dihedral": group(lambda p: 2 * p, tables.dihedral, representations.dihedral),
    "symmetric": group(factorial, tables.symmetric, young.symmetric),
    "alternating": group(
        lambda p: max(1, factorial(p) // 2),
        tables.alternating,
        lambda p: representations.split(tables.alternating(p)),
    ),
}


@cache
def _law(cayley: str) -> Law:
    return group_of(tables.parse(cayley))


@dataclass(frozen=True)
class Task:
    """A binary operation on the elements 0 … n-1 (a Cayley table), which a model learns as classification.

    ``add_mod``: (a + b) mod p. ``sub_mod``: (a - b) mod p. Both have p classes.
    ``add``: a + b without the modulus, with 2p classes as in source F, although 2p - 1 is never a label.
    ``dihedral``: the 2p symmetries of a polygon. ``symmetric``: the p! permutations of p things. ``alternating``: the
    even ones. ``groups.tables`` numbers their elements; a ∘ b is a, then b.
    ``table``: the group of p elements whose Cayley table is ``cayley``, as the text that ``groups.tables.text`` makes.
    Raises GrokError for an operation that is not in ``LAWS``, and for a table that is no group's.
    """

    p: int
    operation: Operation = "add_mod"
    cayley: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if (self.operation == "table") != bool(self.cayley):
            raise GrokError(f"operation {self.operation!r} {'needs a' if not self.cayley else 'has no'} Cayley table")
        if self.operation != "table" and self.operation not in LAWS:
            raise GrokError(f"unknown operation {self.operation!r}; known: {', '.join(LAWS)}")
        if self.operation == "table" and self.p != self.n:
            raise GrokError(f"p = {self.p}, but the Cayley table has {self.n} elements")

    @property
    def law(self) -> Law:
        return LAWS[self.operation] if self.operation != "table" else _law(self.cayley)

    @classmethod
    def of_table(cls, path: Path) -> Task:
        """The task of the group whose Cayley table is in this CSV file. Raises GrokError, as ``read_csv`` does."""
        table = tables.read_csv(path)
        return cls(len(table), "table", tables.text(table))

    def to_json(self) -> dict[str, Any]:
        """p, operation, and the Cayley table if there is one: the arguments of ``Task``."""
        return {key: value for key, value in asdict(self).items() if (key, value) != ("cayley", "")}

    @property
    def n(self) -> int:
        """Number of elements; p for the operations on numbers."""
        return self.law.size(self.p)

    @property
    def n_classes(self) -> int:
        return self.law.n_classes(self.p)

    @property
    def sign(self) -> int:
        """+1 or -1: the sign of b in s = (a ± b)."""
        return self.law.sign

    @property
    def modular(self) -> bool:
        """Whether the operation is that of a group, with a basis of blocks that fits it."""
        return self.law.blocks is not None

    @property
    def blocks(self) -> Blocks | None:
        """An orthonormal basis of functions on the elements, in blocks that the operation maps into themselves.

        For addition and subtraction modulo p a block is the cosine and sine of one frequency; for other groups it is
        the entries of one irreducible representation. None if the operation has no such basis. Raises ValueError for
        addition with even p.
        """
        return None if self.law.blocks is None else self.law.blocks(self.p)

    def pairs(self) -> Tensor:
        """All pairs, a-major: [n², 2], int64. Row a·n + b is (a, b)."""
        elements = torch.arange(self.n)
        return torch.cartesian_prod(elements, elements)

    def table(self) -> Tensor:
        """The Cayley table, the class of each pair (a, b): [n, n], int64, in 0 … n_classes - 1."""
        elements = torch.arange(self.n)
        return self.law.combine(elements[:, None], elements, self.p)

    def labels(self) -> Tensor:
        """The correct class of each pair of ``pairs``: [n²], int64."""
        return self.table().flatten()

    def split(self, seed: int, train_frac: float) -> Split:
        """The sources' split: the first ⌊n²·train_frac⌋ of ``torch.randperm(n²)`` under ``seed``."""
        n_pairs = self.n * self.n
        order = torch.randperm(n_pairs, generator=torch.Generator().manual_seed(seed))
        cutoff = int(n_pairs * train_frac)
        return Split(train=order[:cutoff], test=order[cutoff:])

    def split_of(self, train: Sequence[int]) -> Split:
        """The split with these train pairs, indices a·n + b into ``pairs``; the other pairs are the test pairs.

        Raises GrokError for an index out of range or given twice, and if no pair is left to train or to test on.
        """
        n_pairs = self.n * self.n
        seen: set[int] = set()
        for place, pair in enumerate(train, 1):
            if not 0 <= pair < n_pairs:
                raise GrokError(f"index {place} is {pair}, expected 0 … {n_pairs - 1} ({self.n}² pairs)")
            if pair in seen:
                raise GrokError(f"index {place}: {pair} is there twice")
            seen.add(pair)
        if not 0 < len(train) < n_pairs:
            none = "test" if train else "train"
            raise GrokError(f"it names {len(train)} of {n_pairs} pairs, and none is left to {none} on")
        test = torch.ones(n_pairs, dtype=torch.bool)
        test[list(train)] = False
        return Split(train=torch.tensor(train), test=test.nonzero()[:, 0])
