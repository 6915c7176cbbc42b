"""``pytest benchmarks/`` collects ``bench_*.py``. Nothing here is a test, and no test is timed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--smoke", action="store_true", help="benchmarks: one round each, to see that they run")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    named = parent.session.isinitpath(file_path)  # pytest itself collects a file that is named
    if file_path.suffix == ".py" and file_path.name.startswith("bench_") and not named:
        return pytest.Module.from_parent(parent, path=file_path)
    return None


@pytest.fixture
def measure(benchmark: Any, request: pytest.FixtureRequest) -> Callable[[Callable[[], object], int], object]:
    """``measure(call, rounds)``: that many timed calls after one tenth as many, at least one, that are not counted."""

    def timed(call: Callable[[], object], rounds: int) -> object:
        smoke = request.config.getoption("--smoke")
        rounds, warmup = (1, 0) if smoke else (rounds, max(1, rounds // 10))
        return benchmark.pedantic(call, rounds=rounds, warmup_rounds=warmup, iterations=1)

    return timed
