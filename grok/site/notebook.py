"""Run a notebook and save it with its outputs, plots as pictures: ``python -m grok.site.notebook docs/notebook.ipynb``.

Needs nbclient and ipykernel, and for the pictures playwright and a Chromium on the PATH: the extra ``test`` has them.
"""

from __future__ import annotations

import argparse
import base64
import copy
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from grok.errors import GrokError
from grok.files import write_bytes

PLOTLY = "application/vnd.plotly.v1+json"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
WIDTH, SCALE = 760, 1.5  # of a picture whose plot has none; the scale is pixels drawn for each
TIMEOUT = 600  # seconds for one cell


def read(path: Path) -> Any:
    """The notebook in a file, as nbformat has it."""
    import nbformat

    return nbformat.read(path, as_version=4)


def executed(notebook: Any) -> Any:
    """A copy with the outputs of a run in a fresh kernel of this Python. Raises nbclient's CellExecutionError.

    A figure is kept as plotly's JSON, whatever the environment says of renderers.
    """
    from nbclient import NotebookClient

    ran = copy.deepcopy(notebook)
    client = NotebookClient(ran, timeout=TIMEOUT, kernel_name="python3", coalesce_streams=True)
    client.execute(env=os.environ | {"PLOTLY_RENDERER": "plotly_mimetype"})
    for cell in ran.cells:
        cell.metadata.pop("execution", None)  # times of day, different in every run
        if cell.cell_type == "code":  # stderr has warnings about the machine; an error stops the run
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return ran


def outputs(cell: Any) -> list[str]:
    """The text of each output of a cell: what was printed or shown, and the title of a plot."""
    return [text(output) for output in cell.get("outputs", [])]


def text(output: Any) -> str:
    """What one output says in words."""
    if output.output_type == "stream":
        return output.text
    if PLOTLY in output.data:
        return output.data[PLOTLY]["layout"]["title"]["text"]
    return output.data["text/plain"]


def with_pictures(notebook: Any) -> Any:
    """A copy in which each plot is a PNG, with its title in words. Raises GrokError without a Chromium."""
    made = copy.deepcopy(notebook)
    plots = [o for cell in made.cells for o in cell.get("outputs", []) if PLOTLY in o.get("data", {})]
    for output, picture in zip(plots, _pictures([o.data[PLOTLY] for o in plots]), strict=True):
        output.data = {"image/png": base64.b64encode(picture).decode(), "text/plain": text(output)}
    return made


def _pictures(figures: Iterable[dict[str, Any]]) -> list[bytes]:
    import plotly.offline
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise GrokError("the plots of a notebook are drawn by a Chromium, and there is none on the PATH; install one")
    draw = "async ([f, size]) => Plotly.toImage(await Plotly.newPlot('plot', f.data, f.layout), size)"
    found = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page()
        page.set_content("<div id=plot></div>")
        page.add_script_tag(content=plotly.offline.get_plotlyjs())
        for figure in figures:
            shape = figure["layout"]
            size = {"format": "png", "width": shape.get("width", WIDTH), "height": shape["height"], "scale": SCALE}
            found.append(base64.b64decode(page.evaluate(draw, [figure, size]).partition(",")[2]))
        browser.close()
    return found


def save(notebook: Any, path: Path) -> None:
    """Write atomically, without the versions of the machine that ran it."""
    import nbformat

    notebook.metadata = nbformat.from_dict({"kernelspec": {"display_name": "Python 3", "name": "python3"}})
    nbformat.validate(notebook)
    write_bytes(path, (nbformat.writes(notebook) + "\n").encode())


def main(path: Path) -> None:
    save(with_pictures(executed(read(path))), path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m grok.site.notebook", description="Run a notebook and save it.")
    parser.add_argument("path", type=Path)
    main(parser.parse_args().path)
