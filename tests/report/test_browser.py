"""The page in a real browser, opened from disk with the network cut."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import sample
from axe_playwright_python.base import AXE_SCRIPT
from browsing import CHROMIUM, FLAGS, Opened
from playwright import sync_api as playwright

from grok.report import page, sides
from grok.verdicts.claim import Claim

INSTALL = "no chromium on the PATH; install it with: apt-get install chromium"
if not CHROMIUM and os.environ.get("CI"):
    pytest.fail(INSTALL, pytrace=False)
if not CHROMIUM:
    pytest.skip(INSTALL, allow_module_level=True)

ONE_OF_EACH_SORT = [
    *sample.one_of_each(),
    sample.claim("P1", sample.subjects(plots=sample.plots(random.Random(0))), "replicated"),
    sample.hostile(),
    sample.claim("P2", sample.subjects(trained=(0.91, 0.985, 0.93, 0.99, 0.95, 0.97, 0.96)), "mixed"),
]
CLAIMS = [*ONE_OF_EACH_SORT, *sample.many(100)]


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory, CLAIMS)


@pytest.fixture(scope="module")
def short_address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a page with one claim of each sort."""
    return written(tmp_path_factory, ONE_OF_EACH_SORT)


@pytest.fixture(scope="module")
def sides_address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a page with two runs, in which some claims are the same, some differ and some are in one run only."""
    other = [sample.claim("K1", sample.subjects(trained=(0.91,))), sample.claim("K2", sample.subjects(trained=(0.9,)))]
    runs = sample.verdicts(ONE_OF_EACH_SORT), sample.verdicts([*other, *sample.one_of_each()[2:4], sample.hostile()])
    path: Path = tmp_path_factory.mktemp("sides") / "sides.html"
    sides.write(("the shipped networks.json", "mine.json"), runs, path)
    return path.as_uri()


def written(tmp_path_factory: pytest.TempPathFactory, claims: list[Claim]) -> str:
    path: Path = tmp_path_factory.mktemp("page") / "a page <b> & 'more'.html"
    page.write(sample.verdicts(claims), path)
    return path.as_uri()


@pytest.fixture
def opened(browser, request) -> Iterator[Opened]:
    """The short page; the long one for a test that asks for ``address``."""
    long = "address" in request.fixturenames
    opened = Opened(browser)
    opened.tab.goto(request.getfixturevalue("address" if long else "short_address"))
    yield opened
    opened.context.close()
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_a_hundred_claims_are_there_and_nothing_is_drawn_before_it_is_asked_for(opened, address):
    assert len(opened.shown()) == len(CLAIMS) > 100
    assert opened.tab.evaluate("typeof Plotly") == "undefined"
    assert opened.tab.title().startswith("Grok Claims:")


def test_search_and_filters_combine(opened, address):
    tab = opened.tab
    tab.keyboard.press("/")
    tab.keyboard.type("LIVES on (k2)")
    assert opened.shown() == ["K2"]
    tab.keyboard.press("Escape")
    assert len(opened.shown()) == len(CLAIMS)
    tab.get_by_role("button", name="refuted").click()
    assert opened.shown() == ["K2"]
    tab.get_by_role("button", name="vacuous").click()
    assert opened.shown() == ["K2", "K4"]
    assert tab.locator(".shown").text_content() == f"2 of {len(CLAIMS)} claims"
    tab.locator(".pick[data-by=fixture]").select_option("add-transformer")
    assert opened.shown() == []
    tab.get_by_role("button", name="Show all").click()
    tab.locator(".pick[data-by=source]").select_option("fibonacci")
    assert len(opened.shown()) == 25


def test_an_anchor_opens_its_claim_and_the_plots_are_drawn(opened, short_address):
    opened.tab.goto(f"{short_address}#P1")
    opened.wait_for_plots("P1")
    card = opened.tab.locator("#P1")
    assert card.get_attribute("open") is not None
    assert card.locator(".canvas").count() == 14
    assert card.locator(".heatmaplayer image").count() == 2 + 1 + 4
    assert card.locator(".barlayer .bars").count() == 2 + 3 + 1  # norms of W_E and U; attention to a, b, =; losses
    assert card.locator(".scatterlayer .js-line").count() >= 2 + 2 + 2
    assert card.locator("[data-kind=planes] .textpoint").count() == 2 * 3
    assert card.locator("[data-kind=panels] small").text_content() == "Heads 1 and 2 agree."
    assert card.locator("[data-kind=panels] .annotation-text").all_text_contents() == [f"head {i}" for i in range(4)]
    assert opened.tab.locator("details.claim[open]").count() == 1


def test_another_subject_is_drawn_when_chosen(opened, short_address):
    opened.tab.goto(f"{short_address}#P1")
    opened.wait_for_plots("P1")
    figure = opened.tab.locator("#P1 .plot[data-kind=fourier_norms]")
    figure.get_by_role("combobox").select_option(label="memorised")
    assert figure.locator(".barlayer .bars").count() == 2
    phases = opened.tab.locator("#P1 .plot[data-kind=loss_curves] .annotation-text").all_text_contents()
    assert phases == ["memorised", "circuit formed"]


def test_hostile_text_executes_nothing(opened):
    card = opened.tab.locator("details.claim:has(.plot[data-kind=lines])")
    card.locator("summary").first.click()
    opened.tab.wait_for_selector(".plot[data-kind=lines] .main-svg")
    assert opened.tab.evaluate("window.stolen") is None
    # it is shown as it is, in the plot's legend too
    assert card.get_attribute("id") == sample.HOSTILE
    assert "</script><script>window.stolen=1" in card.locator(".title").text_content()
    assert "</script><script>" in card.locator(".legendtext").first.text_content()
    assert opened.tab.locator("img, iframe, object").count() == 0


# the structure is the same in both; colours are not
@pytest.mark.parametrize(("scheme", "width", "rules"), [("light", 1280, None), ("dark", 390, ["color-contrast"])])
@pytest.mark.parametrize("which", ["short_address", "sides_address"])
def test_axe_finds_nothing_and_nothing_runs_out_of_the_page(browser, request, which, scheme, width, rules):
    opened = Opened(browser, color_scheme=scheme, viewport={"width": width, "height": 800})
    opened.tab.goto(request.getfixturevalue(which))
    # everything open but P1: its nine plots are what another test draws
    opened.tab.evaluate("document.querySelectorAll('details:not(#P1)').forEach(one => { one.open = true })")
    if which == "short_address":
        opened.tab.wait_for_selector(".plot[data-kind=lines] .main-svg")
    opened.tab.evaluate(AXE_SCRIPT)
    # what plotly draws is described by its figure
    options = {"runOnly": rules} if rules else {}
    found = opened.tab.evaluate("options => axe.run({ exclude: ['.main-svg'] }, options)", options)
    overflow = opened.tab.evaluate("document.documentElement.scrollWidth - innerWidth")
    opened.context.close()
    assert [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found["violations"]] == []
    assert overflow <= 0


def test_two_runs_are_filtered_by_what_differs_and_walked_by_keys(opened, sides_address):
    tab = opened.tab
    tab.goto(sides_address)
    assert opened.shown()[:2] == ["K1", "K2"]
    tab.get_by_role("button", name="another verdict").click()
    assert opened.shown() == ["K1"]
    tab.keyboard.press("j")
    tab.keyboard.press("Enter")
    row = tab.locator("#K1")
    assert row.get_attribute("open") is not None
    assert row.locator(".half .verdict").all_text_contents() == ["replicated", "refuted"]
    for mark in ("a", "b"):
        assert row.locator(f".lanes .mark.{mark} circle").first.is_visible()
    tab.goto(f"{sides_address}#K2")
    assert tab.locator("#K2").get_attribute("open") is not None
    tab.emulate_media(media="print")
    assert tab.locator("#K2 .lanes").is_visible()
    assert not tab.locator(".tools").is_visible()


def test_on_paper_everything_asked_for_is_there_and_nothing_is_cut(opened, short_address):
    opened.tab.set_viewport_size({"width": 703, "height": 1000})  # A4 without its margins, in CSS pixels
    opened.tab.goto(f"{short_address}#all")
    opened.wait_for_plots("P1")
    opened.tab.emulate_media(media="print")
    assert not opened.tab.locator(".tools").is_visible()
    assert opened.tab.locator("details.claim[open]").count() == len(ONE_OF_EACH_SORT)
    for word in ("replicated", "refuted", "vacuous"):
        assert opened.tab.locator("main .verdict", has_text=word).first.is_visible()
    assert opened.tab.locator("#K1 .lanes").is_visible()
    assert not opened.tab.locator("#K1 .subjects").is_visible()  # a fold that nobody opened
    edges = """() => [...document.querySelectorAll('.main-svg, .curve, .lanes, math, .list, .network')]
        .filter(one => one.checkVisibility()).map(one => one.getBoundingClientRect().right)"""
    assert max(opened.tab.evaluate(edges)) <= 703


def test_a_dark_plot_is_drawn_in_light_for_paper(browser, short_address):
    opened = Opened(browser, color_scheme="dark")
    opened.tab.goto(f"{short_address}#P1")
    opened.wait_for_plots("P1")
    drawn = "document.querySelector('#P1 .plot').dataset.drawn"
    before = opened.tab.evaluate(drawn)
    opened.tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    ink = opened.tab.locator("#P1 .xtick text").first.evaluate("text => getComputedStyle(text).fill")
    on_paper = opened.tab.evaluate(drawn)
    opened.tab.evaluate("dispatchEvent(new Event('afterprint'))")
    after = opened.tab.evaluate(drawn)
    opened.context.close()
    assert (before, on_paper, after) == ("dark", "light", "dark")
    assert ink == "rgb(22, 25, 31)"


def test_the_first_screen_leads_to_networks_and_claims(opened):
    tab = opened.tab
    assert tab.locator(".network svg.curve polyline.excluded").count() == 1
    tab.locator(".network a").first.click()
    assert tab.locator("[id='networks/modadd-mlp']").evaluate("one => Math.abs(one.getBoundingClientRect().top) < 200")
    tab.locator(".list a", has_text="K2").click()
    assert tab.locator("#K2").get_attribute("open") is not None
    assert tab.locator("#K2 math[display=block]").is_visible()


def test_all_claims_open_and_close_by_one_button(opened):
    button = opened.tab.get_by_role("button", name="Open all")
    button.click()
    assert opened.tab.locator("details.claim[open]").count() == len(ONE_OF_EACH_SORT)
    opened.wait_for_plots("P1")
    button.click()
    assert opened.tab.locator("details.claim[open]").count() == 0


def test_keys_walk_the_claims(opened):
    for key in ("j", "j", "k", "Enter"):
        opened.tab.keyboard.press(key)
    assert opened.tab.locator("#K1").get_attribute("open") is not None
