"""Networks evaluated in float32 with every sum in an order of one's choice."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from grok.models import names
from grok.models.names import Weights


@dataclass(frozen=True)
class Order:
    """How the products of a sum are added in float32.

    Permuted from ``seed``; then one by one, one by one with multiply-adds fused (by way of float64), pairwise, or in
    chunks that are added up at the end; or as the library does it. fold: what may be folded is multiplied first.
    """

    seed: int
    how: str
    fold: bool = False

    def sum(self, terms: Tensor) -> Tensor:
        """Over the last axis."""
        parts = list(terms[..., self._permuted(terms.shape[-1])].unbind(-1))
        if self.how == "pairwise":
            while len(parts) > 1:
                parts = [sum(parts[i + 1 : i + 2], parts[i]) for i in range(0, len(parts), 2)]
            return parts[0]
        size = 7 if self.how == "chunks" else len(parts)
        return _one_by_one([_one_by_one(parts[i : i + size]) for i in range(0, len(parts), size)])

    def matmul(self, x: Tensor, w: Tensor) -> Tensor:
        """[*, k] @ [k, out]."""
        if self.how == "library":
            return x @ w
        if self.how != "fused":
            return self.sum(x[..., None, :] * w.mT)
        total = x.new_zeros(*x.shape[:-1], w.shape[1])
        for i in self._permuted(len(w)).tolist():
            total = (total.double() + x[..., i, None].double() * w[i].double()).float()
        return total

    def _permuted(self, n: int) -> Tensor:
        return torch.randperm(n, generator=torch.Generator().manual_seed(self.seed + n))


def _one_by_one(parts: list[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


KINDS = ("library", "fused", "pairwise", "chunks")
ORDERS = [Order(seed, how, fold) for fold in (False, True) for seed, how in enumerate(KINDS)]
ORDERS += [Order(seed, "one by one") for seed in range(3)]


def mlp(w: Weights, pairs: Tensor, order: Order) -> Tensor:
    """[N, 2] → [N, C], float32."""
    a, b = pairs.unbind(1)
    first, second, w_in = w[names.MLP_W_E][a], w.get("W_E_b", w[names.MLP_W_E])[b], w[names.MLP_W_IN]
    pre = order.matmul(first, w_in) + order.matmul(second, w_in) if order.fold else order.matmul(first + second, w_in)
    post = (pre + w.get("b_in", w_in.new_zeros(1))).relu()
    return order.matmul(post, w[names.MLP_W_U]) + w.get("b_U", w_in.new_zeros(1))


def transformer(w: Weights, pairs: Tensor, order: Order) -> Tensor:
    """[N, 2] → [N, C], float32."""
    n = len(w[names.W_E]) - 1

    def bias(name: str) -> Tensor:
        return w.get(name, torch.zeros(1))

    tokens = torch.cat([pairs, torch.full_like(pairs[:, :1], n)], dim=1)
    x = w[names.W_E][tokens] + w[names.W_POS]
    out = bias("blocks.0.attn.b_O")
    for head in range(len(w[names.W_Q])):
        q, k, v = (
            order.matmul(at, w[f"blocks.0.attn.W_{name}"][head])
            + w.get(f"blocks.0.attn.b_{name}", torch.zeros(len(w[names.W_Q]), 1))[head]
            for name, at in (("Q", x[:, 2:]), ("K", x), ("V", x))
        )
        pattern = (order.sum(q * k) / math.sqrt(k.shape[-1])).softmax(-1)
        out = out + order.matmul(order.sum(pattern[:, None] * v.mT), w[names.W_O][head])
    mid = x[:, 2] + out
    post = (order.matmul(mid, w[names.W_IN]) + bias("blocks.0.mlp.b_in")).relu()
    b_out, w_out, w_u = bias("blocks.0.mlp.b_out"), w[names.W_OUT], w[names.W_U]
    if order.fold:
        written = order.matmul(post, order.matmul(w_out, w_u))
        return written + (order.matmul(mid + b_out, w_u) + bias("unembed.b_U"))
    return order.matmul(mid + (order.matmul(post, w_out) + b_out), w_u) + bias("unembed.b_U")


def concat(w: Weights, pairs: Tensor, order: Order) -> Tensor:
    """[N, 2] → [N, C], float32. fold: each embedding times its half of W, then their sum."""
    a, b = pairs.unbind(1)
    first, second, both = w[names.CONCAT_W_X][a], w[names.CONCAT_W_Y][b], w[names.CONCAT_W]
    if order.fold:
        pre = order.matmul(first, both[: first.shape[1]]) + order.matmul(second, both[first.shape[1] :])
    else:
        pre = order.matmul(torch.cat([first, second], dim=1), both)
    return order.matmul(pre.relu(), w[names.CONCAT_W_U])


def quadratic(w: Weights, pairs: Tensor, order: Order) -> Tensor:
    """[N, 2] → [N, C], float32."""
    a, b = pairs.unbind(1)
    return order.matmul((w[names.TWO_HOT_A][a] + w[names.TWO_HOT_B][b]).square(), w[names.TWO_HOT_OUT])


def pizza(w: Weights, pairs: Tensor, order: Order) -> Tensor:
    """[N, 2] → [N, C], float32; attention is softmax if there are queries, else 1."""
    x = w[names.W_E][pairs] + w[names.W_POS_AB]
    out = torch.zeros(1)
    for head in range(len(w[names.W_V])):
        pattern = torch.ones(1, 2)
        if names.W_Q in w:
            q, k = (order.matmul(at, w[name][head]) for name, at in ((names.W_Q, x[:, 1:]), (names.W_K, x)))
            pattern = (order.sum(q * k) / math.sqrt(k.shape[-1])).softmax(-1)
        v = order.matmul(x, w[names.W_V][head])
        out = out + order.matmul(order.sum(pattern[:, None] * v.mT), w[names.W_O][head])
    mid = x[:, 1] + out
    post = (order.matmul(mid, w[names.W_IN]) + w[names.B_IN]).relu()
    w_out, w_u = w[names.W_OUT], w[names.W_U]
    if order.fold:
        return order.matmul(post, order.matmul(w_out, w_u)) + order.matmul(mid + w[names.B_OUT], w_u)
    return order.matmul(mid + (order.matmul(post, w_out) + w[names.B_OUT]), w_u)


EVALUATE = {
    "mlp": mlp,
    "concat": concat,
    "quadratic": quadratic,
    "transformer": transformer,
    "pizza-a": pizza,
    "pizza-b": pizza,
}
