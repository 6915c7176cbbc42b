"""Changes that leave every sentence as true as it was: a claim that refuses one of these depends on a convention."""

from __future__ import annotations

import torch
from torch import Tensor

from grok.models import names
from grok.models.network import Network
from grok.task import Split
from lies import altered, randn


def neurons_reordered(model: Network) -> Network:
    """Another order of the neurons; and each reads a little more or less, and writes less or more."""
    w_in, w_out = (names.MLP_W_IN, names.MLP_W_U) if names.MLP_W_IN in model.weights else (names.W_IN, names.W_OUT)
    n = model.weights[w_in].shape[1]
    order, scale = randn(n).argsort(), 1 + 0.05 * randn(n, seed=1).clamp(-3, 3)
    read, write = model.weights[w_in] * scale, model.weights[w_out] / scale[:, None]
    return altered(model, weights={w_in: read[:, order], w_out: write[order]})


def residual_stream_turned(model: Network) -> Network:
    """Another orthonormal basis of the residual stream: every matrix that reads or writes it is turned."""
    w = model.weights
    turn = torch.linalg.qr(randn(w[names.W_E].shape[1], w[names.W_E].shape[1])).Q
    turned: dict[str, Tensor] = {name: w[name] @ turn for name in (names.W_E, names.W_POS, names.W_O, names.W_OUT)}
    turned |= {name: turn.T @ w[name] for name in (names.W_Q, names.W_K, names.W_V, names.W_IN, names.W_U)}
    return altered(model, weights=turned)


def heads_reordered(model: Network) -> Network:
    return altered(model, weights={n: model.weights[n].flip(0) for n in (names.W_Q, names.W_K, names.W_V, names.W_O)})


def residues_multiplied(model: Network) -> Network:
    """Numbers are named by another unit: t → 3t mod p for inputs, answers and pairs, so key frequencies move."""
    p, unit = model.task.p, 3
    there = torch.arange(p) * unit % p  # new name of each residue
    back = there.argsort()
    embed, unembed = (names.MLP_W_E, names.MLP_W_U) if names.MLP_W_E in model.weights else (names.W_E, names.W_U)
    rows = torch.cat([back, torch.arange(p, len(model.weights[embed]))])
    renamed = {embed: model.weights[embed][rows], unembed: model.weights[unembed][:, back]}

    def pairs(index: Tensor) -> Tensor:
        return there[index // p] * p + there[index % p]

    return altered(model, weights=renamed, split=Split(pairs(model.train), pairs(model.test)))


MODELS = {
    "modadd-mlp": (neurons_reordered, residues_multiplied),
    "modadd-transformer": (neurons_reordered, heads_reordered, residual_stream_turned, residues_multiplied),
    "modsub-transformer": (neurons_reordered, heads_reordered, residual_stream_turned, residues_multiplied),
    "add-transformer": (neurons_reordered, heads_reordered, residual_stream_turned),
}
