"""The batched regressions against built-in polynomials and against scikit-learn, one column at a time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from grok.measure import regression
from grok.measure.components import linear, poly2


def randn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), columns=st.integers(1, 40), scale=st.floats(1e-3, 1e3))
def test_a_built_in_polynomial_is_recovered(seed, columns, scale):
    features = randn(60, 3, seed=seed)
    targets = poly2(features) @ randn(10, columns, seed=seed + 1) * scale
    torch.testing.assert_close(regression.fit(poly2(features), targets), targets, atol=1e-9 * scale, rtol=1e-8)
    assert regression.r2_of_fit(poly2(features), targets).min() > 1 - 1e-12
    assert regression.r2_of_fit(linear(features), targets).max() < 1 - 1e-6


def test_one_batch_equals_a_loop_over_columns():
    features, targets = randn(50, 4, seed=0), randn(50, 7, seed=1) + randn(50, 1, seed=2)
    ours = regression.r2_of_fit(poly2(features), targets)
    for column, r2 in zip(targets.T, ours, strict=True):
        # the column of ones makes the second intercept collinear with the first: fitted all the same
        model = LinearRegression().fit(poly2(features).numpy(), column.numpy())
        assert r2 == pytest.approx(r2_score(column, model.predict(poly2(features).numpy())), abs=1e-10)


def test_collinear_features_are_fitted():
    t = torch.arange(10, dtype=torch.float64)
    on_a_parabola = torch.stack([t, t.square()], dim=1)  # t · t = t², so two monomials are the same column
    targets = torch.stack([1 + t + t**2, t**4], dim=1)
    assert regression.r2_of_fit(poly2(on_a_parabola), targets).min() > 1 - 1e-10


def test_dead_columns_have_no_r2():
    features, targets = randn(20, 2, seed=0), randn(20, 3, seed=1)
    targets[:, 1] = 5.0
    assert regression.live(targets).tolist() == [True, False, True]
    assert len(regression.r2_of_fit(linear(features), targets)) == 2
    assert regression.r2_of_fit(linear(features), targets[:, [1]]).tolist() == [0], "there is nothing to explain"


def test_overall_r2_has_one_mean_for_the_whole_table():
    targets = torch.tensor([[0.0, 10.0], [2.0, 12.0]])
    columns_right = targets.mean(0).expand(2, 2)
    assert regression.r2_overall(targets, columns_right) == pytest.approx(1 - 4 / 104)
    assert regression.r2(targets, columns_right).tolist() == pytest.approx([0, 0])
