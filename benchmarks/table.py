"""Tables from what ``pytest benchmarks/ --benchmark-json FILE`` or the GPU suite (``report.json``) wrote.

    python -m benchmarks.table FILE

Markdown on standard output: the machine, then a table per group with the slowest as the unit of the ratio.
"""

from __future__ import annotations

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any


def tables(data: dict[str, Any]) -> str:
    """The tables of either kind of file. Raises ValueError for another."""
    if "benchmarks" in data:
        return pytest_benchmark(data)
    if "environment" in data:
        return gpu_report(data)
    raise ValueError("neither pytest-benchmark's JSON nor a report of the GPU suite")


def pytest_benchmark(data: dict[str, Any]) -> str:
    machine = data["machine_info"]
    lines = [f"{machine['cpu'].get('brand_raw', machine['machine'])}, {machine['cpu'].get('count', '?')} cores, "
             f"Python {machine['python_version']}, {data['datetime'][:10]}"]  # fmt: skip
    rows = sorted(data["benchmarks"], key=lambda b: b["group"] or "")
    for group, members in groupby(rows, key=lambda b: b["group"] or "others"):
        times = sorted(members, key=lambda b: b["stats"]["median"])
        slowest = times[-1]["stats"]["median"]
        lines += ["", f"**{group}**", "", *_header("what", "median", "first … third quartile", "rounds", "faster by")]
        for b in times:
            s = b["stats"]
            spread = f"{_time(s['q1'])} … {_time(s['q3'])}"
            name = b["name"].removeprefix("test_")
            lines.append(_row(name, _time(s["median"]), spread, s["rounds"], f"{slowest / s['median']:.1f} ×"))
    return "\n".join(lines) + "\n"


def gpu_report(data: dict[str, Any]) -> str:
    environment = data["environment"]
    lines = [", ".join(f"{k} {v}" for k, v in environment.items())]
    if data["rehearsal"]:
        lines.append("\nA rehearsal with small sizes on a CPU: these times are about nothing.")
    for name in data["failed"]:
        lines.append(f"\n**{name} failed**: {data[name]['error'].strip().splitlines()[-1]}")
    lines += ["", "**runs to their end**", "", *_header("recipe", "seeds", "steps", "engine", "time", "groks at step")]
    found = {name: part.get("result") or {} for name, part in data.items() if isinstance(part, dict)}
    for name in ("canonical", "compared", "seeds"):
        for r in found.get(name, {}).get("runs", []):
            steps = ", ".join("–" if step is None else str(step) for step in r["grok_step"])
            lines.append(_row(r["recipe"], len(r["seeds"]), r["steps"], r["engine"], _time(r["seconds"]), steps))
    targets = found.get("targets", {})
    lines += ["", "**targets**", "", *_header("what", "measured", "target")]
    for name in ("whole_run_seconds", "batch_us_per_seed_step"):
        if name in targets:
            lines.append(_row(name, f"{targets[name]:.3g}", f"{targets[f'{name}_target']:g}"))
    for part in ("ladder", "ladder_alone", "growth"):
        lines += ["", f"**{part}**", ""]
        lines += _header("recipe", "p", "engine", "seeds", "test loss every", "step", "20 % … 80 %", "a seed's step")
        for r in found.get(part, {}).get("rows", []):
            step = r["step"]
            spread = f"{_time(step['p20_us'] / 1e6)} … {_time(step['p80_us'] / 1e6)}"
            times = _time(step["median_us"] / 1e6), spread, _time(r["seed_step"]["median_us"] / 1e6)
            lines.append(_row(r["recipe"], r["p"], r["engine"], r["seeds"], r["eval_every"], *times))
    lines += ["", "**kernels**", "", *_header("kernel", "seeds", "triton", "reference", "faster by", "of the ceiling")]
    for r in found.get("beside", {}).get("rows", []):
        ours, other = r["triton"]["median_us"] / 1e6, r["reference"]["median_us"] / 1e6
        share = f"{100 * r['share_of_ceiling']:.0f} %"
        lines.append(_row(r["kernel"], r["seeds"], _time(ours), _time(other), f"{other / ours:.1f} ×", share))
    return "\n".join(lines) + "\n"


def _header(*cells: str) -> list[str]:
    return [_row(*cells), "|" + "---|" * len(cells)]


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(c) for c in cells) + " |"


def _time(seconds: float) -> str:
    """Three figures with a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m benchmarks.table FILE", file=sys.stderr)
        return 2
    print(tables(json.loads(Path(sys.argv[1]).read_text())), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
