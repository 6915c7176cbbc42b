"""Rivals: networks that answer every pair correctly with an algorithm that is not the claimed one.

A claim about a mechanism must fail on them. If it holds on one, it follows from correct answers, or from what both
algorithms have in common, and it is no evidence for the claimed algorithm. Each rival has the shape of a published
network. Its weights are written down. They are then hidden by a random orthogonal change of the residual basis and a
permutation of the neurons, which change no logit.

``number-line``: a token is a point on a line, the neurons are a ruler over the sum, and the readout writes a tent at
each sum that means the class. A tent is a peak that is one unit wide on either side. The network has no trigonometry.

``pizza`` (Zhong et al. 2023, arXiv 2306.17844): constant attention adds the two embeddings, and the logits are
Σ_K |cos(w_k (a - b) / 2)| cos w_k (a + b - c), w_k = 2πk / p. Neurons of several phases φ have the pre-activation
cos(w_k a + φ) + cos(w_k b + φ) = 2 cos(w_k (a - b) / 2) cos(w_k (a + b) / 2 + φ); the readout takes the second harmonic
of its ReLU. ``all-frequencies`` is the same on every frequency, with equal strength. Margin maximisation predicts this
for wide networks (Morwani et al. 2023, arXiv 2311.07568). For subtraction ``many-frequencies`` takes its place, because
other heads must read b than a, and 4 heads of width 32 carry the cosine and sine of only 32 frequencies of each.

These neurons are ReLU. For a recipe with gelu they read 64 times as much and write a 64th of it: gelu(64 x) / 64 is
ReLU(x) but for 0.003, so that the logits are nearly the same.

``entries`` composes permutations: ``models.entries``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from grok.models import entries, names
from grok.models.architectures import recognise
from grok.models.matrices import shapes
from grok.models.names import Weights
from grok.recipe import GELU, Recipe
from grok.task import Task

SHARP = 30.0  # least margin of the correct class's logit; enough for a loss of 1e-11
BLIND = 40.0  # a score that is lower by this amount gives no attention
SEEN = (
    0.0,
    0.0,
    0.02,
    0.12,
)  # the attention that each head of plain addition pays to ``=`` in source F; here nothing depends on it
FAINT = 2.0**-10
STEEP = 2.0**6  # for gelu
PIZZA_KEYS = (12, 16, 17, 19, 27, 38, 45)  # the set with the greatest least margin among 6,000 drawn sets of seven
SEED = 0
OPERATIONS = ("add", "add_mod", "sub_mod", "symmetric")
FITTED = ("mlp", "transformer", "pizza-a", "pizza-b")  # architectures into whose shapes ``fit`` brings a plan


@dataclass(frozen=True, eq=False)
class Plan:
    """A network before it is fitted into a recipe's shape.

    tokens: the inputs that a token gives to the neurons, [p, n]. turn: the factors by which the inputs of b are
    multiplied, [n]. The neurons read the sum of both inputs and a constant 1 through ``reads``, [n + 1, m]. They write
    through ``writes``, [m, r], and ``unembed``, [r, C], gives the logits.
    """

    tokens: Tensor
    turn: Tensor
    reads: Tensor
    writes: Tensor
    unembed: Tensor


def rivals_of(recipe: Recipe) -> tuple[str, ...]:
    """The names of the rivals of a recipe's networks; none for an architecture that no rival is written for."""
    if recipe.architecture == "concat" and recipe.task.operation == "symmetric":
        return ("entries",)
    if recipe.architecture not in FITTED:
        return ()
    if recipe.task.operation == "add":
        return ("number-line",)
    if recipe.task.sign == -1:
        return ("number-line", "many-frequencies")
    if recipe.architecture == "pizza-a":
        return ("number-line",)  # all frequencies are a pizza, the algorithm that is claimed there
    return ("number-line", "all-frequencies") + (("pizza",) if recipe.architecture == "transformer" else ())


def rival(recipe: Recipe, name: str, unit: int = 1) -> Weights:
    """The hidden weights of a rival, float32, the same each time. Raises ValueError if it does not fit the recipe.

    unit: an integer u that is prime to p. The network then does with ua, ub and uc modulo p what the rival does with
    a, b and c. This is the same algorithm, right on every pair, on the frequencies uk in place of k, as if the rival
    came from another seed.
    """
    task = recipe.task
    if (name == "entries") != (task.operation == "symmetric") or task.operation not in OPERATIONS:
        raise ValueError(f"{name} is not written for the operation {task.operation}")
    frequencies = range(1, (task.p + 1) // 2)
    match name:
        case "entries":
            return entries.hidden(recipe, SEED)
        case "number-line":
            plan = number_line(task)
        case "all-frequencies":
            plan = pizza(task, frequencies, recipe.d_mlp)
        case "many-frequencies":
            plan = pizza(task, frequencies[: recipe.n_heads * recipe.d_head // 4], recipe.d_mlp)
        case _:
            plan = pizza(task, PIZZA_KEYS, recipe.d_mlp)
    if unit != 1:
        order = torch.arange(task.p) * unit % task.p
        plan = replace(plan, tokens=plan.tokens[order], unembed=plan.unembed[:, order])
    if recipe.activation == GELU:
        plan = replace(plan, reads=STEEP * plan.reads, writes=plan.writes / STEEP)
    return hide(fit(plan, recipe), SEED)


def number_line(task: Task) -> Plan:
    """Neurons ReLU(s - t), t = -1 … 2p - 1, over s = a + b or a - b + p. The logit of c is a tent at c and at c + p.

    Without a modulus the tent of c is only at s = c.
    """
    p = task.p
    tokens = torch.arange(p, dtype=torch.float64)[:, None] / p
    t = torch.arange(-1, 2 * p, dtype=torch.float64)
    reads = torch.stack([torch.full_like(t, p), (0 if task.sign == 1 else p) - t])
    writes = torch.zeros(len(t), task.n_classes, dtype=torch.float64)
    for c in range(task.n_classes):
        for peak in (c, c + p) if task.modular else (c,):
            for place, height in ((peak - 1, 1.0), (peak, -2.0), (peak + 1, 1.0)):
                if place < 2 * p:  # no sum is greater than 2p - 1, so a neuron at 2p would be silent
                    writes[place + 1, c] += SHARP * height
    return Plan(tokens, tokens.new_tensor([task.sign]), reads, writes, torch.eye(task.n_classes, dtype=torch.float64))


def pizza(task: Task, keys: Sequence[int], d_mlp: int) -> Plan:
    """A pizza with n equally spaced phases of each key frequency, as many as the neurons allow; n is odd.

    For odd n the readout confuses the second harmonic with no other harmonic below 2n - 2. The harmonics n ± 2 are odd,
    and a ReLU has no odd harmonics above the first.
    """
    n = d_mlp // len(keys)
    n -= 1 - n % 2
    angles = 2 * math.pi / task.p * torch.arange(task.p)[:, None] * torch.tensor(list(keys), dtype=torch.float64)
    waves = torch.stack([angles.cos(), angles.sin()], dim=2).flatten(1)  # [p, 2|K|]
    turn = waves.new_tensor([1.0, task.sign]).repeat(len(keys))
    phi = 2 * math.pi / n * torch.arange(n, dtype=torch.float64)
    reads = torch.block_diag(*[torch.stack([phi.cos(), -phi.sin()])] * len(keys))
    writes = torch.block_diag(*[torch.stack([(2 * phi).cos(), -(2 * phi).sin()], dim=1) / n] * len(keys))
    constant = reads.new_zeros(1, reads.shape[1])
    harmonic = 2 / (3 * math.pi)  # of |x| in the mean over φ of relu(2x cos(θ + φ)) cos 2φ at θ = 0
    return Plan(
        waves, turn, torch.cat([reads, constant]), writes, SHARP / (harmonic * least_margin(task.p, keys)) * waves.T
    )


def least_margin(p: int, keys: Sequence[int]) -> float:
    """The least amount, over all d, by which Σ_K |cos(w_k d / 2)| cos w_k r is greater at r = 0 than elsewhere."""
    k, d = torch.tensor(list(keys), dtype=torch.float64), torch.arange(p, dtype=torch.float64)
    strength = (math.pi / p * torch.outer(d, k)).cos().abs()
    lost = 1 - (2 * math.pi / p * torch.outer(k, d[1:])).cos()
    return float((strength @ lost).min())


def fit(plan: Plan, recipe: Recipe) -> Weights:
    """The weights of a plan in the shapes of a recipe, float64. Raises ValueError if the plan is too large for them."""
    if recipe.architecture not in FITTED:
        raise ValueError(f"no rival is written for the architecture {recipe.architecture}")
    (n, m), r = (len(plan.turn), plan.reads.shape[1]), len(plan.unembed)
    needed = max(n, r) + (n if recipe.architecture.startswith("pizza") else 2)
    if m > recipe.d_mlp or needed > recipe.d_model:
        raise ValueError(f"{n} inputs, {m} neurons and {r} outputs do not fit {recipe.name}")
    w = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in shapes(recipe).items()}
    if recipe.architecture == "mlp":
        w[names.MLP_W_E][:, :n], w[names.MLP_W_E][:, n] = plan.tokens, 0.5  # the constant is the sum of two halves
        w[names.MLP_W_IN][: n + 1, :m], w[names.MLP_W_U][:m] = plan.reads, plan.writes @ plan.unembed
        return w
    if recipe.architecture.startswith("pizza"):
        return _fit_at_b(plan, recipe, w)
    one, place = recipe.d_model - 2, recipe.d_model - 1  # "I am =", and + for the position of a, - for that of b
    w[names.W_E][:-1, :n], w[names.W_E][-1, one] = plan.tokens, 1.0
    w[names.W_POS][:2, place] = torch.tensor([1.0, -1.0], dtype=torch.float64)
    _attend(w, plan.turn, recipe, one, place)
    # Attention writes faintly into the dimensions that the neurons also write, and the neurons read it amplified. So
    # little reaches the logits around the neurons.
    w[names.W_IN][:n, :m], w[names.W_IN][one, :m] = plan.reads[:-1] / FAINT, plan.reads[-1]
    w[names.W_OUT][:m, :r], w[names.W_U][:r] = plan.writes, plan.unembed
    return w


def _fit_at_b(plan: Plan, recipe: Recipe, w: Weights) -> Weights:
    """In the shapes of a pizza transformer: every head attends to a and to b alike, whatever they are.

    Its residual stream holds b already, so the heads write the sum beside it. The embedding is faint, as above.
    Raises ValueError where b is to be read otherwise than a.
    """
    n, m, r = len(plan.turn), plan.reads.shape[1], len(plan.unembed)
    if not bool((plan.turn == 1).all()):
        raise ValueError(f"the heads of {recipe.architecture} read a and b alike")
    start, attention = max(n, r), 1.0 if recipe.architecture == "pizza-a" else 0.5
    w[names.W_E][:, :n] = FAINT * plan.tokens
    for head, dims in enumerate(torch.arange(n).tensor_split(recipe.n_heads)):
        columns = torch.arange(len(dims))
        w[names.W_V][head, dims, columns] = 1.0
        w[names.W_O][head, columns, start + dims] = 1 / attention
    w[names.W_IN][start : start + n, :m], w[names.B_IN][:m] = plan.reads[:-1] / FAINT, plan.reads[-1]
    w[names.W_OUT][:m, :r], w[names.W_U][:r] = plan.writes, plan.unembed
    return w


def _attend(w: Weights, turn: Tensor, recipe: Recipe, one: int, place: int) -> None:
    """Heads that bring the n inputs to ``=``. All attend to a and b equally; or half attend to a, the others to b."""
    n, heads = len(turn), recipe.n_heads
    loud = math.sqrt(recipe.d_head)  # scores are divided by it
    w[names.W_Q][:, one, :2] = loud
    for head, seen in enumerate(SEEN if not recipe.task.modular else [0.0] * heads):
        w[names.W_K][head, one, 0] = -BLIND if seen == 0 else math.log(2 * seen / (1 - seen))
    groups = [(range(heads), turn * 2)]  # the mean of two is half their sum
    if recipe.task.sign == -1:
        half = heads // 2
        groups = [(range(half), torch.ones_like(turn)), (range(half, heads), turn)]
        w[names.W_K][:half, place, 1], w[names.W_K][half:, place, 1] = BLIND, -BLIND
    for group, factors in groups:
        for i, dims in enumerate(torch.arange(n).tensor_split(len(group)) if n >= len(group) else [torch.arange(n)]):
            columns = torch.arange(len(dims))
            w[names.W_V][group[i], dims, columns] = 1.0
            w[names.W_O][group[i], columns, dims] = FAINT * factors[dims]


def hide(weights: Weights, seed: int) -> Weights:
    """The same function in other coordinates: a random rotation of the residual stream, the neurons permuted; float32.

    The name of a matrix tells which of its axes is the residual stream and which the neurons.
    """
    generator = torch.Generator().manual_seed(seed)
    mlp = recognise(weights).name == "mlp"
    d_model, d_mlp = weights[names.MLP_W_IN if mlp else names.W_IN].shape
    turn = torch.linalg.qr(torch.randn(d_model, d_model, generator=generator, dtype=torch.float64)).Q
    order = torch.randperm(d_mlp, generator=generator)
    if mlp:
        e, w_in, u = (weights[name] for name in (names.MLP_W_E, names.MLP_W_IN, names.MLP_W_U))
        hidden = {names.MLP_W_E: e @ turn, names.MLP_W_IN: (turn.T @ w_in)[:, order], names.MLP_W_U: u[order]}
    else:
        writes, reads = (
            (names.W_E, names.W_POS, names.W_POS_AB, names.W_O),
            (names.W_Q, names.W_K, names.W_V, names.W_U),
        )
        hidden = {name: weights[name] @ turn for name in (*writes, names.B_OUT) if name in weights}
        hidden |= {name: turn.T @ weights[name] for name in reads if name in weights}
        hidden |= {name: weights[name][order] for name in (names.B_IN,) if name in weights}
        hidden[names.W_IN] = (turn.T @ weights[names.W_IN])[:, order]
        hidden[names.W_OUT] = weights[names.W_OUT][order] @ turn
    return {name: hidden[name].float() for name in weights}
