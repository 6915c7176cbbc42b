"""The code behind Nanda et al. 2023 (arXiv 2301.05217): TransformerLens's names with transposed shapes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from grok.errors import GrokError
from grok.store.formats import transformerlens
from grok.store.formats.shapes import Layout, Shape, sizes

NAME = "progress-measures transformer of 2022"

MATRICES: dict[str, Shape] = {
    "pos_embed.W_pos": ("n_ctx", "d_model"),
    "embed.W_E": ("d_model", "vocab"),
    "blocks.0.attn.W_Q": ("heads", "d_head", "d_model"),
    "blocks.0.attn.W_K": ("heads", "d_head", "d_model"),
    "blocks.0.attn.W_V": ("heads", "d_head", "d_model"),
    "blocks.0.attn.W_O": ("d_model", "heads·d_head"),
    "blocks.0.mlp.W_in": ("d_mlp", "d_model"),
    "blocks.0.mlp.W_out": ("d_model", "d_mlp"),
    "unembed.W_U": ("d_model", "classes"),
}
BIASES: dict[str, Shape] = {"blocks.0.mlp.b_in": ("d_mlp",), "blocks.0.mlp.b_out": ("d_model",)}
TRANSPOSED = (
    "embed.W_E",
    *(f"blocks.0.{name}" for name in ("attn.W_Q", "attn.W_K", "attn.W_V", "mlp.W_in", "mlp.W_out")),
)


def recognise(tensors: Mapping[str, Tensor]) -> Layout | None:
    """The layout if it fits. W_O is one matrix for all heads."""
    if not MATRICES.keys() <= tensors.keys() or tensors["blocks.0.attn.W_O"].ndim != 2:
        return None
    found = sizes(tensors, MATRICES | BIASES, optional=BIASES)
    heads, d_head = found["heads"], found["d_head"]
    if found["heads·d_head"] != heads * d_head:
        raise GrokError(f"blocks.0.attn.W_O reads {found['heads·d_head']} values, expected {heads} heads × {d_head}")
    used = {name: tensors[name] for name in MATRICES | BIASES if name in tensors}
    weights = used | {name: used[name].mT for name in TRANSPOSED}
    weights["blocks.0.attn.W_O"] = used["blocks.0.attn.W_O"].mT.unflatten(0, (heads, d_head))
    return transformerlens.layout(weights, frozenset(used), tensors)
