"""What a claim's decorator and a module's source say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

About = Literal["mechanism", "behaviour"]
Threshold = Literal["source", "convention"]


@dataclass(frozen=True)
class Info:
    """What the decorator says; see ``grok.claim.claim``. ``expressions``: the asserts as written.

    on: the families that the claim is tried on, each with a verdict of its own; empty for the family of its source.
    """

    id: str
    title: str
    published: Any
    section: str | None
    about: About
    threshold: Threshold | None
    because: str | None
    no_control: str | None
    on: tuple[str, ...]
    expressions: tuple[str, ...]

    def id_on(self, family: str | None) -> str:
        """The id under which the verdict on a family is kept: ``P6 · modadd-mlp``, or the id alone without ``on``."""
        return f"{self.id} · {family}" if self.on else self.id

    def published_on(self, family: str | None) -> Any:
        """The published figure; where there is one for each family, that of this one."""
        return self.published.get(family) if self.on and isinstance(self.published, dict) else self.published


@dataclass(frozen=True)
class Source:
    """Where claims come from, and the fixture family they are about (None: the tests' own ``model`` fixture)."""

    key: str
    title: str
    ref: str | None
    fixture: str | None
    url: str | None
