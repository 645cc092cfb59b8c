"""The contract as it was declared, with what became of each line."""

import math
from collections import Counter
from dataclasses import dataclass, replace

from kdaudit.estimate import Estimate
from kdaudit.results import WORST_FIRST, Check, Limit, Outcome, Results, Severity, Verdict
from kdaudit_reports import limits, words
from kdaudit_reports.advice import TEACHER, next_step
from kdaudit_reports.held import allowed, is_floor, measured_text, pictures, quantity
from kdaudit_reports.index import Index
from kdaudit_reports.plots.drawing import Drawing
from kdaudit_reports.text import PROSE, line, plural, sentence

DRAWN = 40  # members of one check that get a picture and advice; the others are numbers only
BUDGET = 800  # lines of all checks; the worst come first and the rest is counted
SHORT = 8  # members that passed and are shown unfolded


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One verdict, ready to print.

    Attributes:
        aside: why an interval beyond the limit has not decided, or empty.
    """

    outcome: Outcome
    word: str
    address: str
    target: str
    place: str
    measured: str
    quantity: str
    aside: str
    n: str
    reason: str
    advice: str
    blocks: bool
    picture: Drawing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One check and its lines; those not passed come first.

    Attributes:
        number: position in the audit file, from 1.
        quantity: what the measured numbers are, read after them: "worse than the teacher's".
        limit: what is allowed or required, with its unit.
        by: the columns its members are values of, or empty.
        blocking: whether the check can stop a release.
        stops: whether it does.
        tally: outcomes of many members, counted.
    """

    number: int
    anchor: str
    code: str
    metric: str
    outcome: Outcome
    word: str
    statement: str
    quantity: str
    limit: str
    by: str
    severity: str
    blocking: bool
    stops: bool
    default: bool
    grouped: bool
    tally: str
    open: tuple[Line, ...]
    passed: tuple[Line, ...]
    folded: bool
    passed_summary: str
    drawn: bool
    hidden: int
    left: str


def clauses(results: Results, index: Index, room: float = 1.0) -> tuple[Clause, ...]:
    """All checks in the order of the audit file, with at most ``room`` of the usual lines."""
    members: dict[int, list[Verdict]] = {number: [] for number in range(len(results.contract))}
    for verdict in results.verdicts:
        members[verdict.check].append(verdict)
    each = max(int(BUDGET * room) // max(len(results.contract), 1), 1)
    made = tuple(
        _clause(number, check, members[number], index, each, _whose(results, check))
        for number, check in enumerate(results.contract)
    )
    return made if results.only is None else tuple(map(_of_one, made))


def _of_one(clause: Clause) -> Clause:
    """Advice on a student is none on the teacher."""
    told = tuple(
        replace(x, advice=TEACHER if x.outcome is Outcome.FAIL else x.advice if x.blocks else "")
        for x in clause.open
    )
    return replace(clause, open=told)


def _whose(results: Results, check: Check) -> str:
    fixed = check.limit in (Limit.AT_MOST, Limit.AT_LEAST)
    return results.only if results.only is not None and fixed else "student"


def outcome_of(verdicts: list[Verdict]) -> Outcome:
    """The outcome of a check: its worst member, small ones that only became limitations aside."""
    told = [v for v in verdicts if v.outcome is not Outcome.NOT_EVALUABLE or v.blocks] or verdicts
    outcomes = {verdict.outcome for verdict in told}
    return next((o for o in WORST_FIRST if o in outcomes), Outcome.NOT_EVALUABLE)


def tally(verdicts: list[Verdict]) -> str:
    """Outcomes counted, worst first: ``1 failed, 3 passed``."""
    counts = Counter(verdict.outcome for verdict in verdicts)
    return ", ".join(f"{counts[o]:,} {words.COUNTED[o]}" for o in WORST_FIRST if counts[o])


def _clause(
    number: int, check: Check, verdicts: list[Verdict], index: Index, room: int, who: str
) -> Clause:
    finding = index.example(check.code)
    outcome = outcome_of(verdicts)
    ranked = sorted(verdicts, key=lambda v: (WORST_FIRST.index(v.outcome), -_beyond(check, v)))
    drawn = pictures(f"c{number + 1}", check, ranked[:DRAWN], finding)
    lines = [
        _line(check, verdict, index, (k < DRAWN, drawn[k] if k < DRAWN else None))
        for k, verdict in enumerate(ranked[:room])
    ]
    passed = tuple(x for x in lines if x.outcome is Outcome.PASS)
    return Clause(
        number=number + 1,
        anchor=f"check-{number + 1}",
        code=line(check.code),
        metric=limits.metric(check.code, finding),
        outcome=outcome,
        word=words.OUTCOMES[outcome],
        statement=limits.statement(check, finding, who),
        quantity=quantity(check, finding),
        limit=allowed(check, finding),
        by=" and ".join(line(column) for column in check.each),
        severity=words.SEVERITIES[check.severity],
        blocking=check.severity is Severity.BLOCK,
        stops=any(verdict.blocks for verdict in verdicts),
        default=not check.declared,
        grouped=bool(check.each),
        tally=tally(verdicts),
        open=tuple(x for x in lines if x.outcome is not Outcome.PASS),
        passed=passed,
        folded=len(passed) > SHORT,
        passed_summary=f"{plural(sum(v.outcome is Outcome.PASS for v in ranked), 'group')} passed",
        drawn=any(x.picture is not None for x in passed),
        hidden=len(ranked) - len(lines),
        left=f"{len(ranked) - room:,} more members, none worse, are in results.json."
        if len(ranked) > room
        else "",
    )


def _beyond(check: Check, verdict: Verdict) -> float:
    """How far the value lies beyond its limit; what was not measured comes last."""
    if not isinstance(verdict.measured, Estimate):
        return -math.inf
    over = verdict.measured.value - verdict.limit
    return -over if is_floor(check) else over


def _aside(check: Check, verdict: Verdict) -> str:
    """What to say of an interval wholly beyond the limit that many checks leave undecided."""
    measured = verdict.measured
    if verdict.outcome is not Outcome.INCONCLUSIVE or not isinstance(measured, Estimate):
        return ""
    beyond = measured.high < verdict.limit if is_floor(check) else measured.low > verdict.limit
    return "beyond it alone, but not once all checks are allowed for" if beyond else ""


def _line(
    check: Check, verdict: Verdict, index: Index, extras: tuple[bool, Drawing | None]
) -> Line:
    advised, picture = extras
    finding = index.findings.get(verdict.address)
    told = measured_text(check, verdict, finding)
    estimate = verdict.measured if isinstance(verdict.measured, Estimate) else None
    return Line(
        outcome=verdict.outcome,
        word=words.OUTCOMES[verdict.outcome],
        address=line(verdict.address),
        target=index.anchors.get(verdict.address, ""),
        place=limits.place(finding.where) if finding is not None and finding.where else "",
        measured=told,
        quantity=quantity(check, finding, estimate),
        aside=_aside(check, verdict),
        n=f"n = {estimate.n:,}, {line(estimate.method)}" if estimate else "",
        reason=sentence(line(verdict.reason, PROSE)),
        advice=next_step(check, verdict, index) if advised else "",
        blocks=verdict.blocks,
        picture=picture,
    )
