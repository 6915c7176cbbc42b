"""One AdamW update of all parameters; see ``reference``."""

from grok.kernels.adamw.reference import adamw, corrections

__all__ = ["adamw", "corrections"]
