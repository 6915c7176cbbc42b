"""Irreducible representations over the reals, by orthogonal matrices, and the blocks of functions that they span.

A representation with character χ of a group of n elements has e = Σ_g χ(g)² / n: 1 if it stays irreducible over the
complex numbers, 2 or 4 if it splits there. Its entries span a space of d²/e functions, which left and right
multiplication map into itself; these spaces are orthogonal and hold all functions, so that Σ d²/e = n (Serre 1977,
section 13.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from grok.fourier.basis import Blocks
from grok.groups.tables import inverses

SEED = 0  # of the random elements that split a space: any but a few give the same spaces
SAME = 1e-7  # eigenvalues of a random element, of norm about one, that are nearer than this belong together


@dataclass(frozen=True, eq=False)
class Representation:
    """matrices: [n, d, d], float64, orthogonal; ρ(a ∘ b) = ρ(a) ρ(b)."""

    name: str
    matrices: Tensor

    @property
    def dimension(self) -> int:
        return self.matrices.shape[1]

    @property
    def character(self) -> Tensor:
        """χ(g) = tr ρ(g): [n]."""
        return self.matrices.diagonal(dim1=1, dim2=2).sum(1)

    @property
    def splits_into(self) -> int:
        """e = Σ_g χ(g)² / n: 1, 2 or 4."""
        return round(float(self.character.square().mean()))

    @property
    def functions(self) -> Tensor:
        """An orthonormal basis of the functions that the entries span: [d²/e, n]; for e = 1 √(d/n) ρ_ij themselves."""
        entries = self.matrices.flatten(1).T * math.sqrt(self.dimension / len(self.matrices))
        if self.splits_into == 1:
            return entries
        return torch.linalg.svd(entries, full_matrices=False).Vh[: self.dimension**2 // self.splits_into]


def blocks(representations: list[Representation]) -> Blocks:
    """The basis of all irreducible representations, the trivial one first."""
    functions = [each.functions for each in representations]
    return Blocks(torch.cat(functions), tuple(map(len, functions)), tuple(each.name for each in representations))


@cache
def dihedral(p: int) -> list[Representation]:
    """Of D_p, over ``tables.dihedral``: 1, the sign of a flip (two more for even p), then the turns by 2πk/p.

    ρ_k(r^t s^f) is the turn by 2πkt/p, times diag(1, -1) for f = 1; k = 1 … ⌈p/2⌉ - 1.
    """
    turn, flip = torch.arange(2 * p) % p, torch.arange(2 * p) // p
    signs = {"trivial": torch.zeros(2 * p), "sign": flip}
    if p % 2 == 0:
        signs |= {"odd turns": turn, "odd turns and flips": turn + flip}
    found = [Representation(name, (1 - 2 * (odd.double() % 2))[:, None, None]) for name, odd in signs.items()]
    for k in range(1, (p + 1) // 2):
        angle = 2 * math.pi * k / p * turn.double()
        sign = 1 - 2 * flip.double()
        rows = [torch.stack([angle.cos(), -sign * angle.sin()], 1), torch.stack([angle.sin(), sign * angle.cos()], 1)]
        found.append(Representation(f"turn {k}", torch.stack(rows, 1)))
    return found


def split(table: Tensor) -> list[Representation]:
    """Of any group, from its table: trivial first, then by dimension, and by character (larger values first).

    Functions f on the group with (L_a f)(x) = f(a⁻¹ x) are the regular representation, and all L_a commute with the
    matrices h(x⁻¹ y). Of a random h with h(g) = h(g⁻¹) the matrix is symmetric. If h is a class function, the
    eigenspaces are the spaces of ``functions``; if it is none, those of its part in such a space are irreducible.
    Raises GrokError if the table has no identity or no inverses.
    """
    n, inverse = len(table), inverses(table)
    generator = torch.Generator().manual_seed(SEED)
    random = torch.randn(n, generator=generator, dtype=torch.float64)
    random = random + random[inverse]
    conjugates = table[table, inverse[:, None]]  # [a, g]: a g a⁻¹
    central = random[conjugates].mean(0)
    quotient = table[inverse]  # [x, y]: x⁻¹ y
    moved = table[inverse]  # [a, x]: a⁻¹ x, the place that L_a reads
    found = []
    for space in _eigenspaces(central[quotient]):
        inner = space @ random[quotient] @ space.T
        vectors = _eigenspaces(inner)[0] @ space  # [d, n], orthonormal
        found.append(torch.einsum("in,ajn->aij", vectors, vectors[:, moved].transpose(0, 1)))
    characters = [m.diagonal(dim1=1, dim2=2).sum(1) for m in found]
    order = sorted(range(len(found)), key=lambda i: _rank(characters[i]))
    return [Representation(f"{found[i].shape[1]}-dimensional, {at}", found[i]) for at, i in enumerate(order)]


def _rank(character: Tensor) -> tuple[float, list[float]]:
    return float(character.max().round()), (-character).round(decimals=6).tolist()  # the greatest is the dimension


def _eigenspaces(symmetric: Tensor) -> list[Tensor]:
    """Orthonormal rows of each eigenspace, by ascending eigenvalue."""
    values, vectors = torch.linalg.eigh((symmetric + symmetric.T) / 2)
    ends = (values.diff() > SAME * values.abs().max().clamp_min(1)).nonzero().flatten() + 1
    return [part.T for part in vectors.tensor_split(ends.tolist(), dim=1)]
