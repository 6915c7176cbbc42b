"""A full disk and a read-only directory: an error in words, exit code 2, nothing half-written."""

import tempfile
from pathlib import Path

import pytest
from forked import alone

REASONS = {
    "train, /dev/full under the state": "No space left on device",
    "train, /dev/full under the card": "No space left on device",
    "train, no room for the snapshots": "File too large",
    "train, no room for the state": "File too large",
    "train, read-only directory": "Permission denied",
    "train, a file in the way": "Not a directory",
    "convert, /dev/full": "No space left on device",
    "convert, no room": "File too large",
    "convert, read-only directory": "Permission denied",
    "convert, a file in the way": "File exists",
}


@pytest.fixture(scope="module")
def ended() -> dict:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to other users, and one trial is one
        (Path(folder) / "trials").mkdir()
        return alone("disk.py", Path(folder) / "trials")


@pytest.mark.parametrize("trial", REASONS)
def test_the_error_is_told(ended: dict, trial: str):
    assert ended[trial]["code"] == 2, ended[trial]
    assert ended[trial]["told"].splitlines()[-1].startswith("grok: ")
    assert REASONS[trial] in ended[trial]["told"]
    assert "Traceback" not in ended[trial]["told"]
    assert "'/" in ended[trial]["told"], "the file is not named"


@pytest.mark.parametrize("trial", REASONS)
def test_nothing_half_written_is_left(ended: dict, trial: str):
    """No temporary file; and no card, so that nobody takes the folder for a fixture."""
    left = [Path(name).name for name in ended[trial]["left"]]
    assert not [name for name in left if name.endswith(".tmp")], left
    assert "card.json" not in left
    assert trial.startswith("train") or "model.safetensors" not in left
