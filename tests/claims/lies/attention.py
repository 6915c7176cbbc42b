"""Lies about where ``=`` looks and what it reads there."""

from __future__ import annotations

import torch
from torch import Tensor

from grok.models import names
from grok.models.network import Network
from lies import altered, randn


def equals_attended(model: Network) -> Network:
    """One head looks at ``=``."""
    to_a, to_b, to_equals = model.scores
    return altered(model, scores=(to_a, to_b, to_equals + torch.tensor([5.0, 0, 0, 0])))


def a_preferred(model: Network) -> Network:
    """One head looks at a more than at b."""
    to_a, to_b, to_equals = model.scores
    return altered(model, scores=(to_a + torch.tensor([0.3, 0, 0, 0]), to_b, to_equals))


def scores_of_b_permuted(model: Network) -> Network:
    """One head looks at other numbers in b's place than in a's."""
    to_a, to_b, to_equals = model.scores
    shuffled = to_b.clone()
    shuffled[:, 1] = to_b[torch.arange(model.task.p) * 5 % model.task.p, 1]
    return altered(model, scores=(to_a, shuffled, to_equals))


def one_head(model: Network, name: str) -> Network:
    """One head's matrix is random, with the norm it had."""
    changed = model.weights[name].clone()
    changed[2] = _random_like(changed[2])
    return altered(model, weights={name: changed})


def _random_like(matrix: Tensor) -> Tensor:
    noise = randn(*matrix.shape)
    return noise * matrix.norm() / noise.norm()


def keys_random(model: Network) -> Network:
    return one_head(model, names.W_K)


def values_random(model: Network) -> Network:
    return one_head(model, names.W_V)


def scores_random(model: Network) -> Network:
    """One head's scores of the numbers have no frequencies, and are as large."""
    to_a, to_b, to_equals = (s.clone() for s in model.scores)
    to_a[:, 3] = to_b[:, 3] = to_a[:, 3].mean() + to_a[:, 3].std() * randn(model.task.p)
    return altered(model, scores=(to_a, to_b, to_equals))


def aperiodic_dimensions(model: Network) -> Network:
    """Seven of ten dimensions of the embedding follow no frequency."""
    W_E = model.weights[names.W_E].clone()
    n = W_E.shape[1] * 7 // 10
    W_E[:, :n] = _random_like(W_E[:, :n])
    return altered(model, weights={names.W_E: W_E})


def answered_around_the_neurons(model: Network) -> Network:
    """The residual path carries 98 of 100 parts of each logit, and neurons read what they read."""
    resid_mid = model.resid_mid + 0.98 * model.post @ model.W_out
    return altered(model, weights={names.W_OUT: 0.02 * model.W_out}, pre=model.pre, resid_mid=resid_mid)
