"""One measured interval against its limit: which side is allowed, and where the interval lies."""

from collections.abc import Iterable
from dataclasses import dataclass

from kdaudit.estimate import Estimate
from kdaudit_reports.plots.axis import Axis, around
from kdaudit_reports.plots.drawing import Box, Drawing, Label, Line, Mark, Shape, number, percent

BAND = 20.0
LABELLED, BARE = 17.0, 1.0  # top of the band, with room for the limit's name above it or without


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What intervals are held against.

    Attributes:
        limit: on the scale of the estimates.
        floor: whether values above the limit are allowed, not those below.
        label: the limit as text.
        reference: a value worth naming, and its name: 0 is "no worse than the teacher".
    """

    limit: float
    floor: bool
    label: str
    reference: tuple[float, str] | None


def shared_axis(estimates: Iterable[Estimate], against: Against) -> Axis:
    """An axis that shows some intervals, the limit and the reference."""
    marks = [bound for estimate in estimates for bound in (estimate.low, estimate.high)]
    named = [against.reference[0]] if against.reference is not None else []
    return around([*marks, against.limit, *named], pad=0.14)


def draw(
    ident: str, estimate: Estimate, against: Against, told: str, axis: Axis | None = None
) -> Drawing:
    """Draw an interval against a limit.

    Args:
        ident: unique on the page.
        estimate: what was measured.
        against: the limit.
        told: the whole picture in words.
        axis: of many rows under one another, which then need no labels; None for a picture alone.
    """
    alone = axis is None
    axis = axis or shared_axis([estimate], against)
    top = LABELLED if alone else BARE
    middle = top + BAND / 2
    low, high = axis.at(estimate.low), axis.at(estimate.high)
    shapes = [*_ground(axis, against, top)]
    if alone:
        shapes += _labels(axis, against)
    shapes += [
        Line(
            x1=percent(low),
            y1=number(middle),
            x2=percent(high),
            y2=number(middle),
            css="student span",
        ),
        _vertical(low, middle - 4, middle + 4, "student cap"),
        _vertical(high, middle - 4, middle + 4, "student cap"),
        Mark(x=percent(axis.at(estimate.value)), y=number(middle), symbol="dot", css="student"),
    ]
    below = 15 if alone and against.reference is not None else 6 if alone else 1
    return Drawing(
        ident=ident,
        title="Measured interval against its limit",
        description=told,
        height=int(top + BAND + below),
        shapes=tuple(shapes),
    )


def _ground(axis: Axis, against: Against, top: float) -> list[Shape]:
    at = axis.at(against.limit)
    start, width = (at, 1 - at) if against.floor else (0.0, at)
    shapes: list[Shape] = [
        Box(
            x=percent(start),
            y=number(top),
            width=percent(width),
            height=number(BAND),
            css="allowed",
        )
    ]
    reference = against.reference
    if reference is not None and abs(axis.at(reference[0]) - at) > 1e-9:
        shapes.append(_vertical(axis.at(reference[0]), top, top + BAND, "zero"))
    over = 4 if top == LABELLED else 0
    return [*shapes, _vertical(at, top - over, top + BAND + over, "limit")]


def _labels(axis: Axis, against: Against) -> list[Shape]:
    at = axis.at(against.limit)
    shapes: list[Shape] = [
        Label(x=percent(at), y="10", text=against.label, css="tick strong", anchor=_anchor(at))
    ]
    if against.reference is not None:
        at = axis.at(against.reference[0])
        name = against.reference[1]
        shapes.append(Label(x=percent(at), y="50", text=name, css="tick", anchor=_anchor(at)))
    return shapes


def _vertical(at: float, top: float, bottom: float, css: str) -> Line:
    x = percent(at)
    return Line(x1=x, y1=number(top), x2=x, y2=number(bottom), css=css)


def _anchor(at: float) -> str:
    """Text near an edge grows away from it."""
    if at < 0.25:
        return "start"
    return "end" if at > 0.75 else "middle"
