"""The static site: every link of it leads somewhere, and nothing comes from the net."""

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from grok.errors import GrokError
from grok.site.__main__ import build
from grok.verdicts.claim import Claim, Statement
from grok.verdicts.record import Run, Verdicts
from grok.verdicts.verdict import Result

ROOT = Path(__file__).parents[2]
# of each section of docs/findings.md that discusses claims, one
CLAIMS = ("K9", "C1 · modadd-mlp", "K10", "K6", "S1", "F13")
LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src"), ("object", "data")}


class Page(HTMLParser):
    """ids: what fragments may name. links: (tag, attribute, value) of every link; those in ``LOADED`` are loaded."""

    def __init__(self, text: str):
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[tuple[str, str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.add(value or "")
            if name in ("href", "src", "data") or (name == "srcset"):
                self.links.append((tag, name, value or ""))


def broken(site: Path) -> list[str]:
    """Links of the site to what it does not hold, and what it would load from elsewhere."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        for tag, name, link in page.links:
            parts = urlsplit(link)
            where = f"{path.relative_to(site)}: {link[:80]}"
            if parts.scheme == "data":
                continue
            if parts.scheme or parts.netloc:
                found += [f"{where} is loaded"] if (tag, name) in LOADED else []
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if parts.path.startswith("/") or not target.is_relative_to(site) or not target.is_file():
                found.append(f"{where} is not there")
            elif parts.fragment and unquote(parts.fragment) not in pages[target].ids:
                found.append(f"{where} is no part of its page")
    return found


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "verdicts.json"
    file = "claims/test_modadd_mlp.py"
    models = [
        Result("modadd-mlp/seed0", "trained", False, "0.7 >= 0.84"),
        Result("modadd-mlp/untrained", "control", None),
    ]
    said = [Statement(id=name, title=f"The sentence of {name}", fixture="modadd-mlp", file=file) for name in CLAIMS]
    claims = tuple(Claim.of(each, models, "refuted") for each in said)
    path.write_text(json.dumps(Verdicts(Run(command="pytest claims/"), claims).to_json()))
    return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, verdicts: Path) -> Path:
    out = tmp_path_factory.mktemp("site").resolve()
    build(ROOT, verdicts, out)
    return out


def test_every_relative_link_leads_somewhere_and_nothing_is_loaded_from_the_net(site: Path):
    assert broken(site) == []


def test_the_page_leads_back_to_the_start_and_to_the_findings(site: Path):
    links = {value for _, _, value in Page((site / "verdicts.html").read_text(encoding="utf-8")).links}
    assert {"index.html", "docs/notebook.html"} <= links
    sections = {link.partition("#")[2] for link in links if link.startswith("docs/findings.html#")}
    assert sections >= {"refuted", "of-the-papers", "vacuous", "unspecific", "uncontrolled", "weaker-than-they-sound"}


def test_every_document_and_the_page_are_there(site: Path):
    documents = {f"docs/{path.stem}.html" for path in (ROOT / "docs").iterdir() if path.suffix in (".md", ".ipynb")}
    held = {str(path.relative_to(site)) for path in site.rglob("*.html")}
    assert held >= documents | {"index.html", "verdicts.html", "docs/index.html"}
    assert not any(part.startswith((".", "_")) for path in site.rglob("*") for part in path.relative_to(site).parts)


def test_tables_and_the_notebook_are_rendered(site: Path):
    assert "<td>" in (site / "docs" / "ci.html").read_text() or "<td>" in (site / "index.html").read_text()
    notebook = (site / "docs" / "notebook.html").read_text()
    assert notebook.count('src="data:image/png;base64,') == 5
    assert "K = 16, 17, 55" in notebook


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ('<a href="nowhere.html">', "is not there"),
        ('<a href="/index.html">', "is not there"),
        ('<a href="../../outside.html">', "is not there"),
        ('<a href="#nothing">', "is no part of its page"),
        ('<img src="https://example.org/a.png">', "is loaded"),
        ('<script src="//example.org/a.js">', "is loaded"),
    ],
)
def test_a_broken_link_would_be_seen(tmp_path: Path, body: str, what: str):
    (tmp_path / "index.html").write_text(f'<p id="there"><a href="https://example.org">{body}')
    [found] = broken(tmp_path.resolve())
    assert found.endswith(what)


def test_a_document_with_a_broken_link_is_an_error(tmp_path: Path, verdicts: Path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("[b](b.md)")
    with pytest.raises(GrokError, match=r"docs/a\.md: the link b\.md leads to docs/b\.md, which is not there"):
        build(tmp_path, verdicts, tmp_path / "site")


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path, verdicts: Path):
    (tmp_path / "mine.txt").touch()
    command = [sys.executable, "-m", "grok.site", str(verdicts), "--out", str(tmp_path), "--root", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert "holds other files than a site; remove it, or give another --out" in done.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "mine.txt"]
