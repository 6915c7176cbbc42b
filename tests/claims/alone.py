"""Claims on networks that are written to files, without controls and rivals: what each claim says of each network."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from grok.models.names import Weights

ROOT = Path(__file__).parents[2]
WORD = "network_alone"  # of the files' names; controls are not called so


def results(folder: Path, recipe: str, networks: dict[str, Weights]) -> dict[str, dict[str, dict[str, Any]]]:
    """Network → claim → its result."""
    chosen = ["--recipe", recipe, "--split-seed", "0", "--train-frac", "0.3", "-k", WORD]
    for name, weights in networks.items():
        torch.save(weights, folder / f"{WORD}_{name}.pt")
        chosen += ["--checkpoint", str(folder / f"{WORD}_{name}.pt")]
    written = folder / "verdicts.json"
    quiet = ["-q", "-p", "no:cacheprovider", "--claims-json", str(written)]
    done = subprocess.run([sys.executable, "-m", "pytest", "claims/", *quiet, *chosen], cwd=ROOT, capture_output=True)
    assert done.returncode in (0, 1), done.stdout
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for claim in json.loads(written.read_text())["claims"]:
        for result in claim["subjects"]:
            name = result["subject"].removeprefix(f"{WORD}_").removesuffix(".pt")
            found.setdefault(name, {})[claim["id"].split(" ")[0]] = result
    return found


def without_a_verdict(found: dict[str, dict[str, Any]]) -> dict[str, str | None]:
    """Claim → its error, where it is one, or has neither a verdict nor a reason."""
    return {c: one["error"] for c, one in found.items() if one["error"] or (one["holds"] is None and not one["reason"])}
