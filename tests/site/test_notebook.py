"""docs/notebook.ipynb runs, and says what it says in its saved form."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from grok.site import notebook

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "notebook.ipynb"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A kernel writes into folders of the user's; here it gets others. It finds this checkout's package."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def code(cells: list[Any]) -> list[Any]:
    return [cell for cell in cells if cell.cell_type == "code"]


def made(*sources: str) -> Any:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def test_it_runs_and_every_number_is_the_saved_one():
    saved = notebook.read(FILE)
    ran = notebook.executed(saved)
    found, expected = ([notebook.outputs(cell) for cell in code(one.cells)] for one in (ran, saved))
    assert found == expected, "if that is meant: python -m grok.site.notebook docs/notebook.ipynb"


def test_what_the_text_says_in_decimals_is_in_the_outputs():
    cells = notebook.read(FILE).cells
    text = " ".join(cell.source for cell in cells if cell.cell_type == "markdown")
    shown = " ".join(said for cell in code(cells) for said in (cell.source, *notebook.outputs(cell)))
    assert [number for number in re.findall(r"\d+\.\d+", text) if number not in shown] == []


def test_each_plot_is_a_picture_and_the_file_is_small():
    saved = notebook.read(FILE)
    plots = [cell for cell in code(saved.cells) if "model.plot." in cell.source]
    assert len(plots) == 5
    assert all("image/png" in cell.outputs[-1].data for cell in plots)
    assert FILE.stat().st_size <= 1_000_000


def test_a_cell_that_raises_is_an_error():
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        notebook.executed(made("1 / 0"))


def test_another_number_and_another_plot_are_seen():
    plot = "import plotly.graph_objects as go\ngo.Figure().update_layout(title_text={!r})"
    printed = "print(1.25, flush=True)\nprint(3, flush=True)\n2"  # sent in two parts, which are one output
    ran = notebook.executed(made(printed, plot.format("a"), "import sys; print('a warning', file=sys.stderr)"))
    assert [notebook.outputs(cell) for cell in ran.cells] == [["1.25\n3\n", "2"], ["a"], []]
