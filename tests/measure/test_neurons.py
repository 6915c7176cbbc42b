"""Spectra of neurons, attention and embedding on functions of (a, b) whose spectrum is known."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grok.fourier.basis import basis, pair_powers, powers, spectrum_2d
from grok.measure import attention, embedding, neurons, spectrum
from grok.task import Task

P = 13
A, B = Task(P).pairs().double().unbind(1)


def cos(k, x):
    return torch.cos(2 * math.pi * k / P * x)


def sin(k, x):
    return torch.sin(2 * math.pi * k / P * x)


def powers_of(*functions):
    return pair_powers(torch.stack(functions, dim=1), P)


def test_spectrum_is_the_product_basis_written_out():
    values = torch.randn(49, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    f = basis(7)
    expected = torch.einsum("ia,jb,abn->ijn", f, f, values.view(7, 7, 3))
    torch.testing.assert_close(spectrum_2d(values, 7), expected)
    torch.testing.assert_close(spectrum_2d(values[:, 0], 7), expected[..., 0])
    power = pair_powers(values, 7)
    assert float(power[2, 3, 1]) == pytest.approx(float(expected[3:5, 5:7, 1].square().sum()))
    assert float(power[0, 1, 0]) == pytest.approx(float(expected[0, 1:3, 0].square().sum()))


@settings(max_examples=25, deadline=None)
@given(k=st.integers(1, 6), linear=st.floats(0.1, 3), quadratic=st.floats(0.1, 3), mean=st.floats(-5, 5))
def test_shares_are_those_built_in(k, linear, quadratic, mean):
    # cos k(a+b) has norm² p²/2, cos ka has p²/2: the shares are those of the squared factors, whatever the mean
    power = powers_of(linear * cos(k, A) - linear * sin(k, B) + quadratic * sin(k, A + B) + mean)
    whole = 2 * linear**2 + quadratic**2
    assert spectrum.linear_share(power) == pytest.approx(2 * linear**2 / whole)
    assert spectrum.quadratic_share(power) == pytest.approx(quadratic**2 / whole)
    assert spectrum.quadratic_share(power, [k]) == pytest.approx(quadratic**2 / whole)
    assert spectrum.quadratic_share(power, [k % 6 + 1]) == pytest.approx(0, abs=1e-12)
    assert spectrum.periodic_share(power, [k]).tolist() == pytest.approx([1])


def test_products_of_two_frequencies_are_neither_linear_nor_quadratic():
    power = powers_of(cos(2, A) * cos(3, B))
    assert spectrum.linear_share(power) == pytest.approx(0, abs=1e-12)
    assert spectrum.quadratic_share(power) == pytest.approx(0, abs=1e-12)


def test_frequencies_of_neurons():
    mixed = 2 * cos(2, A) + cos(5, A + B)  # 0.8 of the variance on 2
    found = neurons.frequencies(powers_of(cos(4, A) + 7, mixed, torch.full_like(A, 3.0), 1e-5 * cos(6, B)))
    assert found.best[[0, 1, 3]].tolist() == [4, 2, 6]
    assert found.share.tolist() == pytest.approx([1, 0.8, 0, 1], abs=1e-6)
    assert found.live.tolist() == [True, True, False, False]
    assert found.single_share == 0.5
    assert found.share_in([4, 6]) == 0.5
    assert found.cluster(4).tolist() == [0]
    assert found.cluster(2).tolist() == []


def test_projection_fves_are_the_source_formula():
    g = torch.Generator().manual_seed(1)
    post, U = torch.randn(P * P, 8, generator=g).double().relu(), torch.randn(8, P, generator=g).double()
    table = neurons.projection_fves(post, U, (2, 5))
    assert list(table) == ["cos 2", "sin 2", "cos 5", "sin 5"]
    for k in (2, 5):
        c = torch.arange(P).double()
        for name, wave in (("cos", cos(k, c)), ("sin", sin(k, c))):
            read = post @ (U @ (wave / wave.norm()))
            terms = [(cos, cos), (sin, sin)] if name == "cos" else [(cos, sin), (sin, cos)]
            units = [x(k, A) * y(k, B) for x, y in terms]
            explained = sum(float(read @ unit / unit.norm()) ** 2 for unit in units)
            assert table[f"{name} {k}"] == pytest.approx(explained / float(read.square().sum()))


def test_cluster_purity_is_of_the_cluster_alone():
    c = torch.arange(P).double()
    U = torch.stack([cos(4, c), 3 * cos(4, c) + 4 * sin(2, c), cos(1, c)])
    found = neurons.frequencies(powers_of(cos(4, A), cos(4, B), cos(1, A + B)))
    purities = neurons.cluster_purities(U, found, (1, 4))
    assert purities == pytest.approx({1: 1, 4: (1 + 9) / (1 + 25)})
    assert neurons.cluster_purities(U, found, (2,)) == {2: 0.0}, "no neuron of its own writes to it"


def test_key_norm_ratio_counts_the_constant_as_not_key():
    c = torch.arange(P).double()
    U = torch.stack([3 * cos(4, c) * math.sqrt(2), 4 * torch.ones(P).double()])
    assert neurons.key_norm_ratio(U, (4,)) == pytest.approx(3 / 5)


def test_sparsity_and_rank():
    assert embedding.gini(torch.ones(56)) == pytest.approx(0)
    assert embedding.gini(torch.zeros(56)) == 0  # a run whose weights decay to zero has a trajectory, too
    assert embedding.gini(torch.eye(56)[3]) == pytest.approx(1 - 1 / 56)
    assert embedding.gini(torch.tensor([1.0, 3.0])) == pytest.approx(1 / 4)
    matrix = torch.diag(torch.tensor([1.0, 2, 3])).double()
    assert embedding.top_share(matrix, 1) == pytest.approx(9 / 14)
    assert embedding.squared_shares(matrix).tolist() == pytest.approx([9 / 14, 4 / 14, 1 / 14])
    assert 0.1 < embedding.gaussian_top_share(torch.empty(113, 128), 8) < 0.3


def test_power_of_columns_and_of_the_whole():
    t = torch.arange(P).double()
    W = torch.stack([cos(1, t), 2 * sin(3, t), cos(1, t) + cos(2, t)], dim=1)
    assert embedding.column_power_on(W, [1]).tolist() == pytest.approx([1, 0, 0.5], abs=1e-12)
    assert embedding.power_on(W, [1]) == pytest.approx(2 / 7)
    assert embedding.strongest(W, 2) == (1, 3)
    assert embedding.fourier_norms(W)[2] == pytest.approx(math.sqrt(float(powers(W)[2])))


def test_attention_of_swapped_inputs():
    to_a = torch.softmax(torch.stack([cos(1, A), sin(2, B)]), 0)[0]
    swapped = to_a.view(P, P).T.flatten()
    same = torch.stack([to_a, swapped, 1 - to_a - swapped], dim=-1)
    other = torch.stack([to_a, cos(3, A), torch.zeros_like(A)], dim=-1)
    found = attention.correlation_of_swapped(torch.stack([same, other], dim=1), P)
    assert float(found[0]) == pytest.approx(1)
    assert abs(float(found[1])) < 0.5


def test_attention_that_is_constant_but_for_rounding():
    third = torch.full_like(A, 1 / 3) + 1e-17 * cos(1, A)
    one = torch.stack([torch.softmax(cos(1, A), 0), third, third], dim=-1)
    pattern = torch.stack([torch.stack([third] * 3, dim=-1), one], dim=1)
    assert attention.correlation_of_swapped(pattern, P).tolist() == [1, 0]
    assert attention.periodic_share(pattern[:, :1], P, [1]).tolist() == [0]


def test_periodic_attention_is_judged_per_head():
    first = torch.stack([0.5 + 0.1 * cos(1, A - B), 0.5 - 0.1 * cos(1, A - B), torch.zeros_like(A)], dim=-1)
    second = torch.stack([cos(1, A), cos(2, A), torch.zeros_like(A)], dim=-1)
    shares = attention.periodic_share(torch.stack([first, second], dim=1), P, [1])
    assert shares.tolist() == pytest.approx([1, 0.5])


def test_circuits_are_products_of_the_heads_matrices():
    g = torch.Generator().manual_seed(2)
    W_E, W_V, W_O, W_in, W_K, query = (
        torch.randn(*s, generator=g, dtype=torch.float64)
        for s in ((P, 4), (2, 4, 3), (2, 3, 4), (4, 6), (2, 4, 3), (2, 3))
    )
    for h, head in enumerate(attention.ov_circuit(W_E, W_V, W_O, W_in)):
        torch.testing.assert_close(head, W_E @ W_V[h] @ W_O[h] @ W_in)
        torch.testing.assert_close(attention.qk_circuit(W_E, W_K, query)[:, h], W_E @ W_K[h] @ query[h])


def test_norms_are_centred_and_free_of_rounding():
    norms = spectrum.norms(powers_of(cos(4, A) + 100, 2 * cos(4, A), cos(1, A + B)))
    assert norms.count_nonzero() == 2
    assert float(norms[4, 0]) == pytest.approx(P * math.sqrt(5 / 2))
    assert float(norms[1, 1]) == pytest.approx(P / math.sqrt(2))


@settings(max_examples=15, deadline=None)
@given(k=st.integers(1, 6), one=st.floats(0.1, 2), other=st.floats(0, 2), constant=st.floats(-3, 3))
def test_share_of_one_frequency_in_input_weights(k, one, other, constant):
    t = torch.arange(P).double()
    mixed = one * cos(k, t) + one * sin(k, t) + other * cos(k % 6 + 1, t) + constant
    greatest = max(2 * one**2, other**2) / (2 * one**2 + other**2)
    W = torch.stack([mixed, sin(3, t), torch.full_like(t, constant), 1e-5 * mixed], dim=1)
    live = [greatest, 1.0]  # neither what is constant nor what is all but zero
    assert neurons.token_frequency_share(W) == pytest.approx(sum(live) / 2)
    assert neurons.token_frequency_share(torch.full((P, 2), constant).double()) == 0


@settings(max_examples=15, deadline=None)
@given(k=st.integers(1, 6), one=st.floats(0.02, 0.1), other=st.floats(0, 0.015))
def test_attention_of_one_frequency(k, one, other):
    to_a = 0.5 + one * (cos(k, A) - cos(k, B)) + one * sin(k, A) * sin(k, B) + other * cos(k % 6 + 1, A)
    heads = torch.stack([to_a, torch.full_like(to_a, 0.5) + 1e-16 * cos(2, A)], dim=1)
    found = attention.single_frequency(torch.stack([heads, 1 - heads, torch.zeros_like(heads)], dim=-1), P)
    whole = 2 * one**2 + one**2 / 2 + other**2
    assert found.best[0] == k
    assert found.share.tolist() == pytest.approx([1 - other**2 / whole, 0])
    assert found.live.tolist() == [True, False]
