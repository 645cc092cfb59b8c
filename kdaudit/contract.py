"""Decide, from findings and declared limits alone, whether the student may ship.

A check passes when the harmful side of its one-sided interval stays inside its limit: an
intersection-union test, so no correction is needed to pass. It fails when weighted Holm over the
checks of its severity (`kdaudit.exceeded`) says that the limit is exceeded, however few rows there
are. Otherwise it is inconclusive, with the number of rows that would decide. Unrounded numbers
decide. Nothing measured is never a pass.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kdaudit.basis import difference, own
from kdaudit.claims import (
    Claim,
    claim_own,
    claim_share,
    claim_worse,
    exact_p_exceeded,
    resting,
)
from kdaudit.errors import ExitCode, examples, unknown
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.exceeded import Adjusted, Places, adjust
from kdaudit.needed import needed_rows
from kdaudit.results import (
    OTHER,
    POOL,
    Basis,
    Better,
    Check,
    Finding,
    Fixed,
    Limit,
    Means,
    Outcome,
    PartlyLabelled,
    Severity,
    SuiteResult,
    Table,
    Verdict,
    Where,
    address,
    together,
)

TOLERANCE = 1e-12  # bounds equal to a limit up to rounding are inside it

COMPARING = (Limit.MARGIN, Limit.KEEP)  # limits that hold a student against a reference
NEEDS_A_STUDENT = NotMeasured("it needs a student, and only the teacher was audited")
COMPLETE = Check(code="ACC003", limit=Limit.AT_MOST, value=0.001, min_n=2, declared=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Which undecided outcomes stop a release.

    Failures always do, and so does what is undecided where answers are missing, or where the
    interval of the check itself lies beyond its limit: a policy forgives too few rows, not answers
    that were left out, nor harm that only the number of checks keeps from being called a failure.
    """

    name: str | None = None
    inconclusive_blocks: bool = True
    not_evaluable_blocks: bool = True

    def blocks(self, outcome: Outcome) -> bool:
        """Whether an outcome of a blocking check keeps the contract from being met."""
        if outcome is Outcome.INCONCLUSIVE:
            return self.inconclusive_blocks
        if outcome is Outcome.NOT_EVALUABLE:
            return self.not_evaluable_blocks
        return outcome is not Outcome.PASS


STRICT = Policy()


def decide(check: Check, finding: Finding, alpha: float) -> Verdict:
    """Hold one finding against one check, before any correction for multiplicity.

    Args:
        check: the limit.
        finding: what was measured at the address.
        alpha: one-sided level.

    Returns:
        A verdict whose outcome is pass, inconclusive or not_evaluable; whether one that did not
        pass is a failure is for `judge` to say, from ``p_exceeded`` of all of them.
    """
    claim = _claim(check, finding, alpha)
    if isinstance(claim, NotMeasured):
        return Verdict(
            check=0,
            address=finding.address,
            outcome=Outcome.NOT_EVALUABLE,
            measured=claim,
            limit=check.value,
            # What could not be measured for want of rows needs more; a claim that its numbers do
            # not support, or a large group in a few clusters, does not become one by more rows.
            needed_n=check.min_n if _has_few_rows(check, finding) else None,
            p_exceeded=_p_wiped(check, finding),
            reason=claim.reason,
        )
    floor = check.limit in (Limit.KEEP, Limit.AT_LEAST)
    measured = claim.estimate
    p = claim.p_below if floor else claim.p_above
    counted = isinstance(finding.basis, Fixed) and finding.basis.level == 1
    if measured.n < check.min_n and not counted:
        return Verdict(
            check=0,
            address=finding.address,
            outcome=Outcome.NOT_EVALUABLE,
            measured=measured,
            limit=check.value,
            p_exceeded=max(p, exact_p_exceeded(check, finding)),
            needed_n=check.min_n,
            reason=f"{measured.n} rows, fewer than min_n = {check.min_n}",
        )
    inside = (
        measured.low >= check.value - TOLERANCE
        if floor
        else measured.high <= check.value + TOLERANCE
    )
    return Verdict(
        check=0,
        address=finding.address,
        outcome=Outcome.PASS if inside else Outcome.INCONCLUSIVE,
        measured=measured,
        limit=check.value,
        p_exceeded=p,
        reason=_held(check, finding, measured),
    )


def _p_wiped(check: Check, finding: Finding) -> float | None:
    """P-value that a group's limit is exceeded where all of its few units are lost, or None.

    Were the mean difference of a unit m at most, in [-1, 1], then it would be lost wholly with
    chance (1 + m)/2 at most, and all of C units with that to the power of C.
    """
    basis = finding.basis
    if not isinstance(basis, NotMeasured) or not basis.wiped or check.against != "teacher":
        return None
    if check.limit not in COMPARING:
        return None
    allowed = check.value if check.limit is Limit.MARGIN else 1 - check.value
    chance: float = min(max((1 + allowed) / 2, 0.0), 1.0) ** basis.wiped
    return chance


def _has_few_rows(check: Check, finding: Finding) -> bool:
    basis = finding.basis
    return isinstance(basis, NotMeasured) and basis.n is not None and basis.n < check.min_n


def judge(
    contract: Sequence[Check],
    suites: Sequence[SuiteResult],
    alpha: float,
    policy: Policy = STRICT,
    *,
    only: str | None = None,
) -> tuple[Verdict, ...]:
    """Decide every check of a contract.

    Args:
        contract: the checks, in order.
        suites: what was measured.
        alpha: one-sided level of every check.
        policy: which undecided outcomes block.
        only: the subject that was audited alone: checks that need a student do not block.

    Returns:
        One verdict per member, in the order of the contract and, within a check, of the findings.
    """
    owners = {code: suite for suite in suites for code in suite.codes}
    findings = [finding for suite in suites for finding in suite.findings]
    verdicts: list[Verdict] = []
    places: Places = {}
    for number, check in enumerate(contract):
        if only is not None and check.limit in COMPARING:
            verdicts.append(_not_evaluable(number, check, NEEDS_A_STUDENT.reason))
            continue
        here = members(check, findings)
        places |= {(number, finding.address): finding for finding in here}
        decided = [replace(decide(check, finding, alpha), check=number) for finding in here]
        owner = owners.get(check.code)
        if owner is not None and owner.error is not None:
            decided = [
                replace(_absent(check, number, findings), outcome=Outcome.ERROR, reason=owner.error)
            ]
        if not owners.get(check.code) and not decided:
            reason = f"it was not measured here: {unknown('check', check.code, owners)}"
            decided = [_not_evaluable(number, check, reason)]
        verdicts += decided or [_absent(check, number, findings)]
    corrected = _fail_where_shown(verdicts, contract, places, alpha)
    hidden = _hidden_by_missing_answers(findings)
    return tuple(
        replace(verdict, blocks=verdict.blocks and verdict.measured != NEEDS_A_STUDENT)
        for verdict in _mark_blocking(corrected, contract, policy, hidden, alpha)
    )


def overall(
    contract: Sequence[Check], verdicts: Sequence[Verdict], suites: Sequence[SuiteResult]
) -> tuple[Outcome, ExitCode]:
    """The outcome of the whole audit, and the exit code of the command that asked for it."""
    if any(suite.error for suite in suites):
        return Outcome.ERROR, ExitCode.CRASHED
    blocking = {verdict.outcome for verdict in verdicts if verdict.blocks}
    if Outcome.FAIL in blocking:
        return Outcome.FAIL, ExitCode.NOT_MET
    # That answers are there is no measure of them, and what cannot block promises nothing.
    measured = {
        v.check
        for v in verdicts
        if v.outcome is not Outcome.NOT_EVALUABLE
        and (contract[v.check].code != COMPLETE.code or not _others(contract))
    }
    # Whatever a policy forgives: nothing declared, or nothing measured, is never a pass.
    if not any(contract[number].declared for number in measured):
        return Outcome.NOT_EVALUABLE, ExitCode.UNDECIDED
    for outcome in (Outcome.NOT_EVALUABLE, Outcome.INCONCLUSIVE):
        if outcome in blocking:
            return outcome, ExitCode.UNDECIDED
    return Outcome.PASS, ExitCode.MET


def _others(contract: Sequence[Check]) -> bool:
    """Whether anything is declared beside that answers are there."""
    return any(check.declared and check.code != COMPLETE.code for check in contract)


def _claim(check: Check, finding: Finding, alpha: float) -> Claim | NotMeasured:
    basis, level = finding.basis, 1 - 2 * alpha
    if isinstance(basis, Fixed) and basis.level < 1 and abs(basis.level - level) > TOLERANCE:
        return NotMeasured(
            f"its interval holds at {basis.level:.4g} only, and alpha = {alpha:g} asks for "
            f"{level:.4g}; measure again"
        )
    if check.limit is Limit.MARGIN:
        return claim_worse(finding, check.against, check.value, alpha)
    if check.limit is Limit.KEEP:
        return claim_share(finding, check.against, check.value, alpha)
    return claim_own(finding, check.value, alpha)


def members(check: Check, findings: Sequence[Finding]) -> list[Finding]:
    """The findings that a check speaks of.

    Of an ``each`` also all groups of fewer than ``min_n`` rows together, where there are several.
    Each has the basis that the check's limit is held against.
    """
    findings = [resting(one, check.limit) for one in findings if one.code == check.code]
    if not check.each:
        return [f for f in findings if f.where == check.where]
    here = [one for one in findings if _columns(one.where) == sorted(check.each)]
    pool = together(check.each, check.min_n)
    found = [one for one in here if one.where == pool or not _is_pool(one.where)]
    if pool not in {one.where for one in found}:
        small = [one for one in found if 0 < _rows(one) < check.min_n]
        if len(small) > 1 and not any(isinstance(one.basis, Fixed) for one in small):
            # Where any group has clusters, a cluster may lie in several of them.
            counted = all(isinstance(one.basis, Table | NotMeasured) for one in here)
            found.append(_pooled(small, pool) if counted else _unpooled(small, pool, check.min_n))
    if check.pairs:
        both = sorted((*check.each, OTHER))
        found += [one for one in findings if _columns(one.where) == both]
    return found


def _columns(where: Where) -> list[str]:
    return [column for column, _ in where]


def _is_pool(where: Where) -> bool:
    """Whether an address is that of small groups together, as a check of some ``min_n`` has it."""
    return bool(where) and len({value for _, value in where}) == 1 and bool(POOL.match(where[0][1]))


def _rows(finding: Finding) -> int:
    basis = finding.basis
    if isinstance(basis, Table):
        return basis.n11 + basis.n10 + basis.n01 + basis.n00
    return finding.student.n if isinstance(finding.student, Estimate) else 0


def _unpooled(findings: Sequence[Finding], where: Where, min_n: int) -> Finding:
    """Small groups that were measured for another ``min_n``, and whose rows alone could tell."""
    reason = NotMeasured(
        f"{len(findings)} groups of fewer than min_n = {min_n} rows were not measured together; "
        "measure again with this min_n, or with more rows of them"
    )
    return replace(
        findings[0],
        where=where,
        student=reason,
        teacher=reason,
        baseline=reason,
        difference=reason,
        basis=reason,
        label=None,
        note="",
    )


def _pooled(findings: Sequence[Finding], where: Where) -> Finding:
    """Small groups together, of stored findings that were measured for another ``min_n``."""
    tables = [one.basis for one in findings if isinstance(one.basis, Table)]
    baselines = [table.baseline for table in tables if table.baseline is not None]
    basis = Table(
        n11=sum(table.n11 for table in tables),
        n10=sum(table.n10 for table in tables),
        n01=sum(table.n01 for table in tables),
        n00=sum(table.n00 for table in tables),
        baseline=tuple(map(sum, zip(*baselines, strict=True)))  # type: ignore[arg-type]
        if len(baselines) == len(tables)
        else None,
    )
    level = next((f.student.level for f in findings if isinstance(f.student, Estimate)), 0.9)
    return replace(
        findings[0],
        where=where,
        student=own(basis, "student", level),
        teacher=own(basis, "teacher", level),
        baseline=own(basis, "baseline", level),
        difference=difference(basis, "teacher", level),
        basis=basis,
        label=None,
        note="",
    )


def _absent(check: Check, number: int, findings: Sequence[Finding]) -> Verdict:
    place = _place(check)
    reason = f"nothing was measured at {place}"
    said = [
        finding.basis.reason
        for finding in findings
        if finding.code == check.code
        and isinstance(finding.basis, NotMeasured)
        and _columns(finding.where) in ([], sorted(check.each))
    ]
    if said:
        reason = f"{reason}: {said[0]}"
    if check.where:
        asked = " and ".join(f"{column} = {value!r}" for column, value in check.where)
        columns = [column for column, _ in check.where]
        known = [
            ", ".join(value for _, value in finding.where)
            for finding in findings
            if finding.code == check.code and _columns(finding.where) == columns
        ]
        shown = f"; measured: {examples(known, 8)}" if known else ""
        reason = f"no row of the audit split has {asked}{shown}"
    return _not_evaluable(number, check, reason)


def _not_evaluable(number: int, check: Check, reason: str) -> Verdict:
    return Verdict(
        check=number,
        address=_place(check),
        outcome=Outcome.NOT_EVALUABLE,
        measured=NotMeasured(reason),
        limit=check.value,
        reason=reason,
    )


def _place(check: Check) -> str:
    return address(check.code, check.where or tuple((column, "*") for column in check.each))


def _fail_where_shown(
    verdicts: Sequence[Verdict],
    contract: Sequence[Check],
    places: Places,
    alpha: float,
) -> list[Verdict]:
    """Failures, and what is said of the checks that are left open."""
    decided = list(verdicts)
    for severity in Severity:
        family = [
            i for i, verdict in enumerate(decided) if contract[verdict.check].severity is severity
        ]
        some = [decided[i] for i in family]
        adjusted = adjust(some, places, alpha)
        for i, found in zip(family, adjusted, strict=True):
            if found is not None and decided[i].outcome is not Outcome.PASS:
                decided[i] = _closed(decided[i], found, contract, places, alpha)
    return decided


def _closed(
    verdict: Verdict,
    adjusted: Adjusted,
    contract: Sequence[Check],
    places: Places,
    alpha: float,
) -> Verdict:
    """A verdict that did not pass, with what is shown of it, or what would show it."""
    check, finding = contract[verdict.check], places[verdict.check, verdict.address]
    assert isinstance(verdict.measured, Estimate)
    small = verdict.outcome is Outcome.NOT_EVALUABLE
    told = f"p = {adjusted.p:.3g}"
    if adjusted.tests > 1:
        told = f"Holm p = {adjusted.p:.3g} over {adjusted.tests}"
    if adjusted.p <= alpha * (1 + TOLERANCE):
        sentence = f"{_held(check, finding, verdict.measured)}; beyond the limit ({told})"
        few = f", in {verdict.measured.n} rows" if small else ""
        return replace(verdict, outcome=Outcome.FAIL, needed_n=None, reason=sentence + few)
    needed = needed_rows(check, finding, verdict.measured, alpha, adjusted.share)
    if small:
        enough = max(check.min_n, needed or 0)
        reason = f"{verdict.reason}; about {enough:,} rows like these are needed"
        return replace(verdict, needed_n=enough, reason=reason)
    return replace(
        verdict,
        needed_n=needed,
        reason=f"{verdict.reason}; not decided ({told}); {_way_out(check, verdict, needed)}",
    )


def _way_out(check: Check, verdict: Verdict, needed: int | None) -> str:
    """What would decide a check that is left open."""
    if needed is not None:
        return f"about {needed:,} rows would decide with chance 0.8, if what was seen is true"
    assert isinstance(verdict.measured, Estimate)
    floor = check.limit in (Limit.KEEP, Limit.AT_LEAST)
    # Rounded away from what was seen, so that these rows do show it.
    tightest = rounded_down(verdict.measured.low) if floor else rounded_up(verdict.measured.high)
    return (
        "not even ten times as many rows would be likely to decide; the tightest limit that these "
        f"rows show is {tightest:.3g}"
    )


def rounded_up(value: float) -> float:
    """The least number of three digits that is not below a value.

    >>> rounded_up(0.012341), rounded_up(-0.5), rounded_up(0.0)
    (0.0124, -0.5, 0.0)
    """
    if abs(value) < sys.float_info.min:
        return 0.0 if value <= 0 else sys.float_info.min
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    return float(f"{math.ceil(value / unit - 1e-9) * unit:.3g}")


def rounded_down(value: float) -> float:
    """The greatest number of three digits that is not above a value; see `rounded_up`.

    >>> rounded_down(0.012349)
    0.0123
    """
    return 0.0 - rounded_up(0.0 - value)


def _hidden_by_missing_answers(findings: Sequence[Finding]) -> frozenset[str]:
    """Addresses where answers that were not given may be why nothing could be decided."""
    incomplete = any(
        isinstance(share, Estimate) and share.value > 0
        for finding in findings
        if finding.code == COMPLETE.code
        for share in (finding.student, finding.teacher, finding.baseline)
    )
    return frozenset(
        finding.address
        for finding in findings
        if _has_filled(finding.basis)
        or _of_unknown_direction(finding)
        or (isinstance(finding.basis, NotMeasured) and (incomplete or _one_alone(finding)))
        or (isinstance(finding.basis, Fixed) and finding.basis.incomplete)
    )


def _of_unknown_direction(finding: Finding) -> bool:
    """Whether a contrast's labels tell how much it changed, and not whether for the worse."""
    basis = finding.basis
    return (
        finding.better is Better.ZERO
        and isinstance(basis, PartlyLabelled)
        and isinstance(basis.compared, Means)
        and not basis.compared.own_known
    )


def _has_filled(basis: Basis) -> bool:
    """Whether scores were put in the place of answers, or of labels, that are missing."""
    if isinstance(basis, PartlyLabelled):
        return basis.open > 0 or _has_filled(basis.compared)
    return isinstance(basis, Means) and any(basis.unknown + basis.filled)


def _one_alone(finding: Finding) -> bool:
    """Whether one of the pair gave what the other withheld, such as probabilities."""
    return isinstance(finding.student, Estimate) != isinstance(finding.teacher, Estimate)


def _mark_blocking(
    verdicts: Sequence[Verdict],
    contract: Sequence[Check],
    policy: Policy,
    hidden: frozenset[str],
    alpha: float,
) -> list[Verdict]:
    marked = []
    for verdict in verdicts:
        check = contract[verdict.check]
        alone = all(
            other.outcome is Outcome.NOT_EVALUABLE
            for other in verdicts
            if other.check == verdict.check
        )
        # Or leaving out answers, or adding checks that are met, or a group's few rows, would turn a
        # failure into what a policy forgives, or into a line of a list.
        shown = verdict.outcome is not Outcome.PASS and _is_shown(check, verdict, alpha)
        # Of many members some are small; an entry of which none can be judged, or one slice that
        # was asked for by name, is not "some".
        small = (
            verdict.outcome is Outcome.NOT_EVALUABLE
            and verdict.needed_n is not None
            and bool(check.each)
            and check.small == "list"
            and not alone
            and not shown
            and verdict.address not in hidden
        )
        applied = STRICT if shown or verdict.address in hidden else policy
        blocks = check.severity is Severity.BLOCK and not small and applied.blocks(verdict.outcome)
        marked.append(replace(verdict, blocks=blocks))
    return marked


def _is_shown(check: Check, verdict: Verdict, alpha: float) -> bool:
    """Whether a check by itself shows that its limit is exceeded."""
    measured, p = verdict.measured, verdict.p_exceeded
    if p is None:
        return False
    if not isinstance(measured, Estimate):
        return p <= alpha * (1 + TOLERANCE)
    floor = check.limit in (Limit.KEEP, Limit.AT_LEAST)
    beyond = measured.high < check.value if floor else measured.low > check.value
    return beyond or p <= alpha * (1 + TOLERANCE)


def _held(check: Check, finding: Finding, measured: Estimate) -> str:
    """What is held against the limit, in one sentence."""
    subject = {
        Limit.MARGIN: f"{finding.metric}: worse than the {check.against}'s by",
        Limit.KEEP: f"{finding.metric}: share of the {check.against}'s",
        Limit.AT_MOST: f"{finding.metric}:",
        Limit.AT_LEAST: f"{finding.metric}:",
    }[check.limit]
    bound = "at least" if check.limit in (Limit.KEEP, Limit.AT_LEAST) else "at most"
    return (
        f"{subject} {measured.value:.6g} [{measured.low:.6g}, {measured.high:.6g}], "
        f"{bound} {check.value:.6g} allowed"
    )
