"""``intervals``: student and teacher side by side, one row per slice or class."""

from collections.abc import Sequence

from kdaudit.results import Figure
from kdaudit_reports.format import Scale
from kdaudit_reports.plots.cells import Cell, count, span, span_text, word
from kdaudit_reports.plots.drawing import STUDENT, TEACHER, Picture, Row
from kdaudit_reports.plots.rows import Span, row_drawing, scale_drawing, shared_axis

COLUMNS = (
    "label",
    "n",
    "student",
    "student_low",
    "student_high",
    "teacher",
    "teacher_low",
    "teacher_high",
)
MOST = 40
ABSENT = "not evaluable"


def draw(figure: Figure, ident: str, scale: Scale) -> Picture:
    """Rows in their order; of very many, those that differ most."""
    kept = _kept(figure.rows)
    axis = shared_axis([s for row in kept for s in _spans(row)])
    rows = []
    for index, row in enumerate(kept):
        student, teacher = _spans(row)
        label, told = word(row[0]), [span_text(s, scale, ABSENT) for s in (student, teacher)]
        drawn = bool(student.numbers() or teacher.numbers())
        drawing = row_drawing(
            f"{ident}-{index}",
            (label, f"Student {told[0]}, teacher {told[1]}, n = {count(row[1])}."),
            axis,
            (("student", student), ("teacher", teacher)),
        )
        rows.append(
            Row(
                label=label,
                n=count(row[1]),
                cells=(("student", told[0]), ("teacher", told[1])),
                drawing=drawing if drawn else None,
            )
        )
    left = len(figure.rows) - len(kept)
    return Picture(
        title=figure.title,
        form="rows",
        keys=(STUDENT, TEACHER),
        columns=("", "n", "student", "teacher"),
        rows=tuple(rows),
        axis=scale_drawing(f"{ident}-axis", axis, scale, None) if rows else None,
        note=f"The {MOST} rows that differ most; {left:,} more are in results.json."
        if left
        else "",
    )


def _spans(row: Sequence[Cell]) -> tuple[Span, Span]:
    return span(row[2:5]), span(row[5:8])


def _kept(rows: Sequence[Sequence[Cell]]) -> list[Sequence[Cell]]:
    if len(rows) <= MOST:
        return list(rows)

    def apart(row: Sequence[Cell]) -> float:
        student, teacher = _spans(row)
        if student.value is None or teacher.value is None:
            return -1.0
        return abs(student.value - teacher.value)

    # sorted() is stable, so equal differences keep the suite's order.
    return sorted(rows, key=apart, reverse=True)[:MOST]
