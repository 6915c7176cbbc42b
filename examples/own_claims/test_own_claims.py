"""Claims about a model of your own: install grok-claims, give a ``model`` fixture, write the claim."""

from pathlib import Path

import pytest
import torch

from grok import load
from grok.claim import claim, source
from grok.measure import losses, neurons
from grok.models.architectures import network

pytestmark = source("example", "An MLP that adds modulo 13", ref="written down by hand, for this example")


@pytest.fixture(params=["mine", pytest.param("random", marks=pytest.mark.control)])
def model(request):
    """The model, and a control on which every claim must fail: random weights of the same shapes."""
    mine = load(Path(__file__).parent / "model.safetensors").network
    if request.param == "mine":
        return mine
    noise = torch.Generator().manual_seed(0)
    return network({name: torch.randn(w.shape, generator=noise) for name, w in mine.weights.items()}, mine.task)


@claim("E1", "It adds")
def test_it_adds(model, evidence):
    accuracy = evidence("accuracy on all pairs", losses.accuracy(model.logits, model.labels))
    assert accuracy == 1


@claim("E2", "It reads its answer from three frequencies")
def test_three_frequencies(model, evidence):
    ratio = evidence("‖W_U on K‖ / ‖W_U‖", neurons.key_norm_ratio(model.U, model.key_frequencies))
    assert ratio >= 0.99
    assert len(model.key_frequencies) == 3
