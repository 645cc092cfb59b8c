"""Names, values and notes are attacker's data: no renderer may let one out of its place."""

import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from junitparser import JUnitXml
from markdown_it import MarkdownIt

from kdaudit.results import Results
from kdaudit.run import Run
from kdaudit_reports import html, junit, markdown
from kdaudit_reports.text import visible
from tests.reports.chromium import Browser
from tests.reports.hostile import CORPUS, poisoned

Renderer = tuple[str, Callable[[Results, Run], str]]


class Tags(HTMLParser):
    """The tags, attribute names and link targets of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.targets: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.targets |= {value or "" for name, value in attrs if name in {"href", "src"}}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        pytest.fail(f"a comment reached the page: {data}")


@pytest.mark.parametrize("payload", CORPUS)
def test_a_payload_adds_no_tag_no_attribute_and_no_target(
    payload: str, results: Results, run: Run
) -> None:
    clean = Tags(html.render(results, run))
    dirty = Tags(html.render(*poisoned(results, run, payload)))
    assert dirty.tags <= clean.tags
    assert dirty.attributes <= clean.attributes
    assert all(target.startswith("#") for target in dirty.targets)
    assert not any(name.startswith("on") or name == "style" for name in dirty.attributes)


@pytest.mark.parametrize("payload", CORPUS[:8])
def test_the_payload_is_still_there_to_be_read(payload: str, results: Results, run: Run) -> None:
    text = " ".join(Tags(html.render(*poisoned(results, run, payload))).texts)
    assert visible(payload) in text


@pytest.mark.parametrize("payload", CORPUS)
def test_no_report_carries_a_hidden_character(
    payload: str, renderer: Renderer, results: Results, run: Run
) -> None:
    text = renderer[1](*poisoned(results, run, payload))
    hidden = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}}
    assert hidden <= {"\n"}
    text.encode("utf-8")


@pytest.mark.parametrize("payload", CORPUS)
def test_junit_parses_whatever_the_names_are(payload: str, results: Results, run: Run) -> None:
    suites = JUnitXml.fromstring(junit.render(*poisoned(results, run, payload)).encode())
    cases = [case for suite in suites for case in suite]
    assert len(cases) == len(results.verdicts)
    assert len({(case.classname, case.name) for case in cases}) == len(cases)


@pytest.mark.parametrize("payload", CORPUS)
def test_markdown_gains_no_html_no_link_and_no_cell(
    payload: str, results: Results, run: Run
) -> None:
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = parser.parse(markdown.render(*poisoned(results, run, payload)))
    inline = [child for token in tokens for child in token.children or ()]
    assert not [token for token in tokens if token.type in {"html_block", "fence", "code_block"}]
    assert not {token.type for token in inline} & {"link_open", "image", "code_inline"}
    tags = {token.content for token in inline if token.type == "html_inline"}
    assert tags <= {"<code>", "</code>"}
    headings = [token.tag for token in tokens if token.type == "heading_open"]
    assert headings == ["h2", "h3", "h3", "h3"]
    rows = [token for token in tokens if token.type == "tr_open"]
    cells = [token for token in tokens if token.type in {"td_open", "th_open"}]
    assert len(cells) == 5 * len(rows)


@pytest.mark.browser
@pytest.mark.parametrize("payload", [p for p in CORPUS if "\ud800" not in p])
def test_chromium_runs_and_fetches_nothing(
    payload: str, results: Results, run: Run, browser: Browser, tmp_path: Path
) -> None:
    page = tmp_path / "card.html"
    page.write_text(html.render(*poisoned(results, run, payload)), encoding="utf-8")
    browser.screen(1280, 800)
    browser.open(page)
    active = "script,img,iframe,object,embed,link,base,form,input,video,audio"
    assert browser.evaluate(f"document.querySelectorAll('{active}').length") == 0
    assert browser.evaluate("getComputedStyle(document.querySelector('.banner')).display") == "grid"
    assert browser.logged() == []
    assert browser.requested() == [page.as_uri()]
