"""Verdicts of claims, the expected verdicts, and the spread over seeds. This package imports no torch.

``grok.verdicts.read(path)`` reads a verdicts.json into frozen dataclasses.
"""

from grok.verdicts.record import read_verdicts as read

__all__ = ["read"]
