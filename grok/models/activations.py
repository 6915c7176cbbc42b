"""The functions that a recipe's ``activation`` names: what neurons make of their input, elementwise."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from grok.recipe import GELU, RELU, Activation

# x Φ(x) with the exact normal distribution function Φ: torch's and TransformerLens's "gelu" (not its "gelu_new")
ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {RELU: functional.relu, GELU: functional.gelu}


def activate(pre: Tensor, activation: Activation) -> Tensor:
    """The same function; what it is applied to may be overwritten, which saves a block of memory."""
    return pre.clamp_min_(0) if activation == RELU else ACTIVATIONS[activation](pre)
