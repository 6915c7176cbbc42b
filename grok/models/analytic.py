"""Weights that are written down and not trained: the model computes Σ_{k ∈ K} cos w_k(s - c), s = a ± b.

They are a positive control: every measure must return on them what was built in. They support no claim about trained
models.

**Construction**, for each k and w = 2πk/p. There is a neuron for every phase φ ∈ {2πi/p} and every threshold τ:

    pre = cos(w a + φ) + cos(± w b + φ) - τ = A cos(w s/2 + φ) - τ,    A = 2 cos(w d/2),    d = a ∓ b,

its weight to the logit of class c is (2/p) m_τ cos(w c + 2φ), the second harmonic of its activation. All p phases are
there, so shifting a and b by one (b by minus one for subtraction) only permutes the neurons. Therefore exactly

    logit_c = Σ_k q(k d) cos w_k(s - c),    q(r) = (2/p) Σ_τ m_τ Σ_φ relu(A_r cos φ - τ) cos 2φ.

With τ = 0 alone q ∝ |A|. Then the formula explains 8/π² = 0.811 of the logits, because q is not constant over d. More
thresholds make it constant: m_τ solves q = 1 by least squares over the (p + 1)/2 values of A. With one threshold for
each value of A the system is triangular and q = 1 **exactly** (1e-12 in float64, tested for p up to 59). With few
thresholds, ``explained`` gives the share that the formula explains: 0.997 for 4 thresholds at p = 113.

For any number of thresholds it is exact that E, W_E W_in and U have power only on K, and that the logits have no other
frequency of c.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from grok.models import names
from grok.models.names import Weights
from grok.task import Task

SATURATED = 100.0  # an attention score so large that the others get e^-100


def mlp(task: Task, keys: Sequence[int], n_thresholds: int | None = None) -> Weights:
    """Float64 weights in the MLP's shape, with ``b_in`` (zero if there is one threshold).

    d_model = 2|K|, d_mlp = |K| · p · n_thresholds. keys: distinct, 1 … (p-1)/2. n_thresholds: (p+1)/2 (exact) if None.
    Raises ValueError for a task other than addition modulo an odd p, or keys out of range.
    """
    if task.sign < 0:
        raise ValueError("one embedding for both inputs cannot subtract")
    waves, reads, bias, writes = _parts(task, keys, n_thresholds)
    return {names.MLP_W_E: waves, names.MLP_W_IN: reads, "b_in": bias, names.MLP_W_U: writes @ waves.T}


def transformer(task: Task, keys: Sequence[int], n_thresholds: int | None = None) -> Weights:
    """Float64 weights in the transformer's shape, with ``blocks.0.mlp.b_in``; addition or subtraction modulo p.

    Two heads bring cos and sin of a and b to ``=``, which pays no attention to itself. For addition both heads attend
    equally to a and b. For subtraction one head attends to a and the other to b, whose sines it negates. The residual
    stream has separate dimensions for [waves of the token | written by the neurons | "I am =" | position], so nothing
    reaches the logits around the neurons.
    """
    waves, reads, bias, writes = _parts(task, keys, n_thresholds)
    p, n = waves.shape
    d_model, head, equals, place = 2 * n + 2, slice(0, n), 2 * n, 2 * n + 1

    def zeros(*shape: int) -> Tensor:
        return torch.zeros(shape, dtype=torch.float64)

    w_e, w_pos = zeros(p + 1, d_model), zeros(3, d_model)
    w_e[:p, head], w_e[p, equals] = waves, 1
    w_pos[0, place], w_pos[1, place] = 1, -1
    w_q, w_k, w_v, w_o = (zeros(2, d_model, n) for _ in range(4))
    w_q[:, equals, 0] = math.sqrt(n)  # undoes the division by √d_head
    w_k[:, equals, 0] = -2 * SATURATED
    if task.sign < 0:
        w_k[:, place, 0] = torch.tensor([SATURATED, -SATURATED])
    w_v[:, head] = torch.eye(n, dtype=torch.float64)
    w_o[:, head] = w_v[:, head]
    w_o[1, :n].diagonal()[1::2] *= task.sign  # waves alternate cos, sin
    w_in, w_out, w_u = zeros(d_model, len(bias)), zeros(len(bias), d_model), zeros(d_model, p)
    w_in[head], w_out[:, n : 2 * n], w_u[n : 2 * n] = reads, writes, waves.T
    return {
        names.W_E: w_e,
        names.W_POS: w_pos,
        names.W_Q: w_q,
        names.W_K: w_k,
        names.W_V: w_v,
        names.W_O: w_o.mT.contiguous(),
        names.W_IN: w_in,
        "blocks.0.mlp.b_in": bias,
        names.W_OUT: w_out,
        names.W_U: w_u,
    }


def amplitudes(p: int, n_thresholds: int | None = None) -> Tensor:
    """q(r), the factor before cos w_k(s - c) for k d/2 = r mod p, r = 0 … p-1: [p], float64; all 1 if exact."""
    return _second_harmonics(p, thresholds(p, n_thresholds)) @ _multipliers(p, n_thresholds)


def explained(p: int, n_thresholds: int | None = None) -> float:
    """Share of the logits, centred over c, that the formula with one α per k explains: (mean q)² / mean q², 0 … 1."""
    q = amplitudes(p, n_thresholds)
    return float(q.mean().square() / q.square().mean())


def thresholds(p: int, n_thresholds: int | None = None) -> Tensor:
    """The thresholds τ, ascending from 0: [n].

    If n_thresholds is None: 0 and every value of the greatest pre-activation except the last one. Otherwise: 0 and
    ½ · 0.3^i. These are dense near zero, where the ideal (log|x|, whose second harmonic does not depend on A) bends.
    """
    if n_thresholds is not None:
        return torch.tensor([0.0] + [0.5 * 0.3**i for i in reversed(range(n_thresholds - 1))], dtype=torch.float64)
    greatest = (_amplitude(p)[: (p + 1) // 2, None] * _phases(p).cos()).amax(1).sort().values
    return torch.cat([greatest.new_zeros(1), greatest[:-1]])


def _phases(p: int) -> Tensor:
    return 2 * math.pi / p * torch.arange(p, dtype=torch.float64)


def _amplitude(p: int) -> Tensor:
    """A_r = 2 cos(2πr/p), [p]; r and -r give the same."""
    return 2 * _phases(p).cos()


def _second_harmonics(p: int, taus: Tensor) -> Tensor:
    """(2/p) Σ_φ relu(A_r cos φ - τ) cos 2φ: [p, n]."""
    phi = _phases(p)
    activation = (_amplitude(p)[:, None, None] * phi.cos()[:, None] - taus).relu()  # [r, φ, τ]
    return torch.einsum("rft,f->rt", activation, (2 * phi).cos()) * 2 / p


@cache
def _multipliers(p: int, n_thresholds: int | None) -> Tensor:
    """The weights m_τ: [n], the least-squares solution of q = 1 over all d."""
    harmonics = _second_harmonics(p, thresholds(p, n_thresholds))
    # The default driver reads memory that nobody has written (pytorch issue 187411), and then its solution is none.
    return torch.linalg.lstsq(harmonics, harmonics.new_ones(p, 1), driver="gelsd").solution[:, 0]


def _parts(task: Task, keys: Sequence[int], n_thresholds: int | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Waves of a token [p, 2|K|], waves → neurons [2|K|, m], bias [m], neurons → waves of the class [m, 2|K|].

    The waves are cos and sin of each k in turn. The neurons are ordered by k, threshold, phase.
    """
    p = task.p
    if not task.modular or p % 2 == 0 or p < 5:
        raise ValueError(f"needs a task modulo an odd p of at least 5, got {task}")
    if not keys or len(set(keys)) < len(keys) or not all(1 <= k <= (p - 1) // 2 for k in keys):
        raise ValueError(f"keys are distinct frequencies from 1 to {(p - 1) // 2}, got {tuple(keys)}")
    token = _phases(p)[:, None] * torch.tensor(keys)
    waves = torch.stack([token.cos(), token.sin()], dim=2).flatten(1)
    phi, taus = _phases(p), thresholds(p, n_thresholds)
    reads = torch.stack([phi.cos(), -phi.sin()]).repeat(1, len(taus))  # cos(x + φ) = cos φ cos x - sin φ sin x
    strength = 2 / p * _multipliers(p, n_thresholds).repeat_interleave(p)
    writes = torch.stack([(2 * phi).cos(), -(2 * phi).sin()], dim=1).repeat(len(taus), 1) * strength[:, None]
    blocks = [reads] * len(keys), [writes] * len(keys)
    bias = -taus.repeat_interleave(p).repeat(len(keys))
    return waves, torch.block_diag(*blocks[0]), bias, torch.block_diag(*blocks[1])
