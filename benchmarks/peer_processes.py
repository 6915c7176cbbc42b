"""Training as a user starts it, in whole processes, beside TransformerLens 3's in turns.

    python benchmarks/peer_processes.py [--venv FOLDER] [--rounds 6] [--recipe modadd-transformer]

The time of a step is that of a long process less that of a short one, over the difference of their steps: so it holds
test losses (one at every step), snapshots, state, the measuring of snapshots and Python, and not the start. The peer is
``peer_transformerlens3.PEER``, the sources' loop, which keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OURS, PEERS = (200, 700), (5, 35)  # steps of the short and of the long process


def seconds(command: list[str | Path]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> int:
    from peer_transformerlens3 import PEER, environment, job_of

    from grok.recipe import get_recipe

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=Path(".venv-transformerlens3"))
    parser.add_argument("--recipe", default="modadd-transformer")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    python, job = environment(options.venv), job_of(get_recipe(options.recipe), "cpu", options.threads)
    turns = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script, data = folder / "peer.py", folder / "job.json"
        script.write_text(PEER)

        def peer(steps: int) -> float:
            data.write_text(json.dumps(job | {"steps": steps}))
            return seconds([python, script, data])

        def ours(steps: int) -> float:
            out = Path(tempfile.mkdtemp(dir=folder)) / "run"
            settings = {"steps": steps, "eval-every": 1, "threads": options.threads, "device": "cpu", "out": out}
            flags = [str(part) for key, value in settings.items() for part in (f"--{key}", value)]
            return seconds([sys.executable, "-m", "grok", "train", options.recipe, *flags])

        for _ in range(options.rounds):
            theirs, own = (
                (run(long) - run(short)) / (long - short) * 1e3 for run, (short, long) in ((peer, PEERS), (ours, OURS))
            )
            turns.append((theirs, own, theirs / own))
            print(f"transformer_lens {theirs:.1f} ms, grok {own:.1f} ms a step: {theirs / own:.2f} times", flush=True)
    medians = [statistics.median(turn[i] for turn in turns) for i in range(3)]
    ratios = sorted(turn[2] for turn in turns)
    print(f"medians: {medians[0]:.1f} ms, {medians[1]:.1f} ms, {medians[2]:.2f} ({ratios[0]:.2f} … {ratios[-1]:.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
