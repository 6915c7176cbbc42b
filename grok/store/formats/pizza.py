"""The code behind Zhong et al. 2023 (arXiv 2306.17844), and the files of this project of that architecture.

Its names are those of the progress-measures code of 2022, its shapes too, but for a context of two tokens: no ``=``, so
that there are as many tokens as classes. The attention coefficient α is not in the file: W_Q and W_K are there whatever
it was. So such a file has two readings, with constant attention (α = 0) and with softmax (α = 1).
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from grok.errors import GrokError
from grok.models import names, pizza
from grok.store.formats.shapes import Layout, Shape, sizes
from grok.store.formats.transformerlens import refuse_other_architectures

NAME = "pizza transformer"

W_POS = "pos_embed.W_pos"
MATRICES: dict[str, Shape] = {
    names.W_E: ("d_model", "p"),
    W_POS: (2, "d_model"),
    names.W_U: ("d_model", "p"),
    names.W_K: ("heads", "d_head", "d_model"),
    names.W_Q: ("heads", "d_head", "d_model"),
    names.W_V: ("heads", "d_head", "d_model"),
    names.W_O: ("d_model", "heads·d_head"),
    names.W_IN: ("d_mlp", "d_model"),
    names.B_IN: ("d_mlp",),
    names.W_OUT: ("d_model", "d_mlp"),
    names.B_OUT: ("d_model",),
}
TRANSPOSED = (names.W_E, names.W_K, names.W_Q, names.W_V, names.W_IN, names.W_OUT)
OURS: dict[str, Shape] = {
    names.W_E: ("p", "d_model"),
    names.W_POS_AB: (2, "d_model"),
    names.W_U: ("d_model", "p"),
    names.W_V: ("heads", "d_model", "d_head"),
    names.W_O: ("heads", "d_head", "d_model"),
    names.W_IN: ("d_model", "d_mlp"),
    names.B_IN: ("d_mlp",),
    names.W_OUT: ("d_mlp", "d_model"),
    names.B_OUT: ("d_model",),
    names.W_Q: ("heads", "d_model", "d_head"),
    names.W_K: ("heads", "d_model", "d_head"),
}


def recognise(tensors: Mapping[str, Tensor]) -> Layout | None:
    """Two positions, and W_O one matrix for all heads; or this project's name for the two positions."""
    if names.W_POS_AB in tensors:
        return _ours(tensors)
    there = MATRICES.keys() <= tensors.keys()
    if not there or tensors[W_POS].shape[:1] != (2,) or tensors[names.W_O].ndim != 2:
        return None
    refuse_other_architectures(tensors)
    found = sizes(tensors, MATRICES)
    heads, d_head = found["heads"], found["d_head"]
    if found["heads·d_head"] != heads * d_head:
        raise GrokError(f"{names.W_O} reads {found['heads·d_head']} values, expected {heads} heads × {d_head}")
    used = {name: tensors[name] for name in MATRICES}
    softmax = used | {name: used[name].mT for name in TRANSPOSED}
    softmax[names.W_POS_AB] = softmax.pop(W_POS)
    softmax[names.W_O] = used[names.W_O].mT.unflatten(0, (heads, d_head))
    constant = {name: w for name, w in softmax.items() if name not in pizza.ATTENTION}
    return Layout(constant, found["p"], frozenset(used), other_readings=(softmax,))


def _ours(tensors: Mapping[str, Tensor]) -> Layout | None:
    """With W_Q and W_K: α = 1; without: α = 0."""
    expected = {name: shape for name, shape in OURS.items() if name in tensors or name not in pizza.ATTENTION}
    if not expected.keys() <= tensors.keys():
        return None
    refuse_other_architectures(tensors)
    found = sizes(tensors, expected)
    return Layout({name: tensors[name] for name in expected}, found["p"], frozenset(expected))
