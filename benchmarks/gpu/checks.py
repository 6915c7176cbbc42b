"""What the GPU suite checks before it trains: the machine, the kernel and engine tests on it, and a seed's bits."""

from __future__ import annotations

import importlib.util
import math
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import torch

from benchmarks.gpu.eager import LENS, lens_version
from benchmarks.gpu.plan import Plan
from grok.recipe import Recipe
from grok.train.engines import engine
from grok.train.graph import Graphed
from grok.train.state import State

ROOT = Path(__file__).parent.parent.parent
TESTS = ("tests/kernels", *(f"tests/train/test_{name}.py" for name in ("gpu_engines", "launches", "choose")))
LOG = 12_000  # characters


def environment(device: str) -> dict[str, Any]:
    """The machine and versions, as torch names them."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "platform": platform.platform(),
    }
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        found |= {
            "device": properties.name,
            "memory_bytes": properties.total_memory,
            "multiprocessors": properties.multi_processor_count,
            "cuda": torch.version.cuda or "",
        }
    else:
        found["device"] = "cpu"
    try:
        import triton

        found["triton"] = triton.__version__
    except ImportError:
        found["triton"] = "absent"
    found[LENS] = lens_version() or "TransformerLens is not installed"
    return found


def kernel_tests(seconds: float) -> str:
    """The last line of pytest. Raises RuntimeError, with the end of its output, if a test fails or it takes longer."""
    if not all((ROOT / t).exists() for t in TESTS):
        raise RuntimeError(f"the tests are not beside the package, in {ROOT}: run the suite in a checkout")
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", str(ROOT), "--noconftest"]
    command += ["-p", "no:cacheprovider", "-p", "no:grok", *_workers(), *(str(ROOT / t) for t in TESTS)]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        output, _ = running.communicate(timeout=seconds if math.isfinite(seconds) else None)
    except subprocess.TimeoutExpired:
        running.kill()
        output, _ = running.communicate()
        raise RuntimeError(f"pytest took longer than {seconds:.0f} s:\n{output[-LOG:]}") from None
    if running.returncode:
        raise RuntimeError(f"pytest exited with {running.returncode}:\n{output[-LOG:]}")
    return output.strip().splitlines()[-1]


def _workers() -> list[str]:
    """Most of the time of the tests is the compiler's, which takes one core: several at once, where xdist is there."""
    return ["-n", "14"] if importlib.util.find_spec("xdist") and torch.cuda.is_available() else []


def determinism(plan: Plan) -> list[dict[str, Any]]:
    """Per recipe: are the weights after some steps the same bits twice, and alone as in a batch?"""
    rows, steps = [], min(100, plan.checked[0][0].steps)
    for recipes in plan.checked:

        def final(chosen: list[Recipe]) -> torch.Tensor:
            state = State.fresh(chosen, plan.device)
            step = engine.make(chosen, plan.engine, state, 10, steps)
            if isinstance(step, Graphed):  # with its branches beside each other, as in a run
                step.advance_chunk()
            else:
                for _ in range(steps):
                    step.advance()
            return state.flat.cpu()

        once, again, alone = final(recipes), final(recipes), final(recipes[:1])
        rows.append(
            {
                "recipe": recipes[0].name,
                "steps": steps,
                "seeds": len(recipes),
                "same_twice": torch.equal(once, again),
                "same_alone": torch.equal(once[0], alone[0]),
                "greatest_difference_alone": float((once[0] - alone[0]).abs().max()),
            }
        )
    held = ["same_twice", "same_alone"] if plan.engine in engine.ALONE_AS_IN_A_BATCH else ["same_twice"]
    if not all(row[name] for row in rows for name in held):
        raise RuntimeError(f"the same seed gave other bits: {rows}")
    return rows
