"""Cayley tables: of the known families, and of the user's own groups.

A table is [n, n], int64: entry (a, b) is the number of a ∘ b. Permutations compose from left to right: a ∘ b applies a
first, so that (a ∘ b)[i] = b[a[i]].
"""

from __future__ import annotations

import csv
import itertools
import re
from functools import cache, reduce
from pathlib import Path

import torch
from torch import Tensor

from grok.errors import GrokError

Permutation = tuple[int, ...]

# The published networks on S_5 number its elements as SymPy lists them: products of representatives of the cosets of
# stabilisers, the first list varying fastest.
_S5 = (
    ("01234", "12340", "23401", "34012", "41230"),
    ("01234", "02143", "03412", "04123"),
    ("01423", "01234", "01243"),
    ("01234", "01432"),
)


def compose(a: Permutation, b: Permutation) -> Permutation:
    """a, then b."""
    return tuple(b[i] for i in a)


def inversions(a: Permutation) -> int:
    """How many pairs stand in the wrong order; a is even if this is."""
    return sum(x > y for x, y in itertools.combinations(a, 2))


@cache
def permutations(p: int) -> list[Permutation]:
    """The elements of S_p: lexicographic; for p = 5 as the networks of Chughtai et al. 2023 number them."""
    if p != 5:
        return list(itertools.permutations(range(p)))
    representatives = [[tuple(map(int, image)) for image in images] for images in reversed(_S5)]
    return [reduce(compose, chosen) for chosen in itertools.product(*representatives)]


@cache
def even_permutations(p: int) -> list[Permutation]:
    """The elements of A_p, lexicographic."""
    return [a for a in itertools.permutations(range(p)) if inversions(a) % 2 == 0]


def of_permutations(elements: list[Permutation]) -> Tensor:
    """The table of a group of permutations, numbered as they are listed. Raises KeyError if they are not closed."""
    number = {element: i for i, element in enumerate(elements)}
    return torch.tensor([[number[compose(a, b)] for b in elements] for a in elements])


@cache
def symmetric(p: int) -> Tensor:
    """S_p: [p!, p!]."""
    return of_permutations(permutations(p))


@cache
def alternating(p: int) -> Tensor:
    """A_p: [p!/2, p!/2]."""
    return of_permutations(even_permutations(p))


@cache
def dihedral(p: int) -> Tensor:
    """D_p, the symmetries of a polygon with p corners: [2p, 2p]. Element t + p·f is r^t s^f, with s r = r⁻¹ s."""
    turn, flip = torch.arange(2 * p) % p, torch.arange(2 * p) // p
    turned = torch.where(flip[:, None] == 1, turn[:, None] - turn, turn[:, None] + turn) % p
    return turned + p * (flip[:, None] ^ flip)


def identity(table: Tensor) -> int:
    """The number of e with e∘x = x∘e = x for every x. Raises GrokError if there is none."""
    every = torch.arange(len(table))
    agrees = (table == every) & (table == every[:, None]).T
    nearest = int(agrees.sum(1).argmax())
    if not agrees[nearest].all():
        x = int((~agrees[nearest]).nonzero()[0])
        left, right = int(table[nearest, x]), int(table[x, nearest])
        raise GrokError(f"no identity: {nearest} is nearest, but {nearest}∘{x} = {left} and {x}∘{nearest} = {right}")
    return nearest


def inverses(table: Tensor) -> Tensor:
    """The number of each element's inverse: [n]. Raises GrokError if an element has none."""
    e = identity(table)
    both = (table == e) & (table == e).T
    without = (~both.any(1)).nonzero()
    if len(without):
        a = int(without[0])
        raise GrokError(f"no inverse: there is no x with {a}∘x = x∘{a} = {e}, the identity")
    return both.double().argmax(1)


def check(table: Tensor) -> Tensor:
    """The table itself, if it is a group's. Raises GrokError: which axiom fails, and where it first does."""
    n = len(table)
    outside = ((table < 0) | (table >= n)).nonzero()
    if len(outside):
        a, b = outside[0].tolist()
        raise GrokError(f"not closed: {a}∘{b} = {int(table[a, b])}, expected 0 … {n - 1}")
    inverses(table)
    for a in range(n):
        left, right = table[table[a]], table[a][table]  # (a∘b)∘c and a∘(b∘c), over b and c
        wrong = (left != right).nonzero()
        if len(wrong):
            b, c = wrong[0].tolist()
            raise GrokError(f"not associative: ({a}∘{b})∘{c} = {int(left[b, c])}, {a}∘({b}∘{c}) = {int(right[b, c])}")
    return table


def text(table: Tensor) -> str:
    """The table as text, from which ``parse`` makes it again: its lines of CSV."""
    return "\n".join(",".join(map(str, row)) for row in table.tolist())


def parse(written: str) -> Tensor:
    """The table that ``text`` wrote: [n, n]. Raises GrokError for anything else, and as ``check`` does."""
    rows = [line.split(",") for line in written.split("\n")]
    if any(len(row) != len(rows) or not all(re.fullmatch(r"\d{1,9}", entry) for entry in row) for row in rows):
        raise GrokError("a Cayley table is n lines of n numbers from 0 to n - 1")
    return check(torch.tensor([list(map(int, row)) for row in rows]))


def read_csv(path: Path | str) -> Tensor:
    """The table in a CSV file, a line of n numbers for each element: line a, place b is a ∘ b, from 0.

    Raises GrokError for a file that cannot be read, is not square or holds no numbers, and as ``check`` does.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            lines = [line for line in csv.reader(file) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GrokError(f"{path}: it cannot be read as CSV ({error})") from None
    if not lines:
        raise GrokError(f"{path}: it is empty; expected a Cayley table, n lines of n numbers from 0 to n - 1")
    rows = []
    for number, line in enumerate(lines, 1):
        if len(line) != len(lines):
            raise GrokError(f"{path}: row {number} has {len(line)} entries, expected {len(lines)}, one for each row")
        try:
            rows.append([int(entry) for entry in line])
        except ValueError:
            raise GrokError(f"{path}: row {number} holds {line}, expected whole numbers") from None
    try:
        return check(torch.tensor(rows, dtype=torch.int64))
    except GrokError as error:
        raise GrokError(f"{path}: {error}") from None
    except (RuntimeError, OverflowError, ValueError):
        raise GrokError(f"{path}: a number is too large, expected 0 … {len(rows) - 1}") from None
