"""What an audit can show: with what chance each check passes a harmless student, and sees harm.

From a finding's basis alone. "Harmless" is a student just like its reference: no difference for a
margin, the reference's own value for a fixed limit. One check is looked at by itself: Holm's
correction makes a failure somewhat harder to show than is said here.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kdaudit.basis import combined, contrast_weights, pair_counts, unit
from kdaudit.contract import members
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.results import (
    Better,
    Check,
    Finding,
    Fixed,
    Limit,
    Means,
    Severity,
    SuiteResult,
    Table,
    address,
)
from kdaudit.stats.exact_power import exact_power, required_n_exact
from kdaudit.stats.interval import normal_quantile, tail
from kdaudit.stats.one_sided_table import agreement_n
from kdaudit.stats.power import power_of_mean, smallest_distance

WANTED = 0.8  # chance that counts as enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What one check can show at one address.

    Attributes:
        check: position in the contract.
        address: of the finding.
        limit: the limit, as declared.
        blocks: whether the check can stop a release.
        n: rows; 0 where nothing was measured.
        discordance: share of rows that only one subject gets right, for 0/1 scores; else None.
        passes: chance that a harmless student passes.
        smallest: the tightest limit, on the scale of the declared one, that a harmless student
            passes with chance 0.8; None where no limit is wide enough.
        harm: the least true value, on the scale that is held against the limit, that is shown to
            be beyond the limit with chance 0.8; None where none is.
        needed_n: rows at which a harmless student passes with chance 0.8; None where no number is
            enough.
        reason: why there are no numbers, or empty.
    """

    check: int
    address: str
    limit: str
    blocks: bool
    n: int = 0
    discordance: float | None = None
    passes: float | None = None
    smallest: float | None = None
    harm: float | None = None
    needed_n: int | None = None
    reason: str = ""


def reaches(
    contract: Sequence[Check],
    suites: Sequence[SuiteResult],
    alpha: float,
    discordance: float | None = None,
) -> tuple[Reach, ...]:
    """What every check can show, member by member.

    Args:
        contract: the checks.
        suites: findings with a basis.
        alpha: one-sided level.
        discordance: take this for the share of differing rows, not what was seen.
    """
    findings = [finding for suite in suites for finding in suite.findings]
    made: list[Reach] = []
    for number, check in enumerate(contract):
        found = members(check, findings)
        made += [_reach(number, check, finding, alpha, discordance) for finding in found]
        if not found:
            where = check.where or tuple((column, "*") for column in check.each)
            nothing = _empty(number, check, address(check.code, where))
            made.append(replace(nothing, reason="nothing is measured there"))
    return tuple(made)


def _empty(number: int, check: Check, place: str) -> Reach:
    against = f" against {check.against}" if check.limit in (Limit.MARGIN, Limit.KEEP) else ""
    return Reach(
        check=number,
        address=place,
        limit=f"{check.limit} {check.value:g}{against}",
        blocks=check.severity is Severity.BLOCK,
    )


def _reach(
    number: int, check: Check, finding: Finding, alpha: float, discordance: float | None
) -> Reach:
    empty = _empty(number, check, finding.address)
    task = _task(check, finding, alpha, discordance)
    if isinstance(task, NotMeasured):
        return replace(empty, reason=task.reason)
    if task.n < check.min_n:
        reason = f"fewer than min_n = {check.min_n} rows: it will not be evaluable"
        return replace(empty, n=task.n, needed_n=check.min_n, reason=reason)
    pair = _pair(check, finding, discordance)
    if pair is not None and check.value >= 1:
        return replace(empty, n=task.n, reason="a margin of 1 allows everything")
    if pair is not None:
        return _exact(replace(empty, n=task.n, discordance=pair), check.value, alpha)
    sides = 2 if task.both else 1
    passes = power_of_mean(task.se, task.room, alpha=alpha, df=task.df)
    step = smallest_distance(task.se, alpha=alpha, power=1 - (1 - WANTED) / sides, df=task.df)
    fails = smallest_distance(task.se, alpha=alpha / task.tests, power=WANTED, df=task.df)
    return replace(
        empty,
        n=task.n,
        passes=max(0.0, 1 - sides * (1 - passes)),
        smallest=task.limit_at(step),
        harm=task.harm_at(fails),
        needed_n=math.ceil(task.n * (step / task.room) ** 2) if task.room > 0 else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A mean and its limit.

    Attributes:
        n: rows.
        se: standard error of what is held against the limit.
        df: degrees of freedom.
        room: how far a harmless student lies inside the limit.
        limit_at: the limit that leaves this much room.
        harm_at: the value this far beyond the limit.
        both: whether two bounds must hold for a pass.
        tests: how many tests share alpha where a failure is shown.
    """

    n: int
    se: float
    df: float
    room: float
    limit_at: Callable[[float], float]
    harm_at: Callable[[float], float]
    both: bool = False
    tests: int = 1


def _task(
    check: Check, finding: Finding, alpha: float, discordance: float | None
) -> _Task | NotMeasured:
    basis = finding.basis
    if isinstance(basis, NotMeasured):
        return basis
    if check.limit is Limit.KEEP:
        return _kept(check, finding, alpha, discordance)
    if check.limit is Limit.MARGIN:
        return _compared(check, finding, alpha)
    return _own(check, finding, alpha)


def _compared(check: Check, finding: Finding, alpha: float) -> _Task | NotMeasured:
    basis, margin, tests = finding.basis, check.value, 1
    if isinstance(finding.difference, NotMeasured) and check.against == "teacher":
        return finding.difference
    if isinstance(basis, Fixed):
        measured = finding.difference if check.against == "teacher" else basis.baseline
        error = _error_of(measured)
    else:
        error = _error(basis, _weights(basis, check, 1.0), alpha)
    if isinstance(error, NotMeasured):
        return error
    n, se, df, off = error
    both = False
    if finding.better is Better.ZERO:
        reference = getattr(finding, check.against)
        # Where the reference may have no contrast, both signs of the difference must be excluded.
        both = isinstance(reference, Estimate) and reference.low <= 0 <= reference.high
        tests = 2
    return _Task(
        n=n,
        se=se,
        df=df,
        room=margin - off,
        limit_at=lambda step: step + off,
        harm_at=lambda step: margin + step + off,
        both=both,
        tests=tests,
    )


def _kept(
    check: Check, finding: Finding, alpha: float, discordance: float | None
) -> _Task | NotMeasured:
    basis, keep = finding.basis, check.value
    reference = getattr(finding, check.against)
    if isinstance(reference, NotMeasured):
        return reference
    if isinstance(basis, Fixed) or reference.value <= 0:
        return NotMeasured("a share of the reference cannot be had here")
    if isinstance(basis, Table):
        counts = pair_counts(basis, check.against)
        assert counts is not None  # the reference was measured
        share = (counts[1] + counts[2]) / reference.n if discordance is None else discordance
        both_right = max(0.0, reference.value - share / 2)
        spread = both_right * (1 - keep) ** 2 + share / 2 * (1 + keep**2)
        variance = max(spread - ((1 - keep) * reference.value) ** 2, 1 / reference.n)
        error = (reference.n, math.sqrt(variance / reference.n), math.inf, 0.0)
    else:
        found = _error(basis, _weights(basis, check, keep), alpha)
        if isinstance(found, NotMeasured):
            return found
        error = found
    n, se, df, off = error
    return _Task(
        n=n,
        se=se,
        df=df,
        room=(1 - keep) * reference.value - off,
        limit_at=lambda step: 1 - (step + off) / reference.value,
        harm_at=lambda step: keep - (step + off) / reference.value,
    )


def _own(check: Check, finding: Finding, alpha: float) -> _Task | NotMeasured:
    basis, zero = finding.basis, finding.better is Better.ZERO
    like = finding.teacher if isinstance(finding.teacher, Estimate) else finding.student
    if isinstance(like, NotMeasured):
        return like
    if isinstance(basis, Table):
        variance = max(like.value * (1 - like.value), 1 / like.n)
        error: _Error | NotMeasured = (like.n, math.sqrt(variance / like.n), math.inf, 0.0)
    elif isinstance(basis, Fixed):
        error = _error_of(finding.student)
    else:
        assert isinstance(basis, Means)
        if basis.scale == "log":
            return NotMeasured("it is a ratio; its power is not worked out")
        error = _error(basis, unit(0, len(basis.mean)), alpha)
    if isinstance(error, NotMeasured):
        return error
    n, se, df, off = error
    value = abs(like.value) if zero else like.value
    sign = -1.0 if check.limit is Limit.AT_LEAST else 1.0
    return _Task(
        n=n,
        se=se,
        df=df,
        room=sign * (check.value - value) - off,
        limit_at=lambda step: value + sign * (step + off),
        harm_at=lambda step: check.value + sign * (step + off),
        tests=2 if zero else 1,
    )


_Error = tuple[int, float, float, float]  # rows, standard error, degrees of freedom, unknown


def _error(basis: object, weights: Sequence[float] | None, alpha: float) -> _Error | NotMeasured:
    if weights is None:
        return NotMeasured("the audit has no baseline")
    if isinstance(basis, Table):
        return (basis.n11 + basis.n10 + basis.n01 + basis.n00, 1.0, math.inf, 0.0)
    assert isinstance(basis, Means)
    if basis.scale == "log":
        return NotMeasured("a ratio is a comparison already; hold it with at_least or at_most")
    value = combined(basis, weights, alpha)
    se = value.se + value.inflation * value.unknown
    return (basis.n, se, value.df, value.unknown) if se > 0 else NotMeasured("it cannot vary")


def _error_of(measured: object) -> _Error | NotMeasured:
    """From an interval alone."""
    if not isinstance(measured, Estimate):
        return NotMeasured("it was not compared with that reference")
    if measured.level >= 1:
        return NotMeasured("it is counted, not estimated: no luck is involved")
    width = (measured.high - measured.low) / 2
    if width <= 0:
        return NotMeasured("its interval has no width")
    return (measured.n, width / normal_quantile(tail(measured.level)), math.inf, 0.0)


def _weights(basis: object, check: Check, share: float) -> Sequence[float] | None:
    """Weights of student - share · reference; a table needs none but must have the reference."""
    if isinstance(basis, Table):
        return None if pair_counts(basis, check.against) is None else [1.0, -share]
    assert isinstance(basis, Means)
    return contrast_weights(basis, check.against, share)


def _pair(check: Check, finding: Finding, discordance: float | None) -> float | None:
    """The share of differing rows where Tango's test decides; else None."""
    if check.limit is not Limit.MARGIN or not isinstance(finding.basis, Table):
        return None
    counts = pair_counts(finding.basis, check.against)
    if counts is None:
        return None
    return (counts[1] + counts[2]) / sum(counts) if discordance is None else discordance


def _exact(empty: Reach, margin: float, alpha: float) -> Reach:
    n, share = empty.n, empty.discordance
    assert share is not None

    def shown(harm: float) -> bool:
        return exact_power(n, max(share, harm), harm, margin, alpha=alpha) >= WANTED

    needed = None
    if margin > 0:
        by_test = required_n_exact(share, 0.0, margin, alpha=alpha, power=WANTED)
        needed = max(by_test, agreement_n(margin, alpha=alpha))
    return replace(
        empty,
        passes=_kept_margin(n, share, margin, alpha),
        smallest=_least(lambda m: _kept_margin(n, share, m, alpha) >= WANTED, 0.0, 1 - 1e-9),
        harm=_least(shown, margin, 1.0),
        needed_n=needed,
    )


def _kept_margin(n: int, share: float, margin: float, alpha: float) -> float:
    """Chance to pass for a student that gains as often as it loses."""
    passes = exact_power(n, share, 0.0, -margin, alpha=alpha)
    if margin > 0 and n >= agreement_n(margin, alpha=alpha):
        return passes
    # That not one of few rows was lost is no pass, though Tango's test by itself would take it.
    return max(0.0, passes - (1 - share / 2) ** n)


def _least(shown: Callable[[float], bool], low: float, high: float) -> float | None:
    if not shown(high):
        return None
    for _ in range(20):  # to within a millionth
        middle = (low + high) / 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high
