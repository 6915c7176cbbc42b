"""The way back through ``tables.PizzaTables`` for the engine ``manual``: from gradients of rows to the matrices."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from grok.kernels.token_mix.bag import PairIndex, PizzaIndex, gather_pairs_backward
from grok.models import names
from grok.models.names import Weights
from grok.models.tables import PizzaTables


def to_tables(dmixed: Tensor, f: PizzaTables, weights: Tensor, index: PairIndex) -> list[Tensor]:
    """Gradients of the table and, with a softmax, of the gaps, [p², h], by that of the mixed rows: [N, D]."""
    if f.gap is None or not isinstance(index, PizzaIndex):
        return [gather_pairs_backward(dmixed, index)]
    h = index.n_heads
    by_weight = torch.ops.aten._embedding_bag_per_sample_weights_backward(
        dmixed, f.table, index.rows, index.offsets, index.bag_of, 0
    ).view(-1, 2 * h)
    dgap = torch.zeros_like(f.gap)
    a, b = index.pairs.unbind(1)
    to_a, to_b = weights[:, :h], weights[:, h : 2 * h]
    dgap[a * index.p + b] = (by_weight[:, :h] - by_weight[:, h:]).mul_(to_a).mul_(to_b)
    ordered = weights.view(-1).index_select(0, index.entries_by_row)
    return [torch.embedding_bag(dmixed, index.pairs_by_row, index.ends, False, 0, False, ordered)[0], dgap]


def unfold(w: Weights, f: PizzaTables, dtable: Tensor, dgap: Tensor | None, dU: Tensor) -> Weights:
    """Gradients of the matrices by the chain rule of ``tables._fold_pizza``."""
    p, (m, n_classes) = f.x.shape[1], f.U.shape
    found, dx, dread = _constant(w, f, dtable) if dgap is None else _softmax(w, f, dtable, dgap)
    dconstant = dtable[-p:].sum(0)
    dskip = dconstant[m : m + n_classes]
    return found | {
        names.W_E: dx.sum(0),
        names.W_POS_AB: dx.sum(1),
        names.W_IN: dread[:, :m],
        names.B_IN: dconstant[:m],
        names.W_OUT: dU @ w[names.W_U].T,
        names.B_OUT: w[names.W_U] @ dskip,
        names.W_U: dread[:, m : m + n_classes] + w[names.W_OUT].T @ dU + torch.outer(w[names.B_OUT], dskip),
    }


def _constant(w: Weights, f: PizzaTables, dtable: Tensor) -> tuple[Weights, Tensor, Tensor]:
    """Gradients of W_V and W_O, of the residual stream before attention [2, p, d], and of ``read``."""
    before, mixed = f.w_or, f.v
    dbefore = (dtable @ f.read.T).view_as(f.x)
    dmixed = f.x.flatten(0, 1).T @ dbefore.flatten(0, 1)
    dx = dbefore @ mixed.T
    dx[1] += dbefore[1]
    n_heads, _, d_head = w[names.W_V].shape
    found = {
        names.W_V: (dmixed @ w[names.W_O].flatten(0, 1).T).unflatten(1, (n_heads, d_head)).transpose(0, 1),
        names.W_O: (w[names.W_V].transpose(0, 1).flatten(1).T @ dmixed).unflatten(0, (n_heads, d_head)),
    }
    return found, dx, before.T @ dtable


def _softmax(w: Weights, f: PizzaTables, dtable: Tensor, dgap: Tensor) -> tuple[Weights, Tensor, Tensor]:
    """The same, with the gradients of W_Q and W_K."""
    assert f.query is not None
    assert f.key is not None
    (_, n_heads, p, d_head), x_b = f.v.shape, f.x[1]
    drows = dtable[:-p].view(2, p, n_heads, -1).transpose(1, 2)  # [2, h, p, D]
    dalone = dtable[-p:]
    dv = drows @ f.w_or.mT
    dw_or = (f.v.mT @ drows).sum(0)
    dgaps = dgap.T.view(n_heads, p, p)  # [h, a, b]
    to_b = dgaps.sum(1)[..., None]
    dkey = torch.stack([dgaps @ f.query, -to_b * f.query])
    dquery = (dgaps.mT @ f.key[0] - to_b * f.key[1]) / math.sqrt(d_head)
    dx = torch.einsum("ihtk,hdk->itd", dv, w[names.W_V]) + torch.einsum("ihtk,hdk->itd", dkey, w[names.W_K])
    dx[1] += torch.einsum("htk,hdk->td", dquery, w[names.W_Q]) + dalone @ f.read.T
    found = {
        names.W_Q: x_b.T @ dquery,
        names.W_K: torch.einsum("itd,ihtk->hdk", f.x, dkey),
        names.W_V: torch.einsum("itd,ihtk->hdk", f.x, dv),
        names.W_O: dw_or @ f.read.T,
    }
    return found, dx, x_b.T @ dalone + w[names.W_O].flatten(0, 1).T @ dw_or.flatten(0, 1)
