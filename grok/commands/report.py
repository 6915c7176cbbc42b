"""``grok report``: writes the page or the table of a run, from its verdicts alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from grok.files import write_bytes
from grok.report import history as runs
from grok.report import table
from grok.verdicts.record import read_verdicts


def report(verdicts: Annotated[Path, tyro.conf.Positional], /, out: Path, history: Path | None = None) -> int:
    """Write the page of VERDICTS, one HTML file that opens from disk. If OUT ends in .md, write a table of all claims.

    Args:
        verdicts: verdicts.json of a run.
        out: the file to write: .html or .md.
        history: folder of earlier runs (`grok gate --history`); the page shows their margins.
    """
    if out.suffix == ".md":
        write_bytes(out, table.markdown(read_verdicts(verdicts)).encode())
        print(f"wrote {out}")
        return 0
    from grok.report import page

    page.write(read_verdicts(verdicts), out, runs.load(history) if history is not None else ())
    print(f"wrote {out}")
    return 0
