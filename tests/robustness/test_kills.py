"""SIGKILL at any moment of training and saving loses nothing but time."""

import pytest
from forked import alone

KILLS = 200


def test_kills_at_random_moments(tmp_path):
    seen = alone("kills.py", tmp_path, KILLS)
    assert seen["kills"] == KILLS
    assert seen["a state that loads"] > 0
    assert seen["runs to the end"] > 0


def test_a_broken_state_would_be_seen(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """The check that the kills rely on can fail."""
    import kills

    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "state.safetensors").write_bytes(b"half of a state")
    with pytest.raises(Exception, match="header"):
        kills.look(tmp_path)
