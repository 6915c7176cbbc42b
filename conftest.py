"""Wires the shipped fixtures and the committed verdicts to the plugin; nothing else."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    if config.option.fixture_dir is None:  # for the user's own fixtures nothing is expected
        config.option.fixture_dir = str(ROOT / "fixtures")
        config.option.expected = config.option.expected or str(ROOT / "reports" / "expected.json")
