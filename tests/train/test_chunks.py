"""Steps in chunks, as a CUDA graph makes them, and a run that keeps some on their way; without a GPU."""

import itertools
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grok.errors import Interrupted
from grok.recipe import RECIPES
from grok.task import Task
from grok.train import run
from grok.train.engines import engine
from grok.train.graph import CHUNKS, Graphed
from grok.train.state import Settings, State

CHUNK = CHUNKS[0]
RECIPE = replace(RECIPES["modadd-mlp"], task=Task(7), train_frac=0.6, d_model=12, d_mlp=20)


def _same(*works: Path) -> None:
    """The same bits in the snapshots and in the states of two runs."""
    assert len({(work / "snapshots.f32").read_bytes() for work in works}) == 1
    one, other = (State.load(work / "state.safetensors", "cpu").tensors() for work in works)
    for name in one.keys() - {"seconds"}:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=0, equal_nan=True)


def test_a_chunk_of_steps_is_the_steps_one_by_one():
    states = [State.fresh([RECIPE], "cpu") for _ in range(2)]
    single, chunked = (engine.make([RECIPE], "folded", state) for state in states)
    train, test = Graphed(chunked, eval_every=10).advance_chunk()
    for t in range(CHUNK):
        if t % 10 == 0:
            assert torch.equal(test[:, t // 10], single.test_loss())
        assert torch.equal(train[:, t], single.advance())
    assert torch.equal(states[0].flat, states[1].flat)


@pytest.mark.parametrize(("eval_every", "chunk", "graphs"), [(10, CHUNK, 1), (200, CHUNK, 2), (50, 100, 1), (7, 1, 2)])
def test_a_run_in_chunks_is_the_run_step_by_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eval_every: int, chunk: int, graphs: int
):
    """With the test losses that were asked for, and no others."""
    recipe, settings = replace(RECIPE, steps=350), Settings(engine="folded", eval_every=eval_every)
    begun = []
    monkeypatch.setattr(run.files.Syncing, "begin", lambda written: begun.append(written.path.parent.name))
    run.train([recipe], tmp_path / "single", settings, progress=False)
    made, make = [], engine.make
    monkeypatch.setattr(run.engine, "make", lambda *a: made.append(Graphed(make(*a), a[-1])) or made[-1])
    run.train([recipe], tmp_path / "chunked", settings, progress=False)
    assert set(begun) == {"chunked"}  # snapshots go to the disk on the way only where they come fast
    assert made[0].chunk == chunk
    assert len({made[0].tested(t) for t in range(0, 350, chunk)}) == graphs
    _same(tmp_path / "single", tmp_path / "chunked")


@pytest.mark.parametrize("stopped_in", [0, 100, 200])
def test_a_run_that_is_stopped_while_a_chunk_is_ahead_goes_on_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_in: int
):
    """The weights of the state are those of its step, though a GPU was already at the next chunk."""
    recipe, make, launched = replace(RECIPE, steps=450), engine.make, []

    class Stopping(Graphed):
        def start_chunk(self, step, weights=False):
            launched.append(step)
            wait = super().start_chunk(step, weights)

            def waiting():
                if stop and launched[-1] > stopped_in:  # the next chunk is on its way
                    os.kill(os.getpid(), signal.SIGINT)
                    stop.clear()
                return wait()

            return waiting

    monkeypatch.setattr(run.engine, "make", lambda *a: Stopping(make(*a), a[-1]))
    stop = [True]
    with pytest.raises(Interrupted, match="the same command goes on"):
        run.train([recipe], tmp_path / "stopped", Settings(engine="folded"), progress=False)
    assert State.load(tmp_path / "stopped" / "state.safetensors", "cpu").step == launched[-1] + CHUNK
    run.train([recipe], tmp_path / "stopped", Settings(engine="folded"), progress=False)
    run.train([recipe], tmp_path / "whole", Settings(engine="folded"), progress=False)
    _same(tmp_path / "stopped", tmp_path / "whole")


def test_a_state_that_is_saved_on_the_way_has_the_weights_of_its_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """By a clock that goes 25 seconds at every look, so that some chunks are launched ahead and some states are due."""
    recipe, make, launched, saved = replace(RECIPE, steps=1000), engine.make, [], {}

    class Watched(Graphed):
        def start_chunk(self, step, weights=False):
            launched.append(step)
            return super().start_chunk(step, weights)

    def keep(step: int) -> None:
        saved[step] = State.load(tmp_path / "state.safetensors", "cpu").flat
        assert launched[-1] == step - CHUNK  # nothing is ahead

    monkeypatch.setattr(run.engine, "make", lambda *a: Watched(make(*a), a[-1]))
    clock = itertools.count(0, 25)
    monkeypatch.setattr(run.time, "monotonic", lambda: next(clock))
    run.train([recipe], tmp_path, Settings(engine="folded"), progress=False, on_save=keep)
    assert 2 <= len(saved) < 1000 / CHUNK  # or none was ahead
    state = State.fresh([recipe], "cpu")
    single = make([recipe], "folded", state)
    for step in range(max(saved) + 1):
        assert step not in saved or torch.equal(state.flat, saved[step])
        single.advance()
