"""The committed documents say what the committed verdicts say."""

import html
import json
import sys
from pathlib import Path

import pytest

from grok.commands.info import card_table
from grok.store.fixture import load_fixture
from grok.sweep import certificates
from grok.verdicts import plots
from grok.verdicts.number import percent

ROOT = Path(__file__).parents[1]
EXPECTED = json.loads((ROOT / "reports" / "expected.json").read_text(encoding="utf-8"))["claims"]


def _rows() -> dict[str, list[str]]:
    """Cells by claim id, in the table of all claims."""
    lines = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8").splitlines()
    cells = [
        [html.unescape(cell.strip()) for cell in line.strip("|").split(" | ")] for line in lines if line[:1] == "|"
    ]
    return {row[0].strip(): row for row in cells if row[0].strip() in EXPECTED}


def test_the_table_of_claims_is_up_to_date() -> None:
    rows = _rows()
    assert {name: row[-1].strip("* ") for name, row in rows.items()} == {k: c["verdict"] for k, c in EXPECTED.items()}
    assert {name: _margin(row[-2]) for name, row in rows.items()} == pytest.approx(
        {name: _margin(percent(claim["margin"])) for name, claim in EXPECTED.items()}, rel=1e-2, nan_ok=True
    )


def _margin(cell: str) -> float:
    """Committed margins have four digits, the table three; – is none."""
    number = cell.replace("−", "-").replace(",", "").replace("∞", "inf").strip(" %")
    return float("nan") if number == "–" else float(number)


def test_every_kind_of_plot_is_in_the_document_and_drawn() -> None:
    sys.path.insert(0, str(ROOT / "tests" / "report"))
    import picture

    assert [plot.kind for plot in picture.plots()] == list(plots.KINDS)


def test_the_table_of_fixtures_is_up_to_date() -> None:
    lines = (ROOT / "fixtures" / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line[:1] == "|"] == card_table(ROOT / "fixtures")


def test_the_fixtures_are_small_enough_to_clone() -> None:
    """45 MiB. A seed that is not the published one ships in the light form (``grok train --light``)."""
    files = (ROOT / "fixtures").glob("*/seed*/*")
    assert sum(path.stat().st_size for path in files if path.is_file()) < 45 * 2**20


def test_the_table_of_certificates_has_every_fixture_and_its_numbers() -> None:
    """One small network is certified again; what one float32 evaluation is off by depends on the machine."""
    lines = (ROOT / "docs" / "certificate.md").read_text(encoding="utf-8").splitlines()
    rows = {line.split("`")[1]: _cells(line) for line in lines if line.startswith("| `")}
    cards = (ROOT / "fixtures").glob("*/seed*/card.json")
    assert rows.keys() == {str(card.parent.relative_to(ROOT / "fixtures")) for card in cards}
    network = "add-transformer/seed999"
    *numbers, _, answers = rows[network][1:]
    *found, _, certain = _cells(certificates.row(load_fixture(ROOT / "fixtures" / network)))[1:]
    assert list(map(float, numbers)) == pytest.approx(list(map(float, found)), rel=2e-2)
    assert answers == certain


def _cells(line: str) -> list[str]:
    return line.strip("| ").split(" | ")
