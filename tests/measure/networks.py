"""Small networks of every architecture, for the tests of the certificate and of its bounds."""

from dataclasses import replace

import torch

from grok.models import names
from grok.models.architectures import network
from grok.models.names import Weights
from grok.recipe import Recipe, get_recipe
from grok.task import Task

TASK = Task(11)


def small(architecture: str, seed: int = 0) -> Recipe:
    like = get_recipe("modadd-transformer")
    return replace(like, architecture=architecture, task=TASK, seed=seed, d_model=24, n_heads=2, d_head=6, d_mlp=40)


def with_biases(weights: Weights, seed: int) -> Weights:
    """Every bias that a checkpoint may have, and for the MLP an embedding of its own for b."""
    g = torch.Generator().manual_seed(seed)
    architecture = network(weights, TASK).architecture
    if architecture in ("concat", "quadratic"):
        return weights  # they have none
    if architecture.startswith("pizza"):
        shapes = {name: tuple(weights[name].shape) for name in (names.B_IN, names.B_OUT)}
    elif names.MLP_W_E in weights:
        (n, d), (m, c) = weights[names.MLP_W_E].shape, weights[names.MLP_W_U].shape
        shapes = {"W_E_b": (n, d), "b_in": (m,), "b_U": (c,)}
    else:
        (h, d, k), (m, _), c = weights[names.W_Q].shape, weights[names.W_OUT].shape, weights[names.W_U].shape[1]
        shapes = {f"blocks.0.attn.b_{x}": (h, k) for x in "QKV"} | {"blocks.0.attn.b_O": (d,), "unembed.b_U": (c,)}
        shapes |= {"blocks.0.mlp.b_in": (m,), "blocks.0.mlp.b_out": (d,)}
    return weights | {name: torch.randn(shape, generator=g) for name, shape in shapes.items()}
