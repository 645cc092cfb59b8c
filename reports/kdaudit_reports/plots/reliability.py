"""``reliability``: said confidence against accuracy per bin, one panel per subject."""

from collections.abc import Sequence

from kdaudit.results import Figure
from kdaudit_reports.format import SHARE, Scale, tick
from kdaudit_reports.plots.cells import Cell, count, real, word
from kdaudit_reports.plots.drawing import (
    SYMBOLS,
    Box,
    Drawing,
    Key,
    Label,
    Line,
    Mark,
    Picture,
    Shape,
    number,
    percent,
)

COLUMNS = ("subject", "confidence", "accuracy", "low", "high", "n")
SIDE, LEFT, TOP, BOTTOM = 264.0, 0.13, 10.0, 214.0
BARS = 236.0


def draw(figure: Figure, ident: str, _scale: Scale) -> Picture:
    """One square panel per subject, in the suite's order."""
    subjects = list(dict.fromkeys(word(row[0]) for row in figure.rows))
    panels = tuple(
        _panel(f"{ident}-{index}", subject, [r for r in figure.rows if word(r[0]) == subject])
        for index, subject in enumerate(subjects[:6])
    )
    return Picture(
        title=figure.title,
        form="panels",
        panels=panels,
        keys=(
            Key(css="diagonal", text="confidence that means what it says"),
            Key(css="bars", text="rows in the bin"),
        ),
        note=f"{len(subjects) - 6:,} more subjects are in results.json."
        if len(subjects) > 6
        else "",
    )


def _panel(ident: str, subject: str, rows: Sequence[Sequence[Cell]]) -> Drawing:
    css = subject if subject in SYMBOLS else "other"
    shapes = [*_frame(subject)]
    most = max((real(row[5]) or 0.0 for row in rows), default=0.0) or 1.0
    told = []
    for row in rows:
        confidence, accuracy, low, high, n = (real(cell) for cell in row[1:6])
        if confidence is None or accuracy is None:
            continue
        x = percent(_x(confidence))
        tall = 20 * (n or 0.0) / most
        shapes.append(
            Box(
                x=percent(_x(confidence) - 0.012),
                y=number(BARS - tall),
                width="2.4%",
                height=number(tall),
                css="bars",
            )
        )
        if low is not None and high is not None:
            shapes.append(Line(x1=x, y1=_y(low), x2=x, y2=_y(high), css=f"{css} span"))
        shapes.append(Mark(x=x, y=_y(accuracy), symbol=SYMBOLS.get(subject, "dot"), css=css))
        told.append(f"{confidence:.0%} sure, {accuracy:.0%} right, n = {count(row[5])}")
    return Drawing(
        ident=ident,
        title=f"Reliability of the {subject}",
        description="; ".join(told) or "No bin holds any row.",
        height=260,
        width=int(SIDE),
        shapes=tuple(shapes),
    )


def _frame(subject: str) -> list[Shape]:
    shapes: list[Shape] = []
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = percent(_x(value)), _y(value)
        shapes += [
            Line(x1=x, y1=number(TOP), x2=x, y2=number(BOTTOM), css="grid"),
            Line(x1=percent(_x(0.0)), y1=y, x2=percent(_x(1.0)), y2=y, css="grid"),
        ]
        if value in {0.0, 0.5, 1.0}:
            told = tick(value, SHARE)
            place = "start" if value == 0 else "end" if value == 1 else "middle"
            shapes += [
                Label(x=x, y="250", text=told, css="tick", anchor=place),
                Label(x=percent(LEFT - 0.025), y=number(float(y) + 4), text=told, css="tick",
                      anchor="end"),
            ]  # fmt: skip
    shapes += [
        Line(x1=percent(_x(0.0)), y1=_y(0.0), x2=percent(_x(1.0)), y2=_y(1.0), css="diagonal"),
        Label(x=percent(_x(0.03)), y=number(TOP + 14), text=subject, css="name", anchor="start"),
        Label(x=percent(_x(0.97)), y=number(BOTTOM - 6), text="confidence → accuracy ↑",
              css="tick", anchor="end"),
    ]  # fmt: skip
    return shapes


def _x(share: float) -> float:
    return LEFT + (0.985 - LEFT) * share


def _y(share: float) -> str:
    inside = min(max(share, 0.0), 1.0)
    return number(BOTTOM - (BOTTOM - TOP) * inside)
