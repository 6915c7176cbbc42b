"""Progress measures of one snapshot after another: what a trajectory records at every hundredth step.

For float32 weights this gives the same numbers as ``measure.logits`` and ``measure.losses`` for a float64 Network, to
1e-4, in a small part of the time. It goes through the pairs once, with ``models.tables``, and computes what depends
only on the label s from p × p tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from grok.errors import NotEvaluable
from grok.fourier.basis import Blocks
from grok.kernels import cross_entropy
from grok.measure.logits import at, character_projections
from grok.measure.losses import projection_of_sums
from grok.models.architectures import recognise
from grok.models.names import Weights
from grok.models.tables import Batch, Tables, fold, keep_memory, outputs
from grok.recipe import RELU, Activation, Recipe
from grok.task import Split, Task


@dataclass(frozen=True, eq=False)
class Block:
    """Pairs, and how they are sorted by label."""

    batch: Batch
    order: Tensor  # [N] int64: the pairs, label after label
    starts: Tensor  # [C]: where each label's begin

    @classmethod
    def of(cls, batch: Batch, n_classes: int) -> Block:
        counts = batch.labels.bincount(minlength=n_classes)
        return cls(batch, batch.labels.argsort(stable=True), counts.cumsum(0) - counts)


@dataclass(frozen=True, eq=False)
class Pairs:
    """All pairs of a task, indexed once for all snapshots of a run."""

    task: Task
    train: list[Block]
    test: list[Block]
    activation: Activation = RELU  # of the neurons of the snapshots

    @classmethod
    def of(cls, recipe: Recipe, split: Split) -> Pairs:
        def blocks(which: Tensor) -> list[Block]:
            return [Block.of(batch, recipe.task.n_classes) for batch in Batch.of(recipe, which).blocks]

        keep_memory()
        return cls(recipe.task, blocks(split.train), blocks(split.test), recipe.activation)


@dataclass(frozen=True, eq=False)
class Outputs:
    """The outputs of one block: logits, and the part that the neurons write (``tables.outputs``)."""

    block: Block
    logits: Tensor  # [N, C' ≥ C], -inf behind C
    written: Tensor  # [N, C'], zeros behind C

    def sums(self, values: Tensor) -> Tensor:
        """Σ over the pairs of each s: [N, C'] → [p, C'], float64."""
        return torch.embedding_bag(values, self.block.order, self.block.starts, False, 0)[0].double()

    @property
    def labels(self) -> Tensor:
        return self.block.batch.labels


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Weights, without a seed dimension, and the pairs they are measured on. Outputs are computed once and kept."""

    weights: Weights
    pairs: Pairs

    @property
    def W_E(self) -> Tensor:
        """Embedding of the n elements, as the network's: [n, d]."""
        return recognise(self.weights).network(self.pairs.task, self.weights, None).W_E

    @property
    def blocks(self) -> Blocks:
        """The blocks of the task. Raises NotEvaluable for a task without a basis of blocks."""
        if self.pairs.task.blocks is None:
            raise NotEvaluable(f"the operation {self.pairs.task.operation} has no basis of blocks")
        return self.pairs.task.blocks

    @property
    def U(self) -> Tensor:
        """Neurons → logits: [m, C]."""
        return self._tables.U

    @cached_property
    def train(self) -> list[Outputs]:
        return list(self._outputs(self.pairs.train))

    @cached_property
    def test(self) -> list[Outputs]:
        return list(self._outputs(self.pairs.test))

    def _outputs(self, blocks: list[Block]) -> Iterator[Outputs]:
        for block in blocks:
            yield Outputs(block, *outputs(self._tables, block.batch.index, self.pairs.activation))

    @cached_property
    def _tables(self) -> Tables:
        return fold(self.weights)

    def accuracy(self, of: list[Outputs]) -> float:
        """Share of these pairs whose largest logit is the label's."""
        right = sum(int((part.logits.argmax(-1) == part.labels).sum()) for part in of)
        return right / _n_pairs(of)

    def loss(self, of: list[Outputs]) -> float:
        """Mean cross-entropy of these pairs."""
        return _mean_loss(of, lambda part: part.logits)

    @cached_property
    def sums(self) -> Tensor:
        """Σ of the logits over the pairs of each s: [p, p], float64."""
        return self._total(part.sums(part.logits) for part in self.train + self.test)

    @cached_property
    def written_sums(self) -> Tensor:
        """The same sums for what the neurons write."""
        return self._total(part.sums(part.written) for part in self.train + self.test)

    def _total(self, sums: Iterator[Tensor]) -> Tensor:
        return torch.stack(list(sums)).sum(0)[:, : self.U.shape[1]]

    @cached_property
    def cosine_projections(self) -> Tensor:
        """``logits.cosine_projections``, of any group ``logits.character_projections``: [number of frequencies]."""
        return character_projections(self.sums, self.blocks)

    @cached_property
    def cosine_similarities(self) -> Tensor:
        """``logits.cosine_similarities``: [number of frequencies]; 0 where all logits are so small that L² is 0."""
        classes = slice(self.U.shape[1])
        parts = [part.logits[:, classes] for part in self.train + self.test]
        # first the norms of rows, which are adjacent in memory: five times faster
        squares = sum(float(torch.linalg.vector_norm(part, dim=1).double().square().sum()) for part in parts)
        return self.cosine_projections / squares**0.5 if squares else torch.zeros_like(self.cosine_projections)

    def key_cos2(self, key_frequencies: Sequence[int]) -> float:
        """Σ_K cos², 0 … 1."""
        return float(at(self.cosine_similarities, key_frequencies).square().sum())

    def restricted_loss(self, frequencies: Sequence[int], *, skip: bool = True) -> float:
        """Restricted loss on the test pairs; see ``losses.Ablation.restricted``."""
        n = _n_pairs(self.train + self.test)
        kept = projection_of_sums(self.written_sums, frequencies, self.blocks)
        if not skip:  # then the logits depend on s only: p rows, as often as there are test pairs of each
            table = self.sums.sum(0) / n + kept
            by_label = cross_entropy.losses(table, torch.arange(len(table)))
            counts = torch.cat([part.labels for part in self.test]).bincount(minlength=len(table))
            return float(by_label @ counts.double()) / _n_pairs(self.test)
        table = self._by_label(self.written_sums.sum(0) / n + kept)
        return _mean_loss(self.test, lambda part: part.logits - part.written + table.index_select(0, part.labels))

    def excluded_loss(self, frequencies: Sequence[int]) -> float:
        """Excluded loss on the train pairs; see ``losses.Ablation.excluded``."""
        table = self._by_label(projection_of_sums(self.written_sums, frequencies, self.blocks))
        return _mean_loss(self.train, lambda part: part.logits - table.index_select(0, part.labels))

    def _by_label(self, table: Tensor) -> Tensor:
        """[p, C] → as wide and as precise as logits, zeros behind C."""
        like = self.train[0].logits
        return torch.nn.functional.pad(table.to(like.dtype), (0, like.shape[1] - table.shape[1]))


def _n_pairs(of: list[Outputs]) -> int:
    return sum(len(part.labels) for part in of)


def _mean_loss(of: list[Outputs], logits: Callable[[Outputs], Tensor]) -> float:
    total = sum(cross_entropy.losses(logits(part), part.labels).sum(dtype=torch.float64) for part in of)
    return float(total) / _n_pairs(of)
