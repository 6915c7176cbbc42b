"""Ablations of a transformer, computed by hand from its weights.

    change = Intervention(embedding=pca(model.W_E).keep([0]), skip=False)
    by_hand(model, change).logits

The definition is the same ablation through TransformerLens hooks, which a test compares with this. It takes seconds to
import and computes positions that nobody reads, too much for many random controls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from grok.errors import NotEvaluable
from grok.models import names
from grok.models.network import Network
from grok.models.transformer import Transformer

Edit = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Intervention:
    """What is changed in the forward pass; by default nothing.

    embedding: of the embeddings of a and b, before positions are added: [..., d_model] → [..., d_model].
    skip: False removes the residual stream around the MLP, so that the logits read the MLP's output alone.
    """

    embedding: Edit | None = None
    skip: bool = True


@dataclass(frozen=True, eq=False)
class Activations:
    """At the last position on all pairs. pre, post: [p², d_mlp]; logits: [p², C]."""

    pre: Tensor
    post: Tensor
    logits: Tensor


def by_hand(model: Network, change: Intervention) -> Activations:
    """The changed forward pass from the weights. Raises NotEvaluable unless the model is a transformer."""
    changed = _transformer(model)
    if change.embedding is not None:
        equals = changed.weights[names.W_E][changed.task.n :]
        edited = torch.cat([change.embedding(changed.W_E), equals])
        changed = replace(changed, weights={**changed.weights, names.W_E: edited})
    logits = changed.logits if change.skip else changed.logits - changed.resid_mid @ changed.W_U
    return Activations(changed.pre, changed.post, logits)


def random_directions(d: int, rank: int, draws: int, seed: int) -> Tensor:
    """Orthonormal rows spanning random subspaces, the matched control of a projection: [draws, rank, d], float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(draws, d, rank, generator=generator, dtype=torch.float64)).Q.mT


def _transformer(model: Network) -> Transformer:
    if not isinstance(model, Transformer):
        raise NotEvaluable("these ablations are defined for the transformers only")
    return model
