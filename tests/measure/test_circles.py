"""Circles of an embedding: their number, which belong together, and what one of them can do, pair by pair."""

import math
from dataclasses import replace

import pytest
import torch

from grok.errors import NotEvaluable
from grok.fourier.basis import basis, rows
from grok.measure import circles, clock_pizza
from grok.models import matrices
from grok.models.architectures import network
from grok.recipe import RECIPES
from grok.task import Task

P, SEED = 13, 4


def embedding(strengths: dict[int, float]) -> torch.Tensor:
    """Frequencies of these norms, in directions of their own, far from the origin: [13, 2 n]."""
    columns = [strength * basis(P)[rows([k])].T / math.sqrt(2) for k, strength in strengths.items()]
    return torch.cat(columns, dim=1) + 5


def test_the_number_of_circles_counts_the_strongest_and_not_the_mean():
    table = embedding({2: 3.0, 5: 2.0, 6: 1.0})  # powers 9, 4, 1
    assert [circles.strongest_holding(table, share) for share in (0.6, 0.7, 0.95, 1.0)] == [1, 2, 3, 3]


def test_companions_have_twice_the_frequency_on_the_same_numbers():
    assert [circles.doubled(k, P) for k in range(1, 7)] == [2, 4, 6, 5, 3, 1]
    for k in range(1, 7):
        once, twice = (2 * math.pi * n / P * torch.arange(P) for n in (k, circles.doubled(k, P)))
        torch.testing.assert_close((2 * once).cos(), twice.cos(), atol=1e-5, rtol=0)
    found = circles.companions(embedding({2: 3.0, 4: 1.5, 5: 2.0}), (2, 5))
    assert found == pytest.approx({2: 0.25, 5: 0.0}, abs=1e-12)


@pytest.mark.parametrize("operation", ["add_mod", "sub_mod"])
def test_one_circle_alone_is_counted_pair_by_pair(operation: str):
    recipe = replace(RECIPES["modadd-transformer"], task=Task(P, operation), d_model=20, n_heads=2, d_head=6, d_mlp=30)
    model = network(matrices.initial(replace(recipe, seed=SEED)), recipe.task)
    k = 3
    waves = basis(P)[rows([k])]
    one = clock_pizza.with_embedding(model, lambda table: table.mean(0) + waves.T @ (waves @ table))
    right: dict[int, list[bool]] = {d: [] for d in range(P)}
    for a in range(P):
        for b in range(P):
            pair = a * P + b
            right[(a - recipe.task.sign * b) % P].append(int(one.logits[pair].argmax()) == int(model.labels[pair]))
    by_length = sorted(range(P), key=lambda d: abs(math.cos(math.pi * k * d / P)))
    found = circles.alone(model, k)
    quarters = (by_length, by_length[:2], by_length[-3:])
    counted = [sum(sum(right[d]) for d in chosen) / P / len(chosen) for chosen in quarters]
    assert (found.accuracy, found.across, found.beside) == pytest.approx(tuple(counted))
    assert len(set(counted)) == 3, "the three differ, so that none stands for another"


def test_distance_has_no_meaning_on_other_groups():
    recipe = replace(RECIPES["s5-mlp"], task=Task(3, "symmetric"), d_model=8, d_mlp=8)
    with pytest.raises(NotEvaluable):
        circles.alone(network(matrices.initial(recipe), recipe.task), 1)
