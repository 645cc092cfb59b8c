"""JUnit XML as CI systems read it."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase

from kdaudit.estimate import Estimate
from kdaudit.results import Outcome, Results
from kdaudit.run import Run
from kdaudit_reports import junit


def cases(results: Results, run: Run) -> dict[str, TestCase]:
    suites = JUnitXml.fromstring(junit.render(results, run).encode())
    return {case.name: case for suite in suites for case in suite}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ACC001 margin 0.01 against teacher", Failure),
        ("ACC001 keep 0.95 against baseline", None),
        ("SLC001[channel=chat] margin 0.03 against teacher", Error),
        ("SLC001[channel=fax] margin 0.03 against teacher", Skipped),
        ("CAL002 at_most 0.35", Error),
        ("LAT003 at_most 50000000.0", Skipped),
        ("ACC003 at_most 0.001", None),
    ],
)
def test_an_outcome_becomes_its_kind_of_result(
    name: str, kind: type[object] | None, results: Results, run: Run
) -> None:
    found = cases(results, run)[name].result
    assert [type(result) for result in found] == ([kind] if kind else [])


def test_a_case_is_found_by_its_suite_and_code(results: Results, run: Run) -> None:
    found = cases(results, run)
    assert found["CAL002 at_most 0.35"].classname == "kdaudit.calibration.CAL002"
    assert found["LAT003 at_most 50000000.0"].classname == "kdaudit.latency.LAT003"


def test_a_code_no_suite_owns_belongs_to_the_contract(results: Results, run: Run) -> None:
    lost = replace(results, suites=())
    assert all(case.classname.startswith("kdaudit.contract.") for case in cases(lost, run).values())


def test_the_properties_hold_the_unrounded_numbers(results: Results, run: Run) -> None:
    case = ET.fromstring(junit.render(results, run)).find(".//testcase")  # noqa: S314  # our own
    assert case is not None
    assert case.get("name") == "ACC001 margin 0.01 against teacher"
    told = {item.get("name"): item.get("value") for item in case.iter("property")}
    measured = results.verdicts[0].measured
    assert isinstance(measured, Estimate)
    assert told["high"] == repr(measured.high)
    assert told["n"] == "4500"
    assert told["limit"] == "0.01"


def test_the_counts_add_up(results: Results, run: Run) -> None:
    suites = JUnitXml.fromstring(junit.render(results, run).encode())
    outcomes = [verdict.outcome for verdict in results.verdicts if verdict.blocks]
    assert suites.tests == len(results.verdicts)
    assert suites.failures == outcomes.count(Outcome.FAIL)
    assert suites.errors == len(outcomes) - suites.failures


def test_two_checks_of_one_limit_have_two_names(results: Results, run: Run) -> None:
    doubled = replace(results, verdicts=(results.verdicts[0], results.verdicts[0]))
    assert len(cases(doubled, run)) == 2
