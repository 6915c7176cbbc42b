"""What is left of the answer where the MLP activations are replaced; loss and accuracy on all pairs.

The activations ``post`` [p², d_mlp] reach the logits through U [d_mlp, p]. What reaches them around the neurons (the
residual path, biases) stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from grok.measure import losses, neurons
from grok.models.network import Network

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "|x|": torch.abs,
    "x²": torch.square,
    "x⁴": lambda x: x.square().square(),
    "x": lambda x: x,
    "x³": lambda x: x.square() * x,
}
RANK = 1e-10  # of the greatest singular value; less is rounding


@dataclass(frozen=True)
class Answer:
    """Mean loss ≥ 0 and accuracy 0 … 1 on all pairs."""

    loss: float
    accuracy: float

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor) -> Answer:
        """logits: [p², C]; labels: [p²]."""
        return cls(losses.mean_loss(logits, labels), losses.accuracy(logits, labels))


@lru_cache(maxsize=1)  # several claims in a row ask for the same of one network, which compares by identity
def whole(model: Network) -> Answer:
    """Loss and accuracy of the network as it is.

    Equation: loss = mean_i(-log softmax(L_i)[s_i]), accuracy = mean_i [argmax_c L_ic = s_i].
    Source: the definition of both, as in every source.
    """
    return Answer.of(model.logits, model.labels)


def accuracy_with(model: Network, name: str) -> float:
    """The accuracy of ``with_activation`` alone, without the loss, which takes longer.

    Equation: accuracy of g(pre) U + skip logits.
    Source: Gromov 2023 (arXiv 2301.02679), Doshi et al. 2024.
    """
    return losses.accuracy(model.logits_from(ACTIVATIONS[name](model.pre)), model.labels)


def with_activation(model: Network, name: str) -> Answer:
    """With another function, one of ``ACTIVATIONS``, of the MLP inputs ``pre`` in place of the ReLU.

    ReLU(x) = (|x| + x) / 2. If the answer is in its even part, then another even function keeps it, and the odd ones
    x and x³, the control, do not. Biases stay. Raises KeyError for another name.

    Equation: L' = g(pre) U + skip logits, with g in place of the ReLU.
    Source: Gromov 2023 (arXiv 2301.02679), Doshi et al. 2024.
    """
    return Answer.of(model.logits_from(ACTIVATIONS[name](model.pre)), model.labels)


@dataclass(frozen=True)
class Polynomials:
    """answer: with the single-frequency neurons replaced; whole: without; replaced: how many neurons those are."""

    answer: Answer
    whole: Answer
    replaced: int


def as_polynomials(model: Network) -> Polynomials:
    """Each live neuron with ≥ 0.85 of its variance on one k becomes its projection on the nine terms of that k.

    post_i → Σ ⟨post_i, f⟩ f over the nine products f of {1, cos w_k a, sin w_k a} and {1, cos w_k b, sin w_k b}, scaled
    to norm one: a polynomial of degree 2 in these, mean included. Other neurons stay. Nanda et al. 2023 find that the
    loss rises by 3 %. If there is no such neuron, nothing is replaced, so a claim must also look at ``replaced``.

    Equation: post_i → Σ_f ⟨post_i, f⟩ f over the nine products f.
    Source: Nanda et al. 2023 (arXiv 2301.05217).
    """
    found = neurons.frequencies(model.spectrum.post_powers)
    post = model.post.clone()
    for k in found.best[found.single].unique().tolist():
        which = (found.single & (found.best == k)).nonzero().squeeze(1)
        waves = neurons.nine_waves(model.task.p, k)
        post[:, which] = waves.T @ (waves @ post[:, which])
    return Polynomials(Answer.of(model.logits_from(post), model.labels), whole(model), int(found.single.sum()))


@dataclass(frozen=True)
class Subspace:
    """rank: of the subspace. kept: with only the part of the neurons in it; removed: with only the rest of them."""

    rank: int
    kept: Answer
    removed: Answer


@lru_cache(maxsize=1)
def key_subspace(model: Network) -> Subspace:
    """Activations projected on the directions in neuron space that U reads K along, and on the complement.

    The directions are U f for the basis functions f over the classes cos w_k c and sin w_k c of k ∈ K: [d_mlp, 2|K|].
    With Q [d_mlp, rank] orthonormal and of the same span, post → post Q Qᵀ, and post - post Q Qᵀ; nothing is centred.
    If U is zero on K, the rank is 0.

    Equation: kept = post Q Qᵀ U + skip logits, removed = (post - post Q Qᵀ) U + skip logits.
    Source: Nanda et al. 2023 (arXiv 2301.05217), which reports losses of 1.19e-7 and 5.27.
    """
    blocks = model.spectrum.blocks
    directions = model.U @ blocks.basis[blocks.rows(model.key_frequencies)].T
    left, size, _ = torch.linalg.svd(directions, full_matrices=False)
    Q = left[:, size > RANK * size.max()]
    inside = (model.post @ Q) @ (Q.T @ model.U)
    kept, removed = model.skip_logits + inside, model.logits - inside
    return Subspace(Q.shape[1], Answer.of(kept, model.labels), Answer.of(removed, model.labels))
