"""Slices: who is hurt where the average is not?

Distillation can cost rare classes and small slices much more than the average shows, and teacher
errors there are transferred and amplified (Lukasik et al. 2021).

Findings
    SLC001[COLUMN=VALUE]     accuracy in a declared slice (higher is better)
    SLC002[label=CLASS]      recall of a class (higher)
    SLC003[frequency=PART]   accuracy on head, torso and tail classes: thirds of the training rows,
                             from the most to the least frequent class (higher)

Options
    none; slices are the columns named under ``[data] slices``

Source
    Tango 1998; the three frequency parts follow the usage of long-tailed recognition.

Limits
    Only declared slices are looked at. Accuracy on the slice an unlucky draw made worst looks worse
    than it is: differences are the ones to read. Without transfer rows, frequency parts are taken
    from the audited rows, and the note says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kdaudit.estimate import Estimate
from kdaudit.evidence.kinds import Ints
from kdaudit.evidence.view import Evidence, Rows, Streams, crossed
from kdaudit.measure import correctness, ends, mean_findings, not_measured, result
from kdaudit.results import Better, Endpoint, Figure, Finding, Need, SuiteResult

SLC001 = Endpoint(
    code="SLC001",
    metric="accuracy in the slice",
    unit="share of rows",
    better=Better.HIGHER,
    keys=("@slices",),
)
SLC002 = Endpoint(
    code="SLC002",
    metric="class recall",
    unit="share of rows",
    better=Better.HIGHER,
    keys=("label",),
)
SLC003 = Endpoint(
    code="SLC003",
    metric="accuracy by class frequency",
    unit="share of rows",
    better=Better.HIGHER,
    keys=("frequency",),
)

PREDICTIONS = Need(kind="predictions")
PARTS = ("head", "torso", "tail")


@dataclass(frozen=True, slots=True)
class Slices:
    """The suite; it has no options."""

    name: ClassVar[str] = "slices"
    codes: ClassVar[tuple[Endpoint, ...]] = (SLC001, SLC002, SLC003)

    def needs(self) -> tuple[Need, ...]:
        """Predictions on the audit split."""
        return (PREDICTIONS,)

    def run(self, evidence: Evidence, streams: Streams) -> SuiteResult:
        """Measure; see the module's page."""
        del streams  # every interval here is analytic
        if evidence.unlabelled is not None:
            reason = evidence.unlabelled.reason
            return result(self, [not_measured(endpoint, (), reason) for endpoint in self.codes])
        scores = correctness(evidence, PREDICTIONS)
        rows = evidence.rows
        findings: dict[str, list[Finding]] = {}
        for endpoint, codes, wheres, note in _groups(rows):
            findings.setdefault(endpoint.code, []).extend(
                mean_findings(endpoint, evidence, scores, codes=codes, wheres=wheres, note=note)
            )
        figures = [
            _intervals(endpoint, findings[endpoint.code])
            for endpoint in self.codes
            if findings.get(endpoint.code)
        ]
        return result(self, [f for some in findings.values() for f in some], figures)


def _groups(
    rows: Rows,
) -> Iterator[tuple[Endpoint, Ints, tuple[tuple[tuple[str, str], ...], ...], str]]:
    """Endpoint, (N,) group codes, the address of each group, and a note."""
    for columns in rows.slices:
        codes, wheres = crossed(rows, columns)
        yield SLC001, codes, wheres, ""
    yield SLC002, rows.label, tuple((("label", name),) for name in rows.classes), ""
    if len(rows.classes) > 2:
        part, note = _frequency(rows)
        codes = np.where(rows.label >= 0, part[rows.label], -1)
        yield SLC003, codes, tuple((("frequency", name),) for name in PARTS), note


def _frequency(rows: Rows) -> tuple[Ints, str]:
    """(C,) 0 head, 1 torso, 2 tail: thirds of the training rows by falling class frequency."""
    counts, note = rows.training_counts, ""
    if counts is None:
        counts = np.bincount(rows.label[rows.label >= 0], minlength=len(rows.classes))
        note = "there are no transfer rows: frequency is that of the audited rows"
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    part = np.empty(len(counts), dtype=np.int64)
    part[order] = np.minimum(3 * before // max(int(counts.sum()), 1), 2)
    return part, note


def _intervals(endpoint: Endpoint, findings: list[Finding]) -> Figure:
    return Figure(
        name=endpoint.code,
        chart="intervals",
        title=f"{endpoint.metric.capitalize()}, student and teacher",
        columns=(
            "label",
            "n",
            "student",
            "student_low",
            "student_high",
            "teacher",
            "teacher_low",
            "teacher_high",
        ),
        rows=tuple(
            (
                ", ".join(f"{column} = {value}" for column, value in finding.where),
                finding.student.n if isinstance(finding.student, Estimate) else 0,
                *ends(finding.student),
                *ends(finding.teacher),
            )
            for finding in findings
        ),
    )
