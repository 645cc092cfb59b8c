"""A check's limit and what is measured against it, as text and as pictures."""

from collections.abc import Sequence

from kdaudit.estimate import Estimate
from kdaudit.results import Better, Check, Finding, Limit, Outcome, Verdict
from kdaudit_reports import limits
from kdaudit_reports.format import counted, measured, printed
from kdaudit_reports.plots import limit as limit_plot
from kdaudit_reports.plots.drawing import Drawing
from kdaudit_reports.text import PROSE, line


def is_floor(check: Check) -> bool:
    """Whether values above the limit are allowed, not those below."""
    return check.limit in (Limit.KEEP, Limit.AT_LEAST)


def allowed(check: Check, finding: Finding | None) -> str:
    """The limit as text: ``allowed: at most 1.0 point``."""
    bound = "required: at least" if is_floor(check) else "allowed: at most"
    return f"{bound} {limits.agreed(check, finding)}"


def quantity(check: Check, finding: Finding | None, estimate: Estimate | None = None) -> str:
    """What the number says, read after it; a negative "worse" needs saying."""
    if check.limit is Limit.KEEP:
        return f"of the {check.against}'s {limits.metric(check.code, finding)} kept"
    if check.limit is not Limit.MARGIN:
        return "measured"
    zero = finding is not None and finding.better is Better.ZERO
    told = f"{'further from zero' if zero else 'worse'} than the {check.against}'s"
    if estimate is not None and estimate.value < 0:
        told += f" (below 0 is {'nearer' if zero else 'better'})"
    return told


def measured_text(check: Check, verdict: Verdict, finding: Finding | None) -> str:
    """The number that was held against the limit, on the limit's own side."""
    return line(measured(verdict.measured, limits.scale(check, finding), [verdict.limit]), PROSE)


def pictures(
    prefix: str, check: Check, verdicts: Sequence[Verdict], finding: Finding | None
) -> list[Drawing | None]:
    """One drawing per verdict that has a number.

    Members of a group that passed stand under one another on one axis; the others stand alone.
    """
    against = limit_plot.Against(
        limit=check.value,
        floor=is_floor(check),
        label=f"limit {limits.agreed(check, finding)}",
        reference=_reference(check, finding),
    )
    together = [
        verdict.measured
        for verdict in verdicts
        if verdict.outcome is Outcome.PASS and isinstance(verdict.measured, Estimate)
    ]
    axis = limit_plot.shared_axis(together, against) if check.each else None
    drawings: list[Drawing | None] = []
    for number, verdict in enumerate(verdicts):
        if not isinstance(verdict.measured, Estimate):
            drawings.append(None)
            continue
        shared = axis if verdict.outcome is Outcome.PASS else None
        told = _told(check, verdict, verdict.measured, finding)
        drawings.append(
            limit_plot.draw(f"{prefix}-{number}", verdict.measured, against, told, shared)
        )
    return drawings


def _told(check: Check, verdict: Verdict, estimate: Estimate, finding: Finding | None) -> str:
    shown = printed(estimate, limits.scale(check, finding), [verdict.limit])
    bounds = shown.value if counted(estimate) else f"{shown.low} to {shown.high}"
    return f"Measured {shown.value}{shown.unit} ({bounds}); {allowed(check, finding)}."


def _reference(check: Check, finding: Finding | None) -> tuple[float, str] | None:
    if check.limit is Limit.MARGIN:
        far = finding is not None and finding.better is Better.ZERO
        return 0.0, f"as far from zero as the {check.against}" if far else f"= {check.against}"
    if check.limit is Limit.KEEP:
        return 1.0, f"= {check.against}"
    return None
