"""A page in a real browser, opened from disk with the network cut."""

import shutil

from playwright import sync_api as playwright

FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--no-first-run",
]
CHROMIUM = shutil.which("chromium")


class Opened:
    """A page in a fresh context, with everything it complained of and asked for."""

    def __init__(self, browser: playwright.Browser, **settings: object) -> None:
        self.context = browser.new_context(offline=True, **{"viewport": {"width": 1280, "height": 900}} | settings)
        self.context.set_default_timeout(120_000)  # a busy machine is no finding
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.tab = self.context.new_page()
        self.tab.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda request: self.requests.append(request.url))

    def shown(self) -> list[str]:
        return self.tab.eval_on_selector_all("details.claim:not([hidden])", "found => found.map(one => one.id)")

    def wait_for_plots(self, claim: str) -> None:
        card = f"[id='{claim}']"
        self.tab.wait_for_function(
            "card => [...document.querySelectorAll(card + ' .canvas')].every(c => c.querySelector('.main-svg'))",
            arg=card,
        )
