"""How many operations the GPU engine launches, and that a graph could hold them. Triton's interpreter will do."""

import os

import pytest
import torch

pytest.importorskip("triton", reason="Triton is for Linux on x86-64")

from benchmarks.gpu.launches import PARTS, launches, small
from benchmarks.gpu.recording import recording
from grok.train import graph
from grok.train.engines import engine
from grok.train.state import State

DEVICE = "cuda" if torch.cuda.is_available() and os.environ.get("TRITON_INTERPRET") != "1" else "cpu"
MOST = {"modadd-mlp": (12, 5), "modadd-transformer": (20, 7)}  # of a train step, of a test loss


@pytest.mark.parametrize("name", MOST)
def test_launches_of_a_step(name: str):
    train, test, both = launches([small(name, PARTS)], DEVICE).values()
    assert len(train) <= MOST[name][0], train
    assert len(test) <= MOST[name][1], test
    assert both.count("_multiply") == train.count("_multiply")  # what depends on weights only, once
    assert {"_multiply", "_mix", "_forward", "_cross_entropy"} <= set(test)  # or kernels are not counted
    assert "_add_parts" in train  # or the products are too small


@pytest.mark.parametrize("name", MOST)
def test_a_recorded_chunk_replays_to_the_bits_of_the_steps(name: str):
    """As a graph would: the same launches on the same memory. Two steps stand for all."""
    recipe = small(name)
    states = [State.fresh([recipe], DEVICE) for _ in range(2)]
    recorded, plain = (engine.make([recipe], "triton", state, chunk=2) for state in states)
    assert isinstance(recorded, graph.Graphed)
    with recording() as record:
        recorded.steps(recorded.tested(0))
    half = len(record.operations) // 2 - 1
    assert record.sequence[:half] == record.sequence[half:-2]
    assert record.names[-2:] == ["stack", "stack"]  # the losses of all steps
    record.replay()
    losses = [(float(plain.test_loss()), float(plain.advance())) for _ in range(4)][2:]
    found = zip(recorded.test_record[:, 0].tolist(), recorded.train_record[:, 0].tolist(), strict=True)
    assert list(found) == losses
    assert torch.equal(states[0].flat, states[1].flat)


def test_what_a_graph_cannot_hold_is_seen():
    x = torch.zeros(2, device=DEVICE)
    with recording() as record:
        for i in range(2):
            x.add_(i)
    assert record.sequence[0] != record.sequence[1]
    with pytest.raises(RuntimeError, match="the host waits"), recording():
        float(x.sum())
