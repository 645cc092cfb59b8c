"""One section per suite: its question, its pictures, and every number it reported."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.results import Better, Finding, Results, SuiteResult
from kdaudit_reports import words
from kdaudit_reports.format import Scale, counted, difference_of, printed, scale_of
from kdaudit_reports.index import Index, Near, harm
from kdaudit_reports.limits import place
from kdaudit_reports.plots.drawing import Picture
from kdaudit_reports.plots.figure import picture
from kdaudit_reports.text import PROSE, line, plural, sentence

LONG = 14  # findings of one code beyond this are folded away behind a summary
BUDGET = 2_400  # rows of all suites; what matters least is left to results.json
MOST_FIGURES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One measurement: a value with its interval, or why there is none, perhaps by footnote."""

    value: str
    interval: str = ""
    absent: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One finding; ``absent`` is the reason where none of its numbers was measured."""

    anchor: str
    address: str
    place: str
    note: str
    mark: str
    cells: tuple[Cell, ...]
    n: str
    method: str
    absent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """All findings of one code; ``single`` where it is one, which then needs no head."""

    label: str
    about: str
    single: bool
    summary: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmeasured:
    """Findings that share the reason why nothing of them was measured: anchors and labels."""

    reason: str
    findings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One suite on the card: families shown ``together``, and long ones ``folded`` away.

    Of several for one reason ``unmeasured`` there is a sentence, in place of a row each.
    """

    anchor: str
    name: str
    title: str
    question: str
    error: str
    subjects: tuple[str, ...]
    compared: bool
    columns: int
    together: tuple[Family, ...]
    folded: tuple[Family, ...]
    unmeasured: tuple[Unmeasured, ...]
    footnotes: tuple[tuple[str, str], ...]
    pictures: tuple[Picture, ...]
    notes: tuple[str, ...]
    left: str


def sections(results: Results, index: Index, room: float = 1.0) -> tuple[Section, ...]:
    """All suites that said something, in the order they ran, with ``room`` of the usual rows."""
    total = sum(len(suite.findings) for suite in results.suites)
    share = min(1.0, BUDGET * room / total) if total else 1.0
    return tuple(
        _section(suite, results, index, share) for suite in results.suites if not silent(suite)
    )


def silent(suite: SuiteResult) -> bool:
    """Whether a suite had nothing to measure in this audit, and nothing to say of that."""
    return not (suite.findings or suite.figures or suite.notes or suite.error)


def _section(suite: SuiteResult, results: Results, index: Index, share: float) -> Section:
    anchor = index.sections[suite.suite]
    name = line(suite.suite)
    topic = words.topic(name)
    baseline = any(subject.role == "baseline" for subject in results.subjects)
    kept = _kept(suite.findings, share, index)
    left = len(suite.findings) - len(kept)
    figures = suite.figures[:MOST_FIGURES]
    alone = results.only is not None
    marks = _footnotes(kept, baseline=baseline, alone=alone)
    frame = _Frame(
        level=1 - 2 * results.alpha,
        index=index,
        baseline=baseline,
        alone=alone,
        marks=marks,
    )
    families = [
        _family([f for f in kept if f.code == code], frame)
        for code in dict.fromkeys(finding.code for finding in kept)
    ]
    unmeasured = _unmeasured(families)
    told = {label for one in unmeasured for _, label in one.findings}
    families = [family for family in families if family.label not in told]
    return Section(
        anchor=anchor,
        name=name,
        title=topic.title,
        question=topic.question,
        error=line(suite.error, PROSE) if suite.error is not None else "",
        subjects=_subjects(results, baseline=baseline),
        compared=results.only is None,
        columns=6 + baseline - 2 * (results.only is not None),
        together=tuple(family for family in families if len(family.rows) <= LONG),
        folded=tuple(family for family in families if len(family.rows) > LONG),
        unmeasured=unmeasured,
        footnotes=tuple((mark, sentence(told)) for told, mark in marks.items()),
        pictures=tuple(
            picture(figure, f"{anchor}-p{number}", suite.findings)
            for number, figure in enumerate(figures)
        ),
        notes=tuple(sentence(line(note, PROSE)) for note in suite.notes),
        left=f"{plural(left, 'finding')} with the least harm shown in results.json only."
        if left
        else "",
    )


def _unmeasured(families: Sequence[Family]) -> tuple[Unmeasured, ...]:
    """Families of one finding of which nothing was measured, by reason; of two at least."""
    reasons: dict[str, list[tuple[str, str]]] = {}
    for family in families:
        if family.single and family.rows[0].absent:
            found = (family.rows[0].anchor, family.label)
            reasons.setdefault(family.rows[0].absent, []).append(found)
    return tuple(
        Unmeasured(reason=reason, findings=tuple(found))
        for reason, found in reasons.items()
        if len(found) > 1
    )


def _subjects(results: Results, *, baseline: bool) -> tuple[str, ...]:
    if results.only is not None:
        return (results.only,)
    return ("student", "teacher", *(("baseline",) if baseline else ()))


def _kept(findings: Sequence[Finding], share: float, index: Index) -> list[Finding]:
    """All findings; of too many for one file, those the contract names and the most harmful."""
    room = int(len(findings) * share)
    if room >= len(findings):
        return list(findings)
    ranked = sorted(
        range(len(findings)),
        key=lambda k: (findings[k].address not in index.near, -harm(findings[k]), k),
    )
    return [findings[k] for k in sorted(ranked[:room])]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """What all rows of a section share."""

    level: float
    index: Index
    baseline: bool
    alone: bool
    marks: Mapping[str, str]


def _footnotes(findings: Sequence[Finding], *, baseline: bool, alone: bool) -> dict[str, str]:
    """Letters for reasons and notes that would otherwise be printed again and again."""
    rows = [
        (f.student,)
        if alone
        else (f.student, f.teacher, f.difference, *((f.baseline,) if baseline else ()))
        for f in findings
    ]
    reasons = Counter(
        line(side.reason, PROSE)
        for sides in rows
        if not _absent(sides)  # then the reason stands in the row, without a mark
        for side in sides
        if isinstance(side, NotMeasured)
    )
    notes = Counter(line(finding.note, PROSE) for finding in findings if finding.note)
    often = [f"not measured: {reason}" for reason, times in reasons.items() if times > 2]
    often += [note for note, times in notes.items() if times > 1]
    return dict(zip(often, ascii_lowercase, strict=False))


def _absent(sides: Sequence[Measurement]) -> str:
    """The one reason why none of a finding's numbers was measured; empty if any was."""
    reasons = {side.reason for side in sides if isinstance(side, NotMeasured)}
    nothing = len(reasons) == 1 and all(isinstance(side, NotMeasured) for side in sides)
    return line(reasons.pop(), PROSE) if nothing else ""


def _family(findings: Sequence[Finding], frame: _Frame) -> Family:
    first = findings[0]
    values = [
        abs(side.value)
        for finding in findings
        for side in (finding.student, finding.teacher)
        if isinstance(side, Estimate)
    ]
    scale = scale_of(first.unit, first.better, largest=max(values, default=0.0))
    return Family(
        label=f"{line(first.code)} {line(first.metric)}",
        about=f"{line(first.unit)}; {words.BETTER[first.better]}",
        single=len(findings) == 1 and not first.where,
        summary=_summary(findings),
        rows=tuple(_row(finding, scale, frame) for finding in findings),
    )


def _summary(findings: Sequence[Finding]) -> str:
    """What a reader who does not unfold the family should still know."""
    worst = max(findings, key=harm)
    absent = sum(isinstance(f.difference, NotMeasured) for f in findings)
    told = plural(len(findings), "finding")
    if harm(worst) > 0:
        told += f"; the student loses most where {place(worst.where) or 'all rows are counted'}"
    return told + (f"; {absent:,} without a measured difference" if absent else "")


def _row(finding: Finding, scale: Scale, frame: _Frame) -> Row:
    near = frame.index.near.get(finding.address, Near())
    note = line(finding.note, PROSE)
    sides: list[tuple[Measurement, Scale, tuple[float, ...]]] = [
        (finding.student, scale, near.student),
        (finding.teacher, scale, ()),
        *([(finding.baseline, scale, ())] if frame.baseline else []),
        (finding.difference, _difference(scale, finding.better), near.difference),
    ]
    if frame.alone:
        sides = sides[:1]  # the teacher stands in the student's place, and nobody beside it
    known = [m for m, _, _ in sides if isinstance(m, Estimate)]
    return Row(
        anchor=frame.index.anchors[finding.address],
        address=line(finding.address),
        place=place(finding.where),
        note=sentence(note) if note not in frame.marks else "",
        mark=frame.marks.get(note, ""),
        cells=tuple(_cell(m, s, limits, frame) for m, s, limits in sides),
        n=" / ".join(f"{n:,}" for n in dict.fromkeys(m.n for m in known)),
        method=_method(finding),
        absent=_absent([m for m, _, _ in sides]),
    )


def _difference(scale: Scale, better: Better) -> Scale:
    return scale if better is Better.ZERO else difference_of(scale)


def _cell(measurement: Measurement, scale: Scale, limits: tuple[float, ...], frame: _Frame) -> Cell:
    if isinstance(measurement, NotMeasured):
        reason = line(measurement.reason, PROSE)
        return Cell(value="", absent=reason, mark=frame.marks.get(f"not measured: {reason}", ""))
    shown = printed(measurement, scale, limits)
    interval = "counted" if counted(measurement) else f"{shown.low} to {shown.high}"
    if measurement.level < 1 and abs(measurement.level - frame.level) > 1e-9:
        interval += f" ({measurement.level:.3g} level)"
    return Cell(value=f"{shown.value}{shown.unit}", interval=interval)


def _method(finding: Finding) -> str:
    """Method of the difference first; that of the values where it is another."""
    own = {m.method for m in (finding.student, finding.teacher) if isinstance(m, Estimate)}
    if isinstance(finding.difference, NotMeasured):
        return line(", ".join(sorted(own)), 200)
    other = sorted(own - {finding.difference.method})
    told = f"{finding.difference.method}; values {', '.join(other)}"
    return line(told if other else finding.difference.method, 200)
