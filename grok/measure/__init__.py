"""Measures: pure functions of float64 tensors (and key frequencies, labels, p), one module per stage of the network.

``dir(grok.measure)`` lists the modules; each is imported when it is first used. docs/measures.md lists every measure
with its equation and source.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def __dir__() -> list[str]:
    return sorted(found.name for found in pkgutil.iter_modules(__path__))


def __getattr__(name: str) -> ModuleType:
    if name not in __dir__():
        raise AttributeError(f"module 'grok.measure' has no attribute {name!r}; it has {', '.join(__dir__())}")
    return importlib.import_module(f"grok.measure.{name}")
