"""Pictures to look at, not to decide by: margins of the teacher, disagreements, derived columns."""

from itertools import pairwise

import numpy as np

from kdaudit.estimate import Estimate
from kdaudit.evidence.kinds import Floats, Predictions
from kdaudit.evidence.view import Evidence, Rows
from kdaudit.measure import ends, mean_findings
from kdaudit.results import Endpoint, Figure, Finding, Need
from kdaudit.scores import Scores
from kdaudit_suites.slices.together import place

BINS = 5
EXEMPLARS = 20
TINY = 1e-12  # a probability the student put at 0 still has a finite logarithm

INTERVALS = (
    "label",
    "n",
    "student",
    "student_low",
    "student_high",
    "teacher",
    "teacher_low",
    "teacher_high",
)


def intervals(name: str, title: str, findings: list[Finding]) -> Figure:
    """Student and teacher side by side, in the order given."""
    return Figure(
        name=name,
        chart="intervals",
        title=title,
        columns=INTERVALS,
        rows=tuple(
            (
                place(finding.where),
                finding.student.n if isinstance(finding.student, Estimate) else 0,
                *ends(finding.student),
                *ends(finding.teacher),
            )
            for finding in findings
        ),
    )


def margins(
    endpoint: Endpoint, evidence: Evidence, scores: Scores, need: Need
) -> tuple[Figure, str] | None:
    """Accuracy by how sure the teacher was: five bins of equally many rows, and a caveat.

    The margin is the distance of its two largest probabilities. A bin chosen by what the teacher
    says flatters or slanders the teacher (regression to the mean), so no check can rest on it.
    """
    teacher = evidence[need].teacher
    if not isinstance(teacher, Predictions) or teacher.probabilities is None:
        return None
    if teacher.probabilities.shape[1] < 2 or not teacher.valid.any():
        return None
    top = np.partition(np.where(teacher.valid[:, None], teacher.probabilities, 0.0), -2, axis=1)
    margin: Floats = top[:, -1] - top[:, -2]
    inner = np.arange(1, BINS) / BINS
    edges = np.unique(np.quantile(margin[teacher.valid], inner, method="inverted_cdf"))
    codes = np.where(teacher.valid, np.searchsorted(edges, margin, side="left"), -1)
    told = [f"{edge:.3g}" for edge in edges]
    names = (
        f"at most {told[0]}",
        *(f"({low}, {high}]" for low, high in pairwise(told)),
        f"above {told[-1]}",
    )
    wheres = tuple((("teacher's margin", name),) for name in names)
    found = mean_findings(endpoint, evidence, scores, codes=codes.astype(np.int64), wheres=wheres)
    kept = [finding for finding in found if isinstance(finding.student, Estimate)]
    title = "Accuracy by the teacher's margin, p1 - p2; descriptive"
    caveat = (
        "The bins of the teacher's margin are functions of the teacher: where it was sure it looks "
        "better than it is, where it was not, worse; they are for description, and cannot be "
        "checked"
    )
    return intervals("margin", title, kept), caveat


def over_time(rows: Rows, findings: list[Finding]) -> list[Figure]:
    """Accuracy by period, for each column of periods, in the order of time."""
    figures = []
    for name, column in rows.attributes.items():
        if column.derived is None or column.derived.kind != "periods":
            continue
        order = {value: k for k, value in enumerate(column.values)}
        found = {f.where[0][1]: f for f in findings if [c for c, _ in f.where] == [name]}
        in_time = [found[value] for value in sorted(found, key=order.__getitem__)]
        title = f"Accuracy over time: {name}, {column.derived.how}"
        figures.append(intervals(f"over time: {name}", title, in_time))
    return figures


def disagreements(evidence: Evidence, need: Need) -> tuple[Figure, str] | None:
    """Rows on which the two differ most, for a person to look at; ids only.

    By the divergence KL(teacher || student) of their probabilities where both have them, else the
    first rows that only the teacher gets right.
    """
    trio, rows = evidence[need], evidence.rows
    teacher, student = trio.teacher, trio.student
    if not (isinstance(teacher, Predictions) and isinstance(student, Predictions)):
        return None
    apart = np.flatnonzero((teacher.answer != student.answer) & teacher.valid & student.valid)
    divergence: Floats | None = None
    if teacher.probabilities is None or student.probabilities is None:
        apart = apart[teacher.answer[apart] == rows.label[apart]]
        title = "Disagreements: the first rows that only the teacher gets right"
    else:
        divergence = _divergence(teacher.probabilities[apart], student.probabilities[apart])
        order = np.argsort(-divergence, kind="stable")[:EXEMPLARS]
        apart, divergence = apart[order], divergence[order]
        title = "Disagreements: rows on which student and teacher differ most"
    if not len(apart):
        return None
    table = tuple(
        (
            str(rows.ids[row]),
            _class(rows, rows.label[row]),
            _class(rows, teacher.answer[row]),
            _class(rows, student.answer[row]),
            _sure(teacher, row),
            _sure(student, row),
            None if divergence is None else float(divergence[k]),
        )
        for k, row in enumerate(apart[:EXEMPLARS].tolist())
    )
    made = Figure(
        name="disagreements",
        chart="table",
        title=title,
        columns=(
            "id",
            "label",
            "teacher",
            "student",
            "teacher's confidence",
            "student's confidence",
            "KL(teacher, student)",
        ),
        rows=table,
    )
    caveat = (
        "Rows on which the two differ most are often rows whose label is wrong: look at the label "
        "before blaming either"
    )
    return made, caveat


def _divergence(teacher: Floats, student: Floats) -> Floats:
    """(N,) KL(teacher || student) in nats."""
    p, q = np.asarray(teacher, np.float64), np.asarray(student, np.float64)
    parts = p * np.log(np.maximum(p, TINY) / np.maximum(q, TINY))
    return np.asarray(np.where(p > 0, parts, 0.0).sum(axis=1), np.float64)


def _class(rows: Rows, code: int) -> str | None:
    return rows.classes[code] if code >= 0 else None


def _sure(subject: Predictions, row: int) -> float | None:
    if subject.probabilities is None:
        return None
    return float(subject.probabilities[row, subject.answer[row]])


def made_of(rows: Rows) -> Figure | None:
    """How the columns that the data do not hold as they are were made: an auditor can redo it."""
    derived = [(name, c.derived) for name, c in sorted(rows.attributes.items()) if c.derived]
    if not derived:
        return None
    return Figure(
        name="derived",
        chart="table",
        title="Columns that were derived, and where their bands begin",
        columns=("column", "made of", "how", "bands begin at"),
        rows=tuple(
            (name, one.kind, one.how, ", ".join(map(repr, one.edges)) or None)
            for name, one in derived
        ),
    )
