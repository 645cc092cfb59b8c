"""The sentence at the top of the card, for every way an audit can end."""

from dataclasses import replace

import pytest

from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.results import Check, Limit, Outcome, Results, Severity, Verdict
from kdaudit_reports.consequences import consequences
from kdaudit_reports.contract import clauses
from kdaudit_reports.decision import Decision, decision
from kdaudit_reports.index import index
from kdaudit_reports.limits import statement
from kdaudit_reports.plots.drawing import Line

FURTHER = (
    "For each combination of sex and race, the student's selection-rate contrast may lie at most "
    "3.0 points further from zero than the teacher's."
)
BELOW = (
    "Where channel = web, the student's accuracy in the slice may be at most 5.0 points below the "
    "teacher's."
)
UNSURE = (
    "35 more of 10,000 requests go wrong than with the teacher (anything from 40 fewer to 120 more "
    "fits the data)."
)
PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def decided(results: Results) -> Decision:
    where = index(results)
    return decision(results, clauses(results, where), where)


def audit(
    results: Results, outcomes: list[Outcome], overall: Outcome, exit_code: int, **check: object
) -> Results:
    """The sample with one margin on accuracy per outcome."""
    made = Check(code="ACC001", limit=Limit.MARGIN, value=0.01)
    measured = results.verdicts[0].measured
    verdicts = tuple(
        Verdict(
            check=number,
            address="ACC001",
            outcome=outcome,
            measured=measured,
            limit=0.01,
            blocks=outcome is not PASS,
            reason="because",
        )
        for number, outcome in enumerate(outcomes)
    )
    contract = (replace(made, **check),) * len(outcomes)  # type: ignore[arg-type]
    return replace(
        results, contract=contract, verdicts=verdicts, outcome=overall, exit_code=exit_code
    )


@pytest.mark.parametrize(
    ("outcomes", "overall", "code", "tone", "headline"),
    [
        ([PASS, PASS], PASS, 0, "pass", "May ship: all 2 blocking checks are met"),
        ([PASS], PASS, 0, "pass", "May ship: the blocking check is met"),
        ([FAIL, PASS], FAIL, 1, "fail", "Do not ship: 1 of 2 blocking checks is not met"),
        ([OPEN, PASS], OPEN, 3, "open", "Not decided: 1 of 2 blocking checks is open"),
        ([OPEN, PASS], PASS, 0, "open", "May ship with a warning: 1 of 2 blocking checks is not"),
        ([FAIL, PASS], FAIL, 0, "open", "May ship with a warning: 1 of 2 blocking checks is not"),
        ([], Outcome.NOT_EVALUABLE, 3, "none", "No contract declared, so nothing was decided"),
        ([PASS], Outcome.ERROR, 70, "open", "Not decided: a suite crashed"),
        ([PASS], PASS, 4, "open", "Not decided"),
    ],
)
def test_the_headline_says_what_the_exit_code_says(
    outcomes: list[Outcome],
    overall: Outcome,
    code: int,
    tone: str,
    headline: str,
    results: Results,
) -> None:
    told = decided(audit(results, outcomes, overall, code))
    assert told.tone == tone
    assert told.headline.startswith(headline)


def test_a_default_check_alone_is_no_contract(results: Results) -> None:
    only = audit(results, [PASS], Outcome.NOT_EVALUABLE, 3, declared=False)
    assert decided(only).headline == "No contract declared, so nothing was decided"


def test_a_check_that_warns_is_counted_apart(results: Results) -> None:
    warned = audit(results, [FAIL], PASS, 0, severity=Severity.WARN)
    told = decided(replace(warned, verdicts=(replace(warned.verdicts[0], blocks=False),)))
    assert told.headline == "May ship: no check was set to block"
    assert "1 check that cannot block is not met either: ACC001" in told.warnings


def test_reasons_come_worst_first(results: Results) -> None:
    words = [reason.word for reason in decided(results).reasons]
    assert words == ["FAIL", "FAIL", "INCONCLUSIVE", "NOT EVALUABLE"]


@pytest.mark.parametrize(
    ("low", "outcome", "said"), [(0.011, OPEN, True), (0.009, OPEN, False), (0.011, FAIL, False)]
)
def test_an_interval_beyond_the_limit_that_does_not_decide_says_why(
    results: Results,
    low: float,
    outcome: Outcome,
    said: bool,  # noqa: FBT001
) -> None:
    made = audit(results, [outcome], outcome, 3 if outcome is OPEN else 1)
    measured = replace(made.verdicts[0].measured, value=0.02, low=low, high=0.03)  # type: ignore[arg-type]
    made = replace(made, verdicts=(replace(made.verdicts[0], measured=measured),))
    (reason,) = decided(made).reasons
    assert ("not once all checks are allowed for" in reason.text) == said


def test_small_members_that_only_became_limitations_do_not_decide_their_check(
    results: Results,
) -> None:
    told = clauses(results, index(results))
    assert told[4].outcome is Outcome.INCONCLUSIVE
    assert [line.word for line in told[4].open] == ["INCONCLUSIVE", "NOT EVALUABLE"]


def test_members_that_passed_share_one_axis_and_the_others_stand_alone(results: Results) -> None:
    slices = clauses(results, index(results))[3]
    limits = {
        next(s.x1 for s in line.picture.shapes if isinstance(s, Line) and s.css == "limit")
        for line in slices.passed
        if line.picture is not None
    }
    assert len(limits) == 1
    assert {line.picture.height for line in slices.passed if line.picture} == {22}
    assert all(line.picture.height > 40 for line in slices.open if line.picture)


def test_a_negative_harm_is_said_to_be_better(results: Results) -> None:
    measured = Estimate(value=-0.02, low=-0.03, high=-0.01, n=900, level=0.9, method="m")
    passed = replace(results.verdicts[0], outcome=PASS, blocks=False, measured=measured)
    told = clauses(replace(results, verdicts=(passed,)), index(results))[0].passed[0]
    assert told.measured == "−2.0 points [−3.0, −1.0]"
    assert told.quantity == "worse than the teacher's (below 0 is better)"


@pytest.mark.parametrize(
    ("check", "told"),
    [
        (
            Check(code="ACC001", limit=Limit.MARGIN, value=0.01),
            "The student's accuracy may be at most 1.0 point below the teacher's.",
        ),
        (
            Check(code="CAL001", limit=Limit.MARGIN, value=0.02, against="baseline"),
            "The student's Brier score may be at most 0.02 above the baseline's.",
        ),
        (
            Check(code="ACC001", limit=Limit.KEEP, value=0.97),
            "The student's accuracy must keep at least 97.0% of the teacher's.",
        ),
        (
            Check(code="ACC003", limit=Limit.AT_MOST, value=0.001),
            "The student's invalid or missing answers may be at most 0.1%.",
        ),
        (
            Check(code="LAT001", limit=Limit.AT_LEAST, value=4),
            "The student's speed-up must be at least 4×.",
        ),
        (
            Check(code="FAI001", each=("sex", "race"), limit=Limit.MARGIN, value=0.03),
            FURTHER,
        ),
        (
            Check(code="SLC001", where=(("channel", "web"),), limit=Limit.MARGIN, value=0.05),
            BELOW,
        ),
        (
            Check(code="FAI001", limit=Limit.AT_MOST, value=0.05),
            "The student's selection-rate contrast may be at most 5.0 points in size.",
        ),
        (
            Check(code="XYZ001", limit=Limit.AT_MOST, value=2.5),
            "The student's XYZ001 value may be at most 2.5.",
        ),
    ],
)
def test_a_limit_is_said_in_plain_language(check: Check, told: str) -> None:
    assert statement(check, None) == told


def counted(results: Results, value: float, low: float, high: float) -> str:
    """The first consequence, for a given difference in accuracy."""
    made = Estimate(value=value, low=low, high=high, n=900, level=0.9, method="m")
    suite = results.suites[0]
    findings = (replace(suite.findings[0], difference=made), *suite.findings[1:])
    told = replace(results, suites=(replace(suite, findings=findings), *results.suites[1:]))
    first = consequences(told, index(told))[0]
    return f"{first.figure} {first.of} {first.text}"


@pytest.mark.parametrize(
    ("value", "low", "high", "told"),
    [
        (-0.0507, -0.0597, -0.0420,
         "507 more of 10,000 requests go wrong than with the teacher (420 to 597)."),
        (0.02, 0.01, 0.03,
         "200 fewer of 10,000 requests go wrong than with the teacher (100 to 300)."),
        (-0.0035, -0.012, 0.004,
         UNSURE),
        (-0.0002, -0.0003, -0.0001,
         "200 more of 1,000,000 requests go wrong than with the teacher (100 to 300)."),
    ],
)  # fmt: skip
def test_a_difference_becomes_requests_that_go_wrong(
    value: float, low: float, high: float, told: str, results: Results
) -> None:
    assert counted(results, value, low, high) == told


def test_where_texts_were_graded_their_wrong_answers_come_first(results: Results) -> None:
    absent = NotMeasured("no subject answers with a class")
    accuracy, *others = results.suites
    silent = replace(accuracy.findings[0], difference=absent, basis=absent)
    suites = (replace(accuracy, findings=(silent, *accuracy.findings[1:])), *others)
    told = replace(results, suites=suites)
    assert "answered wrongly" in " ".join(c.text for c in consequences(told, index(told)))
    assert "not measured" not in [c.figure for c in consequences(told, index(told))]
    classes = replace(told, suites=tuple(s for s in suites if "HAL001" not in s.codes))
    first = consequences(classes, index(classes))[0]
    assert first.figure == "not measured"
    assert first.text == "than with the teacher: no subject answers with a class."
