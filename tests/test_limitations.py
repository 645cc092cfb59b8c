"""Every limitation points to its evidence, and nothing unmeasured, small or harmful goes unsaid."""

from collections.abc import Callable
from typing import Any

import pytest

from kdaudit.results import Limitation, Results

Make = Callable[..., Any]


def texts(results: Results, *, about: str = "") -> list[str]:
    return [one.text for one in results.limitations if about in one.evidence]


def said(results: Results, words: str) -> list[Limitation]:
    return [one for one in results.limitations if words in one.text]


def test_limitations_are_numbered_gravest_first(world: Make) -> None:
    results: Results = world(1).audit([{"check": "ACC001", "margin": 0.001}])
    assert [one.id for one in results.limitations] == [
        f"L-{n:03d}" for n in range(1, len(results.limitations) + 1)
    ]
    order = ["high", "medium", "low"]
    weights = [order.index(one.severity) for one in results.limitations]
    assert weights == sorted(weights)


def test_every_generated_limitation_points_to_something_that_exists(world: Make) -> None:
    results: Results = world(2, n=90, classes=3, outside=10, baseline=True).audit(
        [
            {"check": "ACC001", "margin": 0.01},
            {"check": "SLC001", "each": ["channel"], "margin": 0.01},
            {"check": "SLC001", "where": {"channel": "fax"}, "margin": 0.01},
        ],
        card={"limitations": ["Not for children."]},
    )
    codes = {code for suite in results.suites for code in suite.codes}
    addresses = {finding.address for finding in results.findings()}
    addresses |= {verdict.address for verdict in results.verdicts}
    known = codes | addresses | {"data", "owner", "teacher", "student", "baseline"}
    assert {one.evidence for one in results.limitations} <= known


def test_a_verdict_that_is_no_pass_is_a_limitation_with_its_reason(world: Make) -> None:
    results: Results = world(3).audit(
        [
            {"check": "ACC001", "at_least": 0.999},
            {"check": "CAL001", "at_most": 0.01, "severity": "warn"},
        ]
    )
    (failed,) = said(results, "ACC001 does not meet its limit")
    (warned,) = said(results, "CAL001 does not meet its limit")
    assert failed.severity == "high"
    assert warned.severity == "medium"
    assert results.verdicts[0].reason in failed.text


def test_a_pass_is_no_limitation(world: Make) -> None:
    made = world(3)
    results: Results = made.audit([{"check": "ACC001", "margin": 0.1}], student=made.teacher)
    assert results.verdicts[0].outcome.value == "pass"
    assert not texts(results, about="ACC001")


def test_what_was_not_measured_is_said_once_with_the_reason(world: Make) -> None:
    results: Results = world(4).audit()
    (said_once,) = said(results, "HAL003")
    assert "name their label as `out_of_scope`" in said_once.text
    assert len(said(results, "LAT001")) == 1


def test_a_small_slice_is_said_to_be_small(world: Make) -> None:
    results: Results = world(5, n=100).audit()
    small = said(results, "fewer than 50 rows")
    assert any("[channel=app]" in one.text for one in small)


def test_a_harm_that_no_check_limits_is_said(world: Make) -> None:
    made = world(6, n=400, teacher_right=0.95, student_right=0.6)
    results: Results = made.audit()
    (harm,) = [one for one in said(results, "no check limits it") if one.evidence == "ACC001"]
    assert "the student is worse than the teacher in accuracy by" in harm.text
    checked: Results = made.audit([{"check": "ACC001", "margin": 0.01}])
    assert not [one for one in said(checked, "no check limits it") if one.evidence == "ACC001"]


def test_labels_that_a_model_wrote_are_the_gravest_limitation(world: Make) -> None:
    results: Results = world(7).audit(label_source="model:gpt")
    (first,) = said(results, "not truth")
    assert first.severity == "high"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"sensitive": []}, "bias was not looked at"),
        ({"slices": []}, "No slice is declared"),
        ({}, "no cluster column is declared"),
    ],
)
def test_what_was_not_declared_is_said(world: Make, changed: dict[str, Any], words: str) -> None:
    made = world(8)
    assert said(made.audit(**changed), words)


def test_declared_roles_are_not_missed(world: Make) -> None:
    results: Results = world(8, clusters=30).audit()
    for words in ("bias was not looked at", "No slice is declared", "no cluster column"):
        assert not said(results, words)


def test_answers_from_a_file_are_not_taken_for_the_models(world: Make) -> None:
    results: Results = world(9).audit()
    assert len(said(results, "was not run here")) == 2


def test_the_owners_own_words_are_kept(world: Make) -> None:
    results: Results = world(9).audit(card={"limitations": ["Not for <b>children</b>."]})
    (own,) = said(results, "children")
    assert (own.text, own.evidence) == ("Not for <b>children</b>.", "owner")
