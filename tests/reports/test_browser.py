"""The card as a reader's browser shows it: on a desk, on a phone, at night, on paper."""

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from kdaudit.results import Figure, Results
from kdaudit.run import Run
from kdaudit_reports import html
from tests.reports.chromium import Browser

pytestmark = pytest.mark.browser


@pytest.fixture
def page(results: Results, run: Run, browser: Browser, tmp_path: Path) -> Browser:
    path = tmp_path / "card.html"
    path.write_text(html.render(results, run), encoding="utf-8")
    browser.media()
    browser.screen(1280, 800)
    browser.open(path)
    return browser


def background(page: Browser) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_the_policy_lets_the_style_through_and_nothing_is_logged(page: Browser) -> None:
    assert page.evaluate("getComputedStyle(document.querySelector('.banner')).display") == "grid"
    assert page.logged() == []
    assert len(page.requested()) == 1


@pytest.mark.parametrize(
    ("width", "height", "last"),
    [(1280, 800, ".counts"), (390, 844, ".rests")],
    ids=["desk", "phone"],
)
def test_the_first_screen_says_whether_it_may_ship_and_why(
    width: int, height: int, last: str, page: Browser
) -> None:
    page.screen(width, height, phone=width < 700)
    for selector in ("h1", ".reasons", last):
        bottom = page.evaluate(
            f"document.querySelector('{selector}').getBoundingClientRect().bottom"
        )
        assert bottom <= height, selector


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_never_scrolls_sideways(width: int, page: Browser) -> None:
    page.screen(width, 844, phone=width < 700)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_table_of_five_columns_fits_a_phone(
    page: Browser, results: Results, run: Run, tmp_path: Path
) -> None:
    errors = Figure(
        name="expected-calibration-error",
        chart="table",
        title="Expected calibration error",
        columns=("subject", "rows answered", "equal mass", "equal width"),
        rows=(("baseline", 16_281, 0.00959321, 0.00497783),),
    )
    weights = Figure(
        name="footprint",
        chart="table",
        title="What each model weighs",
        columns=("subject", "parameters", "bytes", "peak memory", "memory before loading"),
        rows=(("teacher", 77_314, 313_177, 247_451_648, 45_031_424),),
    )
    suite = replace(results.suites[0], figures=(errors, weights))
    path = tmp_path / "tables.html"
    path.write_text(html.render(replace(results, suites=(suite,)), run), encoding="utf-8")
    page.screen(390, 844, phone=True)
    page.open(path)
    clipped = page.evaluate(
        "[...document.querySelectorAll('figure .scroll')]"
        ".filter(box => box.scrollWidth > box.clientWidth).length"
    )
    assert clipped == 0


def test_dark_readers_get_a_dark_page(page: Browser) -> None:
    assert background(page) == "rgb(255, 255, 255)"
    page.media(scheme="dark")
    assert background(page) == "rgb(20, 23, 27)"


def test_paper_is_white_and_hides_no_folded_row(page: Browser) -> None:
    page.media(scheme="dark", kind="print")
    shown = page.evaluate(
        "[...document.querySelectorAll('details')]"
        ".every(d => d.offsetHeight > d.firstElementChild.offsetHeight + 10)"
    )
    assert shown
    assert background(page) != "rgb(20, 23, 27)"


def test_it_prints(page: Browser) -> None:
    page.send("Emulation.setEmulatedMedia", media="", features=[])
    data = base64.b64decode(page.send("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert data.startswith(b"%PDF")


def test_a_link_in_the_contents_leads_to_its_section(page: Browser) -> None:
    page.evaluate("document.querySelector('.contents a[href=\"#lineage\"]').click()")
    top = page.evaluate("document.getElementById('lineage').getBoundingClientRect().top")
    assert -1 <= top <= 20
