"""Many steps in one CUDA graph. Python then replays the graph once in a hundred steps and launches no operations."""

from __future__ import annotations

from collections.abc import Callable
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
        _, train, test = self.start_chunk()()
        return train, test

    def start_chunk(self) -> Callable[[], tuple[Tensor, Tensor, Tensor]]:
        """Launch ``chunk`` updates. Call what it returns to wait for them: weights [S, P] before them, and the losses.

        A GPU goes on without a pause if the next chunk is launched before this one is waited for.
        """
        flat = self.inner.mutable[0]
        if not self.on_gpu:
            before = flat.clone()
            self.steps()
            found = before, self.train_record.T.clone(), self.test_record.T.clone()
            return lambda: found
        if self.graph is None:
            self.graph = self._capture()
        weights, train, test = (_on_host(x) for x in (flat, self.train_record, self.test_record))
        weights.copy_(flat, non_blocking=True)
        self.graph.replay()
        train.copy_(self.train_record, non_blocking=True)
        test.copy_(self.test_record, non_blocking=True)
        done = torch.cuda.Event()
        done.record()

        def wait() -> tuple[Tensor, Tensor, Tensor]:
            done.synchronize()
            return weights, train.T, test.T

        return wait

    def steps(self) -> None:
        """What a graph holds. Losses are collected at its end: nothing in between waits for them."""
        train, test = [], []
        for i in range(self.chunk):
            if i % self.eval_every == 0:
                tested, trained = self.inner.advance_tested()
                test.append(tested)
            else:
                trained = self.inner.advance()
            train.append(trained)
        torch.stack(train, out=self.train_record)
        torch.stack(test, out=self.test_record)

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


def _on_host(x: Tensor) -> Tensor:
    """Memory for a copy that a GPU makes by itself."""
    return torch.empty(x.shape, dtype=x.dtype, pin_memory=True)
