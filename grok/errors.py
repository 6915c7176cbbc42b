"""The errors that cross module borders."""

from __future__ import annotations


class GrokError(Exception):
    """Something the user can mend. The message is one or two lines: what failed, which file, expected against found,
    and the command to run next. The command line prints it without a traceback and exits with 2."""


class NotEvaluable(Exception):
    """A measure has no meaning on this model (no key frequencies, no train pairs). Neither true nor false."""
