"""Neurons: which frequency each one follows, and what they write to the logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from grok.errors import NotEvaluable
from grok.fourier.basis import Blocks, basis, powers, rows, spectrum_2d
from grok.measure import spectrum
from grok.measure.variation import ROUNDING
from grok.models.network import NO_NEURON, NO_READOUT

LIVE = 1e-6  # share of the greatest variance; weight decay leaves unused neurons at a norm that is small but not zero
SINGLE = 0.85  # a neuron follows a frequency if this share of its variance is on it (sources N, P)


@dataclass(frozen=True, eq=False)
class Frequencies:
    """The best frequency of each neuron.

    best: [m] int64, the k whose nine terms hold most of the centred variance. share: [m], the share that they hold,
    0 … 1; it is 0 for a neuron that does not vary. live: [m] bool, the neurons that vary.
    """

    best: Tensor
    share: Tensor
    live: Tensor

    def cluster(self, k: int) -> Tensor:
        """Indices of the neurons with at least 0.85 of their variance on k.

        Equation: {i: best_i = k, share_i ≥ 0.85}.
        Source: N (claim N4); Nanda et al. 2023, for 0.85.
        """
        return ((self.best == k) & (self.share >= SINGLE)).nonzero().squeeze(1)

    @property
    def single(self) -> Tensor:
        """Which live neurons have at least 0.85 of their variance on their best k: [m] bool."""
        return self.live & (self.share >= SINGLE)

    @property
    def single_share(self) -> float:
        """Share of all neurons with at least 0.85 of their variance on one frequency, 0 … 1."""
        return float((self.share >= SINGLE).double().mean())

    def share_in(self, frequencies: Sequence[int]) -> float:
        """Share of the live neurons whose best k is among these, 0 … 1. Raises NotEvaluable if no neuron is live.

        Equation: #{live i: best_i in K} / #{live i}.
        Source: K (claim K4).
        """
        if not self.live.any():
            raise NotEvaluable(NO_NEURON)
        return float(torch.isin(self.best[self.live], torch.tensor(frequencies)).double().mean())


def frequencies(post_powers: Tensor) -> Frequencies:
    """The frequencies of the neurons, from ``pair_powers`` of the activations: [h, h, m].

    Equation: best = argmax_k N_k, share = N_k / (centred power), N_k the power on the nine terms of k.
    Source: K (claim K3), N (claims N2, N4), S (claim S7); Nanda et al. 2023 (arXiv 2301.05217).
    """
    variance = spectrum.variance(post_powers)
    power, index = spectrum.nine_terms(post_powers).max(0)
    varies = spectrum.varying(post_powers)
    share = torch.where(varies, power / variance, torch.zeros_like(power))
    return Frequencies(index + 1, share, varies & (variance > LIVE * variance.max()))


def nine_waves(p: int, k: int) -> Tensor:
    """{1, cos w_k a, sin w_k a} × {1, cos w_k b, sin w_k b} on all pairs, a-major: [9, p²], orthonormal, float64.

    Equation: f(a) g(b) for f, g in {1, cos w_k, sin w_k}, of norm one.
    Source: N; Nanda et al. 2023 (arXiv 2301.05217).
    """
    one = basis(p)[[0, *rows([k])]]
    return torch.kron(one, one)


@dataclass(frozen=True)
class OtherShare:
    """Shares of the n live single-frequency neurons, [n], 0 … 1, and their median.

    The median is 1 if there are none, and says nothing then.
    """

    median: float
    n: int
    shares: Tensor = field(compare=False, repr=False)


def other_share(post: Tensor, found: Frequencies, p: int, sign: int = 1) -> OtherShare:
    """Share of a single-frequency neuron's nine-term variance in cos, sin of w_k(a - b); the answer is s = a + b.

    The variance is that of the eight terms of its k without the constant. These are cos and sin of w_k a and of w_k b,
    and the products, which are cos and sin of w_k(a + b) and of w_k(a - b). For subtraction (sign -1) the answer is
    a - b, and the share that of w_k(a + b). post: [p², m]; found: of the same m neurons.

    Chughtai et al. 2023 (arXiv 2302.03025) name the terms of a, b and the answer only. A neuron
    ReLU(cos(w a + φ) + cos(w b + φ)) has as much in a - b as in a + b: 0.11 of the variance each.

    Equation: (power on cos, sin of w_k(a - b)) / (power on the eight terms of k).
    Source: Chughtai et al. 2023 (arXiv 2302.03025), whose terms leave it out.
    """
    shares = []
    for k in found.best[found.single].unique().tolist():
        terms = nine_waves(p, k) @ post[:, found.single & (found.best == k)].double()  # [9, n], rows a × columns b
        cos_cos, cos_sin, sin_cos, sin_sin = terms[[4, 5, 7, 8]]
        # cos(x - y) = cos x cos y + sin x sin y and sin(x - y) = sin x cos y - cos x sin y; each has norm √2 here
        cos, sin = cos_cos + sign * sin_sin, sin_cos - sign * cos_sin
        shares.append((cos.square() + sin.square()) / 2 / terms[1:].square().sum(0))
    every = torch.cat(shares) if shares else torch.ones(1)
    return OtherShare(float(every.quantile(0.5)), int(found.single.sum()), every)


def token_frequency_share(W_neur: Tensor) -> float:
    """``token_frequency_shares`` in the mean over live neurons: [p, m] → 0 … 1; 0 if no neuron is live.

    Morwani et al. 2023 (arXiv 2311.07568) prove 1 for quadratic neurons, and find nearly 1 for a ReLU.

    Equation: mean over live columns of max_k power of k / Σ_k power of k.
    Source: Morwani et al. 2023 (arXiv 2311.07568).
    """
    shares = token_frequency_shares(W_neur)
    return float(shares.mean()) if len(shares) else 0.0


def token_frequency_shares(W_neur: Tensor) -> Tensor:
    """Greatest share of one frequency in each live neuron's input weights: [p, m] → [live neurons], 0 … 1.

    W_neur: tokens → neurons, W_E W_in. The share is the power of k over the squared norm of the column, centred over
    the tokens. Live are the columns with more than 1e-6 of the greatest such norm. Two embeddings, of a and of b, are
    given side by side, [p, 2m].

    Equation: max_k power of k / Σ_k power of k.
    Source: Morwani et al. 2023 (arXiv 2311.07568).
    """
    coefficients = basis(len(W_neur))[1:] @ W_neur.double()
    power = coefficients.square().unflatten(0, (-1, 2)).sum(1)  # [(p-1)/2, m]
    whole = power.sum(0)
    live = (whole > LIVE * whole.max()) & (whole > ROUNDING * W_neur.double().square().sum())
    return power.amax(0)[live] / whole[live]


def key_norm_ratio(unembedding: Tensor, key_frequencies: Sequence[int], blocks: Blocks | None = None) -> float:
    """‖U on K‖ / ‖U‖, U [d_mlp, p] over the classes: 0 … 1. Raises NotEvaluable if U is zero.

    Equation: √(Σ_{k ∈ K} power of k in U) / ‖U‖.
    Source: K (claim K8), N (claim N3), S (claim S8).
    """
    on_keys = powers(unembedding, 1, blocks)[torch.tensor(key_frequencies) - 1].sum()
    norm = unembedding.norm()
    if norm == 0:
        raise NotEvaluable(NO_READOUT)
    return float(on_keys.sqrt() / norm)


def projection_fves(post: Tensor, unembedding: Tensor, key_frequencies: Sequence[int]) -> dict[str, float]:
    """How much of what U reads along cos k and sin k is cos and sin of w_k(a + b): "cos 5" → FVE, 0 … 1.

    FVE is the fraction of variance explained, not centred, by source K's formula ("Understanding W_U"). For each basis
    row f of K, post (U f) is a function of (a, b), written in the 2-D Fourier basis. The FVE of cos k is the sum of the
    squared entries cos·cos and sin·sin, and that of sin k the sum of cos·sin and sin·cos, over all squared entries.
    Raises NotEvaluable if one of these functions is zero.

    Equation: cos k: (c_cc² + c_ss²) / Σ c²; sin k: (c_cs² + c_sc²) / Σ c², c the 2-D coefficients of post (U f).
    Source: K, "Understanding W_U" (claims K9, N5).
    """
    p = unembedding.shape[1]
    power = spectrum_2d(post @ (unembedding @ basis(p)[rows(key_frequencies)].T), p).square()  # [p, p, 2|K|]
    total = power.sum((0, 1))
    table = {}
    for i, k in enumerate(key_frequencies):
        cos, sin = 2 * k - 1, 2 * k
        for wave, whole in (("cosine", total[2 * i]), ("sine", total[2 * i + 1])):
            if whole == 0:
                raise NotEvaluable(f"the neurons write nothing along the {wave} of {k} in U, on any pair")
        table[f"cos {k}"] = float((power[cos, cos, 2 * i] + power[sin, sin, 2 * i]) / total[2 * i])
        table[f"sin {k}"] = float((power[cos, sin, 2 * i + 1] + power[sin, cos, 2 * i + 1]) / total[2 * i + 1])
    return table


def cluster_purities(unembedding: Tensor, found: Frequencies, key_frequencies: Sequence[int]) -> dict[int, float]:
    """Share of the squared norm of U's rows in the cluster of k that lies on frequency k: k → 0 … 1.

    It is 0 for a frequency whose cluster is empty. Raises NotEvaluable if the rows of a cluster are zero.

    Equation: power of k in U[cluster of k] / ‖U[cluster of k]‖².
    Source: N (claim N4); Nanda et al. 2023 (arXiv 2301.05217).
    """
    purities = {}
    for k in key_frequencies:
        rows = unembedding[found.cluster(k)]
        whole = rows.square().sum()
        if len(rows) and whole == 0:
            raise NotEvaluable(f"the neurons of frequency {k} write nothing to the logits")
        purities[k] = float(powers(rows, dim=1)[k - 1] / whole) if len(rows) else 0.0
    return purities
