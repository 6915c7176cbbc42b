"""Markdown and notebooks as HTML, with every relative link turned to where its target is in the site.

A Markdown file or notebook becomes a page at its own place, README.md the index of its folder. A picture keeps its
place. Any other file that a document links to is copied under ``files/``, as text that a browser shows.
"""

from __future__ import annotations

import html
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin

from grok.errors import GrokError
from grok.site import notebook

PICTURES = (".png", ".svg", ".jpg")
LINKS = {"link_open": "href", "image": "src"}


def place(document: PurePosixPath) -> PurePosixPath:
    """Where a document stands in the site.

    >>> str(place(PurePosixPath("docs/ci.md"))), str(place(PurePosixPath("claims/README.md")))
    ('docs/ci.html', 'claims/index.html')
    """
    return document.with_name("index.html") if document.name == "README.md" else document.with_suffix(".html")


@dataclass
class Renderer:
    """Documents of one repository as HTML. copied: the other files that they link to, source → place in the site."""

    root: Path
    documents: tuple[PurePosixPath, ...]
    copied: dict[PurePosixPath, PurePosixPath] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._markdown = MarkdownIt("commonmark").enable("table").use(anchors_plugin, max_level=4)
        self._markdown.add_render_rule("table_open", lambda *_: '<div class="scroll" tabindex="0"><table>\n')
        self._markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")

    def page(self, document: PurePosixPath) -> tuple[str, str]:
        """Title and body of a document. Raises GrokError for a relative link to what is not there."""
        if document.suffix == ".ipynb":
            cells = notebook.read(self.root / document).cells
            return self._titled("\n".join(self._cell(cell, document) for cell in cells), cells[0].source)
        text = (self.root / document).read_text(encoding="utf-8")
        return self._titled(self.body(text, document), text)

    def body(self, text: str, document: PurePosixPath) -> str:
        """Markdown as HTML; ``document`` is where the text stands, for its links."""
        tokens = self._markdown.parse(text)
        for token in _all(tokens):
            if name := LINKS.get(token.type):
                token.attrSet(name, self._turned(str(token.attrGet(name)), document))
        return self._markdown.renderer.render(tokens, self._markdown.options, {})

    def _titled(self, body: str, text: str) -> tuple[str, str]:
        heading = next((line for line in text.splitlines() if line.startswith("# ")), "# Grok Claims")
        return heading[2:].strip(), body

    def _cell(self, cell: Any, document: PurePosixPath) -> str:
        if cell.cell_type != "code":
            return self.body(cell.source, document)
        shown = [f"<pre><code>{html.escape(cell.source)}</code></pre>"]
        for output in cell.outputs:
            said = html.escape(notebook.text(output).rstrip("\n"))
            picture = output.get("data", {}).get("image/png")
            shown.append(
                f'<p><img alt="{said}" src="data:image/png;base64,{picture.strip()}"></p>'
                if picture
                else f'<pre class="output"><code>{said}</code></pre>'
            )
        return "\n".join(shown)

    def _turned(self, link: str, document: PurePosixPath) -> str:
        """The link as it must be in the page of this document."""
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or not parts.path:
            return link
        target = PurePosixPath(os.path.normpath(document.parent / unquote(parts.path)))
        if (self.root / target).is_dir():
            target /= "README.md"
        if not (self.root / target).is_file():
            raise GrokError(f"{document}: the link {link} leads to {target}, which is not there; correct the link")
        at = os.path.relpath(self._place(target), place(document).parent)
        return f"{at}#{parts.fragment}" if parts.fragment else at

    def _place(self, target: PurePosixPath) -> PurePosixPath:
        if target in self.documents:
            return place(target)
        if target.suffix in PICTURES:
            self.copied[target] = target
        else:  # a name without a dot in front, which some hosts leave out
            self.copied[target] = PurePosixPath("files", f"{str(target).lstrip('.')}.txt")
        return self.copied[target]


def _all(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or [])
