"""Zip bombs, huge headers and hungry pickles: refused within 2 × file + 300 MB of memory and 10 s of processor time."""

import signal

import pytest
from forked import alone


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return alone("bombs.py", tmp_path_factory.mktemp("bombs"))


def test_every_bomb_is_refused_within_its_bounds(ended: dict):
    assert len(ended["bombs"]) == 23
    for name, bomb in ended["bombs"].items():
        assert bomb["code"] == 2, f"{name}: {bomb}"
        assert "Traceback" not in bomb["told"], name


def test_the_bounds_would_notice(ended: dict):
    """A process that takes 400 MB cannot have them, and one that never ends is ended."""
    assert ended["limits"] == {"hungry": 70, "endless": -signal.SIGXCPU}
