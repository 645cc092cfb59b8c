"""Cells of a figure's rows, which may hold text, numbers or nothing."""

import math
from collections.abc import Sequence

from kdaudit.estimate import Estimate
from kdaudit_reports.format import MINUS, PLAIN, Scale, printed
from kdaudit_reports.plots.rows import Span
from kdaudit_reports.text import line

Cell = str | int | float | None

NONE = "none"


def is_number(cell: Cell) -> bool:
    """Whether a cell can be placed on an axis."""
    return isinstance(cell, int | float) and math.isfinite(cell)


def real(cell: Cell) -> float | None:
    """A cell as a number, or None."""
    return float(cell) if isinstance(cell, int | float) and math.isfinite(cell) else None


def word(cell: Cell) -> str:
    """A cell as a label."""
    return line(str(cell)) if cell is not None else NONE


def count(cell: Cell) -> str:
    """A cell as a number of rows.

    >>> count(1500), count(None), count(2.5)
    ('1,500', 'none', '2.5')
    """
    if isinstance(cell, int) or (isinstance(cell, float) and cell.is_integer()):
        return f"{int(cell):,}"
    return word(cell)


def plain(cell: Cell) -> str:
    """A cell of a table in which nothing is known of the units: six digits at most.

    >>> plain(0.123456789), plain(float("nan")), plain(-3), plain("a")
    ('0.123457', 'not a number', '−3', 'a')
    """
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return word(cell)
    if not math.isfinite(cell):
        return "not a number" if math.isnan(cell) else "infinite"
    told = f"{cell:,}" if isinstance(cell, int) else f"{cell:.6g}"
    return told.replace("-", MINUS)


def span(cells: Sequence[Cell]) -> Span:
    """Three cells as value, low, high."""
    return Span(value=real(cells[0]), low=real(cells[1]), high=real(cells[2]))


def span_text(span: Span, scale: Scale, absent: str) -> str:
    """A span as text; ``absent`` where there is no value."""
    if span.value is None:
        return absent
    if span.low is None or span.high is None or span.low > span.high:
        return plain(span.value) if scale is PLAIN else f"{plain(span.value)} (no interval)"
    estimate = Estimate(
        value=span.value, low=span.low, high=span.high, n=1, level=0.5, method="as drawn"
    )
    return str(printed(estimate, scale))
