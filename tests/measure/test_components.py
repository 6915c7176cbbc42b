"""Principal components of an embedding whose line and parabola are built in."""

from __future__ import annotations

import pytest
import torch

from grok.measure import components
from grok.task import Task

TOKENS = torch.arange(10, dtype=torch.float64) - 4.5
LINE = TOKENS / TOKENS.norm()
PARABOLA = (TOKENS.square() - TOKENS.square().mean()) / (TOKENS.square() - TOKENS.square().mean()).norm()
U, V, W = torch.linalg.qr(torch.randn(32, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)).Q.T
MEAN = torch.linspace(-1, 2, 32, dtype=torch.float64)
EMBEDDING = MEAN + 3 * LINE[:, None] * U + 1 * PARABOLA[:, None] * V


def test_pca_finds_the_line_and_the_parabola():
    pcs = components.pca(EMBEDDING)
    torch.testing.assert_close(pcs.mean, MEAN)
    torch.testing.assert_close(pcs.ratio[:3], torch.tensor([0.9, 0.1, 0.0], dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(pcs.scores[:, :2].abs(), torch.stack([3 * LINE, PARABOLA], 1).abs())
    torch.testing.assert_close(pcs.mean + pcs.scores @ pcs.directions, EMBEDDING)


def test_keeping_and_removing_components():
    pcs = components.pca(EMBEDDING)
    only_line = MEAN + 3 * LINE[:, None] * U
    torch.testing.assert_close(pcs.keep([0])(EMBEDDING), only_line)
    torch.testing.assert_close(pcs.remove([1])(EMBEDDING), only_line)
    # Outside the plane of the two components the two forms differ: this is why the claims check both.
    other = EMBEDDING + W
    torch.testing.assert_close(pcs.keep([0])(other), only_line)
    torch.testing.assert_close(pcs.remove([1])(other), only_line + W)


def test_scores_of_pairs_come_as_a_b_a_b():
    pcs = components.pca(EMBEDDING)
    scores = components.pair_scores(pcs, Task(10, "add").pairs())
    assert scores.shape == (100, 4)
    pc1, pc2 = pcs.scores[:, 0], pcs.scores[:, 1]
    torch.testing.assert_close(scores[37], torch.stack([pc1[3], pc1[7], pc2[3], pc2[7]]))


def test_features_are_every_monomial_up_to_degree_two():
    x = torch.tensor([[2.0, 3.0, 5.0, 7.0]])
    # products of different primes are all different: every monomial is there once
    expected = [1, 2, 3, 5, 7, 4, 6, 10, 14, 9, 15, 21, 25, 35, 49]
    assert sorted(components.poly2(x)[0].tolist()) == sorted(expected)
    assert components.linear(x)[0].tolist() == [1, 2, 3, 5, 7]
    assert sorted(components.symmetric(x)[0].tolist()) == sorted([1, 5, 12, 25, 144, 60])


def test_symmetric_features_do_not_know_a_from_b():
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(components.symmetric(x), components.symmetric(x[:, [1, 0, 3, 2]]))
    with pytest.raises(AssertionError):
        torch.testing.assert_close(components.poly2(x), components.poly2(x[:, [1, 0, 3, 2]]))
