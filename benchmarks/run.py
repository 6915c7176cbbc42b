"""``make bench``: every benchmark, its JSON under ``.benchmarks/``, and the tables.

python -m benchmarks.run [pytest's arguments]
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    path = ROOT / ".benchmarks" / f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}.json"
    path.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pytest", str(ROOT / "benchmarks"), "-q", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, f"--benchmark-json={path}", *sys.argv[1:]], cwd=ROOT)
    if path.exists() and path.stat().st_size:
        subprocess.run([sys.executable, "-m", "benchmarks.table", str(path)], cwd=ROOT, check=True)
        print(f"\n{path}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
