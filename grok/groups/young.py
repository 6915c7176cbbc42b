"""The irreducible representations of the symmetric groups, in Young's orthogonal form.

Those of S_p belong to the partitions of p. The basis of one are the standard tableaux of its shape; a tableau here is
the row of each number 0 … p-1. With c the column less the row of a number and r = c(i+1) - c(i), the transposition s_i
of i and i+1 acts by ρ(s_i) T = T / r + √(1 - 1/r²) s_i T (James and Kerber 1981, section 3.4).
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from grok.groups.representations import Representation
from grok.groups.tables import Permutation, permutations

Tableau = tuple[int, ...]


def partitions(p: int, largest: int | None = None) -> list[tuple[int, ...]]:
    """Of p, into parts that fall, the largest first: (p,), the trivial representation, to (1, … 1), the sign."""
    if p == 0:
        return [()]
    parts = range(min(p, largest or p), 0, -1)
    return [(part, *rest) for part in parts for rest in partitions(p - part, part)]


def tableaux(shape: tuple[int, ...]) -> list[Tableau]:
    """The standard tableaux of a shape: rows of the numbers, each number below and right of smaller ones only."""
    found: list[Tableau] = [()]
    for _ in range(sum(shape)):
        found = [
            (*rows, row)
            for rows in found
            for row in range(len(shape))
            if rows.count(row) < shape[row] and (row == 0 or rows.count(row - 1) > rows.count(row))
        ]
    return found


def transposition(shape: tuple[int, ...], i: int) -> Tensor:
    """ρ(s_i): [d, d], float64, symmetric and orthogonal."""
    basis = tableaux(shape)
    number = {rows: at for at, rows in enumerate(basis)}
    matrix = torch.zeros(len(basis), len(basis), dtype=torch.float64)
    for at, rows in enumerate(basis):
        contents = [rows[:j].count(rows[j]) - rows[j] for j in (i, i + 1)]
        inverse = 1 / (contents[1] - contents[0])
        matrix[at, at] = inverse
        swapped = (*rows[:i], rows[i + 1], rows[i], *rows[i + 2 :])
        if swapped != rows and swapped in number:
            matrix[number[swapped], at] = (1 - inverse**2) ** 0.5
    return matrix


def _matrices(shape: tuple[int, ...], elements: list[Permutation]) -> Tensor:
    """ρ of every element: [p!, d, d]. Each element is a shorter one and then a transposition of neighbours."""
    steps = [transposition(shape, i) for i in range(len(elements[0]) - 1)]
    start = tuple(range(len(elements[0])))
    found = {start: torch.eye(len(tableaux(shape)), dtype=torch.float64)}
    front = [start]
    for element in front:
        for i, step in enumerate(steps):
            longer = tuple({i: i + 1, i + 1: i}.get(image, image) for image in element)
            if longer not in found:
                found[longer] = found[element] @ step
                front.append(longer)
    return torch.stack([found[element] for element in elements])


@cache
def symmetric(p: int) -> list[Representation]:
    """The irreducible representations of S_p, one for each of ``partitions``, over ``tables.permutations``."""
    return [Representation(str(shape), _matrices(shape, permutations(p))) for shape in partitions(p)]
