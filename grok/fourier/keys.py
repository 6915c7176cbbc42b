"""Key frequencies: which few frequencies a model reads its answer from."""

from __future__ import annotations

from torch import Tensor

from grok.errors import NotEvaluable
from grok.fourier.basis import powers

MIN_RATIO = 3.0  # Gaussian matrices give 1.01 … 1.06, a memorised model 1.8, nine published models 5.7 … 670
MAX_KEYS = 28


def gap(unembedding: Tensor) -> tuple[tuple[int, ...], float]:
    """Candidates for K, ascending, and the ratio of powers across the cut.

    Powers of ``U`` [d_mlp, p] over the classes, sorted; cut at the largest ratio of neighbours among the first 28.
    """
    power, order = powers(unembedding, dim=1).sort(descending=True)
    ratios = power[:-1] / power[1:].clamp_min(1e-300)
    cut = int(ratios[:MAX_KEYS].argmax())
    return tuple(sorted(int(k) + 1 for k in order[: cut + 1])), float(ratios[cut])


def key_frequencies(unembedding: Tensor) -> tuple[int, ...]:
    """K, ascending. Raises NotEvaluable if the largest ratio is under 3: then no frequency stands out."""
    found, ratio = gap(unembedding)
    if not ratio >= MIN_RATIO:
        raise NotEvaluable(f"no key frequencies: the largest ratio of neighbouring powers of U is {ratio:.2f}, under 3")
    return found
