"""The MLP of source K, and the MLP files of this project: one embedding for both inputs."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from grok.store.formats.shapes import Layout, Shape, sizes

NAME = "MLP with one embedding"

MATRICES: dict[str, Shape] = {"W_E": ("p", "d_model"), "W_in": ("d_model", "d_mlp"), "W_U": ("d_mlp", "p")}
BIASES: dict[str, Shape] = {"b_in": ("d_mlp",), "b_U": ("p",)}


def recognise(tensors: Mapping[str, Tensor]) -> Layout | None:
    """The layout if it fits, with as many classes as tokens."""
    if not MATRICES.keys() <= tensors.keys() or "W_E_b" in tensors:
        return None
    found = sizes(tensors, MATRICES | BIASES, optional=BIASES)
    used = {name: tensors[name] for name in MATRICES | BIASES if name in tensors}
    return Layout(used, found["p"], frozenset(used))
