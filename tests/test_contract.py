"""What passes, what fails, what is undecided, and what the command exits with."""

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdaudit.contract import COMPLETE, STRICT, Policy, decide, judge, overall
from kdaudit.errors import ExitCode
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.results import (
    Better,
    Check,
    Finding,
    Fixed,
    Limit,
    Means,
    Outcome,
    Results,
    Severity,
    SuiteResult,
    Table,
    Verdict,
)
from kdaudit.results_file import dump, load

MakeFinding = Callable[..., Finding]
ALPHA = 0.05
Z = 1.6448536269514722
LENIENT = Policy(inconclusive_blocks=False, not_evaluable_blocks=False)


def margin(value: float, **other: object) -> Check:
    return replace(Check(code="ACC001", limit=Limit.MARGIN, value=value, min_n=2), **other)  # type: ignore[arg-type]


def worse(losses: int, n: int = 1000, gains: int = 0) -> Table:
    """A student right on ``losses`` rows fewer, ``gains`` more, of n that the teacher may get."""
    return Table(n11=n - losses - gains - 100, n10=gains, n01=losses, n00=100)


def suite(*findings: Finding, error: str | None = None) -> SuiteResult:
    codes = tuple(sorted({finding.code for finding in findings})) or ("ACC001",)
    return SuiteResult(suite="s", codes=codes, findings=findings, error=error)


def settle(
    checks: Sequence[Check], *suites: SuiteResult, policy: Policy = STRICT
) -> tuple[tuple[Verdict, ...], Outcome, ExitCode]:
    verdicts = judge(checks, suites, ALPHA, policy)
    return (verdicts, *overall(checks, verdicts, suites))


def outcomes(verdicts: Sequence[Verdict]) -> list[str]:
    return [verdict.outcome.value for verdict in verdicts]


# --- one check against one finding


def means(student: float, teacher: float, better: Better, finding: MakeFinding) -> Finding:
    """Known almost exactly: an interval of ±0.0017 about each mean, rows by the million."""
    variance = 1e-6
    basis = Means(
        mean=(student, teacher),
        covariance=((variance, 0.0), (0.0, variance)),
        df=1e6,
        n=1_000_000,
        clusters=1_000_000,
        span=0.0,
        unknown=(0.0, 0.0),
    )
    return finding(basis, better)


REACH = Z * 1e-3  # of one mean; of a difference, √2 times that
SURER = 1.6953977 * 1e-3  # at 0.9 of alpha, which the rule for contrasts has left
EDGES = [
    # limit, better, what the student scores if the teacher has 0.5, limit value, inside by
    (Limit.MARGIN, Better.HIGHER, 0.5 - 0.02, 0.02, np.sqrt(2) * REACH),
    (Limit.MARGIN, Better.LOWER, 0.5 + 0.02, 0.02, np.sqrt(2) * REACH),
    (Limit.MARGIN, Better.ZERO, 0.5 + 0.02, 0.02, np.sqrt(2) * SURER),
    (Limit.MARGIN, Better.ZERO, -0.5 - 0.02, 0.02, np.sqrt(2) * SURER),
    (Limit.KEEP, Better.HIGHER, 0.5 * 0.97, 0.97, np.sqrt(1 + 0.97**2) * REACH),
    (Limit.AT_MOST, Better.LOWER, 0.3, 0.3, REACH),
    (Limit.AT_MOST, Better.ZERO, 0.3, 0.3, REACH),
    (Limit.AT_MOST, Better.ZERO, -0.3, 0.3, REACH),
    (Limit.AT_LEAST, Better.HIGHER, 0.7, 0.7, REACH),
]


@pytest.mark.parametrize(("limit", "better", "student", "value", "reach"), EDGES)
def test_only_a_bound_inside_its_limit_passes(
    finding: MakeFinding, limit: Limit, better: Better, student: float, value: float, reach: float
) -> None:
    check = Check(code="ACC001", limit=limit, value=value, min_n=2)
    harm = -1.0 if better is Better.HIGHER else np.sign(student)

    def outcome(distance: float) -> str:
        made = means(student + harm * distance, 0.5, better, finding)
        return outcomes(judge([check], [suite(made)], ALPHA))[0]

    assert outcome(-1.01 * reach) == "pass"  # the bound just inside
    assert outcome(-0.99 * reach) == "inconclusive"  # the bound just outside
    assert outcome(0.0) == "inconclusive"  # the value on the limit
    assert outcome(0.98 * reach) == "inconclusive"  # beyond, not shown
    slack = 1.3 if better is Better.ZERO else 1.01  # two signs are two chances
    assert outcome(slack * reach) == "fail"  # shown to be beyond


def test_a_bound_that_touches_its_limit_is_inside(finding: MakeFinding) -> None:
    made = finding(worse(0))
    touching = decide(margin(0.5), made, ALPHA).measured
    assert isinstance(touching, Estimate)
    for value, outcome in (
        (touching.high, Outcome.PASS),
        (touching.high - 1e-13, Outcome.PASS),  # less than rounding can tell
        (touching.high - 1e-9, Outcome.INCONCLUSIVE),
    ):
        assert decide(margin(value), made, ALPHA).outcome is outcome


def test_identical_subjects_pass_once_there_are_rows_enough(finding: MakeFinding) -> None:
    # 0.99^299 < 0.05: so many rows would have shown a loss of 0.01. Tango's 268 would not.
    for n, outcome in ((298, Outcome.INCONCLUSIVE), (299, Outcome.PASS)):
        assert decide(margin(0.01), finding(worse(0, n=n)), ALPHA).outcome is outcome


def test_fewer_rows_than_min_n_are_not_evaluable_however_good_or_bad(finding: MakeFinding) -> None:
    for losses in (0, 40):
        verdict = decide(
            margin(0.2, min_n=50), finding(Table(n11=49 - losses, n10=0, n01=losses, n00=0)), ALPHA
        )
        assert verdict.outcome is Outcome.NOT_EVALUABLE
        assert verdict.needed_n is not None
        assert verdict.needed_n >= 50
        assert "49 rows, fewer than min_n = 50" in verdict.reason


def test_a_counted_value_needs_no_rows() -> None:
    estimate = Estimate(value=10.0, low=10.0, high=10.0, n=1, level=1.0, method="counted")
    made = Finding(
        code="LAT003",
        metric="size",
        unit="bytes",
        better=Better.LOWER,
        student=estimate,
        teacher=estimate,
        baseline=estimate,
        difference=estimate,
        basis=Fixed(level=1.0),
    )
    check = Check(code="LAT003", limit=Limit.AT_MOST, value=10.0, min_n=50)
    assert decide(check, made, ALPHA).outcome is Outcome.PASS
    over = judge([replace(check, value=9.0)], [suite(made)], ALPHA)
    assert outcomes(over) == ["fail"]


def test_reasons_hold_the_interval_and_the_limit(finding: MakeFinding) -> None:
    passed, failed, unclear, close = (
        judge([margin(0.02)], [suite(finding(worse(n)))], ALPHA)[0] for n in (0, 60, 13, 18)
    )
    assert "worse than the teacher's by 0 [-0.00299125, 0.00299125], at most 0.02" in passed.reason
    assert "beyond the limit (p = " in failed.reason  # of one check there is nothing to correct
    assert "not decided (p = " in unclear.reason
    assert f"about {unclear.needed_n:,} rows would decide with chance 0.8" in unclear.reason
    # Of 18 losses where 20 are allowed nobody would collect 28 times the rows.
    assert close.needed_n is None
    assert "the tightest limit that these rows show is 0.0266" in close.reason
    assert failed.needed_n is None
    assert passed.needed_n is None


# --- nothing measured is never a pass


@pytest.mark.parametrize("policy", [STRICT, LENIENT])
@pytest.mark.parametrize(
    ("checks", "findings"),
    [
        ([], [worse(0)]),
        ([COMPLETE], [worse(0)]),
        ([margin(0.5)], []),
        ([margin(0.5, where=(("channel", "fax"),))], [worse(0)]),
        ([margin(0.5, each=("channel",))], [worse(0)]),
        ([margin(0.5, min_n=5000)], [worse(0)]),
        ([margin(0.5, code="SLC001")], [worse(0)]),
        ([margin(0.5, against="baseline")], [worse(0)]),
    ],
)
def test_nothing_measured_is_never_a_pass(
    finding: MakeFinding, checks: list[Check], findings: list[Table], policy: Policy
) -> None:
    made = suite(*[finding(table) for table in findings])
    _, outcome, code = settle(checks, made, policy=policy)
    assert (outcome, code) == (Outcome.NOT_EVALUABLE, ExitCode.UNDECIDED)


def test_the_default_check_alone_can_still_fail() -> None:
    estimate = Estimate(value=0.2, low=0.2, high=0.2, n=100, level=1.0, method="counted")
    absent = NotMeasured("none")
    made = Finding(
        code="ACC003",
        metric="m",
        unit="u",
        better=Better.LOWER,
        student=estimate,
        teacher=absent,
        baseline=absent,
        difference=absent,
        basis=Fixed(level=1.0),
    )
    assert settle([COMPLETE], suite(made))[1:] == (Outcome.FAIL, ExitCode.NOT_MET)


def test_a_crashed_suite_is_an_error_whatever_else_holds(finding: MakeFinding) -> None:
    crashed = SuiteResult(suite="other", codes=("X001",), findings=(), error="KeyError: 'x'")
    verdicts, outcome, code = settle(
        [margin(0.05), margin(0.05, code="X001")], suite(finding(worse(0))), crashed, policy=LENIENT
    )
    assert outcomes(verdicts) == ["pass", "error"]
    assert verdicts[1].reason == "KeyError: 'x'"
    assert (outcome, code) == (Outcome.ERROR, ExitCode.CRASHED)
    assert settle([margin(0.05)], suite(finding(worse(0))), crashed)[1] is Outcome.ERROR


# --- many members


def sliced(finding: MakeFinding, **tables: Table) -> SuiteResult:
    return suite(
        *[
            finding(table, code="SLC001", where=(("channel", name),))
            for name, table in tables.items()
        ]
    )


EACH = margin(0.05, code="SLC001", each=("channel",), min_n=50)
ON_IT = Table(n11=700, n10=50, n01=100, n00=150)  # worse by 0.05
BEYOND = Table(n11=700, n10=12, n01=82, n00=206)  # worse by 0.07, so beyond 0.05 by p = 0.02


def test_small_members_are_listed_and_do_not_block(finding: MakeFinding) -> None:
    made = sliced(finding, app=worse(0), fax=Table(n11=28, n10=0, n01=2, n00=0), web=worse(0))
    verdicts, outcome, code = settle([EACH], made)
    assert outcomes(verdicts) == ["pass", "not_evaluable", "pass"]
    assert [verdict.blocks for verdict in verdicts] == [False, False, False]
    assert (outcome, code) == (Outcome.PASS, ExitCode.MET)


def test_a_small_member_fails_where_harm_is_shown(finding: MakeFinding) -> None:
    # All 45 answers lost: too few rows to pass, not too few to fail.
    lost = Table(n11=0, n10=0, n01=45, n00=0)
    made = sliced(finding, app=worse(0), fax=lost, web=worse(0))
    verdicts, outcome, code = settle([EACH], made)
    assert outcomes(verdicts) == ["pass", "fail", "pass"]
    assert "in 45 rows" in verdicts[1].reason
    assert (outcome, code) == (Outcome.FAIL, ExitCode.NOT_MET)


def test_small_members_together_are_one_more_member(finding: MakeFinding) -> None:
    # None of ten slices of 20 rows shows anything by itself; together they lose 40 of 200.
    few = Table(n11=16, n10=0, n01=4, n00=0)
    made = sliced(finding, app=worse(0), **{f"s{i}": few for i in range(10)})
    verdicts, _, code = settle([EACH], made)
    found = {verdict.address: verdict for verdict in verdicts}
    together = found["SLC001[channel=all under 50 rows]"]
    assert together.outcome is Outcome.FAIL
    assert isinstance(together.measured, Estimate)
    assert together.measured.n == 200
    assert found["SLC001[channel=s0]"].outcome is Outcome.NOT_EVALUABLE
    assert code is ExitCode.NOT_MET


def test_small_members_that_lose_nothing_together_pass_together(finding: MakeFinding) -> None:
    kept = Table(n11=20, n10=0, n01=0, n00=0)
    made = sliced(finding, app=worse(0), **{f"s{i}": kept for i in range(10)})
    verdicts, outcome, _ = settle([EACH], made)
    assert [v.outcome.value for v in verdicts if "all under" in v.address] == ["pass"]
    assert outcome is Outcome.PASS


def test_what_another_check_finds_small_is_no_member_of_this_one(finding: MakeFinding) -> None:
    made = sliced(finding, app=worse(0), **{"all under 30 rows": worse(0)})
    assert [v.address for v in settle([EACH], made)[0]] == ["SLC001[channel=app]"]


def test_small_members_block_when_asked_to(finding: MakeFinding) -> None:
    made = sliced(finding, app=worse(0), fax=Table(n11=30, n10=0, n01=0, n00=0))
    assert settle([replace(EACH, small="block")], made)[2] is ExitCode.UNDECIDED


def test_an_entry_of_small_members_only_blocks(finding: MakeFinding) -> None:
    made = sliced(finding, app=Table(n11=30, n10=0, n01=0, n00=0))
    assert settle([EACH], made)[2] is ExitCode.UNDECIDED


def test_a_member_that_was_not_measured_for_want_of_rows_is_small(finding: MakeFinding) -> None:
    made = sliced(finding, app=worse(0), fax=worse(0))
    absent = NotMeasured("fewer than two rows; a spread needs two at least", n=1)
    findings = (made.findings[0], replace(made.findings[1], basis=absent, difference=absent))
    verdicts, _, code = settle([EACH], replace(made, findings=findings))
    assert outcomes(verdicts) == ["pass", "not_evaluable"]
    assert verdicts[1].needed_n == 50
    assert code is ExitCode.MET


@pytest.mark.parametrize("n", [1500, None])
def test_a_large_member_that_says_nothing_is_not_small_and_blocks(
    finding: MakeFinding, n: int | None
) -> None:
    # 1,500 rows of three users, or a suite that does not say how many: harm there went unseen.
    made = sliced(finding, app=worse(0), fax=worse(0))
    absent = NotMeasured("3 clusters; at least 8 are needed for an interval", n)
    findings = (made.findings[0], replace(made.findings[1], basis=absent, difference=absent))
    verdicts, _, code = settle([EACH], replace(made, findings=findings))
    assert outcomes(verdicts) == ["pass", "not_evaluable"]
    assert verdicts[1].blocks
    assert verdicts[1].needed_n is None
    assert code is ExitCode.UNDECIDED


def test_no_policy_forgives_what_one_of_the_pair_withholds(finding: MakeFinding) -> None:
    made = finding(worse(0))
    absent = NotMeasured("a label-only subject has no confidence")
    withheld = replace(made, code="CAL003", student=absent, difference=absent, basis=absent)
    nobody = replace(withheld, teacher=absent)
    checks = [margin(0.1), margin(0.1, code="CAL003")]
    for one, code in ((withheld, ExitCode.UNDECIDED), (nobody, ExitCode.MET)):
        assert settle(checks, suite(made, one), policy=LENIENT)[2] is code


def test_that_answers_are_there_is_no_measure_of_them(finding: MakeFinding) -> None:
    complete = replace(finding(Table(n11=100, n10=0, n01=0, n00=0)), code="ACC003")
    absent = NotMeasured("recorded answers carry no timing")
    speed = replace(finding(worse(0)), code="LAT001", student=absent, teacher=absent, basis=absent)
    info = Check(code="ACC003", limit=Limit.AT_LEAST, value=0.1, min_n=2, severity=Severity.INFO)
    checks = [info, margin(0.1, code="LAT001")]
    _, outcome, code = settle(checks, suite(complete, speed), policy=LENIENT)
    assert (outcome, code) == (Outcome.NOT_EVALUABLE, ExitCode.UNDECIDED)


def test_a_member_whose_share_means_nothing_is_not_small_and_blocks(finding: MakeFinding) -> None:
    # A teacher that is never right there: 200 rows, so it is not for want of rows.
    made = sliced(finding, app=worse(0), fax=Table(n11=0, n10=10, n01=0, n00=190))
    keep = replace(EACH, limit=Limit.KEEP, value=0.9)
    verdicts, _, code = settle([keep], made)
    assert outcomes(verdicts) == ["pass", "not_evaluable"]
    assert verdicts[1].blocks
    assert code is ExitCode.UNDECIDED


def test_a_named_slice_that_is_small_blocks(finding: MakeFinding) -> None:
    made = sliced(finding, app=worse(0), fax=Table(n11=30, n10=0, n01=0, n00=0))
    named = replace(EACH, each=(), where=(("channel", "fax"),))
    verdicts, _, code = settle([named, replace(named, where=(("channel", "app"),))], made)
    assert outcomes(verdicts) == ["not_evaluable", "pass"]
    assert code is ExitCode.UNDECIDED


def test_a_slice_without_rows_is_named(finding: MakeFinding) -> None:
    named = replace(EACH, each=(), where=(("channel", "tv"),))
    verdict = settle([named], sliced(finding, app=worse(0)))[0][0]
    assert verdict.address == "SLC001[channel=tv]"
    assert verdict.reason.startswith("no row of the audit split has channel = 'tv'")


def test_each_takes_members_of_exactly_its_columns(finding: MakeFinding) -> None:
    made = suite(
        finding(worse(0), code="SLC001"),
        finding(worse(0), code="SLC001", where=(("channel", "app"),)),
        finding(worse(0), code="SLC001", where=(("channel", "app"), ("product", "a"))),
        finding(worse(0), code="SLC001", where=(("product", "a"),)),
    )
    assert [v.address for v in settle([EACH], made)[0]] == ["SLC001[channel=app]"]
    crossed = replace(EACH, each=("product", "channel"))
    assert [v.address for v in settle([crossed], made)[0]] == ["SLC001[channel=app,product=a]"]
    assert [v.address for v in settle([replace(EACH, each=())], made)[0]] == ["SLC001"]


def test_failing_is_corrected_for_many_members_and_passing_is_not(finding: MakeFinding) -> None:
    # With ten members that do not pass Holm asks for p = 0.005.
    alone = decide(EACH, finding(BEYOND), ALPHA)
    assert alone.p_exceeded is not None
    assert 0.005 < alone.p_exceeded < 0.05
    assert outcomes(settle([EACH], sliced(finding, a=BEYOND))[0]) == ["fail"]
    ten = sliced(finding, a=BEYOND, **{f"s{i}": ON_IT for i in range(9)})
    assert outcomes(settle([EACH], ten)[0]) == ["inconclusive"] * 10


@pytest.mark.parametrize("met", [1, 30])
def test_checks_that_are_met_do_not_dilute_a_failure(finding: MakeFinding, met: int) -> None:
    padded = sliced(finding, a=BEYOND, **{f"s{i:02d}": worse(0) for i in range(met)})
    assert outcomes(settle([EACH], padded)[0]) == ["fail", *["pass"] * met]
    others = [margin(0.05, code=f"SLC0{i:02d}") for i in range(met)]
    entries = suite(
        finding(BEYOND, code="ACC001"),
        *(finding(worse(0), code=check.code) for check in others),
    )
    assert outcomes(settle([margin(0.05), *others], entries)[0]) == ["fail", *["pass"] * met]


def test_many_members_of_one_check_do_not_dilute_another(finding: MakeFinding) -> None:
    # p = 0.02 of accuracy: half of alpha is its own, whatever 24 regions share of the other half.
    regions = sliced(finding, **{f"r{i:02d}": ON_IT for i in range(24)})
    made = suite(finding(BEYOND), *regions.findings)
    assert outcomes(settle([margin(0.05), EACH], made)[0])[0] == "fail"


def test_a_count_dilutes_nothing(finding: MakeFinding) -> None:
    count = Estimate(value=0.0, low=0.0, high=0.0, n=1000, level=1.0, method="counted")
    plain = finding(NotMeasured("a count"), Better.LOWER, code="ACC003")
    complete = replace(plain, basis=Fixed(level=1.0), student=count, teacher=count)
    just = Table(n11=900, n10=20, n01=52, n00=28)  # p = 0.0396
    verdicts = judge([margin(0.0175), COMPLETE], [suite(finding(just), complete)], ALPHA)
    assert outcomes(verdicts) == ["fail", "pass"]


def test_no_policy_forgives_what_only_the_number_of_checks_leaves_open(
    finding: MakeFinding,
) -> None:
    ten = sliced(finding, a=BEYOND, **{f"s{i}": ON_IT for i in range(9)})
    verdicts, outcome, code = settle([EACH], ten, policy=LENIENT)
    assert outcomes(verdicts) == ["inconclusive"] * 10
    assert [verdict.blocks for verdict in verdicts] == [True, *[False] * 9]
    assert (outcome, code) == (Outcome.INCONCLUSIVE, ExitCode.UNDECIDED)


def test_warnings_never_dilute_what_blocks(finding: MakeFinding) -> None:
    made = sliced(finding, a=BEYOND, **{f"s{i}": ON_IT for i in range(9)})
    blocking = replace(EACH, each=(), where=(("channel", "a"),))
    warned = replace(EACH, severity=Severity.WARN)
    verdicts, outcome, code = settle([blocking, warned], made)
    assert outcomes(verdicts) == ["fail", *["inconclusive"] * 10]
    assert (outcome, code) == (Outcome.FAIL, ExitCode.NOT_MET)


def test_what_is_not_evaluable_is_no_member_of_the_family(finding: MakeFinding) -> None:
    small = {f"s{i}": Table(n11=20, n10=0, n01=0, n00=0) for i in range(30)}
    assert outcomes(settle([EACH], sliced(finding, a=BEYOND, **small))[0])[0] == "fail"


# --- severity and policy


@pytest.mark.parametrize("severity", [Severity.WARN, Severity.INFO])
def test_only_blocking_checks_stop_a_release(finding: MakeFinding, severity: Severity) -> None:
    verdicts, outcome, code = settle([margin(0.01, severity=severity)], suite(finding(worse(200))))
    assert outcomes(verdicts) == ["fail"]
    assert not verdicts[0].blocks
    assert (outcome, code) == (Outcome.PASS, ExitCode.MET)


def test_a_policy_forgives_doubt_but_never_failure(finding: MakeFinding) -> None:
    unclear, beyond = suite(finding(worse(18))), suite(finding(worse(100)))
    pull_request = Policy(inconclusive_blocks=False)
    assert settle([margin(0.02)], unclear)[2] is ExitCode.UNDECIDED
    assert settle([margin(0.02)], unclear, policy=pull_request)[2] is ExitCode.MET
    assert settle([margin(0.02)], beyond, policy=LENIENT)[2] is ExitCode.NOT_MET


def test_a_policy_may_leave_a_missing_slice_to_the_limitations(finding: MakeFinding) -> None:
    missing = replace(EACH, each=(), where=(("channel", "tv"),))
    made = suite(finding(worse(0)))
    assert settle([margin(0.05), missing], made)[2] is ExitCode.UNDECIDED
    assert settle([margin(0.05), missing], made, policy=LENIENT)[2] is ExitCode.MET


EXITS = {
    Outcome.PASS: ExitCode.MET,
    Outcome.INCONCLUSIVE: ExitCode.UNDECIDED,
    Outcome.NOT_EVALUABLE: ExitCode.UNDECIDED,
    Outcome.FAIL: ExitCode.NOT_MET,
    Outcome.ERROR: ExitCode.CRASHED,
}


@pytest.mark.parametrize(
    "kinds", [k for n in (1, 2, 3) for k in itertools.combinations(EXITS, n)], ids=str
)
def test_the_worst_verdict_is_the_exit_code(finding: MakeFinding, kinds: list[Outcome]) -> None:
    tables = {
        Outcome.PASS: worse(0),
        Outcome.INCONCLUSIVE: worse(18),
        Outcome.FAIL: worse(200),
        Outcome.NOT_EVALUABLE: Table(n11=1, n10=0, n01=0, n00=0),
    }
    suites, checks = [], []
    for i, kind in enumerate(kinds):
        code = f"X{i:03d}"
        checks.append(margin(0.02, code=code))
        if kind is Outcome.ERROR:
            suites.append(SuiteResult(suite=code, codes=(code,), findings=(), error="boom"))
        else:
            suites.append(suite(finding(tables[kind], code=code)))
    verdicts, _, code_ = settle(checks, *suites)
    assert {verdict.outcome for verdict in verdicts} == set(kinds)
    assert code_ is ExitCode.worst(EXITS[kind] for kind in kinds)


def test_worst_exit_code_wins_in_the_documented_order() -> None:
    order = [0, 3, 1, 4, 2, 70]
    for low, high in itertools.combinations(order, 2):
        assert ExitCode.worst([ExitCode(low), ExitCode(high)]) == high
    assert ExitCode.worst([]) is ExitCode.MET


# --- the basis is enough


@pytest.mark.parametrize("kind", ["plain", "clustered", "weighted"])
def test_verdicts_follow_from_stored_results_alone(
    world: Callable[..., "object"], tmp_path: Path, kind: str
) -> None:
    made = world(
        5,
        n=200,
        clusters=40 * (kind == "clustered"),
        weighted=kind == "weighted",
        outside=20,
        baseline=True,
    )
    contract = [
        {"check": "ACC001", "margin": 0.05},
        {"check": "ACC001", "margin": 0.2, "against": "baseline"},
        {"check": "ACC001", "keep": 0.8},
        {"check": "ACC002", "at_most": 0.4},
        {"check": "CAL003", "margin": 0.1},
        {"check": "CAL004", "margin": 0.1},
        {"check": "FAI001", "each": ["sex"], "margin": 0.2, "min_n": 20},
        {"check": "FAI004", "each": ["sex", "age"], "at_most": 0.5, "min_n": 2},
        {"check": "SLC001", "where": {"channel": "web"}, "at_least": 0.4},
        {"check": "HAL003", "at_most": 0.99, "severity": "warn"},
        {"check": "LAT001", "at_least": 2.0, "severity": "info"},
    ]
    results: Results = made.audit(contract)  # type: ignore[attr-defined]
    path = tmp_path / "results.json"
    path.write_text(dump(results), "utf-8")
    stored = load(Results, path)
    assert stored == results
    again = judge(stored.contract, stored.suites, stored.alpha)
    assert again == results.verdicts
    assert overall(stored.contract, again, stored.suites) == (results.outcome, results.exit_code)
    assert json.loads(dump(stored)) == json.loads(path.read_text("utf-8"))
    assert len({verdict.outcome for verdict in again}) >= 3  # the example exercises something


cells = st.tuples(st.integers(0, 300), st.integers(0, 30), st.integers(0, 60), st.integers(0, 99))


@given(
    st.lists(cells.filter(lambda t: sum(t) > 1), min_size=1, max_size=6),
    st.floats(0, 0.2),
    st.sampled_from(list(Limit)),
)
def test_no_verdict_contradicts_its_own_numbers(
    finding: MakeFinding, members: list[tuple[int, int, int, int]], value: float, limit: Limit
) -> None:
    better = Better.HIGHER if limit in (Limit.KEEP, Limit.AT_LEAST) else Better.LOWER
    floor = limit in (Limit.KEEP, Limit.AT_LEAST)
    bound = 1 - value if floor else value
    made = suite(
        *[
            finding(
                Table(n11=a, n10=b, n01=c, n00=d),
                better,
                code="SLC001",
                where=(("channel", f"c{i}"),),
            )
            for i, (a, b, c, d) in enumerate(members)
        ]
    )
    check = replace(EACH, limit=limit, value=bound, min_n=2)
    for verdict in judge([check], [made], ALPHA):
        estimate = verdict.measured
        if verdict.outcome is Outcome.NOT_EVALUABLE:
            continue
        assert isinstance(estimate, Estimate)
        inside = estimate.low >= bound - 1e-12 if floor else estimate.high <= bound + 1e-12
        assert (verdict.outcome is Outcome.PASS) == inside
        assert verdict.p_exceeded is not None
        if verdict.outcome is Outcome.PASS:
            assert verdict.p_exceeded >= 0.5
        if verdict.outcome is Outcome.FAIL:
            assert verdict.p_exceeded <= ALPHA
            # What fails is beyond its limit in the interval that is printed, too.
            assert estimate.high < bound if floor else estimate.low > bound
