"""All progress measures of one checkpoint: the p × p tables against the sources' formulas written out.

Both give the same numbers, which is asserted before anything is timed.
"""

import math
from pathlib import Path

import pytest
import torch

from benchmarks import formulas
from grok.measure import embedding, logits
from grok.models.hooked import definition
from grok.models.names import Weights
from grok.store.fixture import load_fixture
from grok.train.snapshot import Pairs, Snapshot

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


def ours(model: Snapshot, keys: tuple[int, ...]) -> dict[str, float]:
    """The measures of ``formulas.Sources.measures``; residual path in the restricted loss as source S has it."""
    cosines = model.cosine_similarities
    return {
        "coefficients": float(model.cosine_projections.norm()),
        "key_cos2": model.key_cos2(keys),
        "rest": math.sqrt(1 - float(cosines.square().sum())),
        "restricted_loss": model.restricted_loss(keys, skip=False),
        "excluded_loss": model.excluded_loss(keys),
        "gini_W_E": embedding.gini(embedding.fourier_norms(model.W_E)),
    }


@pytest.fixture(scope="module")
def pairs(shipped) -> Pairs:
    return Pairs.of(shipped.recipe, shipped.recipe.split())


def matrices(shipped, dtype: torch.dtype = torch.float32) -> Weights:
    return {name: w.to(dtype) for name, w in shipped.network().weights.items()}


@pytest.mark.benchmark(group=GROUP)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["tables-float32", "tables-float64"])
def test_tables(measure, shipped, pairs, keys, dtype):
    given = matrices(shipped, dtype)
    measure(lambda: ours(Snapshot(given, pairs), keys), 20)


@pytest.mark.benchmark(group=GROUP)
def test_sources(measure, shipped, pairs, keys):
    task, split = shipped.recipe.task, shipped.recipe.split()
    sources = formulas.Sources(task, split)
    model = definition.hooked(matrices(shipped), task)
    expected = sources.measures(model, keys)
    found = ours(Snapshot(matrices(shipped), pairs), keys)
    assert found == pytest.approx(expected, rel=2e-2), "the two are to compute the same"
    measure(lambda: sources.measures(model, keys), 5)


LOGITS = "cosine coefficients of one logit cube, p = 113"


@pytest.mark.benchmark(group=LOGITS)
def test_coefficients_tables(measure, shipped):
    cube, labels = torch.randn(113 * 113, 113), shipped.recipe.task.labels()
    measure(lambda: logits.cosine_projections(cube, labels), 50)


@pytest.mark.benchmark(group=LOGITS)
def test_coefficients_cubes(measure, shipped):
    sources = formulas.Sources(shipped.recipe.task, shipped.recipe.split())
    cube = torch.randn(113, 113, 113)
    measure(lambda: (sources.cubes * cube).sum((-3, -2, -1)), 5)
