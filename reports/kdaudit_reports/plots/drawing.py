"""The shapes every picture is made of.

Horizontal positions are percentages of the picture's width and vertical ones are pixels, so one
drawing fits a desk, a phone and paper without its text changing size.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A straight line."""

    kind: ClassVar[str] = "line"
    x1: str
    y1: str
    x2: str
    y2: str
    css: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A filled rectangle."""

    kind: ClassVar[str] = "box"
    x: str
    y: str
    width: str
    height: str
    css: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One symbol of the page's set: ``dot``, ``square``, ``diamond``, ``left``, ``right``."""

    kind: ClassVar[str] = "mark"
    x: str
    y: str
    symbol: str
    css: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Text; ``anchor`` is ``start``, ``middle`` or ``end``."""

    kind: ClassVar[str] = "label"
    x: str
    y: str
    text: str
    css: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A line through many points, in thousandths of the picture's width and pixels."""

    kind: ClassVar[str] = "stroke"
    points: str
    css: str


Shape = Line | Box | Mark | Label | Stroke


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One SVG.

    Attributes:
        ident: unique on the page; title and description are found by it.
        title: what is shown, in a few words.
        description: what a reader who cannot see it should know.
        height: pixels.
        width: pixels, or None for the width of what is around it.
        shapes: back to front.
    """

    ident: str
    title: str
    description: str
    height: int
    shapes: tuple[Shape, ...]
    width: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One entry of a legend: a symbol or a line style, and what it stands for."""

    css: str
    text: str
    symbol: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a table with a picture in it; ``cells`` are (head, text)."""

    label: str
    n: str
    cells: tuple[tuple[str, str], ...]
    drawing: Drawing | None
    word: str = ""
    word_css: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What one figure becomes: drawings, or a table whose rows carry drawings, or a plain table.

    Attributes:
        title: a sentence.
        form: ``panels``, ``rows`` or ``table``; chooses the macro.
        keys: the legend.
        columns: heads of the table.
        rows: of ``rows``.
        panels: of ``panels``.
        table: of ``table``, as text.
        numeric: which columns of ``table`` hold numbers.
        axis: the scale above the drawings of ``rows``.
        worded: whether ``rows`` carry a word each.
        note: what was left out, or empty.
    """

    title: str
    form: str
    keys: tuple[Key, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    panels: tuple[Drawing, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    numeric: tuple[bool, ...] = ()
    axis: Drawing | None = None
    worded: bool = False
    note: str = ""


STUDENT = Key(css="student", text="student", symbol="dot")
TEACHER = Key(css="teacher", text="teacher", symbol="square")

SYMBOLS = {"student": "dot", "teacher": "square", "baseline": "diamond"}


def percent(share: float) -> str:
    """A horizontal position from a share of the width, kept inside the picture.

    >>> percent(0.5), percent(1 / 3), percent(-2.0)
    ('50%', '33.33%', '0%')
    """
    return f"{number(100 * min(max(share, 0.0), 1.0))}%"


def number(value: float) -> str:
    """A coordinate, as short as two decimals allow.

    >>> number(12.0), number(12.345)
    ('12', '12.35')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")


def stroke(points: Iterable[tuple[float, float]], css: str) -> Stroke:
    """A line through (share of the width, pixels) points."""
    told = " ".join(f"{number(1000 * x)},{number(y)}" for x, y in points)
    return Stroke(points=told, css=css)


def thinned(points: Sequence[tuple[float, float]], most: int = 240) -> list[tuple[float, float]]:
    """Evenly chosen points, first and last among them: what a line of 700 pixels can show."""
    if len(points) <= most:
        return list(points)
    step = (len(points) - 1) / (most - 1)
    return [points[round(index * step)] for index in range(most)]
