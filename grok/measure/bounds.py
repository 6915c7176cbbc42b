"""How far a float32 logit can be from the exact one: running error analysis of each architecture.

Covered is the network as ``models.hooked`` defines it, its matrices applied one after another: embedding (and position)
added; for a transformer queries, keys and values, scores divided by √d_head (or multiplied by the reciprocal), softmax
less its greatest score with exponentials good to 2 ulp, or the constant 1 in its place, the heads summed in any order,
W_O, the residual stream, W_in; ReLU, which rounds nothing and makes no error greater, or x², one product; W_out, W_U,
biases. Some products may be folded too, as ``models`` does it: W_E W_in of the MLP, each input by itself, with two
embeddings side by side each with its half of W, and W_out W_U of the transformers. For these the bound has the sums of
absolute values of all terms, |post| |W_out| |W_U|, and all roundings of either order. That makes it greater by at most
γ_d of γ_m + γ_d, a fifth for d_model = 128 and d_mlp = 512, and one bound does for both.

Results below float32's normal numbers may be kept or flushed to zero. Not covered: other folds (``models.tables``),
TF32, bfloat16 or float16, exponentials of lower accuracy, subnormal weights that are read as zero.

``measure.rounding`` has the rules, and the reason why no rounding makes a bound too small.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from einops import rearrange
from torch import Tensor

from grok.errors import NotEvaluable
from grok.measure import rounding
from grok.measure.rounding import Rounded, affine, affine_error, carried, flush, gamma
from grok.models import concat, names, pizza, quadratic
from grok.models.concat import Concat
from grok.models.mlp import MLP
from grok.models.network import Network
from grok.models.pizza import Pizza
from grok.models.quadratic import QuadraticMLP
from grok.models.transformer import Transformer

SCALE = 4  # roundings of the division by √d_head: of the root (twice), its reciprocal, the product


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


def _mlp(model: MLP) -> Tensor:
    """Terms (|E_a| + |E_b|) |W_in|, in either order: d products, the sum of both inputs, the bias."""
    w_in = model.weights[names.MLP_W_IN].abs()
    first, second = model.W_E.abs() @ w_in, model.weights.get("W_E_b", model.W_E).abs() @ w_in
    bias = model.weights.get("b_in", w_in.new_zeros(1)).abs()
    n = len(w_in) + 2
    terms = rearrange(first[:, None] + second, "a b m -> (a b) m") + bias
    pre = rounding.bounded(gamma(n) * terms + flush(n) * (1 + w_in.sum(0)))
    return _readout(model, pre)


def _concat(model: Concat) -> Tensor:
    """Terms |W_x[a]| |W| + |W_y[b]| |W|, each with its half of W, in any order: 2 d products and their sum."""
    first, second = (table.abs() for table in concat.embeddings(model.weights))
    reads_a, reads_b = model.weights[names.CONCAT_W].abs().tensor_split([first.shape[1]])
    n = first.shape[1] + second.shape[1]
    terms = rearrange((first @ reads_a)[:, None] + second @ reads_b, "a b m -> (a b) m")
    return _readout(model, rounding.bounded(gamma(n) * terms + flush(n)))


def _quadratic(model: QuadraticMLP) -> Tensor:
    """The sum of both inputs, and its square: one rounding each."""
    of_a, of_b = quadratic.embeddings(model.weights)
    pre = Rounded(model.pre, rounding.total(of_a[:, None], of_b).error.flatten(0, 1))
    return _readout(model, rounding.product(pre, pre, "nm,nm->nm", 1))


def _readout(model: Network, post: Tensor) -> Tensor:
    """The error of post U + bias, from that of the neurons."""
    return affine_error(Rounded(model.post, post), model.U, model.skip_logits[0])


def _stream(model: Transformer | Pizza) -> Tensor:
    """A transformer's logits: the skip, the neurons and the biases."""
    mid = _resid_mid(model)
    w_in, w_out, w_u = (model.weights[name] for name in (names.W_IN, names.W_OUT, names.W_U))
    b_in, b_out, b_u = _biases(model)
    post = Rounded(model.post, affine_error(mid, w_in, b_in))
    # post W_out W_U in either order, the residual stream and the two biases
    n = len(w_out) + len(w_u) + 3
    stream = carried(post, n) @ w_out.abs() + carried(mid, n) + gamma(n) * b_out.abs() + flush(n)
    flushed = flush(n) * (1 + post.magnitude.sum(1, keepdim=True))
    return stream @ w_u.abs() + gamma(n) * b_u.abs() + flushed


def closer_bounds(model: Transformer | Pizza, which: Tensor) -> Tensor:
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
    b_in, b_out, b_u = _biases(model)
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


def _resid_mid(model: Transformer | Pizza) -> Rounded:
    """The residual stream between attention and MLP, of the last position: x + Σ_heads z W_O + b_O."""
    tokens = _tokens(model)
    z = Rounded(model.z.flatten(1), _attended(model, tokens))
    w_o, b_o = model.weights[names.W_O].flatten(0, 1).abs(), _bias(model, "blocks.0.attn.b_O").abs()
    n = len(w_o) + 2
    x = carried(tokens[-1], n)  # [n, d] or [1, d]; the pairs are a-major
    error = carried(z, n) @ w_o + x.repeat(len(z.value) // len(x), 1) + gamma(n) * b_o + flush(n)
    return Rounded(model.resid_mid, rounding.bounded(error))


def _tokens(model: Transformer | Pizza) -> list[Rounded]:
    """Embedding + position of a, b and, if the context has one, of ``=``: [rows, d], [n, d], [1, d]."""
    if isinstance(model, Pizza):
        parts, pos = pizza.embeddings(model.weights), model.weights[names.W_POS_AB]
        return [rounding.total(part, at) for part, at in zip(parts, pos, strict=True)]
    embed, n = model.weights[names.W_E], model.task.n
    of_three = (model.weights.get(names.W_E_A, embed[:n]), embed[:n], embed[n:][:1])
    return [rounding.total(part, at) for part, at in zip(of_three, model.weights[names.W_POS], strict=False)]


def _attended(model: Transformer | Pizza, tokens: list[Rounded]) -> Tensor:
    """The error of ``model.z``, Σ over the positions of attention weight · value: [N, h·k]."""
    weights = Rounded(model.pattern, _pattern_error(model, tokens))
    values = [_per_head(model, x, "V") for x in tokens]
    n = len(values)
    by_position = [
        rearrange(w, "(a b) h position -> position a b h 1", b=len(values[1].value))
        for w in (carried(weights, n), weights.value)
    ]
    error = weights.value.new_full((1,), flush(n))
    for position, (moved, weight, v) in enumerate(zip(*by_position, values, strict=True)):
        shape = "t h k -> t 1 h k" if position == 0 else "t h k -> 1 t h k"
        magnitude, own = (rearrange(x, shape) for x in (v.magnitude, v.error))
        error = error + (moved * magnitude + weight * own)
    return rearrange(error, "a b h k -> (a b) (h k)")


def _pattern_error(model: Transformer | Pizza, tokens: list[Rounded]) -> Tensor:
    """The error of ``model.pattern``: [N, h, positions]; none where attention is the constant 1."""
    if isinstance(model, Pizza) and model.coefficient == 0:
        return torch.zeros_like(model.pattern)
    q = _per_head(model, tokens[-1], "Q")
    query = Rounded(model.query.expand_as(q.value), q.error / model.d_head**0.5)
    n = model.d_head + SCALE
    keys = [_per_head(model, x, "K") for x in tokens]
    if isinstance(model, Pizza):  # the query is that of b
        to_a = rounding.product(keys[0], query, "ahk,bhk->abh", n)
        errors, value = [to_a, rounding.product(keys[1], query, "bhk,bhk->bh", n)], list(model.scores)
    else:
        errors, value = [rounding.product(key, query, "thk,ohk->th", n) for key in keys], list(model.scores)
        errors, value = ([x[0][:, None], *x[1:]] for x in (errors, value))
    return rounding.softmax_error(Rounded(_by_pair(value), _by_pair(errors)), model.pattern)


def _by_pair(scores: list[Tensor]) -> Tensor:
    """Scores to a, [rows, n or 1, h], and to the other tokens, [n or 1, h], of every pair: [N, h, positions]."""
    return rearrange(torch.stack(torch.broadcast_tensors(*scores), dim=-1), "a b h position -> (a b) h position")


def _per_head(model: Transformer | Pizza, x: Rounded, which: str) -> Rounded:
    """x W + b of all heads, which = Q, K or V: [t, d] → [t, h, k]."""
    matrix = rearrange(model.weights[f"blocks.0.attn.W_{which}"], "h d k -> d (h k)")
    made = affine(x, matrix, _bias(model, f"blocks.0.attn.b_{which}").flatten())
    return Rounded(*(y.unflatten(1, (model.n_heads, model.d_head)) for y in (made.value, made.error)))


def _biases(model: Transformer | Pizza) -> tuple[Tensor, Tensor, Tensor]:
    """b_in, b_out, b_U."""
    b_in, b_out, b_u = (_bias(model, name) for name in (names.B_IN, names.B_OUT, "unembed.b_U"))
    return b_in, b_out, b_u


def _bias(model: Transformer | Pizza, name: str) -> Tensor:
    return model.weights.get(name, model.W_U.new_zeros(1))


ERRORS: dict[str, Callable[..., Tensor]] = {
    "mlp": _mlp,
    "concat": _concat,
    "quadratic": _quadratic,
    "transformer": _stream,
    "pizza-a": _stream,
    "pizza-b": _stream,
}
