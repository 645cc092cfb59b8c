"""The card as one document: sound links, unique ids, its own policy, its own size."""

import ast
import hashlib
import re
from base64 import b64encode
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import kdaudit_reports
from kdaudit.estimate import NotMeasured
from kdaudit.results import Check, Finding, Limit, Outcome, Results, SuiteResult, Verdict
from kdaudit.run import Run
from kdaudit_reports import html
from kdaudit_reports.index import index
from kdaudit_reports.sections import BUDGET

SOURCE = Path(kdaudit_reports.__file__).parent


def many(results: Results, count: int, outcome: Outcome) -> Results:
    """The sample with a slices suite of many findings, each held against one check."""
    made: Finding = results.finding("SLC001[channel=phone]")
    findings = tuple(
        replace(made, where=(("customer_segment", f"segment number {k:05d}"),))
        for k in range(count)
    )
    check = Check(code="SLC001", each=("customer_segment",), limit=Limit.MARGIN, value=0.03)
    verdicts = tuple(
        Verdict(
            check=0,
            address=finding.address,
            outcome=outcome,
            measured=made.difference,
            limit=0.03,
            blocks=outcome is not Outcome.PASS,
            reason="accuracy in the slice: worse than the teacher's by 0.0733753 [0.0503896, "
            "0.0963609], at most 0.03 allowed; beyond the limit (Holm p = 0.0012 over 11)",
        )
        for finding in findings
    )
    return replace(
        results,
        contract=(check,),
        verdicts=verdicts,
        suites=(SuiteResult(suite="slices", codes=("SLC001",), findings=findings),),
    )


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.FAIL])
@pytest.mark.parametrize("count", [2_000, 20_000])
def test_the_card_stays_under_two_megabytes(
    count: int, outcome: Outcome, results: Results, run: Run
) -> None:
    page = html.render(many(results, count, outcome), run)
    assert len(page.encode()) < 2_000_000
    if count > BUDGET:
        assert "findings with the least harm shown in results.json only" in page


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.FAIL])
def test_two_thousand_findings_are_all_on_the_card(
    outcome: Outcome, results: Results, run: Run
) -> None:
    page = html.render(many(results, 2_000, outcome), run)
    assert page.count('<tr id="f-SLC001') == 2_000


def test_the_policy_names_the_stylesheet_it_carries(results: Results, run: Run) -> None:
    page = html.render(results, run)
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert len(styles) == 1
    digest = b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:" in page
    assert "\r" not in page


def test_ids_are_unique_and_every_link_leads_somewhere(results: Results, run: Run) -> None:
    page = html.render(results, run)
    ids = Counter(re.findall(r'\bid="([^"]+)"', page))
    assert [name for name, times in ids.items() if times > 1] == []
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    for names in re.findall(r'aria-labelledby="([^"]+)"', page):
        assert set(names.split()) <= set(ids)


@pytest.mark.parametrize("measured", [True, False])
def test_every_footnote_is_referred_to(*, measured: bool, results: Results, run: Run) -> None:
    absent = NotMeasured("no row is out of scope")
    finding = replace(
        results.finding("HAL001"),
        student=absent if not measured else results.finding("HAL001").student,
        teacher=absent,
        baseline=absent,
        difference=absent,
    )
    suite = replace(
        results.suites[0], suite="hallucination", codes=("HAL001",), findings=(finding,)
    )
    card = html.render(replace(results, suites=(suite,)), run)
    section = re.search(r'<section id="suite-hallucination".*?</section>', card, re.DOTALL)
    assert section is not None
    notes = re.findall(r'<p class="footnotes">.*?</p>', section[0])
    assert len(notes) == measured
    for mark in re.findall(r"<sup>(\w)</sup>", "".join(notes)):
        assert section[0].count(f"<sup>{mark}</sup>") > 1


def test_a_model_audited_alone_has_no_footnotes_about_columns_that_are_not_shown(
    results: Results, run: Run
) -> None:
    absent = NotMeasured("it was audited alone")
    one = replace(results.finding("HAL001"), teacher=absent, baseline=absent, difference=absent)
    suite = replace(results.suites[0], codes=("HAL001",), findings=(one,), notes=())
    card = html.render(replace(results, suites=(suite,), only="teacher"), run)
    assert '<p class="footnotes">' not in card


def test_every_drawing_has_a_title_and_a_description(results: Results, run: Run) -> None:
    page = html.render(results, run)
    drawings = re.findall(r'<svg class="plot"[^>]*>\n<title id="[^"]+">[^<]+</title><desc', page)
    assert len(drawings) == page.count('class="plot"')
    assert len(drawings) > 40


def test_every_finding_and_every_limitation_is_on_the_card(results: Results, run: Run) -> None:
    page = html.render(results, run)
    for anchor in index(results).anchors.values():
        assert f'id="{anchor}"' in page
    for limitation in results.limitations:
        assert f'id="{limitation.id}"' in page
    assert '<a href="#f-SLC001-channel-phone"><bdi>SLC001[channel=phone]</bdi></a>' in page


def test_an_outcome_is_a_word_and_a_shape(results: Results, run: Run) -> None:
    page = html.render(results, run)
    for kind, word in (("pass", "PASS"), ("fail", "FAIL"), ("not_evaluable", "NOT EVALUABLE")):
        assert f'<use href="#is-{kind}"/></svg>{word}</span>' in page
        assert f'<symbol id="is-{kind}"' in page


def test_reports_import_only_the_types_of_the_core() -> None:
    types = ("results", "estimate", "run", "lineage", "drill.drilled", "errors")
    allowed = {f"kdaudit.{name}" for name in types}
    outside = {"jinja2", "markupsafe"}
    paths = list(SOURCE.rglob("*.py"))
    assert paths
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            for name in names:
                top = name.partition(".")[0]
                if top == "kdaudit":
                    assert name in allowed, f"{path.name} imports {name}"
                assert top not in {"numpy", "pandas", "torch", "scipy", "kdaudit_suites", "time"}
                if top not in outside | {"kdaudit", "kdaudit_reports"}:
                    assert top in STANDARD, f"{path.name} imports {name}"


STANDARD = {
    "base64",
    "collections",
    "dataclasses",
    "decimal",
    "functools",
    "hashlib",
    "itertools",
    "math",
    "re",
    "string",
    "textwrap",
    "typing",
    "unicodedata",
    "xml",
}


def luminance(colour: str) -> float:
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        *((ink, "paper") for ink in ("ink", "soft", "link", "pass", "fail", "open", "student")),
        *((ink, "wash") for ink in ("ink", "soft", "link", "pass", "fail", "open")),
        *((f"{tone}", f"{tone}-wash") for tone in ("pass", "fail", "open", "none")),
        *(("ink", f"q{k}") for k in (1, 2, 3)),
        *(("soft", f"{tone}-wash") for tone in ("pass", "fail", "open", "none")),
        ("on-q4", "q4"),
    ],
)
def test_text_stands_out_from_its_ground(ink: str, ground: str, scheme: int) -> None:
    css = (SOURCE / "templates/css/page.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[scheme]))
    light, dark = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
