"""A model as measures see it: its weights and every activation at the last position, on all n² pairs, in float64.

This is a functional forward pass without hooks. A test checks that it equals the hooked definitions in
``grok.models.hooked``. Activations are computed when they are first read, and then kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from grok.errors import NotEvaluable
from grok.models.activations import ACTIVATIONS
from grok.models.names import Weights
from grok.models.spectrum import Spectrum
from grok.recipe import RELU, Activation
from grok.task import Split, Task

NO_NEURON = "no neuron is active: none varies over the pairs (a, b)"
NO_READOUT = "the neurons write nothing to the logits: U is zero"
ROUNDING = 1e-12  # of the greatest activation: less variation than this is rounding


@dataclass(frozen=True, eq=False)
class Network:
    """A trained model of any architecture. ``models.architectures.network`` makes it from weights.

    weights: float64, with the names of ``models.names``. Other people's models may also have TransformerLens's bias
    names. split: the train and test pairs; None if they are not known (then test is all pairs, and there is no train).
    activation: what ``post`` is of ``pre``, where the architecture leaves the choice (``activations``).
    """

    task: Task
    weights: Weights
    split: Split | None
    activation: Activation = RELU

    architecture: ClassVar[str]  # its name in ``models.architectures``
    activations: ClassVar[tuple[Activation, ...]] = ()  # those a recipe may choose; none if the architecture fixes it
    fixed_activation: ClassVar[str] = RELU  # what it then is

    @cached_property
    def labels(self) -> Tensor:
        """The right class of each pair: [n²], int64."""
        return self.task.labels()

    @property
    def train(self) -> Tensor:
        """Indices of the train pairs. Raises NotEvaluable if the split is not known."""
        if self.split is None:
            raise NotEvaluable("the train pairs are not known: give --split, or --split-seed and --train-frac")
        return self.split.train

    @property
    def test(self) -> Tensor:
        """Indices of the test pairs; all pairs if the split is not known."""
        return torch.arange(self.task.n**2) if self.split is None else self.split.test

    @property
    def W_E(self) -> Tensor:
        """Embedding of the n number tokens, without the ``=`` row: [n, d_model]."""
        raise NotImplementedError

    @property
    def U(self) -> Tensor:
        """The map from neurons to logits, W_U (MLP) or W_out W_U (transformer): [d_mlp, C]."""
        raise NotImplementedError

    @cached_property
    def pre(self) -> Tensor:
        """MLP inputs to the activation function: [n², d_mlp]."""
        raise NotImplementedError

    @cached_property
    def post(self) -> Tensor:
        """MLP activations: [n², d_mlp]."""
        return ACTIVATIONS[self.activation](self.pre)

    def require_active_neurons(self) -> None:
        """Raises NotEvaluable if no neuron varies over the pairs, so that nothing can be said of what neurons do."""
        if (self.post.amax(0) - self.post.amin(0)).max() <= ROUNDING * self.post.abs().max():
            raise NotEvaluable(NO_NEURON)

    def require_readout(self) -> None:
        """Raises NotEvaluable if U is zero."""
        if not self.U.any():
            raise NotEvaluable(NO_READOUT)

    @cached_property
    def skip_logits(self) -> Tensor:
        """What reaches the logits around the neurons (residual path and biases): [n², C] or [1, C]."""
        raise NotImplementedError

    def logits_from(self, post: Tensor) -> Tensor:
        """Logits with these MLP activations in place of the model's: [n², d_mlp] → [n², C]."""
        return post @ self.U + self.skip_logits

    @cached_property
    def logits(self) -> Tensor:
        """Logits of all pairs: [n², C]."""
        return self.logits_from(self.post)

    @property
    def spectrum(self) -> Spectrum:
        """Its Fourier spectrum: powers of ``pre``, ``post``, ``logits`` by pair of frequencies, and key frequencies."""
        return Spectrum(self, self._spectrum)

    @cached_property
    def _spectrum(self) -> dict[str, Any]:
        return {}

    @property
    def key_frequencies(self) -> tuple[int, ...]:
        """K, ascending; see ``spectrum.keys``."""
        return self.spectrum.key_frequencies

    @property
    def rank_note(self) -> str | None:
        """A note if no frequency stands out and the strongest frequencies stand for K; None otherwise."""
        try:
            return str(self.spectrum.keys) if self.task.modular and self.spectrum.keys.by_rank else None
        except NotEvaluable:
            return None
