"""The MLPs of Chughtai et al. 2023 (arXiv 2302.03025): an embedding for each input, side by side."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from grok.errors import GrokError
from grok.store.formats.shapes import Layout, Shape, sizes

NAME = "MLP with concatenated embeddings"

MATRICES: dict[str, Shape] = {
    "W_x": ("n", "d_model"),
    "W_y": ("n", "d_model"),
    "W": ("2·d_model", "d_mlp"),
    "W_U": ("d_mlp", "n"),
}
BIASES = {"b_x", "b_y", "b", "b_U"}


def recognise(tensors: Mapping[str, Tensor]) -> Layout | None:
    """As many classes as elements; W reads both embeddings. A bias is refused: the architecture has none."""
    if not MATRICES.keys() <= tensors.keys():
        return None
    found = sizes(tensors, MATRICES)
    if found["2·d_model"] != 2 * found["d_model"]:
        raise GrokError(f"W is {list(tensors['W'].shape)}, expected [{2 * found['d_model']}, {found['d_mlp']}]")
    biases = sorted(BIASES & tensors.keys())
    if biases:
        raise GrokError(f"it holds {biases[0]}; expected {', '.join(MATRICES)}, without biases")
    return Layout({name: tensors[name] for name in MATRICES}, found["n"], frozenset(MATRICES))
