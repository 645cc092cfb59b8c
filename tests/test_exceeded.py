"""Which failures a contract shows: every entry has the same share of alpha, whatever it holds."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdaudit.contract import judge
from kdaudit.estimate import Estimate
from kdaudit.exceeded import adjust
from kdaudit.results import (
    Better,
    Check,
    Finding,
    Limit,
    Means,
    Outcome,
    SuiteResult,
    Table,
    Verdict,
)

MakeFinding = Callable[..., Finding]
ALPHA = 0.05
SEEN = Estimate(value=0.1, low=0.05, high=0.2, n=100, level=0.9, method="t")


def verdict(
    check: int, p: float | None, outcome: Outcome = Outcome.INCONCLUSIVE, place: str = "X"
) -> Verdict:
    return Verdict(
        check=check,
        address=f"{place}[{check}]",
        outcome=outcome,
        measured=SEEN,
        limit=0.05,
        p_exceeded=p,
        reason="",
    )


def adjusted(verdicts: Sequence[Verdict], finding: MakeFinding) -> list[float | None]:
    place = finding(Table(n11=80, n10=5, n01=5, n00=10))
    found = adjust(verdicts, {(one.check, one.address): place for one in verdicts}, ALPHA)
    return [None if one is None else round(one.p, 10) for one in found]


def test_one_check_alone_is_not_corrected(finding: MakeFinding) -> None:
    assert adjusted([verdict(0, 0.04)], finding) == [0.04]


def test_a_count_is_in_no_family(finding: MakeFinding) -> None:
    count = replace(verdict(1, 1.0), measured=replace(SEEN, level=1.0))
    assert adjusted([verdict(0, 0.04), count], finding) == [0.04, 1.0]
    place = finding(Table(n11=80, n10=5, n01=5, n00=10))
    both = [verdict(0, 0.04), count]
    found = adjust(both, {(one.check, one.address): place for one in both}, ALPHA)
    assert found[0] is not None
    assert found[0].tests == 1


def test_entries_share_alpha_and_members_share_their_entrys(finding: MakeFinding) -> None:
    """By hand: weights 1 and 24 times 1/24; (sum of weights left) p / weight = 2 p, then 24 p."""
    members = [verdict(1, 0.01) for _ in range(24)]
    found = adjusted([verdict(0, 0.02), *members], finding)
    left = 1 - ALPHA  # p-values of what did not pass are conditional on that
    assert found[0] == pytest.approx(2 * 0.02 / left)
    assert found[1] == pytest.approx(24 * 0.01 / left)


def test_what_passed_dilutes_nothing_but_by_having_passed(finding: MakeFinding) -> None:
    passed = [verdict(k, 1.0, Outcome.PASS) for k in range(1, 31)]
    found = adjusted([verdict(0, 0.02), *passed], finding)
    assert found[0] == pytest.approx(0.02 / 0.95)


@given(p=st.lists(st.floats(0.0001, 1), min_size=1, max_size=8))
def test_no_adjusted_p_is_below_its_own(p: list[float]) -> None:
    verdicts = [verdict(k, one) for k, one in enumerate(p)]
    place = Finding(
        code="X",
        metric="m",
        unit="u",
        better=Better.HIGHER,
        student=SEEN,
        teacher=SEEN,
        baseline=SEEN,
        difference=SEEN,
        basis=Table(n11=80, n10=5, n01=5, n00=10),
    )
    found = adjust(verdicts, {(one.check, one.address): place for one in verdicts}, ALPHA)
    for one, plain in zip(found, p, strict=True):
        assert one is not None
        assert one.p >= plain - 1e-12
        assert one.p <= 1


def contrast(sign: float) -> Means:
    """One of two groups, and its mirror image."""
    return Means(
        mean=(sign * 0.3, sign * 0.1),
        covariance=((0.0006, 0.0003), (0.0003, 0.0006)),
        df=200,
        n=100,
        clusters=200,
        span=1.0,
        unknown=(0.0, 0.0),
    )


def test_two_groups_are_one_test(finding: MakeFinding) -> None:
    places = {
        (0, f"X[{k}]"): finding(contrast(sign), better=Better.ZERO)
        for k, sign in ((0, 1.0), (1, -1.0))
    }
    mirrored = [replace(verdict(0, 0.03), address=f"X[{k}]") for k in range(2)]
    found = adjust(mirrored, places, ALPHA)
    assert [one and (one.p, one.tests) for one in found] == [(0.03, 1), (0.03, 1)]
    apart = {**places, (0, "X[1]"): finding(replace(contrast(-1.0), mean=(-0.2, -0.1)))}
    two = adjust(mirrored, apart, ALPHA)
    assert two[0] is not None
    assert two[0].tests == 2


def test_twenty_four_regions_do_not_dilute_one_accuracy(finding: MakeFinding) -> None:
    worse = finding(Table(n11=900, n10=20, n01=55, n00=25), code="ACC001")
    regions = [
        finding(Table(n11=40, n10=4, n01=4, n00=2), code="SLC001", where=(("region", f"r{k:02d}"),))
        for k in range(24)
    ]
    contract = [
        Check(code="ACC001", limit=Limit.MARGIN, value=0.015),
        Check(code="SLC001", limit=Limit.MARGIN, value=0.05, each=("region",)),
    ]
    suite = SuiteResult(suite="s", findings=(worse, *regions))
    accuracy = judge(contract, [suite], ALPHA)[0]
    assert accuracy.p_exceeded is not None
    assert accuracy.p_exceeded < 0.02
    assert accuracy.outcome is Outcome.FAIL
