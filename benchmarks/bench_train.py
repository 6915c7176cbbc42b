"""One training step with its test loss, per engine and recipe; short runs with their files; growth; cold start."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grok.models import matrices as weights
from grok.models.hooked import definition
from grok.recipe import PUBLISHED, RECIPES, Recipe
from grok.task import Task
from grok.train import run
from grok.train.engines import engine
from grok.train.state import Settings, State

ROOT = Path(__file__).parent.parent
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
NAMES = ("folded", "cuda_graph", "triton") if DEVICE == "cuda" else ("manual", "folded")
BEST = "triton" if DEVICE == "cuda" else "manual"


def stepper(recipes: list[Recipe], name: str):
    """A step with its test loss, to be called again and again."""
    step = engine.make(recipes, name, State.fresh(recipes, DEVICE))

    def call() -> None:
        step.test_loss()
        step.advance()
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    return call


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("recipe", PUBLISHED, ids=lambda r: r.name)
def test_step(benchmark, measure, recipe: Recipe, name: str):
    benchmark.group = f"step with test loss, {recipe.name}"
    torch.set_flush_denormal(True)
    measure(stepper([recipe], name), 50)


@pytest.mark.skipif(DEVICE == "cuda", reason="the definition is on the CPU; the peer script times a GPU")
@pytest.mark.parametrize("recipe", PUBLISHED, ids=lambda r: r.name)
def test_definition(benchmark, measure, recipe: Recipe):
    """The hooked model, all three positions, float64 log-softmax, unfused AdamW: as the sources run it."""
    benchmark.group = f"step with test loss, {recipe.name}"
    model = definition.hooked(weights.initial(recipe), recipe.task)
    trained = [w for w in model.parameters() if w.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=recipe.lr, betas=recipe.betas, weight_decay=recipe.weight_decay)
    split = recipe.split()

    def call() -> None:
        with torch.no_grad():
            definition.loss(model, recipe.task, split.test)
        optimiser.zero_grad()
        definition.loss(model, recipe.task, split.train).backward()
        optimiser.step()

    measure(call, 10)


@pytest.mark.parametrize("recipe", PUBLISHED, ids=lambda r: r.name)
def test_short_run(benchmark, measure, recipe: Recipe, tmp_path: Path):
    """200 steps of ``run.train`` with a test loss at every tenth, snapshots and state on disk."""
    benchmark.group = "run of 200 steps, files included"
    short, settings = replace(recipe, steps=200), Settings(device=DEVICE, engine=BEST)
    folders = iter(range(10**6))
    measure(lambda: run.train([short], tmp_path / str(next(folders)), settings, progress=False), 3)


@pytest.mark.parametrize("p", [59, 113, 227])
def test_growth_over_p(benchmark, measure, p: int):
    """Should follow p², the number of pairs."""
    benchmark.group = "step with test loss over p, modadd-transformer"
    measure(stepper([replace(RECIPES["modadd-transformer"], task=Task(p))], BEST), 20)


@pytest.mark.parametrize("n", [1, 2, 4, 8] if DEVICE == "cpu" else [1, 4, 16, 64, 256])
def test_growth_over_seeds(benchmark, measure, n: int):
    """Twice the seeds should take at most twice the time."""
    benchmark.group = "step with test loss over seeds, modadd-transformer"
    measure(stepper([RECIPES["modadd-transformer"].with_seed(s) for s in range(n)], BEST), 20)


@pytest.mark.benchmark(group="cold start")
def test_claims(measure):
    """``pytest claims/ -k modadd`` in a process of its own."""
    command = [sys.executable, "-m", "pytest", "claims/", "-k", "modadd", "-q", "-p", "no:cacheprovider"]
    measure(lambda: subprocess.run(command, cwd=ROOT, capture_output=True, check=True), 3)
