"""What the measured differences mean for people who send requests: plain counts, with bounds."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.results import Better, Finding, Results
from kdaudit_reports import words
from kdaudit_reports.format import TIMES, counted, printed, scale_of
from kdaudit_reports.index import Index
from kdaudit_reports.limits import place
from kdaudit_reports.plots.cells import word
from kdaudit_reports.text import line, listing, plural

PER = 10_000
RARE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """One number people can picture.

    Attributes:
        figure: ``507 more``.
        of: ``of 10,000 requests``.
        text: the rest of the sentence, with the bounds.
        target: anchor of the finding, or empty.
        tone: ``worse``, ``better`` or ``open``.
    """

    figure: str
    of: str
    text: str
    target: str = ""
    tone: str = "open"


def consequences(results: Results, index: Index) -> tuple[Consequence, ...]:
    """At most six, the most general first; absence of the first is said, not skipped.

    Where texts were graded, HAL001 takes the place of a first that only classes have.
    """
    makers: tuple[tuple[str, Callable[[Finding], Consequence | None]], ...] = (
        ("ACC001", _wrong),
        ("ACC002", _flipped),
        ("ACC003", _unanswered),
        ("HAL001", _incorrect),
        ("HAL003", _claimed),
        ("LAT001", _faster),
    )
    if results.only is not None:
        return (_silent("only the teacher was audited"),)
    made = []
    for code, make in makers:
        finding = index.findings.get(code)
        if finding is None:
            continue
        told = make(finding)
        if code == "ACC001" and isinstance(finding.difference, NotMeasured) and _graded(index):
            continue
        if code == "HAL001" and _says_the_same(finding, index.findings.get("ACC001")):
            continue
        if told is not None:
            made.append(_placed(told, finding, index.anchors[finding.address]))
    if "ACC001" not in index.findings:
        made.insert(0, _silent("the accuracy suite reported nothing for the whole split"))
    slices, groups = _hit_hardest(index), _groups(results)
    return tuple(c for c in (*made, slices, groups) if c is not None)


def _placed(made: Consequence, finding: Finding, target: str) -> Consequence:
    if isinstance(finding.basis, NotMeasured) and not isinstance(finding.difference, NotMeasured):
        text = f"{made.text} For display only: see its note."
        return replace(made, text=text, target=target, tone="open")
    return replace(made, target=target)


def _silent(reason: str) -> Consequence:
    return Consequence(
        figure="not measured",
        of="how many more answers go wrong",
        text=f"than with the teacher: {line(reason, 200)}.",
    )


def _wrong(finding: Finding) -> Consequence | None:
    difference = finding.difference
    if isinstance(difference, NotMeasured):
        return _silent(difference.reason)
    # Fewer right is more wrong.
    return _more(_flip(difference), "go wrong than with the teacher", "")


def _says_the_same(finding: Finding, accuracy: Finding | None) -> bool:
    """Whether nobody declined, so that every answer that is not right is wrong."""
    wrong = finding.difference
    right = None if accuracy is None else accuracy.difference
    if not isinstance(wrong, Estimate) or not isinstance(right, Estimate):
        return False
    return math.isclose(wrong.value, -right.value, rel_tol=1e-9, abs_tol=1e-12)


def _graded(index: Index) -> bool:
    wrong = index.findings.get("HAL001")
    return wrong is not None and isinstance(wrong.difference, Estimate)


def _incorrect(finding: Finding) -> Consequence | None:
    if isinstance(finding.difference, NotMeasured):
        return None
    return _more(finding.difference, "are answered wrongly, not declined", "")


def _claimed(finding: Finding) -> Consequence | None:
    if isinstance(finding.difference, NotMeasured):
        return None
    text = "are claimed by a class than with the teacher"
    return _more(finding.difference, text, "out-of-scope ")


def _flipped(finding: Finding) -> Consequence | None:
    return _rate(finding, "that the teacher gets right, the student gets wrong")


def _unanswered(finding: Finding) -> Consequence | None:
    student = finding.student
    if isinstance(student, Estimate) and student.value == 0:
        return None
    return _rate(finding, "get no valid answer from the student")


def _faster(finding: Finding) -> Consequence | None:
    student = finding.difference if isinstance(finding.student, NotMeasured) else finding.student
    if isinstance(student, NotMeasured):
        return None
    scale = scale_of(finding.unit)
    if scale is not TIMES:
        return None
    shown = printed(student, scale)
    faster = student.low > 1
    return Consequence(
        figure=f"{shown.value}{shown.unit}",
        of="the teacher's speed",
        text=f"({shown.low} to {shown.high}), on the machine that was measured.",
        tone="better" if faster else "worse" if student.high < 1 else "open",
    )


def _rate(finding: Finding, text: str) -> Consequence | None:
    student = finding.student
    if isinstance(student, NotMeasured):
        return None
    per = _per(student)
    value, low, high = (round(per * x) for x in (student.value, student.low, student.high))
    bounds = "counted" if counted(student) else f"{low:,} to {high:,}"
    return Consequence(
        figure=f"{value:,}",
        of=f"of {per:,} requests",
        text=f"{text} ({bounds}).",
        tone="worse" if student.low > 0 else "open",
    )


def _more(difference: Estimate, text: str, kind: str) -> Consequence:
    per = _per(difference)
    value, low, high = (round(per * x) for x in (difference.value, difference.low, difference.high))
    direction = "more" if value >= 0 else "fewer"
    of = f"of {per:,} {kind}requests"
    if difference.low < 0 < difference.high:
        bounds = f"anything from {-low:,} fewer to {high:,} more fits the data"
        tone = "open"
    else:
        near, far = sorted((abs(low), abs(high)))
        bounds, tone = f"{near:,} to {far:,}", "worse" if difference.low >= 0 else "better"
    return Consequence(
        figure=f"{abs(value):,} {direction}", of=of, text=f"{text} ({bounds}).", tone=tone
    )


def _per(estimate: Estimate) -> int:
    """Requests to count by: more of them where the count would round to nothing."""
    largest = max(abs(estimate.low), abs(estimate.high))
    return PER if largest * PER >= 10 or largest == 0 else RARE


def _flip(estimate: Estimate) -> Estimate:
    return Estimate(
        value=-estimate.value,
        low=-estimate.high,
        high=-estimate.low,
        n=estimate.n,
        level=estimate.level,
        method=estimate.method,
    )


def _hit_hardest(index: Index) -> Consequence | None:
    worst = index.worst("SLC001")
    if worst is None or isinstance(worst.difference, NotMeasured):
        return None
    if worst.better is not Better.HIGHER or worst.difference.high >= 0:
        return None
    made = _more(_flip(worst.difference), f"go wrong where {place(worst.where)}", "")
    count = sum(f.code == "SLC001" for f in index.findings.values())
    return Consequence(
        figure=made.figure,
        of=made.of,
        text=f"{made.text} The worst of {count:,} slices: it may look worse than it is.",
        target=index.anchors[worst.address],
        tone="worse",
    )


def _groups(results: Results) -> Consequence | None:
    """Bias labels of the fairness pictures, counted."""
    labels: list[Mapping[str, str]] = []
    for suite in results.suites:
        for figure in suite.figures:
            if figure.chart != "contrasts" or "verdict" not in figure.columns:
                continue
            at, name = figure.columns.index("verdict"), figure.columns.index("label")
            labels += [{"verdict": word(r[at]), "label": word(r[name])} for r in figure.rows]
    harmful = [x for x in labels if words.BIAS.get(x["verdict"]) == "worse"]
    if not labels:
        return None
    if not harmful:
        return Consequence(
            figure="0",
            of=f"of {plural(len(labels), 'group contrast')}",
            text="are shown to be introduced, amplified or reversed by the student.",
        )
    told = listing((f"{x['label']} ({x['verdict']})" for x in harmful), most=2)
    return Consequence(
        figure=f"{len(harmful):,}",
        of=f"of {plural(len(labels), 'group contrast')}",
        text=f"are worse than the teacher's: {told}.",
        tone="worse",
    )
