"""The state dict inside what a file holds: bare, under a usual key, or one of a list of checkpoints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from grok.errors import GrokError
from grok.store.formats.container import ACT_FN
from grok.store.formats.shapes import listed, shown

ONE = ("model", "state_dict", "model_state_dict")
MANY = ("state_dicts", "models", "checkpoints")
PREFIXES = ("module.", "_orig_mod.", "model.")  # DataParallel, torch.compile, a wrapping module
MAX_DEPTH = 4
_STEP = re.compile(r"[0-9]{1,9}/.")


def state_dict(held: Any, index: int | None = None) -> tuple[dict[str, Tensor], str | None, list[str]]:
    """Name → tensor; the activation that the file names beside them, if it does; and the names of what was not read.

    The activation is under ``act_fn``, or there in a configuration of TransformerLens. Of several, the one nearest to
    the tensors counts. index: which checkpoint of a list, from 0, or from the end if negative. Raises GrokError if
    there is no state dict, if there is a list and no index, or if there is an index and no list.
    """
    said: str | None = None
    ignored: list[str] = []
    for _ in range(MAX_DEPTH):
        if isinstance(held, Mapping):
            key = next((k for k in (*ONE, *MANY) if isinstance(held.get(k), Mapping | list | tuple)), None)
            if key is not None:
                beside, unread = _beside({k: v for k, v in held.items() if k != key})
                said, ignored, held = beside or said, ignored + unread, held[key]
            elif held and all(isinstance(k, str) and _STEP.match(k) for k in held):
                held = _by_step(held)
            elif held and all(isinstance(k, int) and isinstance(v, Mapping) for k, v in held.items()):
                held = list(held.values())  # step → checkpoint
            else:
                break
        elif isinstance(held, list | tuple):
            held, index = _pick(held, index), None
        else:
            break
    found = held.items() if isinstance(held, Mapping) else ()
    tensors = {k: v for k, v in found if isinstance(k, str) and isinstance(v, Tensor)}
    if not tensors:
        raise GrokError(f"it holds no tensors by name, but {_kind(held)}; expected a state dict")
    if index is not None:
        raise GrokError(f"--index {index} was given, but the file holds one model, not a list of checkpoints")
    beside, unread = _beside({k: v for k, v in found if k not in tensors})
    return _without_prefix(tensors), beside or said, ignored + unread


def _beside(others: Mapping[Any, Any]) -> tuple[str | None, list[str]]:
    """The activation that is named among what stands beside a state dict; and the names of the rest."""
    if isinstance(others.get(ACT_FN), str):
        return others[ACT_FN], [shown(k) for k in others if k != ACT_FN]
    configs = (k for k, v in others.items() if isinstance(v, Mapping) and isinstance(v.get(ACT_FN), str))
    config = next(configs, None)
    if config is None:
        return None, [shown(k) for k in others]
    rest = [f"{shown(config)} but for its {ACT_FN}"] if len(others[config]) > 1 else []
    return others[config][ACT_FN], rest + [shown(k) for k in others if k != config]


def _pick(checkpoints: Sequence[Any], index: int | None) -> Any:
    n = len(checkpoints)
    if index is None and n != 1:
        raise GrokError(f"it holds a list of {n} checkpoints; choose one with --index 0 … {n - 1}, or -1 for the last")
    if index is not None and not -n <= index < n:
        raise GrokError(f"--index {index}: the file holds {n} checkpoints, expected {-n} … {n - 1}")
    return checkpoints[index or 0]


def _by_step(held: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """``<step>/<matrix>``, as a fixture's checkpoints are stored → step → matrices, ascending."""
    steps: dict[int, dict[str, Any]] = {}
    for key, value in held.items():
        step, name = key.split("/", 1)
        steps.setdefault(int(step), {})[name] = value
    return dict(sorted(steps.items()))


def _without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            return {name.removeprefix(prefix): w for name, w in tensors.items()}
    return tensors


def _kind(held: Any) -> str:
    if isinstance(held, Mapping):
        return f"a dict with the keys {listed([shown(k) for k in held])}"
    return f"a {type(held).__name__}"
