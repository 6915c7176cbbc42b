"""What a claim's decorator and a module's source say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

About = Literal["mechanism", "behaviour"]
Threshold = Literal["source", "convention"]


@dataclass(frozen=True)
class Info:
    """What the decorator says; see ``grok.claim.claim``. ``expressions``: the asserts as written."""

    id: str
    title: str
    published: Any
    section: str | None
    about: About
    threshold: Threshold | None
    because: str | None
    no_control: str | None
    expressions: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """Where claims come from, and the fixture family they are about (None: the tests' own ``model`` fixture)."""

    key: str
    title: str
    ref: str | None
    fixture: str | None
    url: str | None
