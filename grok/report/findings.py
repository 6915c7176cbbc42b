"""What docs/findings.md says of a claim, for the page. The text stays there; a wheel has no documents and so no text.

A passage is a paragraph that begins with claims in bold, as in ``**K9: each projection …** On our run …``, up to the
next claim in bold; or a row of a table whose first cell names claims, as in ``K14, N8: the restricted loss …``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import markupsafe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from grok import published
from grok.errors import GrokError
from grok.verdicts.claim import Claim

DOCUMENT = "docs/findings.md"
_LEAD = re.compile(r"(?=\*\*[A-Z]\d)")
_BOLD = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)
_ID = re.compile(r"\b[A-Z]\d+[a-z]?\b(?: · [a-z][\w-]*)?")
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


@dataclass(frozen=True)
class Passage:
    """text: Markdown. section: the heading above it, and anchor: its id in the static site."""

    section: str
    anchor: str
    text: str

    @property
    def html(self) -> markupsafe.Markup:
        """The text as HTML. Its relative links are not links: the page may stand anywhere."""
        [inline] = _MARKDOWN.parseInline(self.text)
        return markupsafe.Markup(
            _MARKDOWN.renderer.render(list(_absolute(inline.children or [])), _MARKDOWN.options, {})
        )


Findings = Mapping[str, tuple[Passage, ...]]  # by the id of the claim


def load() -> Findings:
    """Those of the checkout that this package stands in; none in a wheel."""
    try:
        path = published.root() / DOCUMENT
    except GrokError:
        return {}
    return parse(path.read_text(encoding="utf-8")) if path.is_file() else {}


def parse(text: str) -> Findings:
    """The passages of a document, in its order."""
    found: dict[str, tuple[Passage, ...]] = {}
    for lead, passage in _passages(_MARKDOWN.parse(text)):
        for name in dict.fromkeys(_ID.findall(lead)):
            found[name] = (*found.get(name, ()), passage)
    return found


def of(claim: Claim, findings: Findings) -> tuple[Passage, ...]:
    """Those of a published claim with the committed verdict, which they are about; a user's claim or model has none."""
    if claim.expected is None or claim.moved or claim.file is None or claim.id not in findings:
        return ()
    file = published.root() / claim.file
    return findings[claim.id] if file.is_file() and published.name_of(file) else ()


def _passages(tokens: list[Token]) -> Iterator[tuple[str, Passage]]:
    """What names the claims, and the passage."""
    section = ""
    head: list[str] = []
    for at, token in enumerate(tokens):
        content = tokens[at + 1].content if at + 1 < len(tokens) else ""
        if token.type == "heading_open":
            section = content
        elif token.type == "paragraph_open" and _LEAD.match(content):
            for part in filter(None, _LEAD.split(content)):
                yield " ".join(_BOLD.findall(part)), Passage(section, _slug(section), part.strip())
        elif token.type == "tr_open":
            cells = _cells(tokens[at:])
            if tokens[at - 1].type == "thead_open":
                head = cells
            else:
                yield cells[0], Passage(section, _slug(section), _row(head, cells))


def _cells(tokens: list[Token]) -> list[str]:
    """The cells of the row that begins here."""
    end = next(i for i, token in enumerate(tokens) if token.type == "tr_close")
    return [token.content for token in tokens[:end] if token.type == "inline"]


def _row(head: list[str], cells: list[str]) -> str:
    """A row as a sentence in bold and what its other columns say."""
    said = [
        f"{name[:1].upper()}{name[1:]}: {cell.rstrip('.')}." for name, cell in zip(head[1:], cells[1:], strict=True)
    ]
    return " ".join([f"**{cells[0]}.**", *said])


def _absolute(tokens: list[Token]) -> Iterator[Token]:
    dropped = False
    for token in tokens:
        if token.type == "link_open":
            dropped = not str(token.attrGet("href")).startswith("https://")
            token.attrSet("rel", "noreferrer")
        if not (dropped and token.type in ("link_open", "link_close")):
            yield token


def _slug(heading: str) -> str:
    """The id that the static site gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace(" ", "-"))
