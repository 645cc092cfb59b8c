"""A check in plain language, and the unit its limit is printed in."""

from dataclasses import replace

from kdaudit.results import Better, Check, Finding, Limit, Where
from kdaudit_reports import words
from kdaudit_reports.format import (
    SHARE,
    Scale,
    difference_of,
    limit_text,
    scale_of,
)
from kdaudit_reports.text import line, listing


def statement(check: Check, finding: Finding | None, who: str = "student") -> str:
    """What was agreed, in one sentence a release manager can read.

    Args:
        check: the declared limit.
        finding: any finding of its code, for the metric's name and unit; None if none was made.
        who: whose number is held.

    >>> from kdaudit.results import Check, Limit
    >>> statement(Check(code="ACC001", limit=Limit.MARGIN, value=0.01), None)
    "The student's accuracy may be at most 1.0 point below the teacher's."
    """
    name = metric(check.code, finding)
    better = _better(check.code, finding)
    limit = agreed(check, finding)
    reference = f"the {check.against}'s"
    size = " in size" if better is Better.ZERO else ""
    match check.limit:
        case Limit.MARGIN if better is Better.ZERO:
            claim = f"may lie at most {limit} further from zero than {reference}"
        case Limit.MARGIN:
            side = "below" if better is Better.HIGHER else "above"
            claim = f"may be at most {limit} {side} {reference}"
        case Limit.KEEP:
            claim = f"must keep at least {limit} of {reference}"
        case Limit.AT_MOST:
            claim = f"may be at most {limit}{size}"
        case Limit.AT_LEAST:
            claim = f"must be at least {limit}"
    opening = scope(check)
    subject = f"{'the' if opening else 'The'} {who}'s {name}"
    return f"{opening}{subject} {claim}."


def scope(check: Check) -> str:
    """Which rows a check speaks of: empty for all of them."""
    if check.where:
        return f"Where {place(check.where)}, "
    if check.each:
        columns = " and ".join(line(column) for column in check.each)
        kind = "combination" if len(check.each) > 1 else "value"
        return f"For each {kind} of {columns}, "
    return ""


def place(where: Where) -> str:
    """An address as words.

    >>> place((("age_band", "60+"), ("channel", "web")))
    'age_band = 60+ and channel = web'
    """
    return listing((f"{line(column)} = {line(value)}" for column, value in where), most=9)


def agreed(check: Check, finding: Finding | None) -> str:
    """The limit as text, with its unit."""
    return limit_text(check.value, scale(check, finding), signed=False)


def scale(check: Check, finding: Finding | None) -> Scale:
    """The scale of what is held against a check's limit."""
    if check.limit is Limit.KEEP:
        return SHARE
    unit = finding.unit if finding is not None else _known(check.code).unit
    own = scale_of(unit, _better(check.code, finding), largest=abs(check.value))
    # A margin holds a difference; other limits hold a value, or the size of a contrast.
    held = difference_of(own) if check.limit is Limit.MARGIN else own
    return replace(held, signed=False)


def metric(code: str, finding: Finding | None) -> str:
    """The name of what a code measures."""
    return line(finding.metric) if finding is not None else _known(code).metric


def _better(code: str, finding: Finding | None) -> Better:
    return finding.better if finding is not None else _known(code).better


def _known(code: str) -> words.Endpoint:
    unknown = words.Endpoint(f"{line(code)} value", "", Better.HIGHER)
    return words.ENDPOINTS.get(code, unknown)
