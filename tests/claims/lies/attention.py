"""Lies about where ``=`` looks, the same for every transformer."""

from __future__ import annotations

import torch

from grok.models.network import Network
from lies import altered


def equals_attended(model: Network) -> Network:
    """One head looks at ``=``."""
    to_a, to_b, to_equals = model.scores
    return altered(model, scores=(to_a, to_b, to_equals + torch.tensor([5.0, 0, 0, 0])))


def a_preferred(model: Network) -> Network:
    """One head looks at a more than at b."""
    to_a, to_b, to_equals = model.scores
    return altered(model, scores=(to_a + torch.tensor([0.3, 0, 0, 0]), to_b, to_equals))
