"""From a figure to a picture: known shapes are drawn, everything else is a table."""

from collections.abc import Callable, Sequence

from kdaudit.estimate import Estimate
from kdaudit.results import Better, Figure, Finding
from kdaudit_reports.format import PLAIN, Scale, scale_of
from kdaudit_reports.plots import contrasts, intervals, lines, matrix, reliability
from kdaudit_reports.plots.cells import Cell, is_number, plain
from kdaudit_reports.plots.drawing import Picture
from kdaudit_reports.text import line

MOST_ROWS = 60
MOST_COLUMNS = 12

Draw = Callable[[Figure, str, Scale], Picture]

# The columns a chart must have to be drawn, and which of them hold text.
CHARTS: dict[str, tuple[tuple[str, ...], frozenset[str], Draw]] = {
    "intervals": (intervals.COLUMNS, frozenset({"label"}), intervals.draw),
    "contrasts": (contrasts.COLUMNS, frozenset({"label", "verdict"}), contrasts.draw),
    "reliability": (reliability.COLUMNS, frozenset({"subject"}), reliability.draw),
    "matrix": (matrix.COLUMNS, frozenset({"row", "column"}), matrix.draw),
    "curve": (lines.CURVE, frozenset({"series"}), lines.draw_curve),
    "ecdf": (lines.ECDF, frozenset({"subject"}), lines.draw_ecdf),
    "latency": (lines.ECDF, frozenset({"subject"}), lines.draw_ecdf),
}


def picture(figure: Figure, ident: str, findings: Sequence[Finding]) -> Picture:
    """Draw a figure, or print its rows where its shape is not known or not kept.

    Args:
        figure: what a suite reported.
        ident: unique on the page.
        findings: of the same suite; those whose values the figure repeats tell its unit.
    """
    known = CHARTS.get(figure.chart)
    if known is None or not _drawable(figure, *known[:2]):
        return table(figure)
    return known[2](figure, ident, _scale(figure, findings))


def table(figure: Figure) -> Picture:
    """A figure as a plain table."""
    columns = figure.columns[:MOST_COLUMNS]
    rows = figure.rows[:MOST_ROWS]
    numeric = tuple(
        bool(rows) and all(is_number(row[k]) or row[k] is None for row in rows if k < len(row))
        for k in range(len(columns))
    )
    left = len(figure.rows) - len(rows)
    aside = len(figure.columns) - len(columns)
    return Picture(
        title=figure.title,
        form="table",
        columns=tuple(line(column) for column in columns),
        table=tuple(tuple(plain(cell) for cell in row[: len(columns)]) for row in rows),
        numeric=numeric,
        note=f"{left:,} more rows and {aside:,} more columns are in results.json."
        if left or aside
        else "",
    )


def _drawable(figure: Figure, columns: tuple[str, ...], texts: frozenset[str]) -> bool:
    """Whether every row has the shape's columns, and numbers where numbers belong."""

    def fits(name: str, cell: Cell) -> bool:
        return cell is None or name in texts or is_number(cell)

    return figure.columns == columns and all(
        len(row) == len(columns) and all(map(fits, columns, row)) for row in figure.rows
    )


def _scale(figure: Figure, findings: Sequence[Finding]) -> Scale:
    """The unit of a figure's values: that of the finding whose value it repeats.

    A figure carries bare numbers; 0.12 may be a share or a Brier score. Only a finding knows.
    """
    # 0 and 1 are shared by too many things to be a signature.
    cells = {cell for row in figure.rows for cell in row if isinstance(cell, float)}
    values = cells - {0.0, 1.0}
    for finding in findings:
        for side in (finding.student, finding.teacher):
            if isinstance(side, Estimate) and side.value in values:
                return scale_of(finding.unit, finding.better)
    return scale_of("share", Better.ZERO) if figure.chart == "contrasts" else PLAIN
