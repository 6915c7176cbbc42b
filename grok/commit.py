"""The commit at which a record is made."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def of(folder: Path) -> str | None:
    """The commit of the repository that ``folder`` is in; None if there is none, or no git."""
    return _git(folder, "rev-parse", "HEAD")


def of_package() -> str | None:
    """The commit of this package's source, with "+changes" behind it if ``grok/`` is not clean; None as above.

    Where the source was copied without its repository, the environment variable GROK_COMMIT names it.
    """
    here = Path(__file__).parent
    commit, changes = of(here), _git(here, "status", "--porcelain", "--", ":/grok")
    if commit is None or changes is None:
        return os.environ.get("GROK_COMMIT")
    return commit + ("+changes" if changes else "")


def _git(folder: Path, *args: str) -> str | None:
    # without git's lock, because a killed process must not leave the repository locked
    command = ["git", "--no-optional-locks", *args]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip()
