"""Irreducible representations: homomorphisms, orthogonal to each other, and together all functions on the group."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grok.fourier.basis import cyclic, powers
from grok.fourier.keys import MIN_RATIO, gap
from grok.groups import representations, tables, young
from grok.task import Task

# 1, i, j, k are 0 … 3, their negatives 4 … 7; a product's unit is the exclusive or, its sign in this table.
SIGNS = torch.tensor([[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 1, 0], [0, 0, 1, 1]])


def _quaternions() -> torch.Tensor:
    unit, sign = torch.arange(8) % 4, torch.arange(8) // 4
    flip = sign[:, None] ^ sign ^ SIGNS[unit[:, None], unit]
    return (unit[:, None] ^ unit) + 4 * flip


FAMILIES = {
    **{f"S_{p}": (young.symmetric(p), tables.symmetric(p)) for p in (2, 3, 4, 5)},
    **{f"D_{p}": (representations.dihedral(p), tables.dihedral(p)) for p in (3, 4, 5, 8)},
    **{f"A_{p}, split": (None, tables.alternating(p)) for p in (3, 4, 5)},
    "D_6, split": (None, tables.dihedral(6)),
    "S_4, split": (None, tables.symmetric(4)),
    "Z_12, split": (None, Task(12).table()),
    "quaternions, split": (None, _quaternions()),
}
DIMENSIONS = {
    "S_5": [1, 4, 5, 6, 5, 4, 1],
    "A_4, split": [1, 2, 3],
    "A_5, split": [1, 3, 3, 4, 5],
    "S_4, split": [1, 1, 2, 3, 3],
    "quaternions, split": [1, 1, 1, 1, 4],
}


@pytest.mark.parametrize("name", FAMILIES)
def test_representations_are_irreducible_and_complete(name: str):
    known, table = FAMILIES[name]
    found = representations.split(table) if known is None else known
    n, every = len(table), torch.arange(len(table))
    for each in found:
        matrices = each.matrices
        torch.testing.assert_close(matrices[table], matrices[:, None] @ matrices, atol=1e-12, rtol=0)
        one = torch.eye(each.dimension, dtype=torch.float64).expand(n, -1, -1)
        torch.testing.assert_close(matrices @ matrices.mT, one, atol=1e-12, rtol=0)
    assert torch.equal(found[0].character.round(decimals=9), torch.ones(n, dtype=torch.float64))
    characters = torch.stack([each.character for each in found])
    split = torch.tensor([each.splits_into for each in found]).double()
    torch.testing.assert_close(characters @ characters.T / n, split.diag(), atol=1e-12, rtol=0)
    assert set(split.tolist()) <= {1.0, 2.0, 4.0}
    assert sum(each.dimension**2 / each.splits_into for each in found) == n
    blocks = representations.blocks(found)
    torch.testing.assert_close(blocks.basis @ blocks.basis.T, torch.eye(n, dtype=torch.float64), atol=1e-12, rtol=0)
    assert sum(blocks.sizes) == n == len(blocks.basis[every])
    assert [each.dimension for each in found] == DIMENSIONS.get(name, [each.dimension for each in found])


@settings(deadline=None)
@given(st.sampled_from(["S_4", "D_5", "D_8", "S_4, split", "A_4, split", "quaternions, split"]), st.data())
def test_multiplication_leaves_the_power_of_each_block_as_it_is(name: str, data):
    known, table = FAMILIES[name]
    blocks = representations.blocks(representations.split(table) if known is None else known)
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 1000)))
    values = torch.randn(len(table), 3, generator=generator, dtype=torch.float64)
    a = data.draw(st.integers(0, len(table) - 1))
    for moved in (table[a], table[:, a]):
        torch.testing.assert_close(powers(values[moved], blocks=blocks), powers(values, blocks=blocks))


@settings(deadline=None)
@given(st.sampled_from(["S_4", "D_5", "D_8"]), st.randoms(use_true_random=False))
def test_splitting_finds_the_same_blocks_whatever_the_numbers_of_the_elements(name: str, random):
    known, table = FAMILIES[name]
    order = list(range(len(table)))
    random.shuffle(order)
    number = torch.tensor(order)
    renumbered = torch.empty_like(table)
    renumbered[number[:, None], number] = number[table]
    split = representations.blocks(representations.split(renumbered))
    expected = representations.blocks(known)
    # the projectors on blocks, in the old numbers; the blocks may come in another order
    got = _projectors(split.basis[:, number], split.sizes)
    for projector in _projectors(expected.basis, expected.sizes):
        assert min(float((projector - other).abs().max()) for other in got) < 1e-10


def _projectors(basis: torch.Tensor, sizes: tuple[int, ...]) -> list[torch.Tensor]:
    return [part.T @ part for part in basis.split(sizes)]


def test_splitting_a_cyclic_group_finds_the_frequencies():
    got = representations.blocks(representations.split(Task(9).table()))
    assert sorted(got.sizes) == sorted(cyclic(9).sizes)
    found = _projectors(got.basis, got.sizes)
    for projector in _projectors(cyclic(9).basis, cyclic(9).sizes):
        assert min(float((projector - other).abs().max()) for other in found) < 1e-10


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_in_a_gaussian_unembedding_no_representation_stands_out(seed: int):
    """Their blocks have 1 to 36 functions: by power alone the sign would stand out by its weakness."""
    generator = torch.Generator().manual_seed(seed)
    unembedding = torch.randn(128, 120, generator=generator, dtype=torch.float64)
    assert gap(unembedding, Task(5, "symmetric").blocks)[1] < MIN_RATIO / 1.5


def test_characters_of_permutations_are_those_of_the_permutations():
    by_name = {each.name: each.character for each in young.symmetric(5)}
    elements = tables.permutations(5)
    fixed = torch.tensor([sum(i == image for i, image in enumerate(a)) for a in elements]).double()
    signs = torch.tensor([(-1) ** tables.inversions(a) for a in elements]).double()
    torch.testing.assert_close(by_name["(4, 1)"], fixed - 1)
    torch.testing.assert_close(by_name["(1, 1, 1, 1, 1)"], signs)
    torch.testing.assert_close(by_name["(2, 1, 1, 1)"], signs * (fixed - 1))
    # permutations of pairs of things are 1 + (4, 1) + (3, 2)
    pairs = [{i, j} for i in range(5) for j in range(i)]
    kept = torch.tensor([sum({a[i] for i in pair} == pair for pair in pairs) for a in elements]).double()
    torch.testing.assert_close(by_name["(3, 2)"], kept - fixed)
