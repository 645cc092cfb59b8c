"""``contrasts``: each group minus the rest, teacher above student, around the line of no bias."""

from kdaudit.results import Figure
from kdaudit_reports import words
from kdaudit_reports.format import Scale
from kdaudit_reports.plots.cells import count, span, span_text, word
from kdaudit_reports.plots.drawing import STUDENT, TEACHER, Picture, Row
from kdaudit_reports.plots.rows import row_drawing, scale_drawing, shared_axis

COLUMNS = (
    "label",
    "n",
    "teacher",
    "teacher_low",
    "teacher_high",
    "student",
    "student_low",
    "student_high",
    "verdict",
)
MOST = 60
ABSENT = "not evaluable"


def draw(figure: Figure, ident: str, scale: Scale) -> Picture:
    """All rows, or of very many those with a label that needs reading first."""
    ranked = sorted(figure.rows, key=lambda row: _rank(word(row[8])))
    kept = list(figure.rows) if len(figure.rows) <= MOST else ranked[:MOST]
    axis = shared_axis([span(part) for row in kept for part in (row[2:5], row[5:8])], 0.0)
    rows = []
    for index, row in enumerate(kept):
        teacher, student = span(row[2:5]), span(row[5:8])
        told = [span_text(s, scale, ABSENT) for s in (teacher, student)]
        verdict, label = word(row[8]), word(row[0])
        drawing = row_drawing(
            f"{ident}-{index}",
            (label, f"Teacher {told[0]}, student {told[1]}, n = {count(row[1])}: {verdict}."),
            axis,
            (("teacher", teacher), ("student", student)),
            zero=0.0,
        )
        drawn = bool(student.numbers() or teacher.numbers())
        rows.append(
            Row(
                label=label,
                n=count(row[1]),
                cells=(("teacher", told[0]), ("student", told[1])),
                drawing=drawing if drawn else None,
                word=verdict,
                word_css=words.BIAS.get(verdict, "unknown"),
            )
        )
    left = len(figure.rows) - len(kept)
    return Picture(
        title=figure.title,
        form="rows",
        keys=(TEACHER, STUDENT),
        columns=("", "n", "teacher", "student", "bias"),
        rows=tuple(rows),
        axis=scale_drawing(f"{ident}-axis", axis, scale, 0.0) if rows else None,
        worded=True,
        note=f"{MOST} rows, harmful labels first; {left:,} more are in results.json."
        if left
        else "",
    )


def _rank(verdict: str) -> int:
    order = ("worse", "same", "unknown", "better", "quiet")
    return order.index(words.BIAS.get(verdict, "unknown"))
