"""A rival on the permutations of p things: it composes them entry by entry, without a word of representations.

A permutation a sends i to a[i]. There is a neuron for each (i, j, k), which fires if a sends i to j and b sends j to k:

    pre_ijk = [a[i] = j] + [b[j] = k] - 1,    logit_c = 15 Σ_ijk [c[i] = k] ReLU(pre_ijk)

so that the logit of c counts the i that c sends where a ∘ b sends them. All p agree for the right class, at most p - 2
for another. The number of agreements of two permutations is itself a character, that of the matrices which exchange the
coordinates, so that a claim about characters may hold here. Stander et al. 2023 (arXiv 2312.06581) say of networks on
S_5 that they ask such questions (in which coset is a?), and that the measures of characters do not tell.
"""

from __future__ import annotations

import torch

from grok.groups.tables import permutations
from grok.models import names
from grok.models.names import Weights
from grok.recipe import Recipe

AGREEMENT = 15.0  # of one entry: the margin is that of two, as great as the rivals of addition have it


def hidden(recipe: Recipe, seed: int) -> Weights:
    """The weights in the shapes of a recipe of ``models.concat``, float32, the same each time.

    Each embedding is hidden by a random rotation, the neurons by a permutation. Raises ValueError if it does not fit.
    """
    p, d, m = recipe.task.p, recipe.d_model, recipe.d_mlp
    if p**2 + 1 > d or p**3 > m:
        raise ValueError(f"{p**2 + 1} inputs and {p**3} neurons do not fit {recipe.name}")
    sends = torch.nn.functional.one_hot(torch.tensor(permutations(p)), p).double()  # [n, from, to]
    one = torch.eye(p, dtype=torch.float64)
    of_a = torch.einsum("iI,jJ,k->ijIJk", one, one, torch.ones(p).double()).reshape(p**2, p**3)
    of_b = torch.einsum("jJ,kK,i->jkiJK", one, one, torch.ones(p).double()).reshape(p**2, p**3)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(m, generator=generator)
    tables, halves = [], []
    for reads in (of_a, of_b):
        turn = torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64)).Q
        table, half = torch.zeros(len(sends), d).double(), torch.zeros(d, m).double()
        table[:, : p**2], table[:, p**2] = sends.flatten(1), 1.0
        half[: p**2, : p**3], half[p**2, : p**3] = reads, -0.5  # the constant -1 is the sum of two halves
        tables.append(table @ turn)
        halves.append((turn.T @ half)[:, order])
    unembed = torch.zeros(m, len(sends)).double()
    unembed[: p**3] = AGREEMENT * torch.einsum("cik,j->ijkc", sends, torch.ones(p).double()).reshape(p**3, -1)
    found = (*tables, torch.cat(halves), unembed[order])
    named = (names.CONCAT_W_X, names.CONCAT_W_Y, names.CONCAT_W, names.CONCAT_W_U)
    return {name: w.float() for name, w in zip(named, found, strict=True)}
