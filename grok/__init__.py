"""Claims of interpretability papers on grokking as executable assertions, with controls.

from grok import load
from grok.suite import subjects
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Imports names only when they are used: ``load`` imports torch, which takes a second."""
    if name == "subjects":
        from grok.suite import subjects

        return subjects
    if name == "load":
        from grok.store.checkpoint import load

        return load
    raise AttributeError(f"module 'grok' has no attribute {name!r}")
