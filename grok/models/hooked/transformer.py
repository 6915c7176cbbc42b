"""The transformer of sources B, F, N, S as TransformerLens's own native model: the definition, with every hook.

model = hooked(weights, task)
logits, cache = model.run_with_cache(tokens(task))
cache["blocks.0.attn.hook_pattern"], cache["blocks.0.mlp.hook_post"]
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.utilities.tl_checkpoint_conversion import convert_tl_checkpoint

from grok.models import names
from grok.models.names import Weights
from grok.recipe import RELU, Activation
from grok.task import Task

Model = TransformerBridge


def hooked(weights: Weights, task: Task, activation: Activation = RELU) -> TransformerBridge:
    """A causal model of one layer, without LayerNorm, in the dtype of the weights and with their sizes.

    Biases have TransformerLens's names (``blocks.0.mlp.b_in`` …). Biases that are not given are zero and frozen.
    Raises KeyError or ValueError if a matrix is missing or the shapes do not fit one another.
    """
    (d_vocab, d_model), (n_heads, _, d_head) = weights[names.W_E].shape, weights[names.W_Q].shape
    if d_vocab <= task.n:
        raise ValueError(f"{names.W_E} has {d_vocab} rows; needs {task.n}, one for each number, and one for '='")
    dtype = weights[names.W_E].dtype
    config = TransformerBridgeConfig(
        n_layers=1,
        d_model=d_model,
        n_heads=n_heads,
        d_head=d_head,
        d_mlp=weights[names.W_IN].shape[1],
        n_ctx=weights[names.W_POS].shape[0],
        d_vocab=d_vocab,
        d_vocab_out=weights[names.W_U].shape[1],
        act_fn=activation,  # TransformerLens has the same names
        normalization_type=None,
        init_weights=False,
        dtype=dtype,
        device="cpu",
    )
    model = TransformerBridge.boot_native(config, device="cpu", dtype=dtype)  # type: ignore[attr-defined]
    given = convert_tl_checkpoint({name: w.detach().clone() for name, w in weights.items()}, config)
    absent = {k: torch.zeros_like(v) for k, v in model.state_dict().items() if k not in given and k.endswith(".bias")}
    try:
        model.load_state_dict(given | absent, strict=True)
    except RuntimeError as error:
        raise ValueError(f"these weights do not fit a one-layer transformer: {error}") from error
    for key, parameter in model.state_dict(keep_vars=True).items():
        if key in absent:
            parameter.requires_grad_(False)
    return model


def logits(model: TransformerBridge, task: Task, which: Tensor | None = None) -> Tensor:
    """Logits at the last position of these pairs (all pairs if None): [N, C]. Differentiable."""
    return model(tokens(task, which), return_type="logits")[:, -1]


def tokens(task: Task, which: Tensor | None = None) -> Tensor:
    """The inputs ``a b =`` of these pairs (all pairs if None): [N, 3], int64."""
    pairs = task.pairs() if which is None else task.pairs()[which]
    return torch.cat([pairs, pairs.new_full((len(pairs), 1), task.n)], dim=1)


def matrices(model: TransformerBridge) -> Weights:
    """The model's present weights and biases under TransformerLens's names and shapes: inverse of ``hooked``."""
    return {name: w.detach().clone() for name, w in model.tl_named_parameters()}
