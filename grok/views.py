"""What the plots of claims show: small tables and lists of a network's weights, activations and logits.

A table over two numbers shows the first 57 of the 113, a quarter of the pairs: enough to see a wave, and small. Tables
are whole per cent of a greatest value, since a plot needs no more. Nothing here is asserted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from grok.fourier.basis import basis, powers, rows
from grok.measure import embedding, logits, losses, spectrum
from grok.measure.neurons import SINGLE, Frequencies
from grok.models.network import Network

SIDE = 57  # numbers of a, and of b, that a table shows
ROWS = 128  # neurons that a matrix shows, at most
HEADS = 4  # attention heads that a plot shows, at most
NAMED = 10  # tokens whose number stands beside their point
POINTS = 200  # pairs that a cloud of points shows, about
TINY = 1e-300  # avoids 0 / 0


def percent(values: Tensor, of: Tensor | None = None) -> Tensor:
    """In whole per cent of the greatest absolute value of ``of`` (of themselves by default): int64, same shape."""
    most = (values if of is None else of).abs().max().clamp_min(TINY)
    return (100 * values / most).round().long()


def thinned(values: Any, most: int) -> Any:
    """Every n-th of a list or tensor, so that at most ``most`` are left."""
    return values[:: -(-len(values) // most) or 1]


def over_pairs(values: Tensor, p: int) -> Tensor:
    """A function of (a, b) as a table, rows a and columns b, of the first 57 of each: [p²] → [57, 57]."""
    return rearrange(values, "(a b) -> a b", b=p)[:SIDE, :SIDE]


def by_frequency(values: Tensor | Sequence[float | None], key_frequencies: Sequence[int]) -> dict[str, Any]:
    """One value for each frequency k = 1 …, with the key frequencies as a series of their own: [(p-1)/2]."""
    numbers = values.tolist() if isinstance(values, Tensor) else values
    return {
        "frequencies": list(range(1, len(numbers) + 1)),
        "key frequencies": [v if k in key_frequencies else None for k, v in enumerate(numbers, 1)],
        "other frequencies": [None if k in key_frequencies else v for k, v in enumerate(numbers, 1)],
    }


def circle(matrix: Tensor, k: int) -> Tensor:
    """The tokens in the plane of a frequency: [p, d] → [p, 2].

    The axes are the two directions, of norm one, in which the matrix holds cos w_k t and sin w_k t:
    x_t = E_t · u / ‖u‖ with u = Σ_t E_t cos w_k t, and y_t likewise with the sine. A frequency alone is a circle or an
    ellipse, on which the token t stands at the angle w_k t.
    """
    directions = basis(len(matrix))[rows([k])] @ matrix  # [2, d]
    return matrix @ torch.nn.functional.normalize(directions, dim=1).T


def circles(matrix: Tensor, frequencies: Sequence[int]) -> dict[str, Any]:
    """``circle`` of each frequency: [p, d] → "k = 5" → [p, 2]; ``labels``: the numbers 0 … 9."""
    labels = [str(t) if t < NAMED else "" for t in range(len(matrix))]
    return {"labels": labels, **{f"k = {k}": circle(matrix, k) for k in frequencies}}


def by_answer(values: Tensor, labels: Tensor) -> Tensor:
    """Mean logits of the pairs with each answer s, centred over the classes c: [p², p] → [p, p] over (s, c)."""
    p = values.shape[1]
    table = logits.sums_by_label(values, labels, p) / p
    return table - table.mean(1, keepdim=True)


def network_and_formula(model: Network, formula: Tensor) -> dict[str, Tensor]:
    """``by_answer`` of the network's logits beside the formula, [p, p] over (s, c): the first 57, on one scale."""
    table = by_answer(model.logits, model.labels)
    return {name: percent(t, table)[:SIDE, :SIDE] for name, t in (("network", table), ("formula", formula))}


def shares_by_frequency(post_powers: Tensor) -> Tensor:
    """Share of each neuron's centred variance on the nine terms of each k: [h, h, m] → [m, (p-1)/2], 0 … 1.

    It is 0 for a neuron that does not vary.
    """
    shares = spectrum.nine_terms(post_powers) / spectrum.variance(post_powers)
    return torch.where(spectrum.varying(post_powers), shares, 0).T


def row_shares(unembedding: Tensor) -> Tensor:
    """Share of the squared norm of each row of U on each frequency of the classes: [m, p] → [m, (p-1)/2], 0 … 1."""
    power = (basis(unembedding.shape[1])[1:] @ unembedding.T).square().unflatten(0, (-1, 2)).sum(1)
    return (power / unembedding.square().sum(1).clamp_min(TINY)).T


def by_cluster(shares: Tensor, found: Frequencies) -> Tensor:
    """Neurons as rows, at most 128, sorted by best frequency and then by share, dead ones last: [m, n] → per cent."""
    order = sorted(range(len(shares)), key=lambda i: (not found.live[i], int(found.best[i]), -float(found.share[i])))
    return (100 * shares[thinned(order, ROWS)]).round().long()


def sorted_shares(found: Frequencies) -> dict[str, Any]:
    """Share of each neuron on its best frequency, descending, of at most 128 neurons, and the level that counts."""
    shares = found.share.sort(descending=True).values
    ranks = thinned(list(range(1, len(shares) + 1)), ROWS)
    return {"x": ranks, "share": thinned(shares, ROWS), "line": SINGLE}


def examples(found: Frequencies, post_powers: Tensor, n: int = 2) -> list[int]:
    """The neurons that vary most, no two with the same best frequency: at most n indices."""
    chosen: dict[int, int] = {}
    for i in spectrum.variance(post_powers).argsort(descending=True).tolist():
        chosen.setdefault(int(found.best[i]), i)
        if len(chosen) == n:
            break
    return list(chosen.values())


def neurons_and_spectra(model: Network, found: Frequencies, n: int = 2) -> dict[str, Tensor]:
    """Activations of ``examples`` over (a, b), and beside each its norm by pair of frequencies: [57, 57] per cent."""
    panels = {}
    for i in examples(found, model.spectrum.post_powers, n):
        panels[f"neuron {i} over (a, b)"] = percent(over_pairs(model.post[:, i], model.task.p))
        panels[f"neuron {i} by frequency"] = percent(spectrum.norms(model.spectrum.post_powers[..., i : i + 1]))
    return panels


def attention_to_a(pattern: Tensor, p: int) -> dict[str, Tensor]:
    """Attention of each head to a over (a, b), in whole per cent: [p², h, 3] → "head 0" → [45, 45]."""
    heads = pattern[..., 0].unbind(1)[:HEADS]
    return {f"head {h}": (100 * over_pairs(to_a, p)[:45, :45]).round().long() for h, to_a in enumerate(heads)}


def swapped_attention(pattern: Tensor, p: int) -> dict[str, Tensor]:
    """Each head's attention to a at (a, b) and to b at (b, a), of about 200 pairs: [p², h, 3] → "head 0" → [n, 2]."""
    swapped = rearrange(pattern[..., 1], "(a b) h -> (b a) h", a=p)
    both = thinned(torch.stack([pattern[..., 0], swapped], dim=-1), POINTS)
    return {f"head {h}": points for h, points in enumerate(both.unbind(1)[:HEADS])}


def reading(model: Network) -> dict[str, Tensor]:
    """The neurons read along U's sin k, k the strongest of K, over (a, b), and sin w_k(a + b) itself: per cent."""
    k = strongest_first(model)[0]
    sine = basis(model.task.p)[2 * k]
    read = model.post @ (model.U @ sine)
    tables = {f"read along sin {k}": read, f"sin w_k(a + b), k = {k}": sine[model.labels]}
    return {name: percent(over_pairs(values, model.task.p)) for name, values in tables.items()}


def singular_values(matrix: Tensor) -> dict[str, Any]:
    """``embedding.squared_shares`` of a matrix, at least 1e-6, beside a Gaussian one of its shape: [min(p, d)]."""
    found = embedding.squared_shares(matrix)
    gaussian = embedding.squared_shares(embedding.gaussian_like(matrix))
    return {"x": list(range(1, len(found) + 1)), "W_E": found.clamp_min(1e-6), "Gaussian matrix": gaussian}


def excluded_by_frequency(model: Network) -> dict[str, Any]:
    """Log10 of the train loss without one frequency, for ``by_frequency``; without all of K as the level ``line``.

    The frequencies are each of K and four others (``losses.excluded_each``).
    """
    each = losses.excluded_each(model, model.train, n_others=4)
    found = each.keys | each.others
    logs = [log10(found[k]) if k in found else None for k in range(1, (model.task.p + 1) // 2)]
    return by_frequency(logs, model.key_frequencies) | {"line": log10(losses.excluded(model).loss)}


def strongest_first(model: Network) -> list[int]:
    """K in the order of its power in U, the strongest first."""
    power = powers(model.U, 1, model.spectrum.blocks)
    return sorted(model.key_frequencies, key=lambda k: -float(power[k - 1]))


def restricted_by_number(model: Network) -> dict[str, list[float]]:
    """Restricted loss of the strongest 1, 2, …, |K| key frequencies, by power in U, and the test loss beside it."""
    order = strongest_first(model)
    numbers = range(1, len(order) + 1)
    found = losses.Ablation.of(model).restricted_losses([order[:n] for n in numbers], model.test)
    whole = losses.mean_loss(model.logits, model.labels, model.test)
    return {"x": list(numbers), "restricted loss": found, "test loss": [whole] * len(order)}


def against_draws(cut: losses.Cut) -> dict[str, Any]:
    """Log10 of the losses of the random sets, ascending; that of K as the level ``line``."""
    logs = sorted(map(log10, cut.draws))
    return {"x": list(range(1, len(logs) + 1)), "random sets": logs, "line": log10(cut.loss)}


def by_offset(labels: Tensor, **tables: Tensor) -> dict[str, list[int] | Tensor]:
    """Mean logit of the class s - r against r, -(p-1)/2 … (p-1)/2, of each table of logits: [p², p] → [p].

    See ``logits.mean_by_offset``.
    """
    half = int(labels.max()) // 2
    found = {name: logits.mean_by_offset(table, labels).roll(half) for name, table in tables.items()}
    return {"x": list(range(-half, half + 1)), **found}


def log10(loss: float) -> float:
    """A loss on the log scale; of 0 that of 1e-20."""
    return math.log10(max(loss, 1e-20))
