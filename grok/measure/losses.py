"""Cross-entropy of the model, and of the model with frequencies kept or removed.

The *directions of k* are the unit vectors cos(w_k s) and sin(w_k s) over all p² pairs, where s is the label and
w_k = 2πk / p. The logits depend on the neurons linearly. So projecting ``post`` and then multiplying by U gives the
same as projecting what the neurons write, post U, [p², p]. The projection is a table over (s, c), because the
directions depend on s only.

*Restricted* logits: ``post`` is replaced by its mean plus its projection on the directions of K. The residual path is
kept, and so the mean logits are kept. *Excluded* logits: the projection is removed. The restricted logits of source S
(section 4.3) do not contain the residual path, only its mean: ``restricted(K, skip=False)``.

Source: Nanda et al. 2023 (arXiv 2301.05217), which calls both losses progress measures.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from grok.errors import NotEvaluable
from grok.fourier.basis import Blocks, cyclic
from grok.kernels import cross_entropy
from grok.measure.controls import other_frequencies, random_frequencies
from grok.measure.logits import sums_by_label
from grok.models.network import Network


def mean_loss(logits: Tensor, labels: Tensor, pairs: Tensor | None = None) -> float:
    """Mean cross-entropy over these pairs (indices; all if None), in float64: [p², C], [p²] → number ≥ 0.

    Equation: mean_i(-log softmax(L_i)[s_i]).
    Source: the definition of cross-entropy, in float64 as in K, B, N, S, F.
    """
    if pairs is not None:
        logits, labels = logits[pairs], labels[pairs]
    return float(cross_entropy.losses(logits.double(), labels).mean())


def accuracy(logits: Tensor, labels: Tensor, pairs: Tensor | None = None) -> float:
    """Share of these pairs (indices; all if None) whose largest logit is the label's.

    Equation: mean_i [argmax_c L_ic = s_i].
    Source: the definition of accuracy.
    """
    if pairs is not None:
        logits, labels = logits[pairs], labels[pairs]
    return float((logits.argmax(-1) == labels).double().mean())


@dataclass(frozen=True, eq=False)
class Ablation:
    """A model's logits in two parts (what the neurons write, and the residual path), from which frequencies are cut.

    logits: [p², p]. skip_logits: [p², p] or [1, p], the part that does not come from neurons. labels: [p²].
    blocks: blocks of functions on the classes; a frequency is the number of a block. None means those of Z_p.
    """

    logits: Tensor
    skip_logits: Tensor
    labels: Tensor
    blocks: Blocks | None = None

    @classmethod
    def of(cls, model: Network) -> Ablation:
        return cls(model.logits, model.skip_logits, model.labels, model.task.blocks)

    @cached_property
    def written(self) -> Tensor:
        """What the neurons write, post U: [p², p], float64."""
        return self.logits.double() - self.skip_logits

    @cached_property
    def _sums(self) -> Tensor:
        return sums_by_label(self.written, self.labels, self.logits.shape[1])

    def projection(self, frequencies: Sequence[int]) -> Tensor:
        """What the neurons write along the directions of these k, as a table over (s, c): [p, p].

        Equation: P_K(post U), as ``projection_of_sums``.
        """
        return projection_of_sums(self._sums, frequencies, self.blocks)

    def restricted(self, frequencies: Sequence[int], *, skip: bool = True) -> Tensor:
        """Logits that keep of ``post`` its mean and these k: [p², p]. skip: keep the residual path, or its mean.

        Equation: skip + mean(post U) + P_K(post U); mean(skip) in place of skip if skip=False.
        Source: Nanda et al. 2023; S, section 4.3, for skip=False.
        """
        rest = self.skip_logits if skip else self.skip_logits.double().mean(0)
        return rest + self.written.mean(0) + self.projection(frequencies)[self.labels]

    def excluded(self, frequencies: Sequence[int]) -> Tensor:
        """Logits with these k removed from ``post``: [p², p].

        Equation: L - P_K(post U).
        """
        return self.logits - self.projection(frequencies)[self.labels]

    def restricted_loss(self, frequencies: Sequence[int], pairs: Tensor, *, skip: bool = True) -> float:
        """Mean loss of ``restricted`` on these pairs.

        Equation: ``mean_loss`` of ``restricted``.
        """
        return self.restricted_losses([frequencies], pairs, skip=skip)[0]

    def restricted_losses(self, sets: Iterable[Sequence[int]], pairs: Tensor, *, skip: bool = True) -> list[float]:
        """``restricted_loss`` of each set of frequencies. The residual path is looked up once for all sets.

        Equation: ``mean_loss`` of ``restricted``, for each K.
        """
        labels, mean = self.labels[pairs], self.written.mean(0)
        if skip and len(self.skip_logits) > 1:
            rest = self.skip_logits[pairs]
            return [mean_loss(rest + (mean + self.projection(ks))[labels], labels) for ks in sets]
        # then the logits depend on s only: p rows, each counted as often as it has pairs
        constant, counts = self.skip_logits.double().mean(0) + mean, labels.bincount(minlength=self.logits.shape[1])
        classes = torch.arange(len(counts))
        by_label = [cross_entropy.losses(constant + self.projection(ks), classes) for ks in sets]
        return [float(each @ counts.double()) / len(labels) for each in by_label]

    def excluded_loss(self, frequencies: Sequence[int], pairs: Tensor) -> float:
        """Mean loss of ``excluded`` logits on these pairs.

        Equation: ``mean_loss`` of ``excluded``.
        """
        return self.excluded_losses([frequencies], pairs)[0]

    def excluded_losses(self, sets: Iterable[Sequence[int]], pairs: Tensor) -> list[float]:
        """``excluded_loss`` of each set of frequencies.

        Equation: ``mean_loss`` of ``excluded``, for each K.
        """
        labels, whole = self.labels[pairs], self.logits[pairs]
        return [mean_loss(whole - self.projection(ks)[labels], labels) for ks in sets]

    def restricted_controls(self, key_frequencies: Sequence[int], pairs: Tensor) -> list[float]:
        """Restricted losses of the matched random controls, ``random_frequencies``.

        Equation: ``mean_loss`` of ``restricted``, for each set of ``random_frequencies``.
        Source: this project.
        """
        return self.restricted_losses(random_frequencies(key_frequencies, self._n_frequencies), pairs)

    def excluded_controls(self, key_frequencies: Sequence[int], pairs: Tensor) -> list[float]:
        """Excluded losses of the matched random controls, ``random_frequencies``.

        Equation: ``mean_loss`` of ``excluded``, for each set of ``random_frequencies``.
        Source: this project.
        """
        return self.excluded_losses(random_frequencies(key_frequencies, self._n_frequencies), pairs)

    @property
    def _n_frequencies(self) -> int:
        return len((self.blocks or cyclic(self.logits.shape[1])).sizes) - 1


@dataclass(frozen=True)
class Cut:
    """A network's loss with K kept or removed; ``draws``: the same with as many other, ``random_frequencies``."""

    loss: float
    draws: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median loss of the random draws."""
        return statistics.median(self.draws)


@lru_cache(maxsize=1)  # several claims in a row need it for one network; networks compare by identity
def restricted(model: Network) -> Cut:
    """Restricted loss of K, and of the random draws, on the test pairs. Raises NotEvaluable if no neuron is active.

    Equation: mean loss on the test pairs of skip + mean(post U) + P_K(post U).
    Source: Nanda et al. 2023 (arXiv 2301.05217); K (claim K14), N (claim N8), S (claim S13).
    """
    model.require_active_neurons()
    cut, keys = Ablation.of(model), model.key_frequencies
    return Cut(cut.restricted_loss(keys, model.test), tuple(cut.restricted_controls(keys, model.test)))


@lru_cache(maxsize=1)
def excluded(model: Network) -> Cut:
    """Excluded loss of K, and of the random draws, on the train pairs. Raises NotEvaluable if no neuron is active.

    Equation: mean loss on the train pairs of L - P_K(post U).
    Source: Nanda et al. 2023 (arXiv 2301.05217); K (claim K15), N (claim N9), S (claim S14).
    """
    model.require_active_neurons()
    cut, keys = Ablation.of(model), model.key_frequencies
    return Cut(cut.excluded_loss(keys, model.train), tuple(cut.excluded_controls(keys, model.train)))


@dataclass(frozen=True)
class Each:
    """Excluded losses of single frequencies: k → loss. loss: of the whole network on the same pairs."""

    loss: float
    keys: dict[int, float]
    others: dict[int, float]

    @property
    def greatest_other(self) -> float:
        """The greatest of ``others``. Raises NotEvaluable if every frequency is key."""
        if not self.others:
            raise NotEvaluable(f"all {len(self.keys)} frequencies are key, and there is no other to compare with")
        return max(self.others.values())


def excluded_each(model: Network, pairs: Tensor, n_others: int = 8) -> Each:
    """Excluded loss of each single k ∈ K, and of other frequencies as the control, ``other_frequencies``.

    pairs: indices of the pairs that are read. ``others`` is empty if every frequency is key.

    Equation: as ``excluded``, with K = {k}, for each k.
    Source: Nanda et al. 2023 (arXiv 2301.05217), which ablates one key frequency at a time.
    """
    cut, keys = Ablation.of(model), model.key_frequencies
    others = other_frequencies(keys, len(model.spectrum.blocks.sizes) - 1, n_others)
    found = cut.excluded_losses([(k,) for k in (*keys, *others)], pairs)
    n = len(keys)
    return Each(
        mean_loss(model.logits, model.labels, pairs),
        dict(zip(keys, found[:n], strict=True)),
        dict(zip(others, found[n:], strict=True)),
    )


def projection_of_sums(sums: Tensor, frequencies: Sequence[int], blocks: Blocks | None = None) -> Tensor:
    """Projection on the directions of these k, of values given as sums by s, float64: [p, C] → [p, C] over (s, c).

    Equation: P_K v = Σ_f f ⟨f, v⟩ over f = cos w_k s and sin w_k s, k in K, of norm one over the pairs.
    """
    p = len(sums)
    blocks = blocks or cyclic(p)
    waves = blocks.basis[blocks.rows(frequencies)]  # norm one over s; each s has p pairs
    return waves.T @ (waves @ sums) / p
