"""What the decorator of a claim and the source of its module say about the claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

About = Literal["mechanism", "behaviour"]
Threshold = Literal["source", "convention"]


@dataclass(frozen=True)
class Info:
    """The arguments of the decorator; see ``grok.claim.claim``. ``expressions``: the asserts as written.

    text: the docstring of the test, None if it has none.
    on: the recipes that the claim runs on, each with its own verdict; empty if it runs on the recipe of its source.
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
    text: str | None = None

    def id_on(self, family: str | None, variant: str = "") -> str:
        """The id under which a verdict is kept: ``P6 · modadd-mlp``, or without ``on`` the id alone.

        variant: the parameters of a claim that is parametrized; each has a verdict of its own: ``P6[3]``.
        """
        name = f"{self.id}[{variant}]" if variant else self.id
        return f"{name} · {family}" if self.on else name

    def published_on(self, family: str | None) -> Any:
        """The published figure; where there is one for each family, that of this one."""
        return self.published.get(family) if self.on and isinstance(self.published, dict) else self.published


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
