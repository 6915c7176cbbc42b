"""The errors that cross the borders of modules."""

from __future__ import annotations


class GrokError(Exception):
    """An error that the user can correct. The message has one or two lines: what failed, which file, what was expected
    and found, and the command to run next. The command line prints it without a traceback and exits with 2."""


class NotEvaluable(Exception):
    """A measure has no meaning on this model (no key frequencies, no train pairs), so the claim has no outcome."""


class Interrupted(Exception):
    """Stopped by the user; the state is saved."""
