"""What became of each bias: labels from intervals that all hold at once.

The intervals of the findings hold one at a time, and of many groups some are struck by noise. A
label therefore rests on the intervals of `kdaudit_suites.fairness.simultaneous`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kdaudit.basis import difference, own
from kdaudit.estimate import Estimate, Measurement
from kdaudit.evidence.kinds import Ints
from kdaudit.evidence.view import Evidence
from kdaudit.measure import ends
from kdaudit.results import Figure, Finding, Label, Means
from kdaudit.transfer import NEGLIGIBLE, label, sign, transfer
from kdaudit_suites.fairness.contrasts import Contrast, counted_rows
from kdaudit_suites.fairness.endpoints import FAI005, FAI007
from kdaudit_suites.fairness.simultaneous import simultaneous_level

SMALL = 50  # fewer rows are not evaluable: the default `min_n` of a check
NOT_EVALUABLE = "not evaluable"
HARMFUL = (
    "reversed",
    "introduced",
    "amplified",
    "amplified or introduced",
    "amplified, introduced or reversed",
    "less faithful",
    "more flips",
    "inherited",
    "at least inherited",
)
QUIET = ("none", "inconclusive", "no contrast established", NOT_EVALUABLE)

# Of these the teacher has no contrast of its own to pass on: the student's sign is all there is.
OF_PAIR = {
    FAI005.code: {1: "more faithful", -1: "less faithful", 0: "no contrast established"},
    FAI007.code: {1: "more flips", -1: "fewer flips", 0: "no contrast established"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A contrast with its label.

    Attributes:
        finding: the contrast, its note saying the label.
        rate: name of the rate.
        label: what became of the bias.
        teacher, student, change: simultaneous intervals; None where there are none.
        n: rows of the group in the rate's denominator.
        needed: rows the group would have to have, where it has too few.
    """

    finding: Finding
    rate: str
    label: str
    n: int
    teacher: Estimate | None = None
    student: Estimate | None = None
    change: Estimate | None = None
    needed: int | None = None


def labelled(
    contrasts: Sequence[Contrast], evidence: Evidence, rng: np.random.Generator
) -> list[Labelled]:
    """Label every contrast, in the order given.

    Args:
        contrasts: all of the suite; those of `SMALL` rows or more are the family.
        evidence: the rows they were measured on, and the level: an interval of 1 - 2 alpha errs
            with chance alpha on either side, and so does the whole family on either or both.
        rng: of the blocks and draws of the family.
    """
    alpha = (1 - evidence.level) / 2
    rows: dict[tuple[int, int], Ints] = {}
    n = []
    for one in contrasts:
        key = (id(one.rate.counts), id(one.crossing))
        if key not in rows:
            rows[key] = counted_rows(one.rate, one.crossing)
        assert one.group is not None
        n.append(int(rows[key][one.group]))
    family = [
        contrast
        for contrast, size in zip(contrasts, n, strict=True)
        if size >= SMALL and isinstance(contrast.finding.basis, Means)
    ]
    level = simultaneous_level(family, evidence, alpha, rng)
    return [
        _label(contrast, size, level, alpha) for contrast, size in zip(contrasts, n, strict=True)
    ]


def _label(contrast: Contrast, n: int, level: float, alpha: float) -> Labelled:
    finding, basis = contrast.finding, contrast.finding.basis
    plain = Labelled(
        finding=finding,
        rate=contrast.rate.name,
        label=NOT_EVALUABLE,
        n=n,
    )
    if not isinstance(basis, Means):
        few = contrast.rate.absent is None and n < SMALL
        return replace(plain, needed=SMALL if few else None)
    if n < SMALL:
        needed = _needed(finding.student, n)
        note = f"{n} rows; about {needed:,} are needed to place the contrast within five points"
        return replace(plain, finding=replace(finding, note=note), needed=needed)
    student, teacher, change = (
        own(basis, "student", level),
        own(basis, "teacher", level),
        difference(basis, "teacher", level),
    )
    assert isinstance(student, Estimate)
    assert isinstance(teacher, Estimate)
    assert isinstance(change, Estimate)
    if contrast.rate.of_pair:
        nothing = finding.teacher
        assert isinstance(nothing, Estimate)
        teacher, change = nothing, student
    code = finding.code
    if code in OF_PAIR:
        became = Label(name=OF_PAIR[code][sign(student)], about=f"{contrast.rate.name} by group")
        note = became.name
    else:
        became = label(transfer(teacher, student, change), finding.metric, basis, alpha)
        note = f"{became.about}: {became.name}"
    return replace(
        plain,
        finding=replace(finding, note=note, label=became),
        label=became.name,
        teacher=teacher,
        student=student,
        change=change,
    )


def _needed(student: Measurement, n: int) -> int:
    """Rows at which the finding's own interval, as wide as its spread makes it, is five points."""
    assert isinstance(student, Estimate)
    half = (student.high - student.low) / 2
    return max(SMALL, math.ceil(n * (half / NEGLIGIBLE) ** 2))


def label_table(found: Sequence[Labelled], evidence: Evidence) -> Figure:
    """The table of labels, harmful ones first; every interval is simultaneous."""
    share = 1 - (1 - evidence.level) / 2
    shown = [one for one in found if one.student is not None]
    shown.sort(key=lambda one: HARMFUL.index(one.label) if one.label in HARMFUL else len(HARMFUL))
    return Figure(
        name="labels",
        chart="table",
        title="What became of each bias: contrasts with the rest, intervals that with confidence "
        f"{share:.4g} all hold at once",
        columns=(
            "contrast",
            "label",
            "n",
            *(f"{who}{end}" for who in ("teacher", "student", "change") for end in ENDS),
        ),
        rows=tuple(
            (
                f"{_place(one.finding)}: {one.rate}",
                one.label,
                one.n,
                *(end for part in (one.teacher, one.student, one.change) for end in _ends(part)),
            )
            for one in shown
        ),
    )


ENDS = ("", "_low", "_high")


def pair_table(found: Sequence[Contrast], evidence: Evidence, rng: np.random.Generator) -> Figure:
    """Every two groups, those first whose gap the student widens most; intervals hold together."""
    alpha = (1 - evidence.level) / 2
    measured = [one for one in found if isinstance(one.finding.basis, Means)]
    level = simultaneous_level(measured, evidence, alpha, rng)
    rows = []
    for one in measured:
        basis = one.finding.basis
        assert isinstance(basis, Means)
        parts = (
            own(basis, "teacher", level),
            own(basis, "student", level),
            difference(basis, "teacher", level),
        )
        wider = abs(basis.mean[0]) - abs(basis.mean[1])
        ended = (end for part in parts for end in ends(part))
        rows.append((wider, (f"{_place(one.finding)}: {one.rate.name}", basis.n, *ended)))
    rows.sort(key=lambda row: (-row[0], row[1][0]))
    return Figure(
        name="pairs",
        chart="table",
        title="Every two groups: the widest change first, intervals that with confidence "
        f"{1 - alpha:.4g} all hold at once (max-T)",
        columns=(
            "pair",
            "n",
            *(f"{who}{end}" for who in ("teacher", "student", "change") for end in ENDS),
        ),
        rows=tuple(row for _, row in rows),
    )


def small_table(found: Sequence[Labelled]) -> Figure:
    """Groups with too few rows, and how many they would need."""
    return Figure(
        name="too-small",
        chart="table",
        title="Groups with too few rows: not evaluable, and the rows they need",
        columns=("group", "rate", "n", "needed"),
        rows=tuple(
            (_place(one.finding), one.rate, one.n, one.needed)
            for one in found
            if one.needed is not None
        ),
    )


def contrast_chart(code: str, found: Sequence[Labelled]) -> Figure:
    """Teacher and student of one rate, a row per group, with simultaneous intervals.

    Groups of columns crossed are many; those whose label is quiet are left to the table of labels.
    """
    members = [one for one in found if one.finding.code == code]
    endpoint = members[0].finding
    members = [one for one in members if len(one.finding.where) == 1 or one.label not in QUIET]
    return Figure(
        name=code,
        chart="contrasts",
        title=f"{endpoint.metric.capitalize()}, {endpoint.unit}: teacher and student",
        columns=(
            "label",
            "n",
            "teacher",
            "teacher_low",
            "teacher_high",
            "student",
            "student_low",
            "student_high",
            "verdict",
        ),
        rows=tuple(
            (
                _place(one.finding),
                one.n,
                *_ends(one.teacher),
                *_ends(one.student),
                one.label,
            )
            for one in members
        ),
    )


def _place(finding: Finding) -> str:
    return ", ".join(f"{column} = {value}" for column, value in finding.where)


def _ends(part: Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if part is None else ends(part)
