"""A certificate that float32 answers every pair rightly, whatever the order of additions and fused or not.

For each pair (a, b) there is a bound E on |float32 logit - exact logit|, the same for all classes. *Exact* is the
real-number function of the float32 weights. Where the margin, the right class's logit less the greatest other, is more
than 2 E, every float32 evaluation and the exact one give the right answer. Margins are evaluated in float64, whose own
error is part of E (``measure.rounding``, which has the rules and the reason why no rounding makes E too small).

Covered is the network as ``models.hooked`` defines it, its matrices applied one after another: embedding (and position)
added; for a transformer queries, keys and values, scores divided by √d_head (or multiplied by the reciprocal), softmax
less its greatest score with exponentials good to 2 ulp, the heads summed in any order, W_O, the residual stream, W_in;
ReLU, which rounds nothing and makes no error greater; W_out, W_U, biases. Two products may be folded too, as
``models.network`` does it: W_E W_in of the MLP, each input by itself, and W_out W_U of the transformer. For these the
bound has the sums of absolute values of all terms, |post| |W_out| |W_U|, and all roundings of either order. That makes
it greater by at most γ_d of γ_m + γ_d, a fifth for d_model = 128 and d_mlp = 512, and one bound does for both.

Results below float32's normal numbers may be kept or flushed to zero. Not covered: other folds (``models.tables``),
TF32, bfloat16 or float16, exponentials of lower accuracy, subnormal weights that are read as zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context

import torch
from einops import rearrange
from torch import Tensor

from grok.errors import NotEvaluable
from grok.measure import rounding
from grok.measure.rounding import Rounded, affine, affine_error, carried, flush, gamma
from grok.models import names
from grok.models.architectures import named, network
from grok.models.mlp import MLP
from grok.models.network import Network
from grok.models.transformer import Transformer

BLOCK = 2048  # pairs at once: some ten arrays of this length and d_mlp wide
FEW = 256  # pairs of a block for which the closer bound is computed: a matrix [d_model, C] for each
SCALE = 4  # roundings of the division by √d_head: of the root (twice), its reciprocal, the product


@dataclass(frozen=True)
class Certificate:
    """What is certain of a network's answers on all n² pairs.

    margin: least of the correct logit less the greatest other, negative where an answer is wrong.
    bound: greatest bound E of a pair on |float32 logit - exact logit|.
    right, wrong: number of pairs with margin > 2 E, and with margin < -2 E; of the others nothing is certain.
    pair: (a, b) where margin - 2 E is least.
    """

    margin: float
    bound: float
    pairs: int
    right: int
    wrong: int
    pair: tuple[int, int]

    @property
    def certified(self) -> bool:
        """Margin > 2 E on every pair."""
        return self.right == self.pairs

    @property
    def ratio(self) -> float:
        """Least margin over greatest bound. Above 2 all pairs are certified."""
        return self.margin / self.bound

    def __str__(self) -> str:
        margin, bound = _digits(self.margin, 3, ROUND_FLOOR), _digits(self.bound, 2, ROUND_CEILING)
        found = f"margin {margin} over all {self.pairs:,} pairs, float32 error ≤ {bound}: "
        if self.certified:
            return found + "every answer is certified"
        unsure = self.pairs - self.right - self.wrong
        parts = (f"{n:,} {what}" for n, what in ((self.wrong, "wrong"), (unsure, "not certified")) if n)
        return found + f"{' and '.join(parts)}, the worst at (a, b) = {self.pair}"


def _digits(value: float, n: int, how: str) -> str:
    """So that what is printed is still a bound: a margin is rounded down, an error up."""
    return format(Context(prec=n, rounding=how).create_decimal_from_float(value), "g")


def certify(model: Network) -> Certificate:
    """The certificate of a network with its weights rounded to float32 (which changes none of a float32 network).

    All pairs are evaluated, a block at a time. Raises NotEvaluable for an architecture without rules, neurons other
    than ReLU, weights beyond float32, and activations that may overflow.

    Equation: certain of a pair: margin > 2 E with E ≥ |float32 logit - exact logit|.
    Source: this project, from Higham 2002 (``measure.rounding``).
    """
    margins, bounds = [], []
    for block, labels in _blocks(model):
        found, error = margins_of(block.logits, labels), logit_bounds(block).amax(1)
        near = (found > 0) & (found <= 2 * error)
        if isinstance(block, Transformer) and 0 < int(near.sum()) <= FEW:
            error[near] = error[near].minimum(closer_bounds(block, near).amax(1))
        margins.append(found)
        bounds.append(error)
    margin, bound = torch.cat(margins), torch.cat(bounds)
    a, b = divmod(int((margin - 2 * bound).argmin()), model.task.n)
    right, wrong = ((sign * margin > 2 * bound).sum() for sign in (1, -1))
    return Certificate(float(margin.min()), float(bound.max()), len(margin), int(right), int(wrong), (a, b))


def logit_bounds(model: Network) -> Tensor:
    """Of each pair and class a bound on |float32 logit - exact| + |``model.logits`` - exact|: [n², C], float64.

    Raises NotEvaluable as ``certify``.

    Equation: E = error of the last layer, carried through the network by the rules of ``measure.rounding``.
    Source: this project, from Higham 2002.
    """
    if model.activation != "relu":
        raise NotEvaluable(f"the error analysis is for relu neurons, these are {model.activation}")
    if model.architecture not in ERRORS:
        raise NotEvaluable(f"no error analysis is written for the architecture {model.architecture}")
    return rounding.bounded(ERRORS[model.architecture](model)) * rounding.INFLATION


def _blocks(model: Network) -> Iterator[tuple[Network, Tensor]]:
    """Networks of some values of a and every b, with the labels of their pairs."""
    weights = {name: w.float().double() for name, w in model.weights.items()}
    if not all(bool(w.isfinite().all()) for w in weights.values()):
        raise NotEvaluable("a weight is too large for float32")
    n, rows = model.task.n, max(1, BLOCK // model.task.n)
    chunks = named(model.architecture).chunks(weights, rows)
    for chunk, labels in zip(chunks, model.labels.split(rows * n), strict=True):
        yield network(chunk, model.task, activation=model.activation), labels


def margins_of(logits: Tensor, labels: Tensor) -> Tensor:
    """The correct logit minus the greatest other, negative if the answer is wrong: [N, C], [N] → [N].

    Equation: margin = L_s - max_{c ≠ s} L_c.
    Source: the definition of a classifier's margin.
    """
    right = logits.gather(1, labels[:, None])
    return right[:, 0] - logits.scatter(1, labels[:, None], -torch.inf).amax(1)


def _mlp(model: MLP) -> Tensor:
    """Terms (|E_a| + |E_b|) |W_in|, in either order: d products, the sum of both inputs, the bias."""
    w_in = model.weights[names.MLP_W_IN].abs()
    first, second = model.W_E.abs() @ w_in, model.weights.get("W_E_b", model.W_E).abs() @ w_in
    bias = model.weights.get("b_in", w_in.new_zeros(1)).abs()
    n = len(w_in) + 2
    terms = rearrange(first[:, None] + second, "a b m -> (a b) m") + bias
    pre = rounding.bounded(gamma(n) * terms + flush(n) * (1 + w_in.sum(0)))
    return affine_error(Rounded(model.post, pre), model.U, model.skip_logits[0])


def _transformer(model: Transformer) -> Tensor:
    mid = _resid_mid(model)
    w_in, w_out, w_u = (model.weights[name] for name in (names.W_IN, names.W_OUT, names.W_U))
    b_in, b_out, b_u = (_bias(model, name) for name in ("blocks.0.mlp.b_in", "blocks.0.mlp.b_out", "unembed.b_U"))
    post = Rounded(model.post, affine_error(mid, w_in, b_in))
    # post W_out W_U in either order, the residual stream and the two biases
    n = len(w_out) + len(w_u) + 3
    stream = carried(post, n) @ w_out.abs() + carried(mid, n) + gamma(n) * b_out.abs() + flush(n)
    flushed = flush(n) * (1 + post.magnitude.sum(1, keepdim=True))
    return stream @ w_u.abs() + gamma(n) * b_u.abs() + flushed


def closer_bounds(model: Transformer, which: Tensor) -> Tensor:
    """A smaller bound than that of ``logit_bounds``, of the pairs in a mask: [n²] of bool → [N, C], float64.

    An error e of the residual stream is one vector that the skip and all neurons read, so parts of it cancel. A neuron
    whose input is further from zero than its error is on, or off, in every evaluation. Let D be 1 for those that are
    on. Then e adds e (W_in D W_out W_U + W_U) to the logits, at most |e| |W_in D W_out W_U + W_U|. The other rule
    multiplies by |W_in| |W_out| |W_U|. It still holds for neurons that may be on or off, and for roundings after e.

    Equation: |e| |W_in D W_out W_U + W_U| for the error e of the residual stream; the rest as in ``logit_bounds``.
    Source: this project, from Higham 2002.
    """
    mid = _resid_mid(model)
    mid = Rounded(mid.value[which], mid.error[which])
    w_in, w_out, w_u = (model.weights[name] for name in (names.W_IN, names.W_OUT, names.W_U))
    b_in, b_out, b_u = (_bias(model, name) for name in ("blocks.0.mlp.b_in", "blocks.0.mlp.b_out", "unembed.b_U"))
    pre = affine_error(mid, w_in, b_in)
    value = model.pre[which]
    sure, readout = value.abs() > rounding.INFLATION * pre, model.U.abs()
    on = w_in * (sure & (value > 0))[:, None] @ model.U + w_u  # [N, d, C]
    own = affine_error(Rounded(mid.value, torch.zeros_like(mid.error)), w_in, b_in)
    came = mid.error @ w_in.abs()
    error = torch.einsum("nd,ndc->nc", mid.error, on.abs()) + 2.0**-30 * came @ readout  # for the roundings of ``on``
    error = error + ((own + gamma(len(w_in) + 1) * came) * sure + pre * ~sure) @ readout
    post = Rounded(model.post[which], pre)
    n = len(w_out) + len(w_u) + 3
    stream = gamma(n) * (post.magnitude @ w_out.abs() + mid.magnitude + b_out.abs()) + flush(n)
    flushed = flush(n) * (1 + post.magnitude.sum(1, keepdim=True))
    return rounding.bounded(error + stream @ w_u.abs() + gamma(n) * b_u.abs() + flushed) * rounding.INFLATION


def _resid_mid(model: Transformer) -> Rounded:
    """The residual stream between attention and MLP: x + Σ_heads z W_O + b_O."""
    tokens = _tokens(model)
    z = Rounded(model.z.flatten(1), _attended(model, tokens))
    w_o, b_o = model.W_O.flatten(0, 1).abs(), _bias(model, "blocks.0.attn.b_O").abs()
    n = len(w_o) + 2
    error = carried(z, n) @ w_o + carried(tokens[2], n) + gamma(n) * b_o + flush(n)
    return Rounded(model.resid_mid, rounding.bounded(error))


def _tokens(model: Transformer) -> tuple[Rounded, Rounded, Rounded]:
    """Embedding + position of a, b and ``=``: [rows, d], [n, d], [1, d]."""
    embed, pos, n = model.weights[names.W_E], model.weights[names.W_POS], model.task.n
    parts = (model.weights.get("embed.W_E_a", embed[:n]), embed[:n], embed[n:][:1])
    return tuple(rounding.total(part, at) for part, at in zip(parts, pos, strict=False))  # type: ignore[return-value]


def _attended(model: Transformer, tokens: tuple[Rounded, Rounded, Rounded]) -> Tensor:
    """The error of ``model.z``, Σ over the three positions of attention weight · value: [N, h·k]."""
    weights = Rounded(model.pattern, _pattern_error(model, tokens))
    values = [_per_head(model, x, "V") for x in tokens]
    n = len(values)
    by_position = [
        rearrange(w, "(a b) h position -> position a b h 1", b=len(values[1].value))
        for w in (carried(weights, n), weights.value)
    ]
    parts = []
    for moved, weight, v, shape in zip(*by_position, values, ("t 1 h k", "1 t h k", "1 t h k"), strict=True):
        magnitude, own = (rearrange(x, f"t h k -> {shape}") for x in (v.magnitude, v.error))
        parts.append(moved * magnitude + weight * own)
    return rearrange(parts[0] + parts[1] + parts[2] + flush(n), "a b h k -> (a b) (h k)")


def _pattern_error(model: Transformer, tokens: tuple[Rounded, Rounded, Rounded]) -> Tensor:
    """The error of ``model.pattern``: [N, h, 3]."""
    d_head = model.d_head
    q = _per_head(model, tokens[2], "Q")
    query = Rounded(model.query[None], q.error / d_head**0.5)
    n = d_head + SCALE
    errors = [rounding.product(_per_head(model, x, "K"), query, "thk,ohk->th", n) for x in tokens]
    return rounding.softmax_error(Rounded(_by_pair(model.scores), _by_pair(errors)), model.pattern)


def _by_pair(by_token: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    """What each position has of each token, for every pair: [rows, h], [n, h], [1, h] → [N, h, 3]."""
    a, b, equals = by_token
    shape = len(a), len(b), a.shape[1]
    stacked = torch.stack([a[:, None].expand(shape), b[None].expand(shape), equals[None].expand(shape)], dim=-1)
    return rearrange(stacked, "a b h position -> (a b) h position")


def _per_head(model: Transformer, x: Rounded, which: str) -> Rounded:
    """x W + b of all heads, which = Q, K or V: [t, d] → [t, h, k]."""
    matrix = rearrange(model.weights[f"blocks.0.attn.W_{which}"], "h d k -> d (h k)")
    made = affine(x, matrix, _bias(model, f"blocks.0.attn.b_{which}").flatten())
    return Rounded(*(y.unflatten(1, (model.n_heads, model.d_head)) for y in (made.value, made.error)))


def _bias(model: Transformer, name: str) -> Tensor:
    return model.weights.get(name, model.W_U.new_zeros(1))


ERRORS: dict[str, Callable[..., Tensor]] = {"mlp": _mlp, "transformer": _transformer}
