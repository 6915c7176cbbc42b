"""The tables made of benchmark results. Nothing is timed here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import table

ROOT = Path(__file__).parent.parent


def _bench(name: str, median: float) -> dict:
    return {"group": "a step", "name": name, "stats": {"median": median, "q1": median, "q3": 2 * median, "rounds": 5}}


def test_a_table_of_pytest_benchmark_has_its_ratio_to_the_slowest():
    machine = {"cpu": {"brand_raw": "A processor", "count": 2}, "machine": "x86_64", "python_version": "3.11.7"}
    data = {
        "machine_info": machine,
        "datetime": "2026-01-02T03:04:05",
        "benchmarks": [_bench("test_slow", 0.258), _bench("test_fast", 0.0129)],
    }
    text = table.tables(data)
    assert "| fast | 12.9 ms | 12.9 ms … 25.8 ms | 5 | 20.0 × |" in text
    assert "| slow | 258 ms | 258 ms … 516 ms | 5 | 1.0 × |" in text
    assert text.index("fast") < text.index("slow")


def test_a_report_of_a_rehearsal_says_so_and_names_what_failed():
    times = {"median_us": 41.0, "p20_us": 40.0, "p80_us": 43.0, "n": 12}
    row = {
        "recipe": "modadd-mlp",
        "p": 113,
        "engine": "triton",
        "seeds": 4,
        "eval_every": 10,
        "step": times,
        "seed_step": times,
    }
    run = {"recipe": "modsub", "seeds": [999], "steps": 25000, "engine": "triton", "seconds": 2.5, "grok_step": [9000]}
    report = {
        "environment": {"device": "cpu"},
        "rehearsal": True,
        "failed": ["seeds"],
        "seeds": {"error": "Traceback\nRuntimeError: no room"},
        "canonical": {"result": {"runs": [run | {"grok_step": [None]}], "left_out": []}},
        "compared": {"result": {"runs": [run | {"engine": "triton_tf32x3"}], "left_out": []}},
        "targets": {"result": {"whole_run_seconds": 2.5, "whole_run_seconds_target": 3.0}},
        "ladder": {"result": {"rows": [row], "left_out": []}},
    }
    text = table.tables(report)
    assert "rehearsal" in text
    assert "**seeds failed**: RuntimeError: no room" in text
    assert "| modsub | 1 | 25000 | triton | 2.5 s | – |" in text
    assert "| modsub | 1 | 25000 | triton_tf32x3 | 2.5 s | 9000 |" in text
    assert "| whole_run_seconds | 2.5 | 3 |" in text
    assert "| modadd-mlp | 113 | triton | 4 | 10 | 41 µs | 40 µs … 43 µs | 41 µs |" in text


def test_the_benchmarks_run():
    """One round each of the short ones; what they measure is not looked at."""
    chosen = ["benchmarks/", "--smoke", "-k", "bag or log1p or step[add-transformer-manual or tables"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *chosen]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run(command, cwd=ROOT, env=alone | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "passed" in run.stdout


def test_other_files_are_refused():
    with pytest.raises(ValueError, match="neither"):
        table.tables({})
