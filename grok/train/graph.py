"""Many steps in one CUDA graph. Python then replays the graph once in many steps and launches no operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

# Steps in a graph, the first that fits is taken. It divides the distance of two snapshots. To capture a step takes as
# long as eight of its replays, so there are few; a replay of 20 steps is long enough to launch the next one meanwhile.
CHUNKS = (20, 100)
AHEAD = 100  # steps that a run launches before it waits for their losses, or two chunks: it writes files meanwhile


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
    """An engine that also makes ``chunk`` steps at once, with a test loss at every ``eval_every``-th step of the run.

    The steps of a chunk that have one are the same in every chunk, or some chunks have none, so there are at most two
    graphs. Without a ``chunk`` the first of ``CHUNKS`` is taken that ``eval_every`` divides, or is a multiple of. If
    there is none, a chunk is a single step.
    Without a GPU (in tests) a chunk makes the same steps one after another.
    """

    def __init__(self, inner: Capturable, eval_every: int, chunk: int | None = None):
        self.inner, self.eval_every = inner, eval_every
        fitting = (c for c in ((chunk,) if chunk else CHUNKS) if c % eval_every == 0 or eval_every % c == 0)
        self.chunk = next(fitting, 1)
        flat = inner.mutable[0]
        self.on_gpu = flat.is_cuda
        self.train_record = torch.zeros(self.chunk, len(flat), device=flat.device, dtype=flat.dtype)
        self.test_record = torch.zeros(-(-self.chunk // eval_every), len(flat), device=flat.device, dtype=flat.dtype)
        self.graphs: dict[tuple[int, ...], torch.cuda.CUDAGraph] = {}
        # torch has few streams and gives them out in turn. Its own one for captures may be one of the engine's, whose
        # branches would then follow one another.
        self.stream = torch.cuda.Stream(flat.device) if self.on_gpu else None

    def advance(self) -> Tensor:
        return self.inner.advance()

    def train_loss(self) -> Tensor:
        return self.inner.train_loss()

    def test_loss(self) -> Tensor:
        return self.inner.test_loss()

    def tested(self, step: int) -> tuple[int, ...]:
        """Which steps of the chunk that begins with ``step`` have a test loss, counted from its first."""
        return tuple(i for i in range(self.chunk) if (step + i) % self.eval_every == 0)

    def advance_chunk(self, step: int = 0) -> tuple[Tensor, Tensor]:
        """``chunk`` updates from ``step`` on: train losses before each [S, chunk], test losses before some."""
        _, train, test = self.start_chunk(step)()
        return train, test

    def start_chunk(self, step: int, weights: bool = False) -> Callable[[], tuple[Tensor | None, Tensor, Tensor]]:
        """Launch ``chunk`` updates from ``step`` on. Call what it returns to wait for them; it gives the weights before
        them [S, P], if asked for, and the losses as ``advance_chunk``.

        A GPU goes on without a pause if the next chunk is launched before this one is waited for.
        """
        flat, tested = self.inner.mutable[0], self.tested(step)
        records = self.train_record, self.test_record[: len(tested)]
        if not self.on_gpu:
            before = flat.clone() if weights else None
            self.steps(tested)
            train, test = (record.T.clone() for record in records)
            return lambda: (before, train, test)
        if tested not in self.graphs:
            self.graphs[tested] = self._capture(tested)
        before = _copied(flat) if weights else None
        self.graphs[tested].replay()
        train, test = (_copied(record).T for record in records)
        done = torch.cuda.Event()
        done.record()

        def wait() -> tuple[Tensor | None, Tensor, Tensor]:
            done.synchronize()
            return before, train, test

        return wait

    def steps(self, tested: tuple[int, ...]) -> None:
        """What a graph holds. Losses are collected at its end: nothing in between waits for them."""
        train, test = [], []
        for i in range(self.chunk):
            if i in tested:
                test_loss, train_loss = self.inner.advance_tested()
                test.append(test_loss)
            else:
                train_loss = self.inner.advance()
            train.append(train_loss)
        torch.stack(train, out=self.train_record)
        if test:
            torch.stack(test, out=self.test_record)

    def _capture(self, tested: tuple[int, ...]) -> torch.cuda.CUDAGraph:
        """Warm up (kernels compile, workspaces are allocated), undo those steps, capture."""
        assert self.stream is not None
        before = [t.clone() for t in self.inner.mutable]
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            for _ in range(3):
                self.inner.advance_tested()
        torch.cuda.current_stream().wait_stream(self.stream)
        for tensor, value in zip(self.inner.mutable, before, strict=True):
            tensor.copy_(value)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream):
            self.steps(tested)
        return graph


def _copied(x: Tensor) -> Tensor:
    """A copy in pinned memory, which is there when the device has come so far: the host does not wait."""
    return torch.empty(x.shape, dtype=x.dtype, pin_memory=True).copy_(x, non_blocking=True)
