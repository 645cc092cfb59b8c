"""``curve``, ``ecdf`` and ``latency``: lines over a linear or logarithmic axis."""

from collections.abc import Sequence

from kdaudit.results import Figure
from kdaudit_reports.format import MILLISECONDS, PLAIN, SHARE, Scale, tick
from kdaudit_reports.plots.axis import Axis, around, around_log
from kdaudit_reports.plots.cells import plain, real, word
from kdaudit_reports.plots.drawing import (
    SYMBOLS,
    Drawing,
    Key,
    Label,
    Line,
    Picture,
    Shape,
    number,
    percent,
    stroke,
    thinned,
)

CURVE = ("series", "x", "y")
ECDF = ("subject", "milliseconds", "share")
MOST = 8
TOP, BOTTOM, HEIGHT = 14.0, 204.0, 226

Points = list[tuple[float, float]]


def draw_curve(figure: Figure, ident: str, _scale: Scale) -> Picture:
    """One line per series on linear axes."""
    series = _series(figure)
    every = [point for points in series.values() for point in points]
    axis = around([x for x, _ in every], pad=0.02)
    up = around([y for _, y in every])
    return _picture(figure, ident, series, (axis, PLAIN), (up, PLAIN))


def draw_ecdf(figure: Figure, ident: str, _scale: Scale) -> Picture:
    """One step line per subject, milliseconds on a logarithmic axis."""
    series = {name: _steps(sorted(points)) for name, points in _series(figure).items()}
    axis = around_log(x for points in series.values() for x, _ in points)
    return _picture(figure, ident, series, (axis, MILLISECONDS), (Axis(0.0, 1.0), SHARE))


def _series(figure: Figure) -> dict[str, Points]:
    series: dict[str, Points] = {}
    for row in figure.rows:
        x, y = real(row[1]), real(row[2])
        if x is not None and y is not None:
            series.setdefault(word(row[0]), []).append((x, y))
    return series


def _steps(points: Sequence[tuple[float, float]]) -> Points:
    """The corners of a step line that rises at each point."""
    corners: Points = []
    height = 0.0
    for x, y in points:
        corners += [(x, height), (x, y)]
        height = y
    return corners


def _picture(
    figure: Figure,
    ident: str,
    series: dict[str, Points],
    across: tuple[Axis, Scale],
    up: tuple[Axis, Scale],
) -> Picture:
    shown = dict(list(series.items())[:MOST])
    shapes = _grid(across, up)
    keys, told = [], []
    for index, (name, points) in enumerate(shown.items()):
        css = f"{name} path" if name in SYMBOLS else f"path series-{index}"
        keys.append(Key(css=css, text=name))
        placed = ((_x(across[0], x), _y(up[0], y)) for x, y in thinned(points))
        shapes.append(stroke(placed, css))
        told.append(f"{name}: from {_pair(points[0])} to {_pair(points[-1])}")
    drawing = Drawing(
        ident=ident,
        title=figure.title,
        description="; ".join(told) or "No points.",
        height=HEIGHT,
        shapes=tuple(shapes),
    )
    left = len(series) - len(shown)
    return Picture(
        title=figure.title,
        form="panels",
        keys=tuple(keys),
        panels=(drawing,) if shown else (),
        note=f"{left:,} more lines are not drawn." if left else "",
    )


def _grid(across: tuple[Axis, Scale], up: tuple[Axis, Scale]) -> list[Shape]:
    shapes: list[Shape] = []
    for value in up[0].ticks(5):
        y = _y(up[0], value)
        shapes += [
            Line(x1="0%", y1=number(y), x2="100%", y2=number(y), css="grid"),
            Label(x="0%", y=number(y - 3), text=tick(value, up[1]), css="tick", anchor="start"),
        ]
    for value in across[0].ticks(6):
        at = _x(across[0], value)
        x = percent(at)
        anchor = "end" if at > 0.95 else "middle"
        shapes += [
            Line(x1=x, y1=number(BOTTOM), x2=x, y2=number(BOTTOM + 4), css="limit-tick"),
            Label(x=x, y=number(BOTTOM + 17), text=tick(value, across[1]), css="tick",
                  anchor=anchor),
        ]  # fmt: skip
    return shapes


def _x(axis: Axis, value: float) -> float:
    """Leave the left edge to the names of the gridlines."""
    return 0.07 + 0.93 * axis.at(value)


def _y(axis: Axis, value: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * min(max(axis.at(value), 0.0), 1.0)


def _pair(point: tuple[float, float]) -> str:
    return f"({plain(point[0])}, {plain(point[1])})"
