"""verdicts.json → one HTML file that opens from disk: no network, no second file, plots drawn when a claim is opened.

plotly.js and the plots' data travel compressed inside the page; the Content-Security-Policy allows exactly these
scripts and styles, by digest. The same verdicts give the same bytes.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.resources
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import plotly.offline

from grok.files import write_bytes
from grok.report.families import families
from grok.report.history import Earlier
from grok.report.lists import lead, lists
from grok.report.view import Pool, cards, counts, legend
from grok.verdicts.number import show
from grok.verdicts.record import Verdicts

SCRIPTS = ("page.js", "kinds.js", "plots.js")
TEMPLATES = importlib.resources.files("grok.report") / "templates"


@dataclass(frozen=True)
class Site:
    """The static site that a page is a part of: its pages (link, name), this one's link, and that of the findings."""

    pages: tuple[tuple[str, str], ...]
    here: str
    findings: str


def render(verdicts: Verdicts, history: Sequence[Earlier] = (), site: Site | None = None) -> str:
    """The page of these verdicts; history: earlier runs, oldest first."""
    pool = Pool()
    found = families(verdicts, cards(verdicts, history, pool))
    shown = [card for family in found for card in family.cards]
    return framed(
        "page.html",
        ["page.css"],
        site=site,
        run=verdicts.run,
        lead=lead(verdicts.claims),
        cards=shown,
        families=found,
        lists=list(lists(shown)),
        counts=counts(shown),
        legend=legend(shown),
        surprises=[card for card in shown if card.claim.moved],
        sources=sorted({card.source for card in shown}),
        pool=_packed(json.dumps(pool.data, separators=(",", ":"))) if pool.data else "",
        plotly=_packed_plotly() if pool.data else "",
    )


def framed(template: str, styles: Sequence[str], **shown: Any) -> str:
    """A page of this template, with the scripts that every page has."""
    style, script = ("".join(map(_asset, names)) for names in (styles, SCRIPTS))
    policy = _policy(style, script)
    return _templates().get_template(template).render(style=style, script=script, policy=policy, **shown)


def write(verdicts: Verdicts, path: Path, history: Sequence[Earlier] = (), site: Site | None = None) -> None:
    """Render and write atomically."""
    write_bytes(Path(path), render(verdicts, history, site).encode())


def _moment(started: Any) -> str:
    """2026-11-22T00:14:19+00:00 → 2026-11-22 00:14 UTC; what is no such time stays as it is."""
    try:
        when = datetime.fromisoformat(str(started))
    except ValueError:
        return str(started)
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if when.tzinfo else str(started)


def _policy(style: str, script: str) -> str:
    """What the page may do. plotly.js sets style attributes, and fills empty <style> elements by rule: for those is the
    digest of nothing."""
    scripts = " ".join(map(_digest, (script, plotly.offline.get_plotlyjs())))
    styles = " ".join(map(_digest, (style, "")))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; style-src-attr 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _packed(text: str) -> str:
    """zlib and base64, for DecompressionStream("deflate")."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


@functools.cache
def _packed_plotly() -> str:
    return _packed(plotly.offline.get_plotlyjs())


def _asset(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


@functools.cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.ChainableUndefined,
    )
    environment.filters |= {"show": show, "moment": _moment}
    return environment
