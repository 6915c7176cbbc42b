"""Reading verdicts.json and expected.json: their shape is checked here, so that nothing else has to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from grok.errors import GrokError
from grok.verdicts.verdict import SCHEMA

MAKE = "pytest claims/ --claims-json verdicts.json"


def read_verdicts(path: Path) -> dict[str, Any]:
    """verdicts.json as a dict of schema 1. Raises GrokError if it is missing, not JSON, or of another shape."""
    verdicts = _read(path, MAKE)
    claims = _typed(path, verdicts, "claims", list)
    _typed(path, verdicts, "run", dict)
    seen: set[str] = set()
    for i, claim in enumerate(claims):
        where = f"claims[{i}]"
        _object(path, claim, where)
        for key in ("id", "title", "verdict"):
            _typed(path, claim, key, str, where)
        if claim["id"] in seen:
            raise GrokError(f"{path}: two claims are called {claim['id']!r}; give each its own id")
        seen.add(claim["id"])
        for j, subject in enumerate(_typed(path, claim, "subjects", list, where)):
            _object(path, subject, f"{where}.subjects[{j}]")
            _typed(path, subject, "subject", str, f"{where}.subjects[{j}]")
            _typed(path, subject, "role", str, f"{where}.subjects[{j}]")
    return verdicts


def read_expected(path: Path) -> dict[str, Any]:
    """expected.json as a dict of schema 1. Raises GrokError if it is missing, not JSON, or of another shape."""
    expected = _read(path, "the one committed with the claims: git checkout -- reports/expected.json")
    for name, claim in _typed(path, expected, "claims", dict).items():
        _object(path, claim, f"claims.{name}")
        _typed(path, claim, "verdict", str, f"claims.{name}")
        if not isinstance(claim.get("subjects", {}), dict):
            raise GrokError(f"{path}: claims.{name}.subjects is not an object")
    return expected


def _read(path: Path, make: str) -> dict[str, Any]:
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
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        found = value.get("schema") if isinstance(value, dict) else type(value).__name__
        raise GrokError(f'{path}: expected an object with "schema": {SCHEMA}, found {found!r}; make it with\n  {make}')
    return value


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _typed(path: Path, value: dict[str, Any], key: str, kind: type, where: str = "") -> Any:
    found = value.get(key)
    if not isinstance(found, kind):
        name = f"{where}.{key}" if where else key
        state = "missing" if key not in value else f"a {type(found).__name__}, not a {kind.__name__}"
        raise GrokError(f"{path}: {name} is {state}; make it again with\n  {MAKE}")
    return found


def _object(path: Path, value: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise GrokError(f"{path}: {where} is a {type(value).__name__}, not an object; make it again with\n  {MAKE}")
