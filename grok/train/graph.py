"""Many steps in one CUDA graph. Python then replays the graph once in a hundred steps and launches no operations."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

CHUNK = 100  # steps in a graph: the distance of two snapshots


class Capturable(Protocol):
    """An engine whose steps only launch work on the device. They use no changing host numbers, and no transfers."""

    @property
    def mutable(self) -> list[Tensor]: ...

    def advance(self) -> Tensor: ...

    def advance_tested(self) -> tuple[Tensor, Tensor]:
        """The test losses, and what ``advance`` gives; the work on weights that both need is done once."""
        ...

    def train_loss(self) -> Tensor: ...

    def test_loss(self) -> Tensor: ...


class Graphed:
    """An engine that also makes ``chunk`` steps at once, with a test loss at every ``eval_every``-th of them.

    Without a GPU (in tests) a chunk makes the same steps one after another.
    """

    def __init__(self, inner: Capturable, eval_every: int, chunk: int = CHUNK):
        self.inner, self.eval_every = inner, eval_every
        self.chunk = chunk if chunk % eval_every == 0 else 1
        flat = inner.mutable[0]
        self.on_gpu = flat.is_cuda
        self.train_record = torch.zeros(self.chunk, len(flat), device=flat.device, dtype=flat.dtype)
        self.test_record = torch.zeros(-(-self.chunk // eval_every), len(flat), device=flat.device, dtype=flat.dtype)
        self.graph: torch.cuda.CUDAGraph | None = None

    def advance(self) -> Tensor:
        return self.inner.advance()

    def train_loss(self) -> Tensor:
        return self.inner.train_loss()

    def test_loss(self) -> Tensor:
        return self.inner.test_loss()

    def advance_chunk(self) -> tuple[Tensor, Tensor]:
        """``chunk`` updates; train losses before each [S, chunk], test losses before every eval_every-th [S, …]."""
        if not self.on_gpu:
            self.steps()
        else:
            if self.graph is None:
                self.graph = self._capture()
            self.graph.replay()
        return self.train_record.T.cpu(), self.test_record.T.cpu()

    def steps(self) -> None:
        """What a graph holds."""
        for i in range(self.chunk):
            if i % self.eval_every == 0:
                test, train = self.inner.advance_tested()
                self.test_record[i // self.eval_every].copy_(test)
            else:
                train = self.inner.advance()
            self.train_record[i].copy_(train)

    def _capture(self) -> torch.cuda.CUDAGraph:
        """Warm up on a side stream (kernels compile, workspaces are allocated), undo those steps, capture."""
        before = [t.clone() for t in self.inner.mutable]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.inner.advance_tested()
        torch.cuda.current_stream().wait_stream(side)
        for tensor, value in zip(self.inner.mutable, before, strict=True):
            tensor.copy_(value)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.steps()
        return graph
