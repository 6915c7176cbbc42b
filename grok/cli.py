"""The ``grok`` command. Exit codes: 0 done, 1 a claim or a gate fails, 2 wrong use or a damaged file, 130 stopped."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import tyro
from tyro.extras import SubcommandApp

import grok
from grok.commands import compare, gate, info, report, sweep, train, verify
from grok.errors import GrokError, Interrupted

app = SubcommandApp()
app.command(train.train)
app.command(sweep.sweep)
app.command(verify.verify)
app.command(verify.convert)
app.command(gate.gate)
app.command(compare.compare)
app.command(report.report)
app.command(name="list")(info.list_)
app.command(info.env)


def main(args: Sequence[str] | None = None) -> None:
    """Parse, run, and exit with the command's code. A user's error is printed as one line, without a traceback."""
    args = sys.argv[1:] if args is None else args
    if list(args) == ["--version"]:
        print(f"grok-claims {grok.__version__}")
        raise SystemExit(0)
    try:
        code = app.cli(args=args, prog="grok", description=__doc__, config=(tyro.conf.OmitArgPrefixes,))
    except (GrokError, OSError) as error:
        print(f"grok: {error}", file=sys.stderr)
        code = 2
    except (Interrupted, KeyboardInterrupt) as stop:
        print(f"\ngrok: {str(stop) or 'stopped'}", file=sys.stderr)
        code = 130
    raise SystemExit(code)
