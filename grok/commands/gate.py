"""``grok gate``: compares the verdicts of a run with the expected ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import tyro

from grok import published
from grok.errors import GrokError
from grok.files import write_bytes, write_json
from grok.report import history as runs
from grok.report import summary
from grok.verdicts import expected as expectation
from grok.verdicts.record import PUBLISHED, Verdicts, read_verdicts


def gate(
    verdicts: Annotated[Path, tyro.conf.Positional],
    /,
    expected: Path | None = None,
    max_margin_drop: float | None = None,
    require_separation: bool = False,
    history: Path | None = None,
    junit: Path | None = None,
    markdown: Path | None = None,
    comment: Path | None = None,
    badge: Path | None = None,
    annotations: bool = False,
    accept: bool = False,
) -> int:
    """Compare VERDICTS with the expected ones. Exit 0: all as expected; 1: changes, worst first; 2: wrong use.

    Args:
        verdicts: verdicts.json of a run.
        expected: the committed verdicts; default: reports/expected.json, or for the published claims, where there is
            no such file, the verdicts that come with them.
        max_margin_drop: also fail when a margin shrank by more than this, in units of the threshold (0.05 is 5 %).
        require_separation: also fail when a claim's trained models no longer stand apart from all controls and rivals.
        history: folder to which the run is added, as one more JSON file.
        junit: file to write JUnit XML to.
        markdown: file to write Markdown for a job summary to.
        comment: file to write Markdown for a pull-request comment to.
        badge: file to write JSON for shields.io's endpoint badge to.
        annotations: also print ::error lines for GitHub.
        accept: write the expected verdicts from VERDICTS instead of comparing; refused where CI is set.
    """
    if max_margin_drop is not None and not max_margin_drop >= 0:
        raise GrokError(f"--max-margin-drop must be at least 0, got {max_margin_drop}")
    found = read_verdicts(verdicts)
    if accept:
        return _accept(found, expected or published.EXPECTED)
    if expected is None:
        theirs = found.run.expected == PUBLISHED and not published.EXPECTED.exists()
        expected = published.root() / published.EXPECTED if theirs else published.EXPECTED
        if not expected.exists():
            raise GrokError(
                f"{expected} does not exist, so nothing is expected yet; to expect the verdicts of {verdicts}, run\n"
                f"  grok gate {verdicts} --accept"
            )
    changes = expectation.compare(found.claims, expectation.read(expected), max_margin_drop, require_separation)
    if history is not None:
        runs.append(found, history)
    if junit is not None:
        _write(junit, summary.junit(found, changes))
    if markdown is not None:
        _write(markdown, summary.markdown(found, changes))
    if comment is not None:
        _write(comment, summary.markdown(found, changes, summary.COMMENT_LIMIT))
    if badge is not None:
        write_json(badge, summary.badge(found, changes))
    lines = [*map(str, changes), *(summary.error_lines(found, changes) if annotations else ())]
    print("\n".join([*lines, _last_line(found, changes)]))
    return 1 if changes else 0


def _accept(verdicts: Verdicts, expected: Path) -> int:
    if os.environ.get("CI"):
        raise GrokError("--accept is refused where CI is set: accept verdicts on your machine and commit them")
    expectation.write(expected, expectation.accept(verdicts.claims))
    print(f"wrote {expected}: {summary.headline(verdicts.claims)}; read it, then commit it")
    return 0


def _last_line(verdicts: Verdicts, changes: list[expectation.Change]) -> str:
    claims = len({change.claim for change in changes})
    return f"{'FAIL' if changes else 'ok'}: {summary.headline(verdicts.claims)}; {claims or 'none'} unexpected"


def _write(path: Path, text: str) -> None:
    write_bytes(path, text.encode())
