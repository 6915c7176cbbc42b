"""Ablations of a transformer, computed by hand from its weights.

    change = Intervention(embedding=pca(model.W_E).keep([0]), skip=False)
    by_hand(model, change).logits

The definition is the same ablation through TransformerLens hooks, and a test compares the two. The hooks take seconds
to import and compute positions that nobody reads. That is too slow for many random controls.
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
    """A change of the forward pass. The default changes nothing.

    embedding: a function that replaces the embeddings of a and b, before positions are added:
    [..., d_model] → [..., d_model].
    heads: False sets the output of every head to zero; the output bias of the layer stays.
    skip: False removes the residual stream around the MLP, so that the logits read only the MLP's output.

    Without heads nothing but its own position reaches ``=``, so the logits are the same for all pairs. Every class is
    the answer of equally many pairs, so the loss is then at least log p for any weights.
    """

    embedding: Edit | None = None
    heads: bool = True
    skip: bool = True


@dataclass(frozen=True, eq=False)
class Activations:
    """Activations at the last position on all pairs. pre, post: [p², d_mlp]; logits: [p², C]."""

    pre: Tensor
    post: Tensor
    logits: Tensor


def by_hand(model: Network, change: Intervention) -> Activations:
    """Activations of the changed forward pass. Raises NotEvaluable unless the model is a transformer.

    Equation: the network's forward pass with E_a, E_b edited, head outputs zero, or L - resid_mid W_U.
    Source: F (claims F5 … F12, F23, F24, F29).
    """
    changed = _transformer(model)
    if change.embedding is not None:
        equals = changed.weights[names.W_E][changed.task.n :]
        edited = torch.cat([change.embedding(changed.W_E), equals])
        changed = replace(changed, weights={**changed.weights, names.W_E: edited})
    if not change.heads:
        silent = torch.zeros_like(changed.W_O)
        changed = replace(changed, weights={**changed.weights, names.W_O: silent})
    logits = changed.logits if change.skip else changed.logits - changed.resid_mid @ changed.W_U
    return Activations(changed.pre, changed.post, logits)


def random_directions(d: int, rank: int, draws: int, seed: int) -> Tensor:
    """Orthonormal rows that span random subspaces, matched controls of a projection: [draws, rank, d], float64.

    Equation: Q of the QR decomposition of G with entries from N(0, 1).
    Source: this project: the control of claim F5.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(draws, d, rank, generator=generator, dtype=torch.float64)).Q.mT


def _transformer(model: Network) -> Transformer:
    if not isinstance(model, Transformer):
        raise NotEvaluable("these ablations are defined only for transformers")
    return model
