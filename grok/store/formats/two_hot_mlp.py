"""The MLP with quadratic neurons of Gromov 2023 (arXiv 2301.02679), under this project's names."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from grok.store.formats.shapes import Layout, Shape, sizes

NAME = "MLP with quadratic neurons"

MATRICES: dict[str, Shape] = {"W_a": ("n", "d_mlp"), "W_b": ("n", "d_mlp"), "W_out": ("d_mlp", "n")}


def recognise(tensors: Mapping[str, Tensor]) -> Layout | None:
    """As many classes as elements."""
    if not MATRICES.keys() <= tensors.keys():
        return None
    found = sizes(tensors, MATRICES)
    return Layout({name: tensors[name] for name in MATRICES}, found["n"], frozenset(MATRICES))
