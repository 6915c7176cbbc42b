"""The static site: ``python -m grok.site verdicts.json --out site``.

It holds the page of the verdicts, README.md and docs/ as pages, and the notebook. Every link within it is relative, and
nothing is loaded from the net, so that it can be read from disk and put on any static host.
"""

from __future__ import annotations

import argparse
import functools
import importlib.resources
import os
import shutil
import sys
from pathlib import Path, PurePosixPath

import jinja2

from grok.errors import GrokError
from grok.files import write_bytes
from grok.report import page
from grok.verdicts.record import read_verdicts

try:
    from grok.site.documents import Renderer, place
except ModuleNotFoundError as missing:
    print(f"grok.site needs {missing.name}: pip install 'grok-claims[site]'", file=sys.stderr)
    raise SystemExit(2) from None

TEMPLATES = importlib.resources.files("grok.site") / "templates"
VERDICTS, FINDINGS = "verdicts.html", "docs/findings.html"
OWN = ("index.html", VERDICTS, "document.css")  # by which a site is known, before it is replaced
FOLDERS = ("docs", "claims", "examples/own_claims", "fixtures")  # whose documents are pages, beside those at the top
NAVIGATION = (
    ("index.html", "Overview"),
    (VERDICTS, "Verdicts"),
    (FINDINGS, "Findings"),
    ("docs/notebook.html", "Notebook"),
    ("docs/measures.html", "Measures"),
    ("docs/index.html", "All documents"),
)


def documents(root: Path) -> tuple[PurePosixPath, ...]:
    """The documents of a checkout, as paths from its root."""
    found = [path for folder in (".", *FOLDERS) for end in ("*.md", "*.ipynb") for path in (root / folder).glob(end)]
    return tuple(sorted(PurePosixPath(path.relative_to(root)) for path in found))


def build(root: Path, verdicts: Path, out: Path) -> list[Path]:
    """Write the site of a checkout and the verdicts of a run into a folder; the files written.

    Raises GrokError for a folder that holds something else, and for a document with a link to what is not there.
    """
    if out.is_dir() and any(out.iterdir()) and not all((out / name).is_file() for name in OWN):
        raise GrokError(f"{out} holds other files than a site; remove it, or give another --out")
    read = read_verdicts(verdicts)
    shutil.rmtree(out, ignore_errors=True)
    renderer = Renderer(root, documents(root))
    titles = {}
    for document in renderer.documents:
        titles[place(document)], body = renderer.page(document)
        _write(out, place(document), titles[place(document)], body)
    links = "\n".join(f"- [{title}]({os.path.relpath(at, 'docs')})" for at, title in sorted(titles.items()))
    _write(out, PurePosixPath("docs/index.html"), "All documents", _list(links))
    for source, at in renderer.copied.items():
        write_bytes(out / at, (root / source).read_bytes())
    write_bytes(out / "document.css", (TEMPLATES / "document.css").read_bytes())
    page.write(read, out / VERDICTS, site=page.Site(NAVIGATION, VERDICTS, FINDINGS))
    return sorted(path for path in out.rglob("*") if path.is_file())


def _list(links: str) -> str:
    from markdown_it import MarkdownIt

    return MarkdownIt().render(f"# All documents\n\n{links}\n")


def _write(out: Path, at: PurePosixPath, title: str, body: str) -> None:
    root = "../" * (len(at.parts) - 1)
    shown = _template().render(title=title, body=body, root=root, here=str(at), navigation=NAVIGATION)
    write_bytes(out / at, shown.encode())


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((TEMPLATES / "document.html").read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m grok.site", description=__doc__)
    parser.add_argument("verdicts", type=Path, help="verdicts.json of a run of the claims")
    parser.add_argument("--out", type=Path, default=Path("site"), help="the folder to write (default: site)")
    parser.add_argument("--root", type=Path, default=Path(), help="the checkout whose documents are shown (default: .)")
    given = parser.parse_args()
    try:
        files = build(given.root, given.verdicts, given.out)
    except (GrokError, OSError) as error:
        parser.exit(2, f"grok.site: {error}\n")
    print(f"wrote {len(files)} files; open {given.out / 'index.html'}")


if __name__ == "__main__":
    main()
