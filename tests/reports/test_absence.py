"""What was not measured, not provided or not there is said, in every report."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from kdaudit.estimate import NotMeasured
from kdaudit.results import Outcome, Results, SuiteResult
from kdaudit.run import Run
from kdaudit_reports import html, junit, terminal

Renderer = tuple[str, Callable[[Results, Run], str]]

SECTIONS = (
    "decision",
    "meaning",
    "contract",
    "lineage",
    "limitations",
    "people",
    "inputs",
    "environment",
    "method",
)


def section(page: str, anchor: str) -> str:
    found = re.search(rf'<section id="{anchor}".*?</section>', page, re.DOTALL)
    assert found is not None, anchor
    return found[0]


@pytest.mark.parametrize("anchor", SECTIONS)
def test_every_section_appears_even_when_it_is_empty(
    anchor: str, results: Results, run: Run, nothing: tuple[Results, Run]
) -> None:
    assert section(html.render(results, run), anchor)
    assert section(html.render(*nothing), anchor)


@pytest.mark.parametrize(
    ("anchor", "said"),
    [
        ("decision", "No contract declared, so nothing was decided"),
        ("decision", "not measured"),
        ("meaning", "No row was audited"),
        ("contract", "No contract was declared"),
        ("suites", "No suite ran"),
        ("lineage", "No subject was recorded"),
        ("limitations", "not a claim that there are none"),
        ("people", "NOT PROVIDED"),
        ("people", "6 of 6 fields are not provided"),
        ("inputs", "No file was read"),
        ("environment", "No stage was timed"),
    ],
)
def test_an_empty_section_says_why(anchor: str, said: str, nothing: tuple[Results, Run]) -> None:
    assert said in section(html.render(*nothing), anchor)


def test_a_field_nobody_wrote_names_its_key(results: Results, run: Run) -> None:
    people = section(html.render(results, run), "people")
    assert people.count("NOT PROVIDED") == 3
    assert "<code>contact</code> in [card]" in people


def test_a_subject_without_lineage_is_not_provided(results: Results, run: Run) -> None:
    lineage = section(html.render(results, run), "lineage")
    assert lineage.count("NOT PROVIDED") == 2
    assert "without a lineage.json" in lineage


def test_a_suite_without_findings_says_so(results: Results, run: Run) -> None:
    assert "This suite reported no finding" in section(html.render(results, run), "suite-churn")


def test_several_findings_absent_for_one_reason_are_a_sentence_with_an_anchor_each(
    results: Results, run: Run
) -> None:
    suite = next(one for one in results.suites if any(not f.where for f in one.findings))
    example = next(f for f in suite.findings if not f.where)
    absent = NotMeasured("nobody was asked")
    findings = [
        replace(
            example,
            code=code,
            student=absent,
            teacher=absent,
            baseline=absent,
            difference=absent,
            basis=absent,
            note="",
        )
        for code in ("ABC001", "ABC002", "ABC003")
    ]

    def shown(count: int) -> str:
        other = SuiteResult(suite="other", findings=tuple(findings[:count]))
        page = html.render(replace(results, suites=(*results.suites, other)), run)
        return section(page, "suite-other")

    many, one = shown(3), shown(1)
    assert many.count("nobody was asked") == 1
    assert "<table" not in many
    ids = re.findall(r'<span id="([^"]+)">(ABC00\d) ', many)
    assert [code for _, code in ids] == ["ABC001", "ABC002", "ABC003"]
    assert len({anchor for anchor, _ in ids}) == 3
    assert "not measured: nobody was asked" in one
    assert "<table" in one


def test_every_reason_for_an_absent_number_is_on_the_card(results: Results, run: Run) -> None:
    page = html.render(results, run)
    for finding in results.findings():
        for side in (finding.student, finding.teacher, finding.difference, finding.baseline):
            if isinstance(side, NotMeasured):
                assert side.reason.casefold() in page.casefold()


def test_a_crashed_suite_is_red_everywhere(renderer: Renderer, results: Results, run: Run) -> None:
    broken = SuiteResult(suite="churn", findings=(), error="ValueError: bins must be 1 or more")
    crashed = replace(
        results, suites=(*results.suites[:-1], broken), outcome=Outcome.ERROR, exit_code=70
    )
    text = renderer[1](crashed, run)
    assert "bins must be 1 or more" in text
    assert "May ship" not in text


def test_nothing_declared_is_not_green_in_junit(nothing: tuple[Results, Run]) -> None:
    assert 'errors="1"' in junit.render(*nothing)


def test_no_report_of_nothing_says_that_it_may_ship(
    renderer: Renderer, nothing: tuple[Results, Run]
) -> None:
    text = renderer[1](*nothing).casefold()
    assert "may ship" not in text
    assert "nothing was decided" in text


def test_a_check_without_a_verdict_is_not_met(results: Results, run: Run) -> None:
    lost = replace(results, verdicts=results.verdicts[1:])
    assert "accuracy: no verdict was recorded" in html.render(lost, run).casefold()
    assert "NOT EVALUABLE   ACC001" in terminal.render(lost, run)
