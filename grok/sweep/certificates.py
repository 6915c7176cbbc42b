"""The table of ``docs/certificate.md``, from the final weights of every fixture.

    python -m grok.sweep.certificates --fixtures fixtures --out docs/certificate.md

What stands outside the two markers is written by hand and stays.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import tyro

from grok import files
from grok.errors import GrokError, NotEvaluable
from grok.measure.certificate import certify
from grok.recipe import RECIPES
from grok.store.fixture import Fixture, load_fixture
from grok.sweep.replication import replace_between


def table(fixtures: Path) -> Iterator[str]:
    """The lines of a Markdown table, a row for each fixture below this folder: recipes in order, then seeds."""
    yield "| network | least margin | bound E | margin / E | float32 is off by | certain of all pairs |"
    yield "|---|---|---|---|---|---|"
    for recipe in RECIPES:
        for folder in sorted((fixtures / recipe).glob("seed*"), key=lambda path: int(path.name.removeprefix("seed"))):
            yield row(load_fixture(folder))


def row(fixture: Fixture) -> str:
    """Certificate of the final weights, and what one float32 evaluation, by the library here, is really off by.

    Where nothing can be said of any answer, such as with weights too large for float32, the row has the reason.
    """
    model, name = fixture.network(), f"`{fixture.recipe.name}/seed{fixture.recipe.seed}`"
    try:
        found = certify(model)
    except NotEvaluable as reason:
        return f"| {name} | – | – | – | – | {reason} |"
    single = replace(model, weights={name: w.float() for name, w in model.weights.items()})
    off = float((single.logits.double() - model.logits).abs().max())
    unsure = found.pairs - found.right - found.wrong
    parts = [(found.right, "right"), (found.wrong, "wrong"), (unsure, "not certain")]
    said = "all right" if found.certified else ", ".join(f"{n:,} {what}" for n, what in parts if n)
    cells = (name, f"{found.margin:.4g}", f"{found.bound:.2g}", f"{found.ratio:.3g}", f"{off:.1g}", said)
    return "| " + " | ".join(cells) + " |"


def main(fixtures: Path = Path("fixtures"), *, out: Path) -> int:
    """Rewrite the table in OUT from the fixtures."""
    new = "\n".join(table(fixtures)) + "\n"
    files.write_bytes(out, replace_between(out.read_text(), new).encode())
    return 0


if __name__ == "__main__":
    try:
        sys.exit(tyro.cli(main, prog="python -m grok.sweep.certificates"))
    except (GrokError, OSError) as error:
        sys.exit(f"grok: {error}")
