"""Verdicts of claims, the expected verdicts, and the spread over seeds. This package imports no torch.

``grok.verdicts.read(path)`` reads a verdicts.json into frozen dataclasses.
"""

from __future__ import annotations

from typing import Any

__all__ = ["read"]


def __getattr__(name: str) -> Any:
    """``read`` is imported when it is used: the contract, ``verdicts.verdict``, needs no other module."""
    if name == "read":
        from grok.verdicts.record import read_verdicts

        return read_verdicts
    raise AttributeError(f"module 'grok.verdicts' has no attribute {name!r}")
