"""Ablations of a transformer, through TransformerLens hooks, and the same by hand from the weights.

    change = Intervention(embedding=pca(model.W_E).keep([0]), skip=False)
    by_hooks(model, change).logits    # equal to by_hand(model, change).logits; a test holds it

``by_hooks`` is the definition. ``by_hand`` needs neither TransformerLens, which takes seconds to import, nor the
positions that nobody reads; it is for large p and for many random controls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from grok.errors import NotEvaluable
from grok.fourier.basis import basis, rows
from grok.measure.components import keep, remove
from grok.models import matrices as names
from grok.models.network import Network, Transformer
from grok.task import Task

Edit = Callable[[Tensor], Tensor]
LAST = 2  # the position of ``=``


@dataclass(frozen=True, eq=False)
class Intervention:
    """What is changed in the forward pass; by default nothing.

    embedding: of the embeddings of a and b, before positions are added: [..., d_model] → [..., d_model].
    post: of the MLP activations at the last position on all pairs: [p², d_mlp] → [p², d_mlp].
    skip: False removes the residual stream around the MLP, so that the logits read the MLP's output alone.
    """

    embedding: Edit | None = None
    post: Edit | None = None
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
        equals = changed.weights[names.W_E][changed.task.p :]
        edited = torch.cat([change.embedding(changed.W_E), equals])
        changed = replace(changed, weights={**changed.weights, names.W_E: edited})
    post = changed.post if change.post is None else change.post(changed.post)
    logits = changed.logits_from(post)
    return Activations(changed.pre, post, logits if change.skip else logits - changed.resid_mid @ changed.W_U)


def by_hooks(model: Network, change: Intervention) -> Activations:
    """The changed forward pass through TransformerLens hooks. Raises NotEvaluable unless the model is a transformer."""
    from grok.models.hooked.transformer import tokens

    bridge = _hooked(_transformer(model))
    seen: dict[str, Tensor] = {}

    def see(name: str) -> tuple[str, Callable[..., None]]:
        return name, lambda value, hook: seen.update({name: value})  # hook.name is that of TransformerLens's alias

    def embed(value: Tensor, hook: Any) -> Tensor:
        return torch.cat([change.embedding(value[:, :LAST]), value[:, LAST:]], dim=1)  # type: ignore[misc]

    def post(value: Tensor, hook: Any) -> Tensor:
        return torch.cat([value[:, :LAST], change.post(value[:, LAST])[:, None]], dim=1)  # type: ignore[misc]

    def only_mlp(value: Tensor, hook: Any) -> Tensor:
        return seen[MLP_OUT]

    hooks: list[tuple[str, Callable[..., Any]]] = [("hook_embed", embed)] if change.embedding else []
    hooks += [(POST, post)] if change.post else []
    hooks += [see(PRE), see(POST), see(MLP_OUT)]
    hooks += [] if change.skip else [(RESID_POST, only_mlp)]
    with torch.no_grad():
        logits = bridge.run_with_hooks(tokens(model.task), fwd_hooks=hooks)
    return Activations(seen[PRE][:, LAST], seen[POST][:, LAST], logits[:, LAST])


PRE, POST, MLP_OUT, RESID_POST = (
    "blocks.0.mlp.hook_pre",
    "blocks.0.mlp.hook_post",
    "blocks.0.hook_mlp_out",
    "blocks.0.hook_resid_post",
)


def keep_frequencies(task: Task, frequencies: Sequence[int]) -> Edit:
    """An edit of ``post``: its mean over pairs plus its projection on cos w_k s and sin w_k s of these k."""
    return _over_pairs(keep, task, frequencies)


def remove_frequencies(task: Task, frequencies: Sequence[int]) -> Edit:
    """An edit of ``post``: without its projection on cos w_k s and sin w_k s of these k."""
    return _over_pairs(remove, task, frequencies)


def random_directions(d: int, rank: int, draws: int, seed: int) -> Tensor:
    """Orthonormal rows spanning random subspaces, the matched control of a projection: [draws, rank, d], float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(draws, d, rank, generator=generator, dtype=torch.float64)).Q.mT


def _over_pairs(make: Callable[[Tensor, Tensor], Edit], task: Task, frequencies: Sequence[int]) -> Edit:
    """The projection acts on each neuron's column of p² values, so ``post`` is turned to have pairs last."""
    # [2 |K|, p²]: each s is the sum of p pairs
    directions = basis(task.p)[rows(frequencies)][:, task.labels()] / task.p**0.5
    return lambda post: make(post.mean(0)[:, None], directions)(post.T).T


def _transformer(model: Network) -> Transformer:
    if not isinstance(model, Transformer):
        raise NotEvaluable("these ablations are defined for the transformers only")
    return model


@lru_cache(maxsize=2)  # building one costs more than running it on 100 pairs; a network compares by identity
def _hooked(model: Transformer) -> Any:
    from grok.models.hooked.transformer import hooked

    return hooked(model.weights, model.task)
