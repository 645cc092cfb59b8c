"""What an audit can show: with what chance each check passes a harmless student, and sees harm.

From a finding's basis alone. "Harmless" is a student just like its reference: no difference for a
margin, the reference's own value for a fixed limit. One check is looked at by itself: Holm's
correction makes a failure somewhat harder to show than is said here.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kdaudit.basis import (
    combined,
    contrast_weights,
    is_binary,
    ratio_counts,
    share_counts,
    unit,
)
from kdaudit.contract import members
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.results import (
    Better,
    Check,
    Finding,
    Fixed,
    LeastRatio,
    Limit,
    Means,
    Severity,
    SuiteResult,
    Table,
    address,
)
from kdaudit.stats.counts import Counts
from kdaudit.stats.exact_power import (
    exact_power,
    least,
    required_n_exact,
    required_n_of_share,
    share_power,
    smallest_harm,
    smallest_margin,
)
from kdaudit.stats.exact_retention import kept_power, lost_power, rates, required_n_kept
from kdaudit.stats.interval import normal_quantile, tail
from kdaudit.stats.least_ratio import Ratios
from kdaudit.stats.power import power_of_mean, smallest_distance

WANTED = 0.8  # chance that counts as enough
SEEN = 1e-6  # part of the error below which nothing varied but by rounding


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
        needed_n: rows at which a harmless student passes with chance 0.8, and no fewer than the
            check's ``min_n``; None where no number is enough.
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
    basis = finding.basis
    if isinstance(basis, Table | Means) and is_binary(basis):
        made = _of_table(empty, check, finding, basis, alpha, discordance)
    else:
        made = _of_task(empty, _task(check, finding, alpha), alpha)
    if made.reason or made.n >= check.min_n:
        needed = made.needed_n
        return made if needed is None else replace(made, needed_n=max(needed, check.min_n))
    reason = f"fewer than min_n = {check.min_n} rows: it will not be evaluable"
    return replace(empty, n=made.n, needed_n=max(check.min_n, made.needed_n or 0), reason=reason)


def _of_task(empty: Reach, task: "_Task | NotMeasured", alpha: float) -> Reach:
    if isinstance(task, NotMeasured):
        return replace(empty, reason=task.reason)
    sides = 2 if task.both else 1
    wide = _beyond(task, alpha)
    passes = power_of_mean(task.se, task.room - wide, alpha=alpha, df=task.df)
    step = smallest_distance(task.se, alpha=alpha, power=1 - (1 - WANTED) / sides, df=task.df)
    level = alpha / task.tests
    fails = smallest_distance(task.se, alpha=level, power=WANTED, df=task.df)
    return replace(
        empty,
        n=task.n,
        passes=max(0.0, 1 - sides * (1 - passes)),
        smallest=task.limit_at(step + wide),
        harm=task.harm_at(fails + _beyond(task, level)),
        needed_n=_rows(task, step, wide) if task.room > 0 else None,
    )


def _beyond(task: "_Task", alpha: float) -> float:
    """How far the bounds lie beyond those of an error that is known: it is fixed, not luck."""
    from scipy.special import stdtrit

    quantile = -stdtrit(task.df, alpha) if math.isfinite(task.df) else normal_quantile(alpha)
    return float(quantile) * task.wider


def _rows(task: "_Task", step: float, wide: float) -> int:
    """Rows at which ``step`` and ``wide``, of order 1/√n and 1/n, add up to the room."""
    root = math.sqrt(step * step + 4 * wide * task.room)
    return math.ceil(task.n * ((step + root) / (2 * task.room)) ** 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A mean and its limit.

    Attributes:
        n: rows.
        se: standard error of what is held against the limit, without allowances.
        wider: how much larger the error is that the bounds are made with.
        df: degrees of freedom.
        room: how far a harmless student lies inside the limit.
        limit_at: the limit that leaves this much room.
        harm_at: the value this far beyond the limit.
        both: whether two bounds must hold for a pass.
        tests: how many tests share alpha where a failure is shown.
    """

    n: int
    se: float
    wider: float
    df: float
    room: float
    limit_at: Callable[[float], float]
    harm_at: Callable[[float], float]
    both: bool = False
    tests: int = 1


def _task(check: Check, finding: Finding, alpha: float) -> _Task | NotMeasured:
    basis = finding.basis
    if isinstance(basis, NotMeasured):
        return basis
    if isinstance(basis, LeastRatio):
        return _least(check, finding, basis, alpha)
    if check.limit is Limit.KEEP:
        return _kept(check, finding, alpha)
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
        assert isinstance(basis, Means)
        if basis.scale == "log":
            return NotMeasured("a ratio has no margin; hold it with at_least, at_most or keep")
        error = _spread(basis, contrast_weights(basis, check.against, 1.0), alpha)
    if isinstance(error, NotMeasured):
        return error
    n, se, wider, df, off = error
    both = False
    if finding.better is Better.ZERO:
        reference = getattr(finding, check.against)
        # Where the reference may have no contrast, both signs of the difference must be excluded.
        both = isinstance(reference, Estimate) and reference.low <= 0 <= reference.high
        tests = 2
    return _Task(
        n=n,
        se=se,
        wider=wider,
        df=df,
        room=margin - off,
        limit_at=lambda step: step + off,
        harm_at=lambda step: margin + step + off,
        both=both,
        tests=tests,
    )


def _least(
    check: Check, finding: Finding, basis: LeastRatio, alpha: float
) -> "_Task | NotMeasured":
    """Of a ratio to the most selected group: by the least ratio, which decides as a rule."""
    if check.limit is Limit.MARGIN:
        return NotMeasured("a ratio has no margin; hold it with at_least or keep")
    ratios, like = basis.student, _like(finding)
    if check.limit is Limit.KEEP:
        ratios = basis.versus_teacher if check.against == "teacher" else basis.versus_baseline
    for absent in (ratios, like):
        if isinstance(absent, NotMeasured):
            return absent
    assert isinstance(ratios, Ratios)
    assert isinstance(like, Estimate)
    if not (like.value > 0 and check.value > 0):
        return NotMeasured("a ratio is always above 0")
    k = int(np.argmin(ratios.log))
    at = 0.0 if check.limit is Limit.KEEP else math.log(like.value)
    edge, whole = math.log(check.value), ratios.error(k, normal_quantile(alpha))
    se = ratios.se[k] if ratios.se[k] > SEEN * whole else whole
    return _Task(
        n=ratios.n,
        se=se,
        wider=whole - se,
        df=ratios.df[k],
        room=at - edge,
        limit_at=lambda step: math.exp(at - step),
        harm_at=lambda step: math.exp(edge - step),
        tests=len(ratios.log),
    )


def _kept(check: Check, finding: Finding, alpha: float) -> _Task | NotMeasured:
    basis, keep = finding.basis, check.value
    reference = getattr(finding, check.against)
    if isinstance(reference, NotMeasured):
        return reference
    if not isinstance(basis, Means) or reference.value <= 0 or keep <= 0:
        return NotMeasured("a share of the reference cannot be had here")
    ratio = basis.scale == "log"
    error = _spread(basis, contrast_weights(basis, check.against, 1.0 if ratio else keep), alpha)
    if isinstance(error, NotMeasured):
        return error
    n, se, wider, df, off = error
    if ratio:
        return _Task(
            n=n,
            se=se,
            wider=wider,
            df=df,
            room=-math.log(keep) - off,
            limit_at=lambda step: math.exp(-step - off),
            harm_at=lambda step: keep * math.exp(-step - off),
        )
    return _Task(
        n=n,
        se=se,
        wider=wider,
        df=df,
        room=(1 - keep) * reference.value - off,
        limit_at=lambda step: 1 - (step + off) / reference.value,
        harm_at=lambda step: keep - (step + off) / reference.value,
    )


def _own(check: Check, finding: Finding, alpha: float) -> _Task | NotMeasured:
    basis, zero = finding.basis, finding.better is Better.ZERO
    like = _like(finding)
    if isinstance(like, NotMeasured):
        return like
    value, limit = (abs(like.value) if zero else like.value), check.value
    ratio = isinstance(basis, Means) and basis.scale == "log"
    if isinstance(basis, Fixed):
        error = _error_of(finding.student)
    else:
        assert isinstance(basis, Means)
        error = _spread(basis, unit(0, len(basis.mean)), alpha)
    if isinstance(error, NotMeasured):
        return error
    if ratio and not (value > 0 and limit > 0):
        return NotMeasured("a ratio is always above 0")
    told: Callable[[float], float] = math.exp if ratio else float
    at, edge = (math.log(value), math.log(limit)) if ratio else (value, limit)
    n, se, wider, df, off = error
    sign = -1.0 if check.limit is Limit.AT_LEAST else 1.0
    return _Task(
        n=n,
        se=se,
        wider=wider,
        df=df,
        room=sign * (edge - at) - off,
        limit_at=lambda step: told(at + sign * (step + off)),
        harm_at=lambda step: told(edge + sign * (step + off)),
        tests=2 if zero else 1,
    )


def _like(finding: Finding) -> Estimate | NotMeasured:
    """What a harmless student is like: its teacher, or itself where the teacher has no value."""
    return finding.teacher if isinstance(finding.teacher, Estimate) else finding.student


# Rows, standard error, what the bounds add to it, degrees of freedom, and what may be unknown.
_Error = tuple[int, float, float, float, float]


def _spread(basis: Means, weights: Sequence[float] | None, alpha: float) -> _Error | NotMeasured:
    if weights is None:
        return NotMeasured("the audit has no baseline")
    value = combined(basis, weights, alpha)
    whole = value.se + value.inflation * value.unknown
    if whole <= 0:
        return NotMeasured("it cannot vary")
    sampled = combined(replace(basis, span=0.0), weights, alpha).se
    # Where nothing was seen to vary, what is allowed for is all that is known of the error.
    se = sampled if sampled > SEEN * whole else whole
    return basis.n, se, whole - se, value.df, value.unknown


def _error_of(measured: object) -> _Error | NotMeasured:
    """From an interval alone."""
    if not isinstance(measured, Estimate):
        return NotMeasured("it was not compared with that reference")
    if measured.level >= 1:
        return NotMeasured("it is counted, not estimated: no luck is involved")
    width = (measured.high - measured.low) / 2
    if width <= 0:
        return NotMeasured("its interval has no width")
    return (measured.n, width / normal_quantile(tail(measured.level)), 0.0, math.inf, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """What rows are worth where they are counted: themselves, or fewer in clusters.

    Attributes:
        n: rows.
        many: independent rows that would say as much.
        risk: one-sided level at which their counts are tested.
    """

    n: int
    many: int
    risk: float

    @classmethod
    def of(cls, counts: Counts, n: int, alpha: float) -> "_Rows":
        risk = tail(counts.normal_level(1 - 2 * alpha))
        return cls(n=n, many=max(1, round(counts.n)), risk=risk)

    def needed(self, many: int) -> int:
        """Rows that are worth so many."""
        return math.ceil(many * self.n / self.many)


def _of_table(
    empty: Reach,
    check: Check,
    finding: Finding,
    basis: Table | Means,
    alpha: float,
    discordance: float | None,
) -> Reach:
    """Of 0/1 scores: every table that the decision would pass, or fail, is added up."""
    if check.limit not in (Limit.MARGIN, Limit.KEEP):
        return _of_share(empty, check, finding, basis, alpha)
    reference = getattr(finding, check.against)
    if check.limit is Limit.MARGIN and check.against == "teacher":
        reference = finding.difference
    keep = check.value if check.limit is Limit.KEEP else 1.0
    counts = ratio_counts(basis, check.against, keep)
    if isinstance(reference, NotMeasured) or counts is None:
        return replace(empty, reason=getattr(reference, "reason", "the audit has no baseline"))
    n = round(counts.n) if isinstance(basis, Table) else basis.n
    share = counts.discordance if discordance is None else discordance
    seen = replace(empty, n=n, discordance=share)
    rows = _Rows.of(counts, n, alpha)
    if check.limit is Limit.MARGIN:
        return _of_margin(seen, check.value, rows)
    right = round((counts.n11 + counts.n01) / counts.n * rows.many)
    return _of_retention(seen, check.value, right, rows)


def _of_margin(seen: Reach, margin: float, rows: _Rows) -> Reach:
    n, share, alpha = rows.many, seen.discordance, rows.risk
    assert share is not None
    if margin >= 1:
        return replace(seen, discordance=None, reason="a margin of 1 allows everything")
    return replace(
        seen,
        passes=exact_power(n, share, 0.0, -margin, alpha=alpha),
        smallest=smallest_margin(n, share, 0.0, alpha=alpha, power=WANTED),
        harm=smallest_harm(n, share, margin, alpha=alpha, power=WANTED),
        needed_n=rows.needed(required_n_exact(share, 0.0, margin, alpha=alpha, power=WANTED))
        if margin > 0
        else None,
    )


def _of_retention(seen: Reach, keep: float, right: int, rows: _Rows) -> Reach:
    n, share, alpha = rows.many, seen.discordance, rows.risk
    assert share is not None
    if not right or not 0 < keep <= 1:
        reason = "a share of the reference cannot be had here"
        return replace(seen, discordance=None, reason=reason)
    teacher = right / n
    alike = rates(teacher, share, 1.0)

    def passes(keep: float) -> float:
        return kept_power(right, n - right, *alike, keep, alpha=alpha)

    def shown(below: float) -> bool:
        worse = rates(teacher, share, keep - below)
        return lost_power(right, n - right, *worse, keep, alpha=alpha) >= WANTED

    room = least(lambda room: passes(1 - room) >= WANTED, 0.0, 1 - 1e-9)
    below = least(shown, 0.0, keep)
    return replace(
        seen,
        passes=passes(keep),
        smallest=None if room is None else 1 - room,
        harm=None if below is None else keep - below,
        needed_n=rows.needed(required_n_kept(teacher, share, keep, alpha=alpha, power=WANTED))
        if keep < 1
        else None,
    )


def _of_share(
    empty: Reach, check: Check, finding: Finding, basis: Table | Means, level: float
) -> Reach:
    like, counts = _like(finding), share_counts(basis, "student")
    if isinstance(like, NotMeasured) or counts is None:
        return replace(empty, reason=getattr(like, "reason", "nothing is measured there"))
    rows = _Rows.of(counts, like.n, level)
    n, alpha, floor = rows.many, rows.risk, check.limit is Limit.AT_LEAST

    def turned(share: float) -> float:
        """A share of which more is better, and back."""
        return share if floor else 1 - share

    good, limit = turned(like.value), min(max(turned(check.value), 0.0), 1.0)
    if limit <= 0:
        return replace(empty, n=like.n, reason=f"a limit of {check.value:g} allows everything")
    room = least(lambda x: share_power(n, good, good - x, alpha=alpha) >= WANTED, 0.0, good)
    harm = least(
        lambda x: share_power(n, 1 - limit + x, 1 - limit, alpha=alpha) >= WANTED, 0, limit
    )
    return replace(
        empty,
        n=like.n,
        passes=share_power(n, good, limit, alpha=alpha),
        smallest=None if room is None else turned(good - room),
        harm=None if harm is None else turned(limit - harm),
        needed_n=rows.needed(required_n_of_share(good, limit, alpha=alpha, power=WANTED))
        if good > limit
        else None,
    )
