"""Trials in processes of their own, cheaply: torch is imported once, then every trial is a fork.

A script that uses this runs alone (``alone``), with one thread, because threads do not survive a fork.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Ended:
    """How a trial ended: its exit code, or minus the signal that killed it; what it wrote."""

    code: int
    stderr: str


def start(action: Callable[[], Any], stderr: int | None = None) -> int:
    """Fork; the child runs ``action`` and exits with what it returns (None: 0), or with 70 and a traceback."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        if stderr is not None:
            os.dup2(stderr, 2)
        code = action() or 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def run(action: Callable[[], Any], cpu_seconds: int = 60, memory: int | None = None) -> Ended:
    """One trial to its end. With ``memory``, it cannot have that many bytes more than it starts with.

    The limit is on what a process allocates: what is resident counts pages of the libraries too, which come and go.
    """

    def limited() -> Any:
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))  # SIGXCPU, then SIGKILL
        if memory is not None:
            most = _allocated() + memory
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        return action()

    with tempfile.TemporaryFile() as err:
        pid = start(limited, err.fileno())
        _, status = os.waitpid(pid, 0)
        err.seek(0)
        told = err.read().decode(errors="replace")
    return Ended(os.waitstatus_to_exitcode(status), told)


def _allocated() -> int:
    """Bytes of private writable memory of this process, which is what RLIMIT_DATA limits."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmData:")) << 10


def alone(script: str, *arguments: object) -> Any:
    """Run a script of this folder in a fresh interpreter with one thread; it prints its result as JSON."""
    done = subprocess.run(
        [sys.executable, str(HERE / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
