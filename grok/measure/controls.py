"""Frequencies outside K: the matched controls of the restricted and the excluded loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from grok.errors import NotEvaluable


def other_frequencies(key_frequencies: Sequence[int], n_frequencies: int, n: int = 8) -> tuple[int, ...]:
    """n frequencies that are not in K, evenly spaced in the ascending list of these; all of them if there are fewer.

    n_frequencies: how many there are, (p-1)/2 for Z_p.
    Number i, 0 … n-1, is entry ⌊i · length / n⌋ of the list. They depend on K only, not on what the network does on
    them.

    Equation: entry ⌊i · length / n⌋ of the frequencies outside K, i = 0 … n-1.
    Source: this project: the control of the excluded loss.
    """
    others = [k for k in range(1, n_frequencies + 1) if k not in key_frequencies]
    return tuple(others if len(others) <= n else (others[i * len(others) // n] for i in range(n)))


def random_frequencies(
    key_frequencies: Sequence[int], n_frequencies: int, draws: int = 20, seed: int = 0
) -> list[tuple[int, ...]]:
    """Matched random controls: sets of |K| frequencies outside K, drawn from a fixed seed.

    n_frequencies: how many there are, (p-1)/2 for Z_p, or the number of representations but the trivial one.
    Raises NotEvaluable if fewer than |K| frequencies are outside K.

    Equation: sets of |K| of the frequencies outside K, uniformly, without replacement.
    Source: this project: the control of both losses.
    """
    others = torch.tensor([k for k in range(1, n_frequencies + 1) if k not in key_frequencies])
    n = len(key_frequencies)
    if len(others) < n:
        raise NotEvaluable(f"{n} of {n_frequencies} frequencies are key: too few are left for a random control")
    generator = torch.Generator().manual_seed(seed)
    return [tuple(sorted(others[torch.randperm(len(others), generator=generator)[:n]].tolist())) for _ in range(draws)]
