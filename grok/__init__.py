"""Claims of interpretability papers on grokking as executable assertions, with controls.

from grok import load, subjects
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """``load`` imports torch, which takes a second: only when it is asked for."""
    if name == "load":
        from grok.checkpoint import load

        return load
    raise AttributeError(f"module 'grok' has no attribute {name!r}")
