"""The plots of docs/plots.md: recorded by its code, and drawn by the page. Run as a program it makes docs/plots.png."""

import math
import re
import tempfile
from pathlib import Path

from grok.report import page
from grok.suite.evidence import Recorder
from grok.verdicts.claim import Claim, Statement
from grok.verdicts.record import Run, Verdicts
from grok.verdicts.verdict import Plot, Result

# leaves the figures alone on the page, three in a row
ALONE = """() => {
    const figures = [...document.querySelectorAll("figure.plot")];
    document.body.replaceChildren(...figures);
    document.body.style.cssText = "display: grid; grid-template-columns: repeat(3, 1fr); gap: 12px; max-width: none";
    const size = { width: 470, height: 300 };
    for (const canvas of document.querySelectorAll(".canvas")) Plotly.relayout(canvas, size);
}"""
DOCS = Path(__file__).parents[2] / "docs"


def plots() -> list[Plot]:
    """What the code in docs/plots.md records."""
    [code] = re.findall(r"```python\n(.*?)```", (DOCS / "plots.md").read_text(encoding="utf-8"), re.DOTALL)
    recorder = Recorder()
    exec(code, {"evidence": recorder, "math": math})
    return recorder.plots


def main() -> None:
    from browsing import CHROMIUM, FLAGS
    from playwright import sync_api as playwright

    subject = Result("model", "trained", None, reason="a picture", plots=plots())
    claim = Claim.of(Statement(id="plots", title="Kinds of plots", fixture="a model"), [subject])
    with tempfile.TemporaryDirectory() as folder, playwright.sync_playwright() as driver:
        path = Path(folder) / "page.html"
        page.write(Verdicts(Run(), (claim,)), path)
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_page(viewport={"width": 1500, "height": 900})
        tab.goto(path.as_uri())
        tab.locator("details.claim > summary").click()
        drawn = "[...document.querySelectorAll('.canvas')].every(c => c.querySelector('.main-svg'))"
        tab.wait_for_function(drawn, timeout=120_000)
        tab.evaluate(ALONE)
        tab.mouse.move(1, 1)  # away from every plot: the one under it shows its buttons
        tab.wait_for_timeout(500)
        tab.screenshot(path=DOCS / "plots.png", full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
