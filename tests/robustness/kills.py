"""Train and finish a tiny recipe, kill it at a random moment, look at what is there, go on; n times.

Prints counts. Each kill may leave: no state or one that loads; no card or a fixture that is whole. In the end the
same command gives the bits of a run that nothing interrupted, and no file besides.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import forked

from grok import commit
from grok.commands.train import train
from grok.errors import GrokError
from grok.recipe import RECIPES
from grok.store.fixture import CARD, load_fixture
from grok.task import Task
from grok.train import run
from grok.train.state import State

TINY = replace(RECIPES["modadd-mlp"], name="tiny", task=Task(5), steps=104, d_model=4, d_mlp=6, train_frac=0.6)


def command(folder: Path) -> None:
    """``grok train tiny --out FOLDER``, without its output; the state is saved after every step."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        train("tiny", out=folder)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file; the card without the time that the run took and its digest, which differ from run to run."""
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    card = json.loads(files[CARD])
    files[CARD] = json.dumps({k: v for k, v in card.items() if k not in ("seconds", "digest")}).encode()
    return files


def finished(folder: Path) -> bool:
    """The command has nothing left to do."""
    return (folder / CARD).exists() and not (folder / "work").exists()


def look(folder: Path) -> str:
    """What a kill left, after checking that it is sound."""
    state = folder / "work" / "state.safetensors"
    if (folder / CARD).exists():
        load_fixture(folder)
        return "a whole fixture"
    try:
        load_fixture(folder)
        raise AssertionError(f"{folder}: loaded without a card")
    except GrokError:
        pass
    if not state.exists():
        return "no state yet"
    assert 0 <= State.load(state, "cpu").step <= TINY.steps
    return "a state that loads"


def main(folder: Path, n: int) -> None:
    RECIPES["tiny"] = TINY
    run.STATE_EVERY_SECONDS = -1.0
    commit.of_package = lambda: None  # asking git takes longer than the run
    os.fsync = lambda fd: None  # it guards against power cuts, not kills, and takes most of the time
    began = time.perf_counter()
    assert forked.run(lambda: command(folder / "reference")).code == 0
    whole_run = time.perf_counter() - began
    expected = contents(folder / "reference")
    rng, seen, target = random.Random(0), Counter[str](), folder / "killed"
    while seen["kills"] < n or not finished(target):
        pid = forked.start(lambda: command(target))
        if seen["kills"] < n:
            time.sleep(rng.uniform(0, 0.6 * whole_run))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code in (0, -signal.SIGKILL), "the command failed after a kill"
        if code:
            seen["kills"] += 1
            seen[look(target)] += 1
        if finished(target):
            seen["runs to the end"] += 1
            assert contents(target) == expected, "another result than without kills"
            if seen["kills"] < n:
                shutil.rmtree(target)
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
