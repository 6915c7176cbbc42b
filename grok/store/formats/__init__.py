"""Layouts of other people's checkpoints, recognised by names and shapes.

Each layout has a module with ``NAME`` and ``recognise(tensors) -> Layout | None``. It returns None if the names are not
there, and raises GrokError if the names are there and the shapes do not fit together. ``container`` and ``pickles``
read files that may be hostile. ``unwrap`` finds the state dict in what they hold.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from grok.errors import GrokError
from grok.store.formats import (
    concatenated_mlp,
    kissane_mlp,
    pizza,
    progress_measures_2022,
    transformerlens,
    two_embedding_mlp,
    two_hot_mlp,
)
from grok.store.formats.shapes import Layout, listed, shown

# The pizza's names are also those of 2022; it is tried first, because its context is shorter.
FORMATS = (
    transformerlens,
    pizza,
    progress_measures_2022,
    kissane_mlp,
    two_embedding_mlp,
    concatenated_mlp,
    two_hot_mlp,
)


def recognise(tensors: Mapping[str, Tensor]) -> tuple[str, Layout]:
    """Name of the layout and the weights under this project's names. Raises GrokError if no layout fits."""
    for layout in FORMATS:
        found = layout.recognise(tensors)
        if found is not None:
            return layout.NAME, found
    held = listed([f"{shown(name)} {list(t.shape)}" for name, t in tensors.items()])
    known = ", ".join(layout.NAME for layout in FORMATS)
    raise GrokError(f"no known layout; it holds {held}.\nExpected one of: {known} (docs/checkpoints.md)")
