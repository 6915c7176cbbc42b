"""What Chughtai et al. 2023 (arXiv 2302.03025) measure of a network that composes the elements of a finite group.

L is [n², n], the logits of all pairs; s is the label of a pair, a ∘ b. For a block k with basis B_k, [size, n], the
projector P_k = B_kᵀ B_k has at (s, c) a multiple of the character χ_k(s c⁻¹) = tr ρ_k(a) ρ_k(b) ρ_k(c⁻¹); for Z_p it is
2/p cos w_k(s - c). Over all pairs and classes the cubes P_k[s, c] are orthogonal, and their squared norms are n times
the size of the block. Block 0, the trivial representation, is left out. Losses are in nats.

Where these measures differ from ``losses`` and ``logits``: the logits are explained by all characters, there by those
of K only; "restricted" has no mean and is of all pairs, there it keeps the mean and is of the test pairs. Excluded loss
of the neurons is the same. The authors' code takes the neurons' directions by a QR of all d² entries. For a frequency
of Z_p two of the four repeat, so that two directions of rounding noise come in; that is not followed here
(docs/representations.md).

Source: Chughtai et al. 2023 (arXiv 2302.03025).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from grok.fourier.basis import Blocks
from grok.measure import embedding, variation
from grok.measure.logits import EQUAL, character_projections, sums_by_label
from grok.measure.losses import Ablation, mean_loss
from grok.models.concat import Concat
from grok.models.network import Network


def centred(logits: Tensor) -> Tensor:
    """L less its mean over the classes of each pair: [n², n], float64.

    Equation: L_c - mean_c L_c.
    """
    logits = logits.double()
    return logits - logits.mean(1, keepdim=True)


def trace_similarities(logits: Tensor, labels: Tensor, blocks: Blocks) -> Tensor:
    """Cosine of the angle between centred L and each cube χ_k(s c⁻¹), k = 1 …: [number of blocks - 1], -1 … 1.

    Raises NotEvaluable if for every pair the logits of all classes are equal.

    Equation: ⟨L, χ_k(s c⁻¹)⟩ / (‖L‖ ‖χ_k(s c⁻¹)‖), L centred.
    """
    whole = centred(logits)
    variation.require(whole.square().sum(), logits.double().square().sum(), EQUAL)
    return character_projections(sums_by_label(whole, labels, len(blocks.basis)), blocks) / whole.norm()


def percent_logits_explained(similarities: Tensor) -> float:
    """Σ_k similarity², the share of centred L that all characters explain: 0 … 1.

    Equation: Σ_k similarity_k².
    """
    return float(similarities.square().sum())


def character_logits(logits: Tensor, labels: Tensor, blocks: Blocks, which: Sequence[int]) -> Tensor:
    """Projection of centred L on the cubes of these blocks, as a table over (s, c): [n, n].

    Equation: Σ_k ⟨L, X_k⟩ X_k / ‖X_k‖², X_k(s, c) = χ_k(s c⁻¹).
    """
    n = len(blocks.basis)
    amounts = trace_similarities(logits, labels, blocks) * centred(logits).norm()
    table = torch.zeros(n, n, dtype=torch.float64)
    for k in which:
        functions = blocks.basis[blocks.rows([k])]
        table += amounts[k - 1] / math.sqrt(n * len(functions)) * functions.T @ functions
    return table


def logit_excluded_loss(logits: Tensor, labels: Tensor, blocks: Blocks, which: Sequence[int], train: Tensor) -> float:
    """Mean loss of centred L less ``character_logits`` of these blocks, on the train pairs.

    Equation: mean loss of L - Σ_{k ∈ K} ⟨L, X_k⟩ X_k / ‖X_k‖² on the train pairs.
    """
    rest = centred(logits) - character_logits(logits, labels, blocks, which)[labels]
    return mean_loss(rest, labels, train)


def logit_restricted_loss(logits: Tensor, labels: Tensor, blocks: Blocks, which: Sequence[int]) -> float:
    """Mean loss of ``character_logits`` of these blocks alone, on all pairs.

    Equation: mean loss of Σ_{k ∈ K} ⟨L, X_k⟩ X_k / ‖X_k‖² on all pairs.
    """
    return mean_loss(character_logits(logits, labels, blocks, which)[labels], labels)


def hidden_restricted_loss(model: Network, which: Sequence[int]) -> float:
    """Mean loss on all pairs of what the neurons write along ρ_k(a ∘ b) of these blocks, without the neurons' mean.

    Equation: mean loss of P_K(post U) on all pairs.
    """
    return mean_loss(Ablation.of(model).projection(which)[model.labels], model.labels)


def hidden_excluded_loss(model: Network, which: Sequence[int], pairs: Tensor) -> float:
    """Mean loss on these pairs without what the neurons write along ρ_k(a ∘ b) of these blocks.

    Equation: mean loss of L - P_K(post U) on the pairs.
    """
    return Ablation.of(model).excluded_loss(which, pairs)


def hidden_shares(model: Network, which: Sequence[int], blocks: Blocks) -> tuple[float, float, float]:
    """Shares of the variance of the neurons along ρ_k(a), ρ_k(b) and ρ_k(a ∘ b) of these blocks: 0 … 1 each.

    Equation: ‖P post‖² / ‖post‖², post centred, P the projection on ρ_k(a), on ρ_k(b), on ρ_k(a ∘ b).
    """
    neurons = model.post - model.post.mean(0)
    functions = blocks.basis[blocks.rows(which)] / math.sqrt(model.task.n)  # n pairs to a value of a, b and a ∘ b
    a, b = model.task.pairs().unbind(1)
    parts = [(functions @ sums_by_label(neurons, of, model.task.n)).square().sum() for of in (a, b, model.labels)]
    total = neurons.square().sum()
    of_a, of_b, of_both = (float(part / total) for part in parts)
    return of_a, of_b, of_both


@dataclass(frozen=True)
class Summary:
    """The authors' figures for a network and its key representations, under their names.

    keys: numbers of the blocks. similarities: of each block from 1 on. percent_x_embed, percent_y_embed: shares of the
    power of the embeddings (times W) on the keys, as that of the unembedding. Losses on train pairs are None if the
    split is not known.
    """

    keys: tuple[int, ...]
    similarities: tuple[float, ...]
    percent_x_embed_explained: float
    percent_y_embed_explained: float
    percent_unembed_explained: float
    percent_logits_explained: float
    percent_hidden_explained: float
    total_logit_excluded_loss: float | None
    total_logit_restricted_loss: float
    total_hidden_excluded_loss: float | None
    total_hidden_restricted_loss: float

    @classmethod
    def of(cls, model: Concat) -> Summary:
        """Key representations are those of the gap in the powers of U, ``model.spectrum.keys``.

        Raises NotEvaluable for a task without blocks, and where there are no key representations.
        """
        blocks, keys, logits, labels = model.spectrum.blocks, model.key_frequencies, model.logits, model.labels
        similarities = trace_similarities(logits, labels, blocks)
        first, second = model.neuron_embeddings
        train = None if model.split is None else model.train
        return cls(
            keys,
            tuple(similarities.tolist()),
            embedding.power_on(first, keys, blocks),
            embedding.power_on(second, keys, blocks),
            embedding.power_on(model.U.T, keys, blocks),
            percent_logits_explained(similarities),
            sum(hidden_shares(model, keys, blocks)),
            None if train is None else logit_excluded_loss(logits, labels, blocks, keys, train),
            logit_restricted_loss(logits, labels, blocks, keys),
            None if train is None else hidden_excluded_loss(model, keys, train),
            hidden_restricted_loss(model, keys),
        )
