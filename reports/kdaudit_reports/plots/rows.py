"""A forest plot as a table: one row per group, student and teacher side by side on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass

from kdaudit_reports.format import Scale, tick
from kdaudit_reports.plots.axis import Axis, around
from kdaudit_reports.plots.drawing import (
    SYMBOLS,
    Drawing,
    Label,
    Line,
    Mark,
    Shape,
    number,
    percent,
)

LANES = {1: (13,), 2: (8, 18), 3: (6, 13, 20)}
HEIGHT = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A value with its interval; None where there is none."""

    value: float | None
    low: float | None
    high: float | None

    def numbers(self) -> tuple[float, ...]:
        """The numbers it has."""
        return tuple(x for x in (self.value, self.low, self.high) if x is not None)


def shared_axis(spans: Sequence[Span], *also: float) -> Axis:
    """One axis for all rows: every value is on it; of many intervals, the widest may run off.

    A group of three rows has an interval that would squash the hundred others into a line.
    """
    values = [span.value for span in spans if span.value is not None]
    ends = sorted(x for span in spans for x in (span.low, span.high) if x is not None)
    cut = len(ends) // 20
    kept = ends[cut : len(ends) - cut] if cut else ends
    tight, full = around([*values, *kept, *also]), around([*values, *ends, *also])
    # Off the picture only where it makes the picture much clearer.
    return tight if full.high - full.low > 2 * (tight.high - tight.low) else full


def scale_drawing(ident: str, axis: Axis, scale: Scale, zero: float | None) -> Drawing:
    """The named values above the rows."""
    ticks = axis.ticks(5)
    shapes: list[Shape] = []
    for value in ticks:
        at = axis.at(value)
        anchor = "start" if at < 0.08 else "end" if at > 0.92 else "middle"
        css = "tick strong" if value == zero else "tick"
        shapes.append(Label(x=percent(at), y="12", text=tick(value, scale), css=css, anchor=anchor))
    return Drawing(
        ident=ident,
        title="Scale",
        description=f"From {tick(ticks[0], scale)} to {tick(ticks[-1], scale)}."
        if ticks
        else "No named values.",
        height=18,
        shapes=tuple(shapes),
    )


def row_drawing(
    ident: str,
    told: tuple[str, str],
    axis: Axis,
    subjects: Sequence[tuple[str, Span]],
    zero: float | None = None,
) -> Drawing:
    """One row: gridlines, then each subject in its own lane.

    Args:
        ident: unique on the page.
        told: title and description.
        axis: the scale shared by all rows.
        subjects: name and interval, top to bottom.
        zero: a value drawn as a heavier line.
    """
    shapes: list[Shape] = [
        _vertical(axis.at(value), 0, HEIGHT, "grid") for value in axis.ticks(5) if value != zero
    ]
    if zero is not None:
        shapes.append(_vertical(axis.at(zero), 0, HEIGHT, "zero"))
    for lane, (subject, span) in zip(LANES[len(subjects)], subjects, strict=True):
        shapes += _interval(axis, lane, subject, span)
        if span.value is not None:
            shapes.append(
                Mark(
                    x=percent(axis.at(span.value)),
                    y=number(lane),
                    symbol=SYMBOLS[subject],
                    css=subject,
                )
            )
    return Drawing(
        ident=ident, title=told[0], description=told[1], height=HEIGHT, shapes=tuple(shapes)
    )


def _interval(axis: Axis, lane: float, subject: str, span: Span) -> list[Shape]:
    """The interval; an arrow says that it runs off the picture."""
    if span.low is None or span.high is None:
        return []
    y = number(lane)
    low, high = axis.at(span.low), axis.at(span.high)
    shapes: list[Shape] = [
        Line(x1=percent(low), y1=y, x2=percent(high), y2=y, css=f"{subject} span")
    ]
    if low < 0:
        shapes.append(Mark(x="0%", y=y, symbol="left", css=f"{subject} arrow"))
    if high > 1:
        shapes.append(Mark(x="100%", y=y, symbol="right", css=f"{subject} arrow"))
    return shapes


def _vertical(at: float, top: float, bottom: float, css: str) -> Line:
    x = percent(at)
    return Line(x1=x, y1=number(top), x2=x, y2=number(bottom), css=css)
