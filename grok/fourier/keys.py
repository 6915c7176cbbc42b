"""Key frequencies (K): the few frequencies from which a model reads its answer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from grok.errors import NotEvaluable
from grok.fourier.basis import Blocks, cyclic, powers

MIN_RATIO = 3.0  # Gaussian matrices give 1.01 … 1.06, a memorised model 1.8, nine published models 5.7 … 670
MAX_KEYS = 28


def gap(unembedding: Tensor, blocks: Blocks | None = None) -> tuple[tuple[int, ...], float]:
    """Candidates for K, ascending, and the ratio of the powers on both sides of the cut.

    The powers of ``U`` [d_mlp, p] over the classes, one for each block (of Z_p by default), are divided by the size of
    the block and sorted. The cut is at the largest ratio of neighbours among the first 28.
    """
    power, order = _strengths(unembedding, blocks).sort(descending=True)
    ratios = power[:-1] / power[1:].clamp_min(1e-300)
    cut = int(ratios[:MAX_KEYS].argmax())
    return tuple(sorted(int(k) + 1 for k in order[: cut + 1])), float(ratios[cut])


@dataclass(frozen=True)
class Keys:
    """The frequencies that stand for K in a network, ascending, and how they were found.

    gap: the largest ratio of neighbouring powers of ``U``. by_rank: the gap is under 3, so the network has no key
    frequencies. Then ``frequencies`` are its strongest ones, as many as a trained network of its family has.
    """

    frequencies: tuple[int, ...]
    gap: float
    by_rank: bool

    def __str__(self) -> str:
        found = ", ".join(map(str, self.frequencies))
        return f"{found} (by rank: no gap, {self.gap:.2f} < {MIN_RATIO:g})" if self.by_rank else found


def matched(unembedding: Tensor, n: int | None, blocks: Blocks | None = None) -> Keys:
    """K of a network or, if no frequency stands out, its n strongest frequencies (all, if it has fewer than n).

    A control could be measured on any n frequencies; the strongest ones favour it. Raises NotEvaluable if no frequency
    stands out and n is None.
    """
    found, ratio = gap(unembedding, blocks)
    if ratio >= MIN_RATIO:
        return Keys(found, ratio, False)
    if n is None:
        raise NotEvaluable(f"no key frequencies: the largest ratio of neighbouring powers of U is {ratio:.2f}, under 3")
    power = _strengths(unembedding, blocks)
    ranked = power.topk(min(n, len(power))).indices + 1
    return Keys(tuple(sorted(ranked.tolist())), ratio, True)


def _strengths(unembedding: Tensor, blocks: Blocks | None) -> Tensor:
    """Power of each block over its size: a Gaussian matrix then has no gap, whatever the sizes. Z_p's are all 2."""
    blocks = blocks or cyclic(unembedding.shape[1])
    return powers(unembedding, 1, blocks) / torch.tensor(blocks.sizes[1:])


def key_frequencies(unembedding: Tensor) -> tuple[int, ...]:
    """K, ascending. Raises NotEvaluable if no frequency stands out, which means that the largest ratio is under 3."""
    return matched(unembedding, None).frequencies
