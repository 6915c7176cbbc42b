"""The other direction: a model of this project as someone else would have saved it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

Weights = dict[str, Tensor]

TRANSPOSED = ("embed.W_E", "blocks.0.attn.W_Q", "blocks.0.attn.W_K", "blocks.0.attn.W_V")
TRANSPOSED += ("blocks.0.mlp.W_in", "blocks.0.mlp.W_out")
MASK = {"blocks.0.attn.mask": torch.ones(3, 3).tril() == 1, "blocks.0.attn.IGNORE": torch.tensor(-torch.inf)}


def transformerlens(weights: Weights) -> Weights:
    return weights | MASK


def progress_measures(weights: Weights) -> Weights:
    """Transposed; and one class more, the = token, as that code has it."""
    out = weights | {name: weights[name].mT for name in TRANSPOSED}
    out["blocks.0.attn.W_O"] = weights["blocks.0.attn.W_O"].flatten(0, 1).mT
    out["unembed.W_U"] = torch.cat([weights["unembed.W_U"], torch.zeros_like(weights["unembed.W_U"][:, :1])], 1)
    return out | {"blocks.0.attn.mask": torch.ones(3, 3).tril()}


def one_embedding(weights: Weights) -> Weights:
    return dict(weights)


def two_embeddings(weights: Weights) -> Weights:
    return {"W_E_a" if name == "W_E" else name: w for name, w in weights.items()}


def concatenated(weights: Weights) -> Weights:
    return dict(weights)


def two_hot(weights: Weights) -> Weights:
    return dict(weights)


def write(path: Path, held: Any, container: str) -> Path:
    """``safetensors`` or ``pt``."""
    if container == "safetensors":
        save_file({name: w.contiguous().clone() for name, w in held.items()}, path)
    else:
        torch.save(held, path)
    return path


NESTINGS: dict[str, tuple[Callable[[Weights], Any], int | None]] = {
    "bare": (lambda w: w, None),
    "model": (lambda w: {"model": w, "epoch": 300, "train_loss": [1.0]}, None),
    "state_dict": (lambda w: {"state_dict": w, "step": torch.tensor(3)}, None),
    "list": (lambda w: [{}, {"model": w}], 1),
    "state_dicts": (lambda w: {"epochs": [0, 1], "state_dicts": [w, {}]}, 0),
    "by epoch": (lambda w: {0: {}, 100: w}, -1),
    "list of one": (lambda w: [w], None),
    "data parallel": (lambda w: {f"module.{name}": tensor for name, tensor in w.items()}, None),
}
