"""What tells a clock from a pizza: the measures of Zhong et al. 2023, "The Clock and the Pizza" (arXiv 2306.17844).

Throughout s = a ± b is the answer and d = a ∓ b the distance, both modulo p, with the task's sign; w_k = 2πk/p. A clock
multiplies, so that its logits depend on s - c only. A pizza adds the embeddings, and its logits are weaker where a and
b lie across the circle from each other.

Source: Zhong et al. 2023 (arXiv 2306.17844).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from grok.errors import NotEvaluable
from grok.measure.embedding import TINY
from grok.models.architectures import recognise
from grok.models.network import Network
from grok.task import Task

TRIPLES = 100
GROUP = 10  # triples in one forward pass, which computes every pair of their a and b
SOURCE_SEED = 42
SUMS = ("add_mod", "sub_mod")  # tasks whose elements are numbers, so that a ± b are numbers too
ROUNDING = 1e-9  # of the greatest logit


def by_answer_and_distance(values: Tensor, task: Task) -> Tensor:
    """A value for each pair, sorted by (s, d): [p²] → [p, p]; rows s = a ± b, columns d = a ∓ b.

    Raises NotEvaluable unless the task is addition or subtraction modulo an odd p, where (s, d) tell (a, b).

    Equation: T[a ± b, a ∓ b] = v(a, b), both modulo p.
    """
    if task.operation not in SUMS or task.p % 2 == 0:
        raise NotEvaluable(f"distance is defined for addition and subtraction modulo an odd p, not for {task}")
    a, b = task.pairs().unbind(1)
    table = values.new_empty(task.p, task.p)
    table[(a + task.sign * b) % task.p, (a - task.sign * b) % task.p] = values
    return table


def distance_irrelevance(model: Network) -> float:
    """Z2. mean over d of std over s of the correct logit, over its std over all pairs: 0 … 1.

        q = (1/p) Σ_d std_s L(s, d) / std L,    L(s, d) the logit of class s

    0: the correct logit depends on the distance only, as in a pizza; 1: it does not depend on it. The source's
    Definition 4.2 as in its code, population standard deviations. For subtraction the distance is a + b.
    Raises NotEvaluable for other tasks, and where the correct logit is the same for every pair.

    Equation: q = mean_d std_s L(s, d) / std L.
    """
    correct = model.logits.gather(1, model.labels[:, None])[:, 0]
    table = by_answer_and_distance(correct, model.task)
    spread = table.std(unbiased=False)
    if spread <= ROUNDING * model.logits.abs().max():
        raise NotEvaluable("the correct logit is the same for every pair")
    return float(table.std(0, unbiased=False).mean() / spread)


def gradient_symmetricity(model: Network) -> float:
    """Z3. Mean cosine of ∂L_c/∂E_a and ∂L_c/∂E_b over 100 triples (a, b, c): -1 … 1.

    L_c: the logit of class c; E_a, E_b: the embeddings in the residual stream, before positions, each on its own also
    where a = b. Exact, by autograd through the network's own forward pass. 1 if the network reads nothing but
    E_a + E_b: for an MLP that adds its embeddings this holds by construction and says nothing. A triple without a
    gradient counts as 0. Raises NotEvaluable if all triples are without. The source's Definition 4.1; which triples,
    ``source_triples``.

    Equation: mean over (a, b, c) of ⟨∂L_c/∂E_a, ∂L_c/∂E_b⟩ / (‖∂L_c/∂E_a‖ ‖∂L_c/∂E_b‖).
    """
    return float(gradient_cosines(model).mean())


def gradient_cosines(model: Network) -> Tensor:
    """The cosine of each triple: [100], -1 … 1; see ``gradient_symmetricity``, their mean. Raises as it does.

    Equation: ⟨∂L_c/∂E_a, ∂L_c/∂E_b⟩ / (‖∂L_c/∂E_a‖ ‖∂L_c/∂E_b‖).
    """
    groups = [_cosines(model, group) for group in source_triples(model.task.n).split(GROUP)]
    cosines, norms = (torch.cat(parts) for parts in zip(*groups, strict=True))
    if not norms.any():
        raise NotEvaluable("no logit depends on both numbers")
    return cosines


def _cosines(model: Network, triples: Tensor) -> tuple[Tensor, Tensor]:
    """cos(∂L_c/∂E_a, ∂L_c/∂E_b) of each (a, b, c), and the product of the two norms: [N, 3] → [N], [N].

    Of all N² pairs the diagonal is read.
    """
    architecture, n = recognise(model.weights), len(triples)
    first, second = (
        table[tokens].detach().clone().requires_grad_()
        for table, tokens in zip(architecture.embeddings(model.weights), triples.T[:2], strict=True)
    )
    inside = replace(model, task=Task(n), weights=architecture.embedded(model.weights, first, second), split=None)
    logits = inside.logits[torch.arange(n) * (n + 1), triples[:, 2]]
    of_a, of_b = torch.autograd.grad(logits.sum(), (first, second))
    norms = of_a.norm(dim=1) * of_b.norm(dim=1)
    return (of_a * of_b).sum(1) / norms.clamp_min(TINY), norms


@lru_cache
def source_triples(n: int) -> Tensor:
    """100 of the n³ triples (a, b, c), all different, the same each time: [100, 3], int64.

    The first of ``random.shuffle`` of all in order under seed 42: with those for p = 59 come the source's figures.

    Equation: the first 100 of the n³ triples, shuffled under seed 42.
    """
    order = list(range(n**3))
    random.Random(SOURCE_SEED).shuffle(order)
    chosen = torch.tensor(order[:TRIPLES])
    return torch.stack([chosen // n**2, chosen // n % n, chosen % n], dim=1)


@dataclass(frozen=True)
class Circle:
    """How well the two formulas explain the logits of a network of which one circle of the embedding is left.

    Shares of the squared norm of the logits, centred over c for each pair, by one multiple of the formula, centred
    too: 0 … 1. clock: cos w_k(s - c). pizza: |cos(w_k d/2)| (|cos(w_k(s - c)/2)| - |sin(w_k(s - c)/2)|).
    """

    frequency: int
    clock: float
    pizza: float


def circle(model: Network, frequency: int) -> Circle:
    """Z1. Logits of one circle alone: of W_E only its mean and its part on cos, sin w_k over the tokens are left.

    The source keeps the two principal components that are the circle of k, and PCs 17 to 20 besides; here it is
    exactly the frequency. It takes the explained variance of z-scored values: ``z_scored`` of these shares.
    With all circles at once the formulas cannot be told apart, even on the source's pizza.
    Raises NotEvaluable for tasks other than addition and subtraction modulo an odd p.

    Equation: share = ⟨L, f⟩² / (‖L‖² ‖f‖²), f the clock's formula or the pizza's, both centred over c.
    """
    task = model.task
    table = logits_of_circle(model, frequency)
    clock, pizza = formulas(task.p, frequency)
    return Circle(frequency, _explained(table, clock), _explained(table, pizza))


def circles(model: Network) -> list[Circle]:
    """``circle`` of each key frequency; of the strongest ones where none stands out (``Network.key_frequencies``).

    Equation: as ``circle``, for each k in K.
    """
    return [circle(model, k) for k in model.key_frequencies]


@dataclass(frozen=True, eq=False)
class Profile:
    """Logits of one circle, centred over c and in the mean over s, against the angle w_k(s - c): [p] each.

    turns: the angle in turns, ascending, 0 … 1. together: of pairs with d = 0; opposite: of the d at which a and b
    lie most nearly across the circle of k from each other. clock, pizza: the formulas in their best multiple, the
    pizza's at d = 0; at the opposite d it is nearly 0, and the clock's is the same.
    """

    turns: Tensor
    together: Tensor
    opposite: Tensor
    clock: Tensor
    pizza: Tensor


def profile(model: Network, frequency: int) -> Profile:
    """What ``circle`` compares, at two distances. Raises NotEvaluable as ``circle`` does.

    Equation: mean over s of L_{s - r}(s, d), centred over c, at d = 0 and at the d of the least |cos(w_k d/2)|.
    """
    p = model.task.p
    table = logits_of_circle(model, frequency)
    across = int((math.pi * frequency / p * torch.arange(p)).cos().abs().argmin())
    turns, order = (frequency * torch.arange(p) % p / p).sort()
    s = torch.arange(p)
    classes = (s[:, None] - order) % p  # [s, r]: c at the angle of r
    clock, pizza = (f * ((table * f).sum() / f.expand_as(table).square().sum()) for f in formulas(p, frequency))
    four = (table[:, 0], table[:, across], clock[:, 0], pizza[:, 0])
    return Profile(turns, *(values.gather(1, classes).mean(0) for values in four))


def formulas(p: int, frequency: int) -> tuple[Tensor, Tensor]:
    """Clock and pizza over (s, d, c), centred over c: [p, p, p] each, the clock's with d of length 1.

    Equation: clock cos w_k(s - c); pizza |cos(w_k d/2)| (|cos(w_k(s - c)/2)| - |sin(w_k(s - c)/2)|).
    """
    half = math.pi * frequency / p * torch.arange(p, dtype=torch.float64)  # w_k r / 2
    of_r = torch.stack([(2 * half).cos(), half.cos().abs() - half.sin().abs()])
    c = torch.arange(p)
    of_r = (of_r - of_r.mean(1, keepdim=True))[:, (c[:, None] - c) % p]  # [formula, s, c]
    return of_r[0, :, None], of_r[1, :, None] * half.cos().abs()[:, None]


def z_scored(share: float) -> float:
    """2 r - 1 with r = √share: the explained variance of two z-scored quantities with the correlation r; -1 … 1.

    Equation: 2 √share - 1.
    """
    return 2 * math.sqrt(share) - 1


def logits_of_circle(model: Network, frequency: int) -> Tensor:
    """Logits with one circle of W_E and its mean left, by answer, distance and class, centred over c: [p, p, p].

    In single precision, which is enough for a share, and half the work. Raises NotEvaluable as ``circle``.

    Equation: L_c(s, d) - mean_c L_c(s, d), W_E → mean + its part on cos w_k t and sin w_k t.
    """
    single = replace(model, weights={name: w.float() for name, w in model.weights.items()})
    edited = with_embedding(single, lambda table: _circle_of(table, frequency)).logits.double()
    centred = edited - edited.mean(1, keepdim=True)
    order = by_answer_and_distance(torch.arange(len(centred)), model.task)
    return centred[order]


def _circle_of(table: Tensor, frequency: int) -> Tensor:
    """Mean over the tokens and the part on cos k, sin k: [p, d] → [p, d]."""
    angle = 2 * math.pi * frequency / len(table) * torch.arange(len(table), dtype=table.dtype)
    waves = torch.stack([angle.cos(), angle.sin()]) * math.sqrt(2 / len(table))
    return table.mean(0) + waves.T @ (waves @ table)


def with_embedding(model: Network, edit: Callable[[Tensor], Tensor]) -> Network:
    """The same network with its embeddings of a and of b edited: [n, d_model] → [n, d_model], before positions.

    Equation: E_a → edit(E_a), E_b → edit(E_b).
    Source: this project, for Z1.
    """
    architecture = recognise(model.weights)
    first, second = architecture.embeddings(model.weights)
    return replace(model, weights=architecture.embedded(model.weights, edit(first), edit(second)))


def _explained(values: Tensor, formula: Tensor) -> float:
    """Share of the squared norm of values that one multiple of the formula explains, 0 … 1; 0 of nothing."""
    formula = formula.expand_as(values)
    overlap = (values * formula).sum().square()
    return float(overlap / (values.square().sum() * formula.square().sum()).clamp_min(TINY))
