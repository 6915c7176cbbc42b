"""Gromov's network with quadratic neurons, written down by a formula: nothing is trained (2023, arXiv 2301.02679).

With one frequency k_j and two phases φ_j, ψ_j for each neuron j = 0 … N-1, and w_j = 2π k_j / p,

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
from torch import Tensor

from grok.models import names
from grok.models.mlp import MLP
from grok.task import Task


@dataclass(frozen=True, eq=False)
class QuadraticMLP(MLP):
    """The MLP with x² in place of the ReLU."""

    architecture = "quadratic"

    @cached_property
    def post(self) -> Tensor:
        return self.pre.square()


def gromov(task: Task, width: int, seed: int = 0) -> QuadraticMLP:
    """The network of this width for addition or subtraction modulo p, float64; phases from a fixed seed.

    Neuron j has frequency 1 + (j mod (p-1)/2), so all are used as equally as the width permits. Each number
    has its own embedding [p, width], and W_in is the identity. Right on all pairs only if the width is great enough;
    a test has it at 20 p. Raises ValueError for a task other than addition or subtraction modulo an odd p.
    """
    if not task.modular or task.p % 2 == 0:
        raise ValueError(f"needs a task modulo an odd p, got {task}")
    generator = torch.Generator().manual_seed(seed)
    of_a, of_b = 2 * math.pi * torch.rand(2, width, generator=generator, dtype=torch.float64)
    k = 1 + torch.arange(width) % ((task.p - 1) // 2)
    angles = 2 * math.pi / task.p * torch.outer(torch.arange(task.p), k).double()
    weights = {
        names.MLP_W_E: (angles + of_a).cos(),
        "W_E_b": (task.sign * angles + of_b).cos(),
        names.MLP_W_IN: torch.eye(width, dtype=torch.float64),
        names.MLP_W_U: (angles + of_a + of_b).cos().T / width,
    }
    return QuadraticMLP(task, weights, None)
