"""May the student ship, and why: the sentence everything else on the card supports."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kdaudit.errors import ExitCode
from kdaudit.results import WORST_FIRST, Outcome, Results
from kdaudit_reports import words
from kdaudit_reports.contract import Clause, Line
from kdaudit_reports.index import Index
from kdaudit_reports.text import line, listing, plural, sentence

MOST, MOST_MET = 6, 4  # reasons on the first screen, where some are open and where all are met


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One line of why: a crash, a blocking check not met, or, where all are met, each of them."""

    outcome: Outcome
    word: str
    code: str
    anchor: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The decision and what it says of itself.

    Attributes:
        tone: ``pass``, ``fail``, ``open`` or ``none``; chooses symbol and colour.
        headline: the decision in one sentence, without a full stop.
        detail: the checks counted.
        reasons: worst first.
        more: how many reasons are left to the contract's table, or empty.
        warnings: checks that do not block and are not met, or empty.
    """

    tone: str
    headline: str
    detail: str
    reasons: tuple[Reason, ...]
    more: str
    warnings: str


def decision(results: Results, clauses: Sequence[Clause], index: Index) -> Decision:
    """Say what the exit code says, and why."""
    clauses = [clause for clause in clauses if not _waits(results, clause)]
    blocking = [clause for clause in clauses if clause.blocking]
    ranked = sorted(blocking, key=lambda clause: WORST_FIRST.index(clause.outcome))
    unmet = [clause for clause in ranked if clause.outcome is not Outcome.PASS]
    # Where all are met, what was met is the reason.
    reasons = [*_crashes(results, index), *map(_reason, unmet or ranked)]
    most = MOST if unmet else MOST_MET
    say = _headline if results.only is None else _headline_of_one
    tone, headline = say(results, len(unmet), len(blocking))
    warned = [c for c in clauses if not c.blocking and c.outcome is not Outcome.PASS]
    return Decision(
        tone=tone,
        headline=headline,
        detail=_detail(blocking),
        reasons=tuple(reasons[:most]),
        more=f"{len(reasons) - most:,} more in the contract below." if len(reasons) > most else "",
        warnings=_warnings(warned),
    )


def _waits(results: Results, clause: Clause) -> bool:
    """Whether a check waits for a student, where the teacher was audited alone."""
    undecided = clause.outcome is Outcome.NOT_EVALUABLE and not clause.stops
    return results.only is not None and undecided


def _headline(results: Results, unmet: int, blocking: int) -> tuple[str, str]:
    checks = plural(blocking, "blocking check")
    are = "is" if unmet == 1 else "are"
    crashed = [line(suite.suite) for suite in results.suites if suite.error is not None]
    if results.outcome is Outcome.ERROR or results.exit_code == ExitCode.CRASHED:
        whose = f"the {listing(crashed)} suite" if len(crashed) == 1 else listing(crashed)
        return "open", f"Not decided: {whose or 'a suite'} crashed"
    if not any(check.declared for check in results.contract):
        return "none", "No contract declared, so nothing was decided"
    if results.exit_code == ExitCode.MET and unmet:
        allowed = "" if results.policy is None else f", as policy {results.policy} allows"
        return "open", f"May ship with a warning: {unmet:,} of {checks} {are} not met{allowed}"
    if results.outcome is Outcome.FAIL:
        return "fail", f"Do not ship: {unmet:,} of {checks} {are} not met"
    if results.outcome is Outcome.PASS and results.exit_code == ExitCode.MET:
        met = f"all {checks} are met" if blocking > 1 else f"the {checks[2:]} is met"
        return "pass", f"May ship: {met}" if blocking else "May ship: no check was set to block"
    return "open", f"Not decided: {unmet:,} of {checks} {are} open"


def _headline_of_one(results: Results, unmet: int, blocking: int) -> tuple[str, str]:
    """Of the teacher alone: nothing is said of shipping."""
    checks, are = plural(blocking, "blocking check"), "is" if unmet == 1 else "are"
    if results.outcome is Outcome.ERROR or results.exit_code == ExitCode.CRASHED:
        return _headline(results, unmet, blocking)
    if results.outcome is Outcome.FAIL:
        return "fail", f"The teacher misses fixed limits: {unmet:,} of {checks} {are} not met"
    if results.outcome is Outcome.PASS:
        return "pass", "The teacher meets the fixed limits; no student was audited"
    if not unmet:
        return "none", "No fixed limit could be held against the teacher alone"
    return "open", f"Not decided for the teacher: {unmet:,} of {checks} {are} open"


def _detail(blocking: Sequence[Clause]) -> str:
    counts = Counter(clause.outcome for clause in blocking)
    told = [
        f"{counts[outcome]:,} {words.COUNTED[outcome]}"
        for outcome in WORST_FIRST
        if counts[outcome]
    ]
    return f"Blocking checks: {', '.join(told)}." if told else "No check can block."


def _crashes(results: Results, index: Index) -> Iterator[Reason]:
    for suite in results.suites:
        if suite.error is not None:
            yield Reason(
                outcome=Outcome.ERROR,
                word=words.OUTCOMES[Outcome.ERROR],
                code=line(suite.suite),
                anchor=index.sections[suite.suite],
                text=sentence(f"the suite crashed: {line(suite.error, 300)}"),
            )


def _reason(clause: Clause) -> Reason:
    met = clause.outcome is Outcome.PASS
    ranked = (*clause.passed, *clause.open) if met else (*clause.open, *clause.passed)
    first = next(iter(ranked), None)
    return Reason(
        outcome=clause.outcome,
        word=clause.word,
        code=clause.code if clause.grouped or first is None else first.address,
        anchor=clause.anchor,
        text=sentence(_because(clause, first)),
    )


def _because(clause: Clause, first: Line | None) -> str:
    if first is None:
        return f"{clause.metric}: no verdict was recorded"
    known = first.n and first.outcome is not Outcome.NOT_EVALUABLE
    told = f"{first.measured} {first.quantity}; {clause.limit}" if known else first.reason
    if known and first.aside:
        told = f"{told} ({first.aside})"
    if not clause.grouped:
        return f"{clause.metric}: {told}"
    groups = plural(len(clause.open) + len(clause.passed), "group")
    head = f"{clause.metric}, for each {clause.by}: of {groups}, {clause.tally}"
    which = "Nearest to its limit" if clause.outcome is Outcome.PASS else "Worst"
    return f"{head}. {which}: {first.place or first.address}, {told}"


def _warnings(warned: Sequence[Clause]) -> str:
    if not warned:
        return ""
    codes = listing(dict.fromkeys(clause.code for clause in warned))
    are = "is" if len(warned) == 1 else "are"
    return f"{plural(len(warned), 'check')} that cannot block {are} not met either: {codes}."
