"""The pictures of the page in docs/: ``python tests/report/screens.py verdicts.json mine.json``.

The first file is that of a run of all claims, the second that of a model: ``grok verify model.pt --json mine.json``.
"""

import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from browsing import CHROMIUM, FLAGS

from grok.report import page, sides
from grok.verdicts.record import read_verdicts

DOCS = Path(__file__).parents[2] / "docs"
# name, page, the claim that is open, width and height in CSS pixels, colours or print
SCREENS = (
    ("page", "one", "", 1280, 900, "light"),
    ("page-dark", "one", "", 1280, 900, "dark"),
    ("page-phone", "one", "", 390, 844, "light"),
    ("page-print", "one", "B5", 794, 1123, "print"),
    ("page-claim", "one", "N2", 1000, 1030, "dark"),
    ("page-replicated", "one", "K15", 1000, 1030, "light"),
    ("page-vacuous", "one", "K14", 1000, 1030, "light"),
    ("page-unspecific", "one", "N7", 1000, 1030, "light"),
    ("page-uncontrolled", "one", "S1", 1000, 900, "light"),
    ("page-compare", "two", "C1 · modadd-mlp", 1280, 960, "light"),
)
DRAWN = "[...document.querySelectorAll('details[open] .canvas')].every(c => c.querySelector('.main-svg'))"


def main(first: Path, second: Path) -> None:
    from playwright import sync_api as playwright

    runs = read_verdicts(first), read_verdicts(second)
    with tempfile.TemporaryDirectory() as folder, playwright.sync_playwright() as driver:
        page.write(runs[0], Path(folder) / "one.html")
        sides.write((first.name, second.name), runs, Path(folder) / "two.html")
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, which, claim, width, height, scheme in SCREENS:
            colours = "light" if scheme == "print" else scheme
            tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme=colours)
            tab.goto(f"{(Path(folder) / which).as_uri()}.html#{quote(claim)}")
            tab.wait_for_function(DRAWN, timeout=120_000)
            if scheme == "print":
                tab.emulate_media(media="print")
            tab.screenshot(path=DOCS / f"{name}.png")
            tab.close()
        browser.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
