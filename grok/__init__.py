"""Claims of interpretability papers on grokking as executable assertions, with controls.

From a notebook:

    import grok
    model = grok.fixture("modadd-transformer", seed=1)   # a shipped network; grok.load(path) takes one of yours
    model.network, model.card, model.trajectory          # weights and activations, how it was trained, its run
    logits, cache = model.hooked().run_with_cache(model.tokens())   # TransformerLens
    model.plot.losses(), model.plot.fourier()            # plotly figures
    grok.measure.neurons.key_norm_ratio(model.network.U, model.network.key_frequencies)

``claim`` has the decorators for claims of your own, ``subjects`` the shipped networks with their controls, ``errors``
what is raised, ``verdicts.read`` the results of a run. docs/measures.md lists every measure.
"""

from __future__ import annotations

from typing import Any

__all__ = ["__version__", "claim", "errors", "fixture", "load", "measure", "subjects", "verdicts"]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Imports names only when they are used: most of them import torch, which takes a second."""
    match name:
        case "load" | "fixture":
            from grok.notebook import model

            return getattr(model, name)
        case "subjects":
            from grok.suite import subjects

            return subjects
        case "measure" | "claim" | "errors" | "verdicts":
            import importlib

            return importlib.import_module(f"grok.{name}")
        case "__version__":
            import importlib.metadata

            return importlib.metadata.version("grok-claims")
    raise AttributeError(f"module 'grok' has no attribute {name!r}")
