"""Every chart shape is drawn; what cannot be drawn is printed."""

import math
import re
from dataclasses import replace

import pytest

from kdaudit.results import Figure, Results, SuiteResult
from kdaudit.run import Run
from kdaudit_reports import html
from kdaudit_reports.plots.axis import Axis, around, around_log
from kdaudit_reports.plots.drawing import Mark, Shape, Stroke
from kdaudit_reports.plots.drawing import Row as DrawnRow
from kdaudit_reports.plots.figure import picture

Row = tuple[str | int | float | None, ...]

INTERVALS = (
    "label", "n", "student", "student_low", "student_high",
    "teacher", "teacher_low", "teacher_high",
)  # fmt: skip
CONTRASTS = (
    "label", "n", "teacher", "teacher_low", "teacher_high",
    "student", "student_low", "student_high", "verdict",
)  # fmt: skip
SHAPES: dict[str, tuple[tuple[str, ...], tuple[Row, ...], str]] = {
    "intervals": (
        INTERVALS,
        (("a", 10, 0.5, 0.4, 0.6, 0.7, 0.6, 0.8), ("b", 0, None, None, None, None, None, None)),
        "rows",
    ),
    "contrasts": (CONTRASTS, (("g", 10, 0.1, 0.0, 0.2, -0.1, -0.2, 0.0, "reversed"),), "rows"),
    "reliability": (
        ("subject", "confidence", "accuracy", "low", "high", "n"),
        (("student", 0.9, 0.8, 0.7, 0.9, 30), ("other model", 0.5, None, None, None, 0)),
        "panels",
    ),
    "matrix": (
        ("row", "column", "count"),
        (("teacher right", "student right", 9), ("teacher right", "student wrong", 0)),
        "panels",
    ),
    "curve": (("series", "x", "y"), (("loss", 0, 1.5), ("loss", 1, 0.5), ("b", 0, None)), "panels"),
    "ecdf": (("subject", "milliseconds", "share"), (("student", 1.5, 0.5), ("student", 2.5, 1.0)),
             "panels"),
    "latency": (("subject", "milliseconds", "share"), (("student", 0.0, 0.5),), "panels"),
    "table": (("any", "thing"), (("x", 1.23456789), (None, float("nan"))), "table"),
    "histogram": (("unknown",), ((1,),), "table"),
}  # fmt: skip


def figure(chart: str, columns: tuple[str, ...], rows: tuple[Row, ...]) -> Figure:
    return Figure(name=chart, chart=chart, title=f"A {chart}", columns=columns, rows=rows)


@pytest.mark.parametrize("chart", SHAPES)
def test_a_shape_becomes_its_kind_of_picture(chart: str) -> None:
    columns, rows, form = SHAPES[chart]
    assert picture(figure(chart, columns, rows), "p", ()).form == form


@pytest.mark.parametrize("chart", SHAPES)
@pytest.mark.parametrize("rows_left", [9, 0], ids=["rows", "no-rows"])
def test_a_shape_reaches_the_page(chart: str, rows_left: int, results: Results, run: Run) -> None:
    columns, rows, _ = SHAPES[chart]
    made = figure(chart, columns, rows[:rows_left])
    page = html.render(
        replace(results, suites=(SuiteResult(suite="s", findings=(), figures=(made,)),)), run
    )
    assert f"A {chart}" in page
    assert "nan" not in re.sub(r"[a-z]nan|nan[a-z]", "", page.lower())
    if not rows_left:
        assert "no rows" in page


@pytest.mark.parametrize("chart", [name for name in SHAPES if SHAPES[name][2] != "table"])
@pytest.mark.parametrize("fault", ["columns", "text", "infinite", "short"])
def test_a_malformed_figure_is_printed_as_a_table(chart: str, fault: str) -> None:
    columns, rows, _ = SHAPES[chart]
    last = max(k for k, cell in enumerate(rows[0]) if isinstance(cell, int | float))
    if fault == "columns":
        columns = (*columns[:-1], "else")
    elif fault == "short":
        rows = (rows[0][:-1],)
    else:
        bad: str | float = "many" if fault == "text" else math.inf
        rows = ((*rows[0][:last], bad, *rows[0][last + 1 :]),)
    assert picture(figure(chart, columns, rows), "p", ()).form == "table"


def test_of_many_rows_those_that_differ_most_are_kept_and_the_rest_counted() -> None:
    rows: tuple[Row, ...] = tuple(
        (f"s{k}", 9, k / 100, k / 100, k / 100, 0.0, 0.0, 0.0) for k in range(50)
    )
    drawn = picture(figure("intervals", INTERVALS, rows), "p", ())
    assert [row.label for row in drawn.rows][:2] == ["s49", "s48"]
    assert len(drawn.rows) == 40
    assert "10 more are in results.json" in drawn.note


def test_an_interval_too_wide_for_the_others_runs_off_the_picture_with_an_arrow() -> None:
    rows: tuple[Row, ...] = (
        *((f"s{k}", 900, 0.5, 0.49, 0.51, 0.5, 0.49, 0.51) for k in range(20)),
        ("tiny", 3, 0.5, -1.0, 2.0, 0.5, 0.49, 0.51),
    )
    drawn = picture(figure("intervals", INTERVALS, rows), "p", ())
    marks = [shape.symbol for shape in shapes(drawn.rows[-1]) if isinstance(shape, Mark)]
    assert marks == ["left", "right", "dot", "square"]
    assert [shape.symbol for shape in shapes(drawn.rows[0]) if isinstance(shape, Mark)] == [
        "dot",
        "square",
    ]


def test_no_value_ever_runs_off_the_picture() -> None:
    rows: tuple[Row, ...] = tuple(
        (f"s{k}", 9, 10.0**k, 0.0, 10.0**k, 0.5, 0.4, 0.6) for k in range(9)
    )
    drawn = picture(figure("intervals", INTERVALS, rows), "p", ())
    dots = [s.x for row in drawn.rows for s in shapes(row) if isinstance(s, Mark)]
    assert len(set(dots)) > 2
    assert "100%" not in dots


def shapes(row: DrawnRow) -> tuple[Shape, ...]:
    assert row.drawing is not None
    return row.drawing.shapes


def test_an_absent_row_says_not_evaluable() -> None:
    columns, rows, _ = SHAPES["intervals"]
    drawn = picture(figure("intervals", columns, rows), "p", ())
    assert drawn.rows[1].drawing is None
    assert dict(drawn.rows[1].cells) == {"student": "not evaluable", "teacher": "not evaluable"}


def test_a_figure_takes_the_unit_of_the_finding_it_repeats(results: Results) -> None:
    suite = next(suite for suite in results.suites if suite.suite == "slices")
    told = picture(suite.figures[0], "p", suite.findings).rows[0].cells[0][1]
    bare = picture(suite.figures[0], "p", ()).rows[0].cells[0][1]
    assert told.startswith("94.7%")
    assert bare.startswith("0.947 ")


def test_a_large_matrix_lists_its_heaviest_cells() -> None:
    rows: tuple[Row, ...] = tuple((f"r{i}", f"r{j}", i * j) for i in range(12) for j in range(12))
    drawn = picture(figure("matrix", ("row", "column", "count"), rows), "p", ())
    assert drawn.form == "table"
    assert drawn.table[0][:3] == ("r10", "r11", "110")


def test_a_long_table_is_cut_and_says_so() -> None:
    drawn = picture(figure("table", ("x",), tuple((k,) for k in range(100))), "p", ())
    assert len(drawn.table) == 60
    assert "40 more rows" in drawn.note


def test_a_line_of_many_points_is_thinned_to_what_can_be_seen() -> None:
    rows: tuple[Row, ...] = tuple(("a", k, k * k) for k in range(10_000))
    drawn = picture(figure("curve", ("series", "x", "y"), rows), "p", ())
    strokes = [shape for shape in drawn.panels[0].shapes if isinstance(shape, Stroke)]
    assert len(strokes) == 1
    points = strokes[0].points.split()
    assert len(points) == 240
    assert points[-1].startswith("98")


@pytest.mark.parametrize(
    "axis",
    [
        around([]),
        around([0.0]),
        around([-1e300, 1e300]),
        around([1e-300]),
        around_log([]),
        around_log([1e-9, 1e9]),
        Axis(0.0, 1.0),
    ],
)
def test_an_axis_names_a_few_round_values_inside_it(axis: Axis) -> None:
    ticks = axis.ticks(6)
    assert 1 <= len(ticks) <= 8
    assert all(-0.01 <= axis.at(tick) <= 1.01 for tick in ticks)
