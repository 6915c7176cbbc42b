"""No damaged byte of a fixture is believed, and no damaged file of anyone's brings more than a refusal."""

import contextlib
import io
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from grok.errors import GrokError
from grok.models import matrices as weights
from grok.recipe import RECIPES
from grok.store import checkpoint
from grok.store.fixture import CARD, CONTENTS, load_fixture, parse, save_fixture
from grok.task import Task

POSITIONS = 2_000
TINY = replace(RECIPES["modadd-mlp"], task=Task(7), steps=200, d_model=4, d_mlp=6)
TRAJECTORY = {"schema": 1, "steps": [0, 200], "key_frequencies": [2], "columns": {"train_loss": [3.0, 1e-7]}}
Damage = Callable[[bytes, int, random.Random], bytes]


def flipped(data: bytes, at: int, rng: random.Random) -> bytes:
    """One byte is another."""
    return data[:at] + bytes([data[at] ^ rng.randrange(1, 256)]) + data[at + 1 :]


def truncated(data: bytes, at: int, _rng: random.Random) -> bytes:
    return data[:at]


@pytest.fixture(scope="module")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    folder = tmp_path_factory.mktemp("fixtures") / "modadd-mlp" / "seed0"
    initial = weights.initial(TINY)
    save_fixture(folder, TINY, initial, {0: initial}, {"initial": 0}, TRAJECTORY, {"device": "cpu"})
    return folder, {name: (folder / name).read_bytes() for name in (CARD, *CONTENTS)}


@pytest.mark.parametrize("damage", [flipped, truncated])
def test_a_damaged_fixture_is_refused(fixture: tuple[Path, dict[str, bytes]], damage: Damage):
    folder, whole = fixture
    parse(folder, whole)
    rng = random.Random(0)
    places = [(name, at) for name, data in whole.items() for at in range(len(data))]
    for name, at in rng.sample(places, POSITIONS):
        with pytest.raises(GrokError) as refusal:
            parse(folder, whole | {name: damage(whole[name], at, rng)})
        told, command = str(refusal.value).splitlines()
        assert told.startswith(str(folder / name)), (name, at)
        assert "grok train modadd-mlp --seed 0" in command


def test_the_same_from_disk(fixture: tuple[Path, dict[str, bytes]]):
    """The files are parsed as they were read: what is true of ``parse`` is true of ``load_fixture``."""
    folder, whole = fixture
    rng = random.Random(1)
    for name, data in whole.items():
        (folder / name).write_bytes(flipped(data, len(data) // 2, rng))
        with pytest.raises(GrokError, match=name):
            load_fixture(folder)
        (folder / name).write_bytes(data)
    load_fixture(folder)


def _pt(held: dict[str, torch.Tensor]) -> bytes:
    out = io.BytesIO()
    torch.save(held, out)
    return out.getvalue()


@pytest.mark.parametrize("damage", [flipped, truncated])
@pytest.mark.parametrize("write", [save, _pt], ids=["safetensors", "pt"])
def test_a_damaged_checkpoint_loads_or_is_refused(tmp_path: Path, write: Callable[..., bytes], damage: Damage):
    """It has no digest, so a flipped weight cannot be seen; but nothing other than a refusal may come of it."""
    data, path, rng, refused = write(weights.initial(TINY)), tmp_path / "model", random.Random(2), 0
    for at in rng.sample(range(len(data)), min(POSITIONS // 2, len(data))):
        path.write_bytes(damage(data, at, rng))
        with contextlib.suppress(GrokError):
            checkpoint.load(path, recipe="modadd-mlp")
            continue
        refused += 1
    assert refused > 0
