"""TransformerLens ``HookedTransformer`` state dicts (1 … 3), and the transformer files of this project."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from grok.errors import GrokError
from grok.store.formats.shapes import Layout, Shape, sizes

NAME = "TransformerLens transformer"

MATRICES: dict[str, Shape] = {
    "embed.W_E": ("vocab", "d_model"),
    "pos_embed.W_pos": ("n_ctx", "d_model"),
    "blocks.0.attn.W_Q": ("heads", "d_model", "d_head"),
    "blocks.0.attn.W_K": ("heads", "d_model", "d_head"),
    "blocks.0.attn.W_V": ("heads", "d_model", "d_head"),
    "blocks.0.attn.W_O": ("heads", "d_head", "d_model"),
    "blocks.0.mlp.W_in": ("d_model", "d_mlp"),
    "blocks.0.mlp.W_out": ("d_mlp", "d_model"),
    "unembed.W_U": ("d_model", "classes"),
}
BIASES: dict[str, Shape] = {
    "blocks.0.attn.b_Q": ("heads", "d_head"),
    "blocks.0.attn.b_K": ("heads", "d_head"),
    "blocks.0.attn.b_V": ("heads", "d_head"),
    "blocks.0.attn.b_O": ("d_model",),
    "blocks.0.mlp.b_in": ("d_mlp",),
    "blocks.0.mlp.b_out": ("d_model",),
    "unembed.b_U": ("classes",),
}
POSITIONS = 3  # a b =


def recognise(tensors: Mapping[str, Tensor]) -> Layout | None:
    """The layout if it fits. W_O has three dimensions (the 2022 layout has the same names, and two dimensions)."""
    if not MATRICES.keys() <= tensors.keys() or tensors["blocks.0.attn.W_O"].ndim == 2:
        return None
    sizes(tensors, MATRICES | BIASES, optional=BIASES)
    used = {name: tensors[name] for name in MATRICES | BIASES if name in tensors}
    return layout(used, frozenset(used), tensors)


def layout(weights: dict[str, Tensor], used: frozenset[str], file: Mapping[str, Tensor]) -> Layout:
    """A layout from weights of TransformerLens's shapes. It finds p and cuts off what the task does not need."""
    refuse_other_architectures(file)
    vocabulary, context = weights["embed.W_E"].shape[0], weights["pos_embed.W_pos"].shape[0]
    p, classes = vocabulary - 1, weights["unembed.W_U"].shape[1]
    notes = []
    if context < POSITIONS:
        raise GrokError(f"pos_embed.W_pos has {context} positions, expected at least 3: a, b and =")
    if context > POSITIONS:
        notes.append(f"of {context} positions the first 3 are used: a, b and =")
    if classes == p + 1 != 2 * p:
        notes.append("the logit of the = token is dropped, because it is not an answer")
        classes = p
    elif classes not in (p, 2 * p):
        raise GrokError(
            f"{vocabulary} tokens and {classes} classes: expected p + 1 tokens (0 … p-1 and =) and p classes, "
            "p + 1, or 2p for addition without a modulus"
        )
    cut = {"pos_embed.W_pos": weights["pos_embed.W_pos"][:POSITIONS]}
    cut |= {name: weights[name][..., :classes] for name in ("unembed.W_U", "unembed.b_U") if name in weights}
    return Layout(weights | cut, p, used, notes)


def refuse_other_architectures(tensors: Mapping[str, Tensor]) -> None:
    """Raises GrokError for names that change what the model computes: more layers, LayerNorm, gated MLPs."""
    for name in tensors:
        layer = name.split(".")[1] if name.startswith("blocks.") and name.count(".") > 1 else "0"
        norm = any(part.startswith("ln") or part.endswith("_ln") for part in name.split("."))
        if layer != "0" or norm or name.endswith("W_gate"):
            raise GrokError(f"{name[:60]!a}: expected one layer without LayerNorm and without a gated MLP")
