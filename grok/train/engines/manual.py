"""The CPU engine: one seed, every gradient written out, no autograd.

Forward through ``grok.models.tables``, back to the tables, and by the chain rule of ``tables.fold`` to the matrices.
``folded`` is its reference. ``fused`` says why it does not share this chain rule.
"""

from __future__ import annotations

import math
from functools import reduce

import torch
from torch import Tensor

from grok.kernels import cross_entropy
from grok.kernels.token_mix.bag import gather_pairs_backward, token_mix_backward
from grok.models import names
from grok.models.names import Weights
from grok.models.tables import Batch, MLPTables, PizzaTables, Tables, TransformerTables
from grok.train.engines import manual_pizza

KNOWN = ("mlp", "concat", "transformer", "pizza-a", "pizza-b")  # architectures whose gradients are written out here


def loss(tables: Tables, batch: Batch) -> Tensor:
    """Mean loss, a float64 scalar. In blocks, because no activation is needed again."""
    total = torch.zeros((), dtype=torch.float64)
    for block in batch.blocks:
        logits = _forward(tables, block)[-1]
        losses = cross_entropy.losses(logits, block.labels)
        total += (losses if block.times is None else losses * block.times).sum(dtype=torch.float64)
    return total / batch.n


def loss_and_grads(weights: Weights, tables: Tables, batch: Batch) -> tuple[Tensor, Weights]:
    """Mean loss and its gradient by every matrix; tables: those of the weights."""
    value, dU, *grads = reduce(_added, (_block(tables, block, batch.n) for block in batch.blocks))
    if isinstance(tables, MLPTables):
        (dtable,) = grads
        unfold = _unfold_concat if names.CONCAT_W in weights else _unfold_mlp
        return value, unfold(weights, dtable, dU.T)
    if isinstance(tables, PizzaTables):
        return value, manual_pizza.unfold(weights, tables, grads[0], grads[1] if len(grads) > 1 else None, dU.T)
    dscores, drows, dconstant = grads
    return value, _unfold_transformer(weights, tables, dscores, drows, dconstant, dU.T)


def _added(total: list[Tensor], more: list[Tensor]) -> list[Tensor]:
    return [a.add_(b) for a, b in zip(total, more, strict=True)]


def _block(tables: Tables, block: Batch, n: int) -> list[Tensor]:
    """Shares of one block in the mean loss over n pairs and in the gradients of U, transposed, and of the tables.

    The tables' are those of the table; for a transformer of the scores, the table's rows and its constant; for a pizza
    with a softmax of the table and the gaps.
    """
    mixed, attention, logits = _forward(tables, block)
    m, n_classes = tables.U.shape
    post, dmixed = mixed[:, :m], torch.empty_like(mixed)
    dpre, out = dmixed[:, :m], None if isinstance(tables, MLPTables) else dmixed[:, m:]
    value, dlogits = cross_entropy.loss_and_grad(logits, block.labels, n, out=out, times=block.times)
    dU = dlogits[:, :n_classes].T @ post  # a third faster than post.T @ dlogits: the wide dimension innermost
    torch.mm(dlogits, tables.readout.T, out=dpre)
    torch.ops.aten.threshold_backward.grad_input(dpre, post, 0, grad_input=dpre)
    if isinstance(tables, MLPTables):
        return [value, dU, gather_pairs_backward(dmixed, block.index)]
    if isinstance(tables, PizzaTables):
        return [value, dU, *manual_pizza.to_tables(dmixed, tables, attention, block.index)]
    dscores, drows = token_mix_backward(dmixed, tables.table, attention, block.index)
    return [value, dU, dscores, drows, dmixed.sum(0)]


def _forward(tables: Tables, block: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """As ``tables.outputs``: post, and logits in the place behind it if there is one; attention weights; logits."""
    mixed, attention = tables.mix(block.index)
    m = len(tables.U)
    post = mixed[:, :m].clamp_min_(0)
    if isinstance(tables, MLPTables):
        return mixed, attention, torch.addmm(tables.never, post, tables.readout)
    return mixed, attention, mixed[:, m:].addmm_(post, tables.readout)


def _unfold_mlp(w: Weights, dtables: Tensor, dU: Tensor) -> Weights:
    dtable = dtables.view(2, -1, dtables.shape[1]).sum(0)
    return {
        names.MLP_W_E: dtable @ w[names.MLP_W_IN].T,
        names.MLP_W_IN: w[names.MLP_W_E].T @ dtable,
        names.MLP_W_U: dU,
    }


def _unfold_concat(w: Weights, dtables: Tensor, dU: Tensor) -> Weights:
    reads_a, reads_b = w[names.CONCAT_W].tensor_split([w[names.CONCAT_W_X].shape[1]])
    of_a, of_b = dtables.chunk(2)
    return {
        names.CONCAT_W_X: of_a @ reads_a.T,
        names.CONCAT_W_Y: of_b @ reads_b.T,
        names.CONCAT_W: torch.cat([w[names.CONCAT_W_X].T @ of_a, w[names.CONCAT_W_Y].T @ of_b]),
        names.CONCAT_W_U: dU,
    }


def _unfold_transformer(
    w: Weights, f: TransformerTables, dscores: Tensor, drows: Tensor, dconstant: Tensor, dU: Tensor
) -> Weights:
    """Gradients of the nine matrices from those of the tables, by the chain rule of ``tables.fold``."""
    (m, n_classes), (n_heads, d_head) = f.U.shape, f.query.shape
    by_head = drows.view(-1, n_heads, drows.shape[1]).transpose(0, 1)  # [h, 2p, D]
    drelative = by_head @ f.w_or.mT  # [h, 2p, k]
    dlast = (f.w_or.flatten(0, 1) @ dconstant).view(n_heads, d_head) - drelative.sum(1)
    dv = torch.cat([drelative, dlast[:, None]], dim=1)
    dw_or = f.relative.mT @ by_head + f.v[:, -1, :, None] * dconstant  # [h, k, D]
    dread = w[names.W_O].flatten(0, 1).T @ dw_or.flatten(0, 1) + torch.outer(f.x[-1], dconstant)
    dkey = dscores.T @ f.x  # [h, d]
    dquery = (dkey[:, None] @ w[names.W_K]).squeeze(1) / math.sqrt(d_head)
    dx = dv.transpose(0, 1).flatten(1) @ w[names.W_V].transpose(1, 2).flatten(0, 1) + dscores @ f.key
    dx[-1] += f.read @ dconstant + (w[names.W_Q] @ dquery[..., None]).sum(0).squeeze(-1)
    p = (len(f.x) - 1) // 2
    return {
        names.W_E: torch.cat([dx[:p] + dx[p:-1], dx[-1:]]),
        names.W_POS: torch.stack([dx[:p].sum(0), dx[p:-1].sum(0), dx[-1]]),
        names.W_Q: f.x[-1][:, None] * dquery[:, None, :],
        names.W_K: dkey[..., None] * f.query[:, None, :],
        names.W_V: f.x.T @ dv,
        names.W_O: dw_or @ f.read.T,
        names.W_IN: dread[:, :m],
        names.W_OUT: dU @ w[names.W_U].T,
        names.W_U: dread[:, m : m + n_classes] + w[names.W_OUT].T @ dU,
    }
