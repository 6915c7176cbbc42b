"""How the processes of a session use the cores and the memory of the machine."""

from __future__ import annotations

import functools
import os
import sys
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of mallopt(3)


@functools.cache
def keep_memory() -> None:
    """From now on glibc's malloc takes large blocks from its heap, and returns none of it before the process ends.

    Claims allocate and free large arrays all the time, and memory that was returned comes back page by page. This saves
    a tenth of the time of all claims on 2 cores; a process stays below 2 GB. With another C library it does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # not in a pytest session without claims, which imports this module too

    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, -1)


def is_worker(config: Any) -> bool:
    """Whether this is a process that pytest-xdist started."""
    return hasattr(config, "workerinput")


def share_cores(n_workers: int) -> None:
    """Gives each of the processes of pytest-xdist its share of the cores, and no more threads than that.

    Threads of PyTorch wait for each other in a busy loop. If there are more of them than cores, the claims take six
    times as long. PyTorch reads the variable when it is imported, and so do the processes that a test starts.
    """
    share = max(1, (os.cpu_count() or 1) // n_workers)
    os.environ.setdefault("OMP_NUM_THREADS", str(share))
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
