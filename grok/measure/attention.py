"""Attention of the ``=`` position, and the OV and QK circuits of each head as tables over tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor

from grok.fourier.basis import pair_powers
from grok.measure import neurons, spectrum


def correlation_of_swapped(pattern: Tensor, p: int) -> Tensor:
    """Correlation over pairs of A₀(a, b) with A₁(b, a): pattern [p², h, 3] → [h], -1 … 1.

    It is 1 for a head of which both are constant, and 0 if one is.

    Equation: corr over (a, b) of A₀(a, b) and A₁(b, a).
    Source: B (claim B4).
    """
    swapped = rearrange(pattern[..., 1], "(a b) h -> (b a) h", a=p)
    both = torch.stack([pattern[..., 0], swapped], dim=-1)  # [p², h, 2]
    varies = _varying(both)
    x, y = (both - both.mean(0)).unbind(-1)
    r = (x * y).sum(0) / (x.norm(dim=0) * y.norm(dim=0))
    return torch.where(varies.all(-1), r, (~varies.any(-1)).double())


def periodic_share(pattern: Tensor, p: int, key_frequencies: Sequence[int]) -> Tensor:
    """Share of each head's centred pattern on the nine terms of the frequencies in K: [p², h, 3] → [h], 0 … 1.

    It is 0 for a head whose attention is constant.

    Equation: Σ_{k ∈ K} nine-term power of k / Σ centred power.
    Source: B (claim B5).
    """
    columns = pair_powers(rearrange(pattern, "pair h position -> pair (h position)"), p)
    power = rearrange(columns, "j k (h position) -> j k h position", position=3).sum(-1)  # adds a head's three
    return spectrum.periodic_share(power, key_frequencies)


def single_frequency(pattern: Tensor, p: int) -> neurons.Frequencies:
    """Best frequency of each head's attention to a, as a function of (a, b): pattern [p², h, 3] → best, share: [h].

    share: FVE of the centred pattern by {1, cos w_k a, sin w_k a} × {1, cos w_k b, sin w_k b} for the best k, 0 … 1.
    Attention to a and to b add up to about 1, so one stands for both. A head whose attention is constant follows no
    frequency: its share is 0, and it is not live.

    Equation: share = max_k nine-term power of k / Σ centred power.
    Source: Nanda et al. 2023 (arXiv 2301.05217), one frequency a head.
    """
    to_a = pattern[..., 0]
    centred = torch.where(_varying(to_a), to_a - to_a.mean(0), 0)
    return neurons.frequencies(pair_powers(centred, p))


def _varying(values: Tensor) -> Tensor:
    """Which functions vary over the pairs by more than rounding: [p², …] → […] bool."""
    mean = values.mean(0)
    return (values - mean).square().mean(0) > spectrum.CONSTANT * mean.square()


def ov_circuit(W_E: Tensor, W_V: Tensor, W_O: Tensor, W_in: Tensor) -> Tensor:
    """What each head moves from a token to the neurons, W_E W_V W_O W_in: [h, p, d_mlp].

    Equation: W_E W_V^h W_O^h W_in.
    Source: B (claim B6).
    """
    return W_E @ W_V @ (W_O @ W_in)


def qk_circuit(W_E: Tensor, W_K: Tensor, query: Tensor) -> Tensor:
    """Score of each token under the query of ``=``, without positional embedding and bias: [p, h].

    query: [h, k], already divided by √d_head.

    Equation: (W_E W_K^h) q^h, q^h = x_= W_Q^h / √d_head.
    Source: B (claim B7).
    """
    return torch.einsum("td,hdk,hk->th", W_E, W_K, query)
