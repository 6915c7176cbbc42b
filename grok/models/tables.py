"""A model as tables over tokens: what depends only on the weights is computed once, and pairs then look up rows.

There is one model, of any dtype, without autograd. The computation for pairs is: mix table rows → [pre | skip], ReLU,
one product with U. It is the same function as ``grok.models.network``, except for rounding. ``train.engines.manual``
computes gradients through it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from grok.errors import GrokError
from grok.kernels.token_mix.bag import PairIndex, PizzaIndex, gather_pairs, token_mix
from grok.models import names
from grok.models.activations import activate
from grok.models.architectures import recognise
from grok.models.names import Weights
from grok.models.pizza import ConstantAttention, SoftmaxAttention
from grok.recipe import RELU, Activation, Recipe

BLOCK = 4608  # pairs at most; with fewer pairs threads meet too often, and more pairs gain nothing
ALIGNED = 16  # floats in a cache line


@dataclass(frozen=True, eq=False)
class Batch:
    """Pairs and labels, indexed for table look-ups: [N, 2], [N]. times: how often each counts, [N]; None: once."""

    index: PairIndex
    labels: Tensor
    times: Tensor | None = None

    @classmethod
    def of(cls, recipe: Recipe, which: Tensor) -> Batch:
        """The pairs at these indices, sorted, because neighbours share table rows, which then stay in cache."""
        task, which = recipe.task, which.sort().values
        kind = PizzaIndex if recipe.architecture == SoftmaxAttention.architecture else PairIndex
        heads = 1 if recipe.architecture == ConstantAttention.architecture else max(recipe.n_heads, 1)
        return cls(kind(task.pairs()[which], task.n, heads), task.labels()[which])

    @classmethod
    def unordered(cls, recipe: Recipe, which: Tensor) -> Batch:
        """The same pairs for sums over them. An MLP with one embedding gives (a, b) the outputs of (b, a), to the bit.

        So where both have one label they are one pair that counts twice. Of other networks every pair is there.
        """
        task, pairs, labels = recipe.task, recipe.task.pairs()[which], recipe.task.labels()[which]
        if recipe.architecture != "mlp":
            return cls.of(recipe, which)
        low, high = pairs.sort(dim=1).values.unbind(1)
        found, times = ((low * task.n + high) * task.n_classes + labels).unique(return_counts=True)
        key, labels = found // task.n_classes, found % task.n_classes
        return cls(PairIndex(torch.stack([key // task.n, key % task.n], dim=1), task.n, 1), labels, times.float())

    @cached_property
    def n(self) -> int:
        """The number of pairs that count."""
        return len(self.labels) if self.times is None else int(self.times.sum())

    @cached_property
    def blocks(self) -> list[Batch]:
        """The same pairs in pieces of at most ``BLOCK``, of about equal size."""
        n = max(1, math.ceil(len(self.labels) / BLOCK))
        pieces = zip(self.index.pairs.chunk(n), self.labels.chunk(n), strict=True)
        times = [None] * n if self.times is None else self.times.chunk(n)
        kind, p, n_heads = type(self.index), self.index.p, self.index.n_heads
        return [Batch(kind(pairs, p, n_heads), labels, t) for (pairs, labels), t in zip(pieces, times, strict=True)]


@dataclass(frozen=True, eq=False)
class MLPTables:
    """Tables of E[a] + E[b] → ReLU → logits. D = m: only the neurons reach the logits."""

    table: Tensor  # [2n, m]: what a adds to each neuron, then what b adds; the same if both share an embedding
    U: Tensor  # [m, C]
    readout: Tensor  # [m, C']: U, and zeros behind it up to a cache line
    never: Tensor  # [C']: 0 for a class, -inf behind C
    quadratic: bool = False  # x² in place of the ReLU

    def mix(self, index: PairIndex) -> tuple[Tensor, Tensor]:
        """The activations pre of each pair, [N, D], and an empty tensor in place of attention weights."""
        return gather_pairs(self.table, index), self.U.new_empty(0)


@dataclass(frozen=True, eq=False)
class TransformerTables:
    """Tables of one layer at the last position. D = m + C': the columns [W_in | W_U | 0]."""

    x: Tensor  # [2p+1, d] residual stream at each table row
    read: Tensor  # [d, D]
    U: Tensor  # [m, C] = W_out W_U
    readout: Tensor  # [m, C']: U, and zeros behind it up to a cache line
    query: Tensor  # [h, k], scaled
    key: Tensor  # [h, d] = W_K query
    v: Tensor  # [h, 2p+1, k]
    relative: Tensor  # [h, 2p, k]: v minus that of the = row
    w_or: Tensor  # [h, k, D] = W_O [W_in | W_U | 0]
    scores: Tensor  # [2p+1, h]
    table: Tensor  # [2p·h + 1, D]: relative w_or, token-major, then the row that all pairs share; -inf behind C

    def mix(self, index: PairIndex) -> tuple[Tensor, Tensor]:
        """The row [pre | skip | -inf] of each pair, [N, D], and attention weights [N, 2h+1]."""
        return token_mix(self.scores, self.table, index)


@dataclass(frozen=True, eq=False)
class PizzaTables:
    """Tables of a context a b, read at b. D = m + C': the columns [W_in | W_U | 0].

    The table has a row for each token and head, as the transformer's, then what b adds without attention, [p, D], which
    is -inf behind C. With constant attention all heads are one, and what b adds without attention is in b's row.
    """

    x: Tensor  # [2, p, d] residual stream at the positions of a and b
    read: Tensor  # [d, D]
    U: Tensor  # [m, C] = W_out W_U
    readout: Tensor  # [m, C']: U, and zeros behind it up to a cache line
    table: Tensor  # [2p·h + p, D], or [2p, D]
    v: Tensor  # [2, h, p, k]; of constant attention W_V W_O, [d, d]
    w_or: Tensor  # [h, k, D] = W_O [W_in | W_U | 0]; of constant attention the rows before ``read``, [2p, d]
    query: Tensor | None = None  # [h, p, k], scaled; None for constant attention
    key: Tensor | None = None  # [2, h, p, k]
    gap: Tensor | None = None  # [p², h]: the score of a less that of b

    def mix(self, index: PairIndex) -> tuple[Tensor, Tensor]:
        """The row [pre | skip | -inf] of each pair, [N, D], and attention weights [N, 2h+1]; empty if constant."""
        if self.gap is None:
            return gather_pairs(self.table, index), self.U.new_empty(0)
        a, b = index.pairs.unbind(1)
        to_a = self.gap.index_select(0, a * index.p + b).sigmoid_()
        weights = torch.cat([to_a, 1 - to_a, to_a.new_ones(len(a), 1)], dim=1)
        if not isinstance(index, PizzaIndex):
            raise TypeError("pairs of a softmax over a and b need a PizzaIndex (``Batch.of``)")
        rows, offsets = index.rows_and_second, index.offsets_and_constant
        return torch.embedding_bag(self.table, rows, offsets, False, 0, False, weights.view(-1))[0], weights


Tables = MLPTables | TransformerTables | PizzaTables


def fold(w: Weights) -> Tables:
    """The tables of these weights, without a seed dimension. Raises GrokError for an architecture that has none."""
    architecture = recognise(w).name
    if architecture not in FOLDS:
        raise GrokError(f"the tables engine does not know the architecture {architecture}; known: {', '.join(FOLDS)}")
    return FOLDS[architecture](w)


def _fold_mlp(w: Weights) -> MLPTables:
    return _neurons_only((w[names.MLP_W_E] @ w[names.MLP_W_IN]).repeat(2, 1), w[names.MLP_W_U])


def _fold_concat(w: Weights) -> MLPTables:
    reads_a, reads_b = w[names.CONCAT_W].tensor_split([w[names.CONCAT_W_X].shape[1]])
    table = torch.cat([w[names.CONCAT_W_X] @ reads_a, w[names.CONCAT_W_Y] @ reads_b])
    return _neurons_only(table, w[names.CONCAT_W_U])


def _fold_quadratic(w: Weights) -> MLPTables:
    return replace(
        _neurons_only(torch.cat([w[names.TWO_HOT_A], w[names.TWO_HOT_B]]), w[names.TWO_HOT_OUT]), quadratic=True
    )


def _neurons_only(table: Tensor, U: Tensor) -> MLPTables:
    readout = _aligned(U)
    never = readout.new_zeros(readout.shape[1])
    never[U.shape[1] :] = -math.inf
    return MLPTables(table, U, readout, never)


def _fold_transformer(w: Weights) -> TransformerTables:
    embed, pos = w[names.W_E], w[names.W_POS]
    x = torch.cat([embed[:-1] + pos[0], embed[:-1] + pos[1], embed[-1:] + pos[2]])
    W_U = _aligned(w[names.W_U])
    read = torch.cat([w[names.W_IN], W_U], dim=1)
    query = (x[-1] @ w[names.W_Q]) / math.sqrt(w[names.W_Q].shape[-1])
    key = (w[names.W_K] @ query[..., None]).squeeze(-1)
    v = x @ w[names.W_V]
    relative = v[:, :-1] - v[:, -1:]
    w_or = w[names.W_O] @ read
    (n_heads, n_tokens, _), (m, n_classes) = relative.shape, (len(w[names.W_OUT]), w[names.W_U].shape[1])
    table = x.new_empty(n_tokens * n_heads + 1, read.shape[1])
    rows = table[:-1].view(n_tokens, n_heads, -1)
    for head in range(n_heads):
        torch.mm(relative[head], w_or[head], out=rows[:, head])
    torch.add(x[-1] @ read, v[:, -1].flatten() @ w_or.flatten(0, 1), out=table[-1])
    table[-1, m + n_classes :] = -math.inf
    readout = w[names.W_OUT] @ W_U
    return TransformerTables(x, read, readout[:, :n_classes], readout, query, key, v, relative, w_or, x @ key.T, table)


def _fold_pizza(w: Weights) -> PizzaTables:
    x = w[names.W_E] + w[names.W_POS_AB][:, None]
    W_U = _aligned(w[names.W_U])
    read = torch.cat([w[names.W_IN], W_U], dim=1)
    constant = torch.cat([w[names.B_IN], w[names.B_OUT] @ W_U])
    (m, n_classes), p = (len(w[names.W_OUT]), w[names.W_U].shape[1]), x.shape[1]
    constant[m + n_classes :] = -math.inf
    readout = w[names.W_OUT] @ W_U
    U = readout[:, :n_classes]
    if names.W_Q not in w:
        mixed = w[names.W_V].transpose(0, 1).flatten(1) @ w[names.W_O].flatten(0, 1)
        before = torch.cat([x[0] @ mixed, x[1] + x[1] @ mixed])
        table = before @ read
        table[p:] += constant
        return PizzaTables(x, read, U, readout, table, mixed, before)
    v, key = (torch.einsum("itd,hdk->ihtk", x, w[name]) for name in (names.W_V, names.W_K))
    query = x[1] @ w[names.W_Q] / math.sqrt(w[names.W_Q].shape[-1])
    gap = key[0] @ query.mT - (key[1] * query).sum(-1)[:, None]  # [h, a, b]
    w_or = w[names.W_O] @ read
    rows = (v @ w_or).transpose(1, 2).reshape(-1, read.shape[1])  # token-major
    table = torch.cat([rows, x[1] @ read + constant])
    return PizzaTables(x, read, U, readout, table, v, w_or, query, key, gap.flatten(1).T.contiguous())


FOLDS: dict[str, Callable[[Weights], Tables]] = {
    "mlp": _fold_mlp,
    "concat": _fold_concat,
    "quadratic": _fold_quadratic,
    "transformer": _fold_transformer,
    "pizza-a": _fold_pizza,
    "pizza-b": _fold_pizza,
}


def _aligned(matrix: Tensor) -> Tensor:
    """The matrix with columns of zeros behind it, up to a cache line, which makes products a tenth faster."""
    return torch.nn.functional.pad(matrix, (0, -matrix.shape[1] % ALIGNED))


def outputs(tables: Tables, index: PairIndex, activation: Activation = RELU) -> tuple[Tensor, Tensor]:
    """Logits of pairs (-inf behind C), and the part that the neurons write, post U (zeros behind C): [N, C'] each."""
    mixed, _ = tables.mix(index)
    m = len(tables.U)
    pre = mixed[:, :m]
    quadratic = isinstance(tables, MLPTables) and tables.quadratic
    post = pre.square_() if quadratic else activate(pre, activation)
    written = post @ tables.readout
    return written + (tables.never if isinstance(tables, MLPTables) else mixed[:, m:]), written


def keep_memory() -> None:
    """Makes code that allocates and frees many megabytes again and again a third faster.

    glibc maps a block that is larger than the largest block freed so far, and returns memory to the system when twice
    that is free. In both cases the memory comes back page by page. After this block, which is never touched, glibc
    keeps up to 62 MiB. With other C libraries this does nothing.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)
