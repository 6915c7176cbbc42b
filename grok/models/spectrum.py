"""A network's activations in the basis of its task, which is the Fourier basis for addition modulo p."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from torch import Tensor

from grok.errors import NotEvaluable
from grok.fourier.basis import Blocks, pair_powers
from grok.fourier.keys import Keys, matched
from grok.recipe import matched_count
from grok.task import Task

Kept = TypeVar("Kept")


class Activations(Protocol):
    """The parts of a ``models.network.Network`` that a spectrum reads."""

    @property
    def task(self) -> Task: ...
    @property
    def architecture(self) -> str: ...
    @property
    def U(self) -> Tensor: ...
    @property
    def pre(self) -> Tensor: ...
    @property
    def post(self) -> Tensor: ...
    @property
    def logits(self) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Powers of a network's activations by pair of blocks, and its key frequencies. They are computed when first read.

    kept: what was computed; the network owns it. The spectrum refers to the network, and the network does not refer to
    the spectrum, so the memory of both becomes free when nothing refers to the network.
    """

    of: Activations
    kept: dict[str, Any]

    @property
    def blocks(self) -> Blocks:
        """The blocks of the task. Raises NotEvaluable for a task without a basis of blocks."""
        found = self.of.task.blocks
        if found is None:
            raise NotEvaluable(f"the operation {self.of.task.operation} has no basis of blocks")
        return found

    @property
    def pre_powers(self) -> Tensor:
        """``fourier.basis.pair_powers`` of ``pre``: [h, h, d_mlp] with h blocks; h = 57 for p = 113."""
        return self._once("pre", lambda: self._powers(self.of.pre))

    @property
    def post_powers(self) -> Tensor:
        """``pair_powers`` of ``post``: [h, h, d_mlp]."""
        return self._once("post", lambda: self._powers(self.of.post))

    @property
    def logit_powers(self) -> Tensor:
        """``pair_powers`` of ``logits``: [h, h, C]."""
        return self._once("logits", lambda: self._powers(self.of.logits))

    @property
    def keys(self) -> Keys:
        """K from the powers of ``U`` over the classes (``fourier.keys.matched``); by rank if no frequency stands out.

        Raises NotEvaluable if no frequency stands out and no published run gives the number of frequencies to take.
        """
        n = matched_count(self.of.architecture, self.of.task)
        return self._once("keys", lambda: matched(self.of.U, n, self.blocks))

    @property
    def key_frequencies(self) -> tuple[int, ...]:
        """The frequencies of ``keys``, ascending."""
        return self.keys.frequencies

    def _powers(self, values: Tensor) -> Tensor:
        return pair_powers(values, self.of.task.n, self.blocks)

    def _once(self, name: str, compute: Callable[[], Kept]) -> Kept:
        if name not in self.kept:
            self.kept[name] = compute()
        return self.kept[name]
