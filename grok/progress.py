"""The progress bar of everything that takes a long time."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def bar(iterable: Iterable[Any] | None = None, **options: Any) -> tqdm:
    """A tqdm bar on stderr; in a log one line a minute instead of thousands. options: tqdm's."""
    interval = 0.5 if sys.stderr.isatty() else 60.0
    return tqdm(iterable, mininterval=interval, maxinterval=interval, dynamic_ncols=True, **options)
