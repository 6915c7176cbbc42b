"""An MLP whose inputs a and b have embeddings of their own: W_E_a[a] + W_E_b[b] → ReLU → logits."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from grok.store.formats.shapes import Layout, Shape, sizes

NAME = "MLP with an embedding for each input"

FIRST = ("W_E_a", "W_E")  # the second is this project's name, as `grok convert` writes it
MATRICES: dict[str, Shape] = {
    "W_E_b": ("p", "d_model"),
    "W_in": ("d_model", "d_mlp"),
    "W_U": ("d_mlp", "p"),
}
BIASES: dict[str, Shape] = {"b_in": ("d_mlp",), "b_U": ("p",)}


def recognise(tensors: Mapping[str, Tensor]) -> Layout | None:
    """The layout if it fits, with as many classes as tokens and two embeddings of the same shape."""
    first = next((name for name in FIRST if name in tensors), None)
    if first is None or not MATRICES.keys() <= tensors.keys():
        return None
    expected = {first: ("p", "d_model")} | MATRICES | BIASES
    found = sizes(tensors, expected, optional=BIASES)
    used = {name: tensors[name] for name in expected if name in tensors}
    weights = {"W_E" if name == first else name: w for name, w in used.items()}
    return Layout(weights, found["p"], frozenset(used))
