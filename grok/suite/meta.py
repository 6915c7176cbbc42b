"""What the decorator of a claim and the source of its module say about the claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

About = Literal["mechanism", "behaviour"]
Threshold = Literal["source", "convention"]


@dataclass(frozen=True)
class Info:
    """The arguments of the decorator; see ``grok.claim.claim``. ``expressions``: the asserts as written."""

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
    """The document that claims come from; see ``grok.claim.source``.

    fixture: the recipe whose networks the claims are about; None if the tests have a ``model`` fixture of their own.
    """

    key: str
    title: str
    ref: str | None
    fixture: str | None
    url: str | None
