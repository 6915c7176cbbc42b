"""Measures of plain addition on tables with known answers."""

from __future__ import annotations

import math

import pytest
import torch

from grok.measure import addition
from grok.task import Task

TASK = Task(10, "add")
SUMS = TASK.labels()


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def correlation(x: torch.Tensor, y: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([x.double(), y.double()]))[0, 1])


def test_error_table_is_predicted_minus_true_at_row_a_column_b():
    error = torch.zeros(10, 10, dtype=torch.int64)
    error[0, 0], error[3, 7], error[9, 9] = 3, 1, -3
    logits = torch.nn.functional.one_hot(SUMS + error.flatten(), 20).double()
    assert torch.equal(addition.error_table(logits, SUMS, 10), error)


def test_line_recovers_slope_intercept_and_r2():
    found = addition.line(SUMS, 2 / 3 * SUMS + 3)
    assert (found.slope, found.intercept, found.r2) == pytest.approx((2 / 3, 3, 1))
    noisy = addition.line(SUMS, SUMS + 3 * randn(100))
    assert noisy.r2 == pytest.approx(correlation(SUMS, SUMS + 3 * randn(100)) ** 2)
    assert addition.line(SUMS, torch.ones(100)).r2 == 0


def test_sum_correlations_and_linearity():
    neurons = torch.stack([2.0 * SUMS, -SUMS.double(), randn(100), torch.zeros(100)], dim=1).double()
    r = addition.sum_correlations(neurons, SUMS)
    expected = [1, -1, correlation(neurons[:, 2], SUMS), 0]
    assert r.tolist() == pytest.approx(expected, abs=1e-12)
    assert addition.sum_linearity(neurons, SUMS).tolist() == pytest.approx([1, 1, expected[2] ** 2], abs=1e-12)


def test_probe_reads_the_sum_where_it_is_written_and_only_there():
    directions = randn(1, 64, seed=1)
    assert addition.probe_r2(SUMS[:, None] * directions + 1e-6 * randn(100, 64), SUMS) > 0.999
    assert addition.probe_r2(randn(100, 80), SUMS) < 0.5  # 70 pairs can be fitted by 80 features, 30 others not


def test_rfft_powers_of_pure_waves():
    t = torch.arange(20) / 20
    waves = torch.stack([torch.full((20,), 3.0), 2 * torch.cos(2 * math.pi * 4 * t), torch.sin(2 * math.pi * t)], 1)
    expected = torch.zeros(11)
    expected[0], expected[4], expected[1] = (3 * 20) ** 2, (2 * 10) ** 2, 10**2
    torch.testing.assert_close(addition.rfft_powers(waves), expected, atol=1e-3, rtol=1e-5)


def test_rebuilt_keeps_the_constant_and_the_strongest_frequencies():
    t = torch.arange(20, dtype=torch.float64) / 20
    parts = [3 * torch.cos(2 * math.pi * 2 * t), 2 * torch.sin(2 * math.pi * 7 * t), torch.cos(2 * math.pi * 5 * t)]
    for constant in (0.1, 10):  # the weakest and the strongest of all, and not among the n
        values = constant + sum(parts)
        torch.testing.assert_close(addition.rebuilt(values, 2), constant + parts[0] + parts[1])
        torch.testing.assert_close(addition.rebuilt(values, 3), values)


def test_flips_count_neurons_by_direction():
    full, ablated = torch.tensor([-1.0, -1, 2, 0, 3]), torch.tensor([1.0, 2, -1, 5, 3])
    assert addition.flips(full, ablated) == (3, 1)
