"""Verdicts of claims, the expected verdicts, and the spread over seeds. This package imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grok.verdicts.record import Verdicts

__all__ = ["read"]


def read(path: Path | str) -> Verdicts:
    """The content of a verdicts.json, as frozen dataclasses; docs/verdicts.md describes its fields.

    Raises GrokError, with the command that makes the file, if it is missing or has another shape.
    """
    from grok.verdicts.record import read_verdicts  # not before it is used: ``verdict`` needs none of it

    return read_verdicts(path)
