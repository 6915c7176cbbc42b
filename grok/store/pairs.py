"""Train pairs of the user's own, ``--split FILE``: indices a·n + b into the a-major list of all pairs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from grok.errors import GrokError
from grok.recipe import Recipe
from grok.task import Split, Task

MAX_BYTES = 1 << 26


def split_in(path: Path, task: Task) -> Split:
    """The split whose train pairs are in this file; every other pair is a test pair.

    Text with spaces, commas or lines between the indices, a JSON list, or a one-dimensional .npy of whole numbers.
    Raises GrokError for a file that holds no such list, an index that is no pair of the task or is there twice, and a
    list that leaves no pair to train or to test on.
    """
    indices = _read(path)
    try:
        return task.split_of(indices)
    except GrokError as error:
        raise GrokError(f"{path}: {error}") from None


def with_split(recipe: Recipe, path: Path) -> Recipe:
    """The recipe with the train pairs in this file (``split_in``); ``train_frac`` becomes the share that they are."""
    indices = split_in(path, recipe.task).train.tolist()
    share = len(indices) / recipe.task.n**2
    return replace(recipe, train_pairs=" ".join(map(str, indices)), train_frac=share)


def _read(path: Path) -> list[int]:
    if not path.is_file():
        raise GrokError(f"{path} is not a file; expected indices a·n + b of train pairs: text, a JSON list, or .npy")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise GrokError(f"{path}: it is larger than {MAX_BYTES >> 20} MB")
        match path.suffix:
            case ".npy":
                return _of_array(path, np.load(path, allow_pickle=False))
            case ".json":
                return _of_list(path, json.loads(path.read_text(encoding="utf-8")))
            case _:
                return [int(index) for index in path.read_text(encoding="utf-8").replace(",", " ").split()]
    except (OSError, ValueError, EOFError, RecursionError) as error:
        raise GrokError(f"{path}: it holds no list of indices ({error})") from None


def _of_array(path: Path, found: Any) -> list[int]:
    if not isinstance(found, np.ndarray) or found.ndim != 1 or found.dtype.kind not in "iu":
        raise GrokError(f"{path}: expected an array of whole numbers with one dimension")
    return found.tolist()


def _of_list(path: Path, found: Any) -> list[int]:
    if not isinstance(found, list) or not all(isinstance(i, int) and not isinstance(i, bool) for i in found):
        raise GrokError(f"{path}: expected a JSON list of whole numbers")
    return found
