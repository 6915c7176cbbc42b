"""Reads JSON into frozen dataclasses. Each value is checked against the type of its field; an error names its place."""

from __future__ import annotations

import dataclasses
import functools
import json
import sys
import types
import typing
from pathlib import Path
from typing import Any, Literal, NoReturn, Union

from grok.errors import GrokError

_NAMES: dict[Any, str] = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
_NAMES |= {int: "a whole number", float: "a number", type(None): "null"}
_LIMIT = sys.float_info.max


class Malformed(ValueError):
    """A value has another shape than expected. The message begins with its place, for example ``claims[3].id``."""


def read(path: Path, schema: int, make: str) -> dict[str, Any]:
    """The JSON object in the file. ``make``: the command that makes the file.

    Raises GrokError if the file is missing, not JSON, or not an object of this schema.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise GrokError(f"{path} does not exist; make it with\n  {make}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise GrokError(f"{path} cannot be read: {error}") from None
    try:
        value = json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        raise GrokError(f"{path} is not JSON ({error}); make it again with\n  {make}") from None
    if not isinstance(value, dict) or value.get("schema") != schema:
        found = value.get("schema") if isinstance(value, dict) else type(value).__name__
        raise GrokError(f'{path}: expected an object with "schema": {schema}, found {found!r}; make it with\n  {make}')
    return value


def decode(kind: Any, value: Any, where: str) -> Any:
    """``value`` as ``kind``. Raises Malformed.

    kind: a dataclass (keys that it lacks are left out), ``list[X]``, ``tuple[X, ...]``, ``tuple[X, Y]``,
    ``dict[str, X]``, a Literal, ``X | None``, str, bool, int, float (finite), or Any.
    """
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        (other,) = (arg for arg in args if arg is not type(None))
        return None if value is None else decode(other, value, where)
    if origin is Literal:
        if not any(value == word for word in args):
            raise Malformed(f"{where} is {_quoted(value)}, not one of {', '.join(args)}")
        return value
    if dataclasses.is_dataclass(kind):
        return _object(kind, _plain(dict, value, where), where)
    if origin in (list, tuple):
        items = _plain(list, value, where)
        kinds = args if origin is tuple and args[-1] is not Ellipsis else args[:1] * len(items)
        if len(items) != len(kinds):
            raise Malformed(f"{where} has {len(items)} entries, not {len(kinds)}")
        return origin(decode(k, item, f"{where}[{i}]") for i, (k, item) in enumerate(zip(kinds, items, strict=True)))
    if origin is dict:
        entries = _plain(dict, value, where)
        return {key: decode(args[1], entry, f"{where}.{key}" if where else key) for key, entry in entries.items()}
    return _plain(kind, value, where)


def _object(kind: Any, value: dict[str, Any], where: str) -> Any:
    found = {}
    for name, (hint, required) in _fields(kind).items():
        at = f"{where}.{name}" if where else name
        if name in value:
            found[name] = decode(hint, value[name], at)
        elif required:
            raise Malformed(f"{at} is missing")
    return kind(**found)


@functools.cache
def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    """For each field its type, and whether it has no default."""
    hints = typing.get_type_hints(kind)
    bare = dataclasses.MISSING
    return {
        field.name: (hints[field.name], field.default is bare and field.default_factory is bare)
        for field in dataclasses.fields(kind)
    }


def _plain(kind: Any, value: Any, where: str) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = number and -_LIMIT <= value <= _LIMIT if kind is float else isinstance(value, kind)
    if not fits or (kind is int and not number):
        shown = _quoted(value) if number else _NAMES[type(value)]
        raise Malformed(f"{where} is {shown}, not {_NAMES[kind]}")
    return value


def _quoted(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")
