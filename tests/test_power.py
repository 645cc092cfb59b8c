"""What a check can show, from a finding's basis: by hand, by simulation, and in order."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, multinomial

from kdaudit.contract import decide
from kdaudit.estimate import Estimate
from kdaudit.power.checks import Reach, reaches
from kdaudit.results import Better, Check, Finding, Fixed, Limit, Means, Outcome, SuiteResult, Table
from kdaudit.stats.exact_power import exact_power
from kdaudit.stats.exact_retention import kept_power, lost_power, rates, required_n_kept

Make = Callable[..., Finding]
ALPHA = 0.05
Z = 1.6448536 + 0.8416212  # of alpha = 0.05 and power 0.8


def reach(check: Check, finding: Finding, **given: Any) -> Reach:
    suite = SuiteResult(suite="s", codes=(finding.code,), findings=(finding,))
    (one,) = reaches([check], [suite], ALPHA, **given)
    return one


def check(limit: Limit, value: float, **more: Any) -> Check:
    return Check(code="ACC001", limit=limit, value=value, **more)


def means(n: int, se: float = 0.02, teacher: float = 0.5) -> Means:
    """Student and teacher alike, independent errors; no rule-of-three term."""
    return Means(
        mean=(teacher, teacher),
        covariance=((se * se / 2, 0.0), (0.0, se * se / 2)),
        df=math.inf,
        n=n,
        clusters=n,
        span=0.0,
        unknown=(0.0, 0.0),
    )


def test_a_margin_on_paired_answers_is_exact(finding: Make) -> None:
    made = reach(check(Limit.MARGIN, 0.03), finding(Table(n11=880, n10=20, n01=30, n00=70)))
    assert (made.n, made.discordance) == (1000, 0.05)
    assert made.passes == pytest.approx(exact_power(1000, 0.05, 0.0, -0.03, alpha=ALPHA))
    assert made.smallest is not None
    assert made.harm is not None
    for limit, harm in ((-made.smallest, 0.0), (0.03, made.harm)):
        power = exact_power(1000, max(0.05, harm), harm, limit, alpha=ALPHA)
        assert power == pytest.approx(0.8, abs=0.02)


def test_an_assumed_share_takes_the_place_of_what_was_seen(finding: Make) -> None:
    made = reach(
        check(Limit.MARGIN, 0.03),
        finding(Table(n11=900, n10=0, n01=0, n00=100)),
        discordance=0.1,
    )
    assert made.discordance == 0.1
    assert made.passes == pytest.approx(exact_power(1000, 0.1, 0.0, -0.03, alpha=ALPHA))


def test_too_few_rows_without_a_loss_are_no_pass(finding: Make) -> None:
    limit = check(Limit.MARGIN, 0.01)
    for n, outcome in ((298, Outcome.INCONCLUSIVE), (299, Outcome.PASS)):
        same = finding(Table(n11=n, n10=0, n01=0, n00=0))
        assert decide(limit, same, ALPHA).outcome is outcome
        made = reach(limit, same)
        assert made.passes == pytest.approx(float(outcome is Outcome.PASS))
        assert made.needed_n == 299
        assert made.smallest == pytest.approx(1 - ALPHA ** (1 / n), abs=1e-5)


def passed(limit: Check, n: int, shares: tuple[float, float], finding: Make) -> float:
    """Chance to pass, over every table that is at all likely, through the decision itself."""
    student, teacher = shares
    chance = 0.0
    for n10 in range(int(binom.isf(1e-5, n, student)) + 1):
        for n01 in range(int(binom.isf(1e-5, n, teacher)) + 1):
            rest = n - n10 - n01
            both = round(0.85 * rest)
            table = finding(Table(n11=both, n10=n10, n01=n01, n00=rest - both))
            if decide(limit, table, ALPHA).outcome is Outcome.PASS:
                chance += float(
                    multinomial.pmf([n10, n01, rest], n, [student, teacher, 1 - student - teacher])
                )
    return chance


@pytest.mark.parametrize(("margin", "share"), [(0.05, 0.03), (0.1, 0.1), (0.1, 0.01)])
def test_the_rows_that_are_needed_have_the_power_under_the_decision(
    finding: Make, margin: float, share: float
) -> None:
    limit = check(Limit.MARGIN, margin, min_n=2)
    table = finding(Table(n11=90, n10=0, n01=0, n00=10))
    needed = reach(limit, table, discordance=share).needed_n
    assert needed is not None
    assert passed(limit, needed, (share / 2, share / 2), finding) >= 0.8 - 1e-4
    there = finding(Table(n11=needed - 10, n10=0, n01=0, n00=10))
    promised = reach(limit, there, discordance=share).passes
    assert promised == pytest.approx(
        passed(limit, needed, (share / 2, share / 2), finding), abs=1e-4
    )


@pytest.mark.parametrize(("limit", "value"), [(Limit.AT_MOST, 0.1), (Limit.AT_LEAST, 0.9)])
def test_the_rows_that_a_share_needs_have_the_power_under_the_decision(
    finding: Make, limit: Limit, value: float
) -> None:
    floor = limit is Limit.AT_LEAST
    held = check(limit, value, min_n=2)
    better = Better.HIGHER if floor else Better.LOWER
    like = 0.95 if floor else 0.05

    def table(n: int, right: int) -> Finding:
        return finding(Table(n11=right, n10=0, n01=0, n00=n - right), better)

    made = reach(held, table(400, round(400 * like)))
    needed = made.needed_n
    assert needed is not None
    outcomes = [decide(held, table(needed, k), ALPHA).outcome for k in range(needed + 1)]
    passes = np.array([outcome is Outcome.PASS for outcome in outcomes])
    assert (binom.pmf(np.arange(needed + 1), needed, like) * passes).sum() >= 0.8
    assert made.smallest is not None
    assert made.harm is not None
    assert (made.smallest - like) * (made.harm - value) > 0


def test_a_share_that_is_kept_is_exact(finding: Make) -> None:
    made = reach(check(Limit.KEEP, 0.95), finding(Table(n11=85, n10=5, n01=5, n00=5)))
    assert made.passes == pytest.approx(kept_power(90, 10, 5 / 90, 0.5, 0.95, alpha=ALPHA))
    assert made.needed_n == required_n_kept(0.9, 0.1, 0.95, alpha=ALPHA)
    assert made.smallest is not None
    assert made.harm is not None
    for keep, wanted in ((made.smallest - 1e-5, True), (made.smallest + 1e-5, False)):
        assert (kept_power(90, 10, 5 / 90, 0.5, keep, alpha=ALPHA) >= 0.8) is wanted
    worse = rates(0.9, 0.1, made.harm)
    assert lost_power(90, 10, *worse, 0.95, alpha=ALPHA) == pytest.approx(0.8, abs=0.02)


def test_a_check_needs_its_least_rows_whatever_the_power(finding: Make) -> None:
    table = finding(Table(n11=90, n10=0, n01=0, n00=10))
    assert reach(check(Limit.MARGIN, 0.3, min_n=70), table).needed_n == 70


@pytest.mark.parametrize(("limit", "room"), [(Limit.AT_LEAST, 0.25), (Limit.KEEP, 0.2)])
def test_ratios_are_held_on_the_log_scale(finding: Make, limit: Limit, room: float) -> None:
    basis = replace(means(400, teacher=math.log(0.8) + 0.25), scale="log")
    value = 0.8 if limit is Limit.AT_LEAST else math.exp(-room)
    made = reach(check(limit, value), finding(basis))
    se = 0.02 / math.sqrt(2) if limit is Limit.AT_LEAST else 0.02
    assert made.smallest == pytest.approx(value * math.exp(room - Z * se), rel=1e-3)
    assert made.harm == pytest.approx(value * math.exp(-Z * se), rel=1e-3)
    assert made.needed_n == max(50, math.ceil(400 * (Z * se / room) ** 2))
    assert "no margin" in reach(check(Limit.MARGIN, 0.1), finding(basis)).reason


def test_a_margin_on_means_is_the_formula(finding: Make) -> None:
    made = reach(check(Limit.MARGIN, 0.05), finding(means(400), Better.LOWER))
    assert made.smallest == pytest.approx(Z * 0.02, rel=1e-3)
    assert made.harm == pytest.approx(0.05 + Z * 0.02, rel=1e-3)
    assert made.needed_n == pytest.approx(400 * (Z * 0.02 / 0.05) ** 2, rel=0.01)


def test_the_chance_to_pass_is_how_often_the_decision_passes(finding: Make) -> None:
    rng = np.random.default_rng(1)
    limit = check(Limit.MARGIN, 0.045, min_n=2)
    expected = reach(limit, finding(means(400), Better.LOWER)).passes
    passed = 0
    for _ in range(400):
        drawn = rng.normal(0.5, 0.02 / math.sqrt(2), 2)
        basis = replace(means(400), mean=(float(drawn[0]), float(drawn[1])))
        passed += decide(limit, finding(basis, Better.LOWER), ALPHA).outcome is Outcome.PASS
    assert expected is not None
    error = math.sqrt(expected * (1 - expected) / 400)
    assert abs(passed / 400 - expected) < 3 * error


def test_a_contrast_that_may_be_none_must_hold_on_both_sides(finding: Make) -> None:
    none = reach(check(Limit.MARGIN, 0.05), finding(means(400, teacher=0.0), Better.ZERO))
    some = reach(check(Limit.MARGIN, 0.05), finding(means(400, teacher=0.5), Better.ZERO))
    assert none.passes is not None
    assert some.passes is not None
    assert none.passes == pytest.approx(2 * some.passes - 1)


def test_a_share_is_held_on_the_scale_of_the_reference(finding: Make) -> None:
    made = reach(check(Limit.KEEP, 0.9), finding(means(400, teacher=0.5)))
    se = 0.02 * math.sqrt((1 + 0.9**2) / 2)
    assert made.smallest == pytest.approx(1 - Z * se / 0.5, rel=1e-3)
    assert made.harm == pytest.approx(0.9 - Z * se / 0.5, rel=1e-3)


@pytest.mark.parametrize(
    ("limit", "value", "sign"), [(Limit.AT_LEAST, 0.4, -1), (Limit.AT_MOST, 0.6, 1)]
)
def test_a_fixed_limit_is_met_by_a_student_like_its_teacher(
    finding: Make, limit: Limit, value: float, sign: int
) -> None:
    better = Better.HIGHER if sign < 0 else Better.LOWER
    made = reach(check(limit, value), finding(means(400), better))
    step = Z * 0.02 / math.sqrt(2)
    assert made.smallest == pytest.approx(0.5 + sign * step, rel=1e-3)
    assert made.harm == pytest.approx(value + sign * step, rel=1e-3)
    assert made.passes == pytest.approx(1.0, abs=1e-3)


def test_a_limit_that_the_teacher_misses_no_number_of_rows_will_meet(finding: Make) -> None:
    made = reach(check(Limit.AT_LEAST, 0.6), finding(means(400)))
    assert made.passes == pytest.approx(0.0, abs=1e-3)
    assert made.needed_n is None


def test_what_cannot_be_said_has_a_reason(finding: Make) -> None:
    table = finding(Table(n11=20, n10=0, n01=0, n00=10))
    assert "min_n = 50" in reach(check(Limit.MARGIN, 0.1), table).reason
    assert "no baseline" in reach(check(Limit.MARGIN, 0.1, against="baseline"), table).reason
    exact = Estimate(value=0.0, low=0.0, high=0.0, n=90, level=1.0, method="count")
    counted = replace(table, student=exact, teacher=exact, basis=Fixed(level=1.0))
    assert "counted" in reach(check(Limit.AT_MOST, 0.1), counted).reason
    nowhere = Check(code="ACC001", where=(("a", "b"),), limit=Limit.MARGIN, value=0.1)
    assert reach(nowhere, table).reason == "nothing is measured there"
