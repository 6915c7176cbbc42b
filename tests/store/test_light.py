"""The light form of a fixture: what it drops is computed again, or the card's digest says that it is something else."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grok.errors import GrokError
from grok.models import matrices
from grok.recipe import RECIPES
from grok.store.fixture import MODEL, TRAJECTORY, load_fixture, save_fixture
from grok.store.light import lighten
from grok.task import Task

TINY = replace(RECIPES["modadd-mlp"], task=Task(7), steps=200, d_model=8, d_mlp=16)
ROLES = {"initial": 0, "memorised": 50, "grok": 100}
RUN = {"schema": 1, "steps": [0, 100, 200], "key_frequencies": [2, 3], "columns": {"train_loss": [3.0, None, 1e-7]}}


def write(folder: Path, initial: matrices.Weights) -> Path:
    checkpoints = {step: {name: w + step for name, w in initial.items()} for step in ROLES.values()}
    final = {name: w * 2 for name, w in initial.items()}
    save_fixture(folder, TINY, final, checkpoints, ROLES, RUN, {"device": "cpu"})
    return folder


def test_initial_is_drawn_again_and_memorised_is_kept(tmp_path: Path):
    whole = load_fixture(write(tmp_path / "whole", matrices.initial(TINY)))
    lighten(whole.folder, tmp_path / "light")
    light = load_fixture(tmp_path / "light")
    assert set(light.weights) == {50, 200}
    assert light.roles == {"initial": 0, "memorised": 50, "final": 200}
    assert all(light.card["sha256"][name] == whole.card["sha256"][name] for name in (MODEL, TRAJECTORY))
    for role in light.roles:
        assert torch.equal(light.network(role).U, whole.network(role).U)
    assert light.run.initial is light.network("initial")


def test_lightening_twice_changes_nothing(tmp_path: Path):
    lighten(write(tmp_path / "whole", matrices.initial(TINY)), tmp_path / "once")
    lighten(tmp_path / "once", tmp_path / "twice")
    assert load_fixture(tmp_path / "twice").card == load_fixture(tmp_path / "once").card


def test_a_draw_with_other_bits_is_not_the_initial_network(tmp_path: Path):
    """As on a processor, or with a torch, that rounds the draw in another way."""
    elsewhere = {name: torch.nextafter(w, w + 1) for name, w in matrices.initial(TINY).items()}
    lighten(write(tmp_path / "whole", elsewhere), tmp_path / "light")
    light = load_fixture(tmp_path / "light")
    with pytest.raises(GrokError, match="those drawn here from seed 0 are not the run's"):
        light.network("initial")
    assert light.run.initial is None
    assert light.run.network is light.network()
