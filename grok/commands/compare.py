"""``grok compare``: two runs, or two models, side by side."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import tyro

from grok.report import compared
from grok.verdicts.compare import pairs
from grok.verdicts.record import read_verdicts


def compare(
    first: Annotated[Path, tyro.conf.Positional],
    second: Annotated[Path, tyro.conf.Positional],
    /,
    html: Path | None = None,
) -> int:
    """Show two runs side by side, claim by claim: value, verdict, what changed. Exit 0, whatever differs; 2: wrong use.

    To compare two models, write a file for each with `grok verify MODEL --json FILE`.

    Args:
        first: verdicts.json of one run, called a.
        second: verdicts.json of the other, called b. A change is from a to b.
        html: file to write the comparison to as a page, in place of the lines.
    """
    names, (a, b) = (str(first), str(second)), (read_verdicts(first), read_verdicts(second))
    if html is not None:
        from grok.report import sides

        sides.write(names, (a, b), html)
        print(f"wrote {html}")
        return 0
    width = shutil.get_terminal_size((80, 24)).columns
    print("\n".join(compared.lines(names, (a, b), pairs(a.claims, b.claims), width)))
    return 0
