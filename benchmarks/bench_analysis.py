"""All progress measures of one checkpoint: the p × p tables against the sources' formulas written out.

Both give the same numbers, which is asserted before anything is timed.
"""

import math
from pathlib import Path

import pytest
import torch

from benchmarks import formulas
from grok.fixture import load_fixture
from grok.kernels import diagonal_sum
from grok.measure import embedding, losses
from grok.measure.logits import at, cosine_projections
from grok.models import definition
from grok.network import Network, network

FIXTURE = Path(__file__).parent.parent / "fixtures" / "modsub-transformer" / "seed999"
GROUP = "progress measures of one checkpoint, modsub-transformer"


@pytest.fixture(scope="module")
def shipped():
    if not FIXTURE.exists():
        pytest.skip(f"{FIXTURE} is not there")
    return load_fixture(FIXTURE)


@pytest.fixture(scope="module")
def keys(shipped) -> tuple[int, ...]:
    return shipped.network().key_frequencies


def ours(net: Network, keys: tuple[int, ...]) -> dict[str, float]:
    """The measures of ``formulas.Sources.measures``; residual path in the restricted loss as source S has it."""
    ablation = losses.Ablation(net.logits, net.skip_logits, net.labels)
    coefficients = cosine_projections(net.logits, net.labels)
    cosines = coefficients / net.logits.norm()
    return {
        "coefficients": float(coefficients.norm()),
        "key_cos2": float(at(cosines, keys).square().sum()),
        "rest": math.sqrt(1 - float(cosines.square().sum())),
        "restricted_loss": ablation.restricted_loss(keys, net.test, skip=False),
        "excluded_loss": ablation.excluded_loss(keys, net.train),
        "gini_W_E": embedding.gini(embedding.fourier_norms(net.W_E)),
    }


def fresh(shipped, dtype: torch.dtype) -> Network:
    """Without activations kept from an earlier round."""
    net = shipped.network()
    return network({k: w.to(dtype) for k, w in net.weights.items()}, net.task, net.split, dtype=dtype)


@pytest.mark.benchmark(group=GROUP)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["tables-float32", "tables-float64"])
def test_tables(measure, shipped, keys, dtype):
    measure(lambda: ours(fresh(shipped, dtype), keys), 20)


@pytest.mark.benchmark(group=GROUP)
def test_sources(measure, shipped, keys):
    net = shipped.network()
    sources = formulas.Sources(net.task, net.split)
    model = definition.hooked({k: w.float() for k, w in net.weights.items()}, net.task)
    expected, found = sources.measures(model, keys), ours(net, keys)
    assert found == pytest.approx(expected, rel=2e-2), "the two are to compute the same"
    measure(lambda: sources.measures(model, keys), 5)


LOGITS = "cosine coefficients of one logit cube, p = 113"


@pytest.mark.benchmark(group=LOGITS)
def test_coefficients_tables(measure):
    cube = torch.randn(1, 113 * 113, 113)
    measure(lambda: diagonal_sum.coefficients(cube), 50)


@pytest.mark.benchmark(group=LOGITS)
def test_coefficients_cubes(measure, shipped):
    sources = formulas.Sources(shipped.recipe.task, shipped.recipe.split())
    cube = torch.randn(113, 113, 113)
    measure(lambda: (sources.cubes * cube).sum((-3, -2, -1)), 5)
