"""Gromov's network with quadratic neurons (2023, arXiv 2301.02679): one-hot a and b side by side → x² → logits.

    pre = W_a[a] + W_b[b],    logits = pre² W_out,    without biases

``gromov`` writes it down by a formula, so that nothing is trained. With one frequency k_j and two phases φ_j, ψ_j for
each neuron j = 0 … N-1, and w_j = 2π k_j / p,

    pre_j = cos(w_j a + φ_j) + cos(± w_j b + ψ_j),    post_j = pre_j²,
    logit_c = Σ_j cos(w_j c + φ_j + ψ_j) post_j / N.

The product in the square is cos(w_j s + φ_j + ψ_j) + cos(w_j (a ∓ b) + φ_j - ψ_j), s = a ± b. Times the readout, its
first part has ½ cos w_j (s - c) whatever the phases are; every other term keeps a phase, and so cancels in a sum over
many neurons. The logits are in the mean over phases ½ Σ_k cos w_k (s - c) / ((p-1)/2), greatest at c = s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from einops import rearrange
from torch import Generator, Tensor

from grok.models import names
from grok.models.names import Weights
from grok.models.network import Network
from grok.recipe import Recipe
from grok.task import Task

REQUIRED = (names.TWO_HOT_A, names.TWO_HOT_B, names.TWO_HOT_OUT)
UNEMBEDDING = names.TWO_HOT_OUT
SQUARE = "square"  # the name of x²


def shapes(recipe: Recipe) -> dict[str, tuple[int, ...]]:
    """In the order in which they are drawn."""
    n, m, c = recipe.task.n, recipe.d_mlp, recipe.task.n_classes
    return dict(zip(REQUIRED, ((n, m), (n, m), (m, c)), strict=True))


def initial(recipe: Recipe, generator: Generator) -> Weights:
    """Normal numbers with standard deviation ½ (2 d_mlp)^(-1/3), as in the code of Doshi et al. 2024."""
    std = 0.5 / (2 * recipe.d_mlp) ** (1 / 3)
    return {name: std * torch.randn(s, generator=generator) for name, s in shapes(recipe).items()}


def embeddings(weights: Weights) -> tuple[Tensor, Tensor]:
    """Of every token as a and as b: what it adds to each neuron, [n, d_mlp] each."""
    return weights[names.TWO_HOT_A], weights[names.TWO_HOT_B]


def embedded(weights: Weights, first: Tensor, second: Tensor) -> Weights:
    """With these embeddings of a and of b, [n_a, d_mlp] and [n, d_mlp], in place of the weights' own."""
    return weights | {names.TWO_HOT_A: first, names.TWO_HOT_B: second}


@dataclass(frozen=True, eq=False)
class QuadraticMLP(Network):
    """W_a[a] + W_b[b] → x² → logits."""

    architecture = "quadratic"
    fixed_activation = SQUARE

    @property
    def W_E(self) -> Tensor:
        return self.weights[names.TWO_HOT_A]

    @property
    def W_neur(self) -> Tensor:
        """Token → neurons, as a: [n, d_mlp]."""
        return self.W_E

    @property
    def U(self) -> Tensor:
        return self.weights[names.TWO_HOT_OUT]

    @cached_property
    def pre(self) -> Tensor:
        of_a, of_b = embeddings(self.weights)
        return rearrange(of_a[:, None] + of_b, "a b m -> (a b) m")

    @cached_property
    def post(self) -> Tensor:
        return self.pre.square()

    @cached_property
    def skip_logits(self) -> Tensor:
        return self.U.new_zeros(1, self.U.shape[1])


def gromov(task: Task, width: int, seed: int = 0) -> QuadraticMLP:
    """The network of this width for addition or subtraction modulo p, float64; phases from a fixed seed.

    Neuron j has frequency 1 + (j mod (p-1)/2), so all are used as equally as the width permits. Right on all pairs
    only if the width is great enough; a test has it at 20 p.
    Raises ValueError for a task other than addition or subtraction modulo an odd p.
    """
    if not task.modular or task.p % 2 == 0:
        raise ValueError(f"needs a task modulo an odd p, got {task}")
    generator = torch.Generator().manual_seed(seed)
    of_a, of_b = 2 * math.pi * torch.rand(2, width, generator=generator, dtype=torch.float64)
    k = 1 + torch.arange(width) % ((task.p - 1) // 2)
    angles = 2 * math.pi / task.p * torch.outer(torch.arange(task.p), k).double()
    weights = {
        names.TWO_HOT_A: (angles + of_a).cos(),
        names.TWO_HOT_B: (task.sign * angles + of_b).cos(),
        names.TWO_HOT_OUT: (angles + of_a + of_b).cos().T / width,
    }
    return QuadraticMLP(task, weights, None)
