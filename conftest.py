"""Wires the shipped fixtures and the committed verdicts to the plugin; nothing else."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    config.option.fixture_dir = config.option.fixture_dir or str(ROOT / "fixtures")
    config.option.expected = config.option.expected or str(ROOT / "reports" / "expected.json")
