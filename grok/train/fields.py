"""A recipe of the user's: the fields that ``--set`` and ``--recipe-file`` change, read, typed and checked.

Everything is checked before a run starts, and a value that cannot be trained or verified is refused in one line.
"""

from __future__ import annotations

import math
import re
import tomllib
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_type_hints

from grok.errors import GrokError
from grok.models import architectures, matrices
from grok.recipe import RECIPES, Recipe, get_recipe
from grok.store.checkpoint import MAX_ACTIVATION_BYTES, MAX_PARAMETERS
from grok.task import Task

SEEDS = ("seed", "split_seed")
SIZES = ("d_model", "n_heads", "d_head", "d_mlp")
_APART = {"name", "architecture", "task", "train_pairs", *SEEDS}  # no fields of --set
# Field → type, in the order of ``Recipe``. A new field of a recipe can be set without an entry here.
SETTABLE: dict[str, Any] = {
    "p": int,
    **{name: kind for name, kind in get_type_hints(Recipe).items() if name not in _APART},
}
# What a recipe file may give besides; these make another kind of network or another task.
OF_FILES: dict[str, Any] = {
    **dict.fromkeys(("name", "architecture", "table"), str),
    "operation": get_type_hints(Task)["operation"],
    **dict.fromkeys(SEEDS, int),
}
BASE = "base"
MAX_ELEMENTS = math.isqrt(MAX_ACTIVATION_BYTES // 8)
REQUIRED = ("name", "architecture", "steps", "train_frac")  # of a recipe file without a base

_Rule = tuple[Callable[[Any], bool], str]
_AT_LEAST_0: _Rule = (lambda v: v >= 0, "0 or more")
_ABOVE_0: _Rule = (lambda v: v > 0, "more than 0")
_SEED: _Rule = (lambda v: 0 <= v < 2**63, "from 0 to 2⁶³ - 1")
RULES: dict[str, _Rule] = {
    "steps": (lambda v: 1 <= v <= 10**7, "from 1 to 10,000,000"),  # a loss of every step is kept
    "train_frac": (lambda v: 0 < v < 1, "more than 0 and less than 1"),
    "betas": (lambda v: all(0 <= beta < 1 for beta in v), "two numbers, from 0 to less than 1"),
    "weight_decay": _AT_LEAST_0,
    "lr": _ABOVE_0,
    "eps": _ABOVE_0,
    "warmup": _AT_LEAST_0,
    **dict.fromkeys(SEEDS, _SEED),
}


def kind(of: Any) -> str:
    """A type in words: ``whole number``, ``number``, ``two numbers``, ``relu or gelu``."""
    if typing.get_origin(of) is Literal:
        return " or ".join(map(str, typing.get_args(of)))
    if typing.get_origin(of) is tuple:
        return "two numbers"
    return {int: "whole number", float: "number", str: "text"}[of]


def parse(settings: Sequence[str]) -> dict[str, list[Any]]:
    """``["weight_decay=0.3,1", "betas=0.9,0.98"]`` → {"weight_decay": [0.3, 1.0], "betas": [(0.9, 0.98)]}.

    ``betas`` takes two numbers per value. Raises GrokError for an unknown field, and for a value of another type.
    """
    out: dict[str, list[Any]] = {}
    for setting in settings:
        key, _, text = setting.partition("=")
        if key not in SETTABLE or not text:
            raise GrokError(f"--set {setting}: expected KEY=VALUE with KEY one of {', '.join(SETTABLE)}")
        if key in out:
            raise GrokError(f"--set {key} is given twice")
        of, parts = SETTABLE[key], text.split(",")
        try:
            out[key] = _pairs(parts) if typing.get_origin(of) is tuple else [_read(of, part) for part in parts]
        except ValueError:
            raise GrokError(f"--set {setting}: expected {kind(of)}") from None
    return out


def single(settings: Sequence[str]) -> dict[str, Any]:
    """``parse`` for one run: a value per field. Raises GrokError as it does, and for several values."""
    found = parse(settings)
    for key, values in found.items():
        if len(values) > 1:
            raise GrokError(f"--set {key} has {len(values)} values and a run takes one; `grok sweep` takes several")
    return {key: values[0] for key, values in found.items()}


def _pairs(parts: Sequence[str]) -> list[tuple[float, float]]:
    if len(parts) % 2:
        raise ValueError
    return [(float(a), float(b)) for a, b in zip(parts[::2], parts[1::2], strict=True)]


def _read(of: Any, text: str) -> Any:
    if typing.get_origin(of) is Literal:
        if text not in typing.get_args(of):
            raise ValueError
        return text
    return of(text)


def changed(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with these fields of ``SETTABLE``. Its name stays: the card says what was changed.

    Raises GrokError for a value that is refused (``check``), and for a size that its architecture does not have.
    """
    p = values.get("p", recipe.task.p)
    task = replace(recipe.task, p=p)
    _check_task(task)
    made = replace(recipe, task=task, **{k: v for k, v in values.items() if k != "p"})
    for field in SIZES:
        if field in values and not _has(made, field):
            raise GrokError(f"{field} = {values[field]}: the architecture {recipe.architecture} has no {field}")
    if "activation" in values and not architectures.named(made.architecture).network.activations:
        raise GrokError(f"activation = {made.activation}: the architecture {made.architecture} leaves no choice of it")
    return check(made)


def _has(recipe: Recipe, field: str) -> bool:
    """Whether the shape of a matrix depends on this field."""
    sizes: list[dict[str, Any]] = [{field: 1}, {field: 2}]
    one, two = (matrices.shapes(replace(recipe, **size)) for size in sizes)
    return one != two


def check(recipe: Recipe) -> Recipe:
    """The recipe itself. Raises GrokError, in one line, if it cannot be trained, measured or loaded again."""
    for field, (holds, wanted) in RULES.items():
        value = getattr(recipe, field)
        numbers = value if isinstance(value, tuple) else (value,)
        if not all(map(math.isfinite, numbers)) or not holds(value):
            raise GrokError(f"{field} = {_shown(value)}, expected {wanted}")
    for field in SIZES:
        if _has(recipe, field) and getattr(recipe, field) < 1:
            raise GrokError(f"{field} = {getattr(recipe, field)}, expected 1 or more")
    n_pairs = recipe.task.n**2
    if not recipe.train_pairs and not 0 < int(n_pairs * recipe.train_frac) < n_pairs:
        raise GrokError(f"train_frac = {recipe.train_frac} of {n_pairs} pairs leaves none to train or none to test on")
    parameters = matrices.size(recipe)
    widest = max(max(shape) for shape in matrices.shapes(recipe).values())
    if parameters > MAX_PARAMETERS:
        raise GrokError(f"the recipe has {parameters:,} parameters, expected at most {MAX_PARAMETERS:,}")
    if n_pairs * widest * 8 > MAX_ACTIVATION_BYTES:
        raise GrokError(f"{n_pairs:,} pairs with matrices up to {widest} wide; expected pairs × width ≤ 2²⁷")
    return recipe


def _check_task(task: Task) -> None:
    if not 1 <= task.p <= MAX_ELEMENTS or task.n > MAX_ELEMENTS:
        raise GrokError(f"p = {task.p}, expected 1 or more, and a task of at most {MAX_ELEMENTS:,} elements")
    if task.operation in ("add_mod", "sub_mod") and task.p % 2 == 0:
        raise GrokError(f"p = {task.p}, expected an odd number: the Fourier basis of {task.operation} needs one")
    if task.n < 5:
        raise GrokError(f"p = {task.p} makes a task of {task.n} elements, expected 5 or more")


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def chosen(name: str | None, file: Path | None) -> Recipe:
    """The recipe of this name, or that of this file. Raises GrokError if neither or both are given."""
    if name is not None and file is None:
        return get_recipe(name)
    if file is not None and name is None:
        return from_file(file)
    raise GrokError("give either RECIPE, a name that `grok list` shows, or --recipe-file FILE")


def from_file(path: Path) -> Recipe:
    """The recipe in a TOML file: ``base``, the name of a recipe, and what differs from it; or every field.

    ``table`` is the path of a Cayley table in CSV, from the file's folder. One that changes the architecture or the
    task of its base needs a name of its own. Raises GrokError.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise GrokError(f"{path}: it cannot be read as TOML ({error})") from None
    try:
        return _from(given, path.parent)
    except GrokError as error:
        raise GrokError(f"{path}: {error}") from None


def _from(given: Mapping[str, Any], folder: Path) -> Recipe:
    known = {**SETTABLE, **OF_FILES, BASE: str}
    for key in given:
        if key not in known:
            raise GrokError(f"unknown field {key!r}; known: {', '.join(known)}")
    values = {key: _typed(key, known[key], value) for key, value in given.items()}
    base = get_recipe(values.pop(BASE)) if BASE in values else _start(values)
    task = _task(values, base.task, folder)
    _check_task(task)
    name = values.pop("name", base.name)
    own = {field: values.pop(field, getattr(base, field)) for field in ("architecture", "seed")}
    own["split_seed"] = values.pop("split_seed", own["seed"] if "seed" in given else base.split_seed)
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,60}", name):
        raise GrokError(f"name = {name!r}, expected letters, digits and - _ . only: a folder is named so")
    published = RECIPES.get(name)
    kinds = (own["architecture"], task.operation)
    if published is not None and kinds != (published.architecture, published.task.operation):
        raise GrokError(f"{name} is a {published.architecture} on {published.task.operation}: give a name of its own")
    made = replace(base, name=name, task=task, **own)
    if BASE not in given or own["architecture"] != base.architecture:
        none: dict[str, Any] = {field: 0 for field in SIZES if not _has(made, field)}
        made = replace(made, **none)
    return changed(made, values)


def _start(values: Mapping[str, Any]) -> Recipe:
    """What a file without a base starts from: the defaults of ``Recipe``."""
    missing = [field for field in REQUIRED if field not in values]
    missing += [] if "table" in values else [field for field in ("p", "operation") if field not in values]
    if missing:
        raise GrokError(f'no {", ".join(missing)}; give {BASE} = "RECIPE", or every field')
    made = {field: values[field] for field in REQUIRED}
    return Recipe(task=Task(5), seed=0, split_seed=0, **made)


def _task(values: dict[str, Any], base: Task, folder: Path) -> Task:
    """The task of the file; takes ``operation`` and ``table`` out of the values, and p if it names the task anew."""
    operation = values.pop("operation", None)
    table = values.pop("table", None)
    if table is not None:
        if operation not in (None, "table"):
            raise GrokError(f"it gives both operation = {operation!r} and a table")
        task = Task.of_table(folder / table)
        return replace(task, p=values.pop("p", task.p))
    if operation is None or operation == base.operation:
        return base
    if operation == "table":
        raise GrokError("operation = 'table' needs a table, the path of a Cayley table in CSV")
    return Task(values.pop("p", base.p), operation)


def _typed(key: str, of: Any, value: Any) -> Any:
    """A value from TOML, as the field's type. Raises GrokError."""
    plain = not isinstance(value, bool)
    if typing.get_origin(of) is tuple:
        if isinstance(value, list) and len(value) == 2 and all(isinstance(v, int | float) for v in value):
            return tuple(map(float, value))
    elif typing.get_origin(of) is Literal:
        if value in typing.get_args(of):
            return value
    elif plain and (isinstance(value, of) or (of is float and isinstance(value, int))):
        return of(value)
    raise GrokError(f"{key} = {value!r}, expected {kind(of)}")
