"""Phases of neurons: what a, b and the class of each logit say to a neuron at its frequency k, as angles.

A token t tells the neuron Σ_k A_k cos(w_k t + φ), w_k = 2πk / p, and the neuron tells the logit of class c
Σ_k A_k cos(w_k c + φ_out). Of each the entry of the neuron's best k is read, as one complex number A e^{iφ}.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

import torch
from einops import rearrange
from torch import Tensor

from grok.fourier.basis import basis
from grok.measure import attention, neurons
from grok.models.network import Network
from grok.models.transformer import Transformer

CLUSTER = 10  # neurons, at least, for their phases to be called spread


def inputs(model: Network) -> tuple[Tensor, Tensor]:
    """What a and what b tell each neuron before its activation, up to a constant: [p, d_mlp] each.

    Transformer: Σ_h m_h W_E W_V^h W_O^h W_in, with m_h the mean attention of head h to a for the first, to b for the
    second. Where all heads pay a and b one half in the mean, as the symmetry of addition has it, both are half the
    source's W_E W_OV W_in, summed over heads, and φ_a = φ_b. For subtraction the means tell a and b apart. How
    attention varies with a and b is not in it. Other networks: the mean of ``pre`` over the other number, for an MLP
    W_neur.

    Equation: Σ_h m_h W_E W_V^h W_O^h W_in, m_h the mean attention of head h; else the mean of pre over the other
        number.
    Source: Gromov 2023 (arXiv 2301.02679) for the phases; B for the OV circuit.
    """
    if isinstance(model, Transformer):
        circuits = attention.ov_circuit(model.W_E, model.W_V, model.W_O, model.W_in)  # [h, p, d_mlp]
        to_a, to_b = model.pattern.mean(0)[:, :2].unbind(1)
        return torch.einsum("h,htm->tm", to_a, circuits), torch.einsum("h,htm->tm", to_b, circuits)
    table = rearrange(model.pre, "(a b) m -> a b m", a=model.task.p)
    return table.mean(1), table.mean(0)


def waves(table: Tensor, k: Tensor) -> Tensor:
    """A e^{iφ} of the part A cos(w_k t + φ) of each column, scaled to norm one: [p, m], k [m] int64 → [m], complex.

    |A e^{iφ}|² is the power of k in the column.

    Equation: A e^{iφ} = ⟨cos k, x⟩ - i ⟨sin k, x⟩.
    Source: Gromov 2023 (arXiv 2301.02679).
    """
    coefficients = basis(len(table)) @ table.double()
    cos, sin = (coefficients.gather(0, row[None]).squeeze(0) for row in (2 * k - 1, 2 * k))
    return torch.complex(cos, -sin)  # A cos(x + φ) = A cos φ cos x - A sin φ sin x


def resultant(angles: Tensor, weights: Tensor) -> float:
    """|Σ w e^{iψ}| / Σ w: 1 if all angles are equal, about 1/√n for n random ones. [n], [n] ≥ 0 → 0 … 1; 0 for none.

    Equation: |Σ w e^{iψ}| / Σ w.
    Source: the mean resultant length of circular statistics.
    """
    total = float(weights.sum())
    return float((weights * torch.exp(1j * angles)).sum().abs()) / total if total > 0 else 0.0


@dataclass(frozen=True)
class Agreement:
    """Resultant length of φ_a ± φ_b - φ_out over all neurons, 0 … 1, and the same of networks with permuted outputs.

    read, written: φ_a ± φ_b and φ_out of each neuron, radians, -π … π. weights: its weight in ``length``. [d_mlp] each.
    """

    length: float
    permuted: tuple[float, ...]
    read: Tensor = field(compare=False, repr=False)
    written: Tensor = field(compare=False, repr=False)
    weights: Tensor = field(compare=False, repr=False)

    @property
    def median(self) -> float:
        """Of the permuted ones."""
        return statistics.median(self.permuted)


def agreement(model: Network, draws: int = 20, seed: int = 0) -> Agreement:
    """Whether phases in and out agree: φ_a + φ_b = φ_out for addition, φ_a - φ_b = φ_out for subtraction.

    Each neuron is read at its best k (``neurons.frequencies``). Its weight is √(A_a A_b) A_out, of degree one in what
    goes in and in what comes out, as the logits of a ReLU network are. With one embedding for both numbers of an MLP
    φ_a = φ_b, so the left side is 2 φ_in. The control permutes the rows of U among the neurons, from a fixed seed.
    Source: Gromov 2023 (arXiv 2301.02679), whose formula has them equal; Doshi et al. 2024 for trained networks.

    Equation: |Σ w e^{i(φ_a ± φ_b - φ_out)}| / Σ w, w = √(A_a A_b) A_out.
    Source: Gromov 2023 (arXiv 2301.02679), whose formula has them equal; Doshi et al. 2024 for trained networks.
    """
    k = neurons.frequencies(model.spectrum.post_powers).best
    of_a, of_b = (waves(table, k) for table in inputs(model))
    both = of_a * (of_b if model.task.sign > 0 else of_b.conj())
    strength = both.abs().sqrt()

    def length(U: Tensor) -> float:
        out = waves(U.T, k)
        return resultant(both.angle() - out.angle(), strength * out.abs())

    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(len(k), generator=generator) for _ in range(draws)]
    out = waves(model.U.T, k)
    permuted = tuple(length(model.U[order]) for order in orders)
    return Agreement(length(model.U), permuted, both.angle(), out.angle(), strength * out.abs())


@dataclass(frozen=True)
class Spread:
    """The input phases φ_a of one cluster of n neurons, as resultant lengths 0 … 1.

    first: |mean e^{iφ}|. It is 0 if the phases balance each other, as evenly spread ones do, about 1/√n if they are
    drawn uniformly, and near 1 if they lie in a clump. folded: |mean e^{inφ}|, the resultant of φ_in times the size of
    the cluster. It is 1 if the phases stand at equal distances 2π/n, and about 1/√n if they are random. A clump that is
    wider than 2π/n has a small one, too, so ``folded`` does not tell a clump from an even spread. ``first`` does.
    phases: of the neurons, [n], radians, -π … π.
    """

    n: int
    first: float
    folded: float
    phases: Tensor = field(compare=False, repr=False)


def spread(model: Network, least: int = CLUSTER) -> dict[int, Spread]:
    """Of each frequency's cluster of at least so many neurons: k → its spread; empty if there is none.

    A cluster: the live neurons with ≥ 0.85 of their variance on k, all with weight one. Source: Gromov 2023, whose
    phases are drawn uniformly.

    Equation: first = |mean e^{iφ_a}|, folded = |mean e^{inφ_a}| over the n neurons of a cluster.
    Source: Gromov 2023 (arXiv 2301.02679), whose phases are drawn uniformly.
    """
    found = neurons.frequencies(model.spectrum.post_powers)
    phases = waves(inputs(model)[0], found.best).angle()
    sizes = found.best[found.single].bincount().tolist()
    return {k: _spread(phases[found.single & (found.best == k)]) for k, n in enumerate(sizes) if n >= least}


def _spread(phases: Tensor) -> Spread:
    n, ones = len(phases), torch.ones_like(phases)
    return Spread(n, resultant(phases, ones), resultant(n * phases, ones), phases)
