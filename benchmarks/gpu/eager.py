"""A transformer's step as the sources write it: the foot of the ladder. One run, not many.

All three positions go through every layer, the loss is a float64 log-softmax, AdamW is torch's own. The network is
TransformerLens's (``transformer_lens``, where it is installed) or the same in plain torch (``eager``).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from importlib import metadata

import torch
from torch import Tensor

from grok.models import matrices, names
from grok.models.names import Weights
from grok.recipe import Recipe
from grok.train.state import State

# From weights, of which it makes its own: logits of tokens, [N, 3] → [N, 3, C], and the variables that are trained.
Network = Callable[[Weights, Recipe], tuple[Callable[[Tensor], Tensor], list[Tensor]]]


class Eager:
    """An engine (``grok.train.engines.engine.Engine``) that leaves ``State`` as it was and trains its own copy."""

    def __init__(self, recipe: Recipe, state: State, name: str = "eager"):
        device, task, split = state.flat.device, recipe.task, recipe.split()
        self.logits, trained = NETWORKS[name](matrices.views(state.flat[0], recipe), recipe)
        settings = {"lr": recipe.lr, "betas": recipe.betas, "eps": recipe.eps, "weight_decay": recipe.weight_decay}
        self.optimiser = torch.optim.AdamW(trained, **settings)
        pairs, labels = task.pairs(), task.labels()
        tokens = torch.cat([pairs, torch.full((len(pairs), 1), task.n)], dim=1)
        self.train, self.test = (
            (tokens[which].to(device), labels[which].to(device)) for which in (split.train, split.test)
        )

    def advance(self) -> Tensor:
        loss = self._loss(*self.train)
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        return loss.detach()[None]

    @torch.no_grad()
    def train_loss(self) -> Tensor:
        return self._loss(*self.train)[None]

    @torch.no_grad()
    def test_loss(self) -> Tensor:
        return self._loss(*self.test)[None]

    def _loss(self, tokens: Tensor, labels: Tensor) -> Tensor:
        logits = self.logits(tokens)[:, -1].to(torch.float64)
        return -logits.log_softmax(-1).gather(-1, labels[:, None])[:, 0].mean()


def lens_version() -> str | None:
    """TransformerLens's version; None where it is not installed."""
    try:
        return metadata.version("transformer_lens")
    except metadata.PackageNotFoundError:
        return None


def _lens(weights: Weights, recipe: Recipe) -> tuple[Callable[[Tensor], Tensor], list[Tensor]]:
    """``HookedTransformer``, as the sources made it; in TransformerLens 4, which has none, the bridge in its place.

    The biases are zero and frozen, since the sources freeze them.
    """
    device = weights[names.W_E].device
    try:
        from transformer_lens import HookedTransformer, HookedTransformerConfig
    except ImportError:
        from grok.models.hooked import transformer

        model = transformer.hooked(weights, recipe.task, recipe.activation).to(device, print_details=False)
        return functools.partial(model, return_type="logits"), [w for w in model.parameters() if w.requires_grad]
    sizes = {name: getattr(recipe, name) for name in ("n_heads", "d_model", "d_head", "d_mlp")}
    tokens = {"d_vocab": len(weights[names.W_E]), "d_vocab_out": recipe.task.n_classes, "n_ctx": 3}
    form = {"n_layers": 1, "act_fn": recipe.activation, "normalization_type": None, "init_weights": False}
    model = HookedTransformer(HookedTransformerConfig(**sizes, **tokens, **form, device=str(device)))
    variables = dict(model.named_parameters())
    with torch.no_grad():
        for name, w in variables.items():
            w.copy_(weights[name]) if name in weights else w.zero_().requires_grad_(False)
    return functools.partial(model, return_type="logits"), [variables[name] for name in weights]


def _plain(weights: Weights, recipe: Recipe) -> tuple[Callable[[Tensor], Tensor], list[Tensor]]:
    own = {name: w.clone().requires_grad_() for name, w in weights.items()}
    return functools.partial(_logits, own), list(own.values())


def _logits(w: Weights, tokens: Tensor) -> Tensor:
    x = w[names.W_E][tokens] + w[names.W_POS]
    q, k, v = (torch.einsum("npd,hdk->nhpk", x, w[name]) for name in (names.W_Q, names.W_K, names.W_V))
    scores = torch.einsum("nhqk,nhpk->nhqp", q, k) / math.sqrt(q.shape[-1])
    later = torch.ones(3, 3, dtype=torch.bool, device=x.device).triu(1)
    z = torch.einsum("nhqp,nhpk->nhqk", scores.masked_fill(later, -math.inf).softmax(-1), v)
    x = x + torch.einsum("nhqk,hkd->nqd", z, w[names.W_O])
    x = x + (x @ w[names.W_IN]).relu() @ w[names.W_OUT]
    return x @ w[names.W_U]


LENS = "transformer_lens"
NETWORKS: dict[str, Network] = {LENS: _lens, "eager": _plain}
