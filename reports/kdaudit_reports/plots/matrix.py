"""``matrix``: a grid of counts with the share of all rows in each cell."""

from kdaudit.results import Figure
from kdaudit_reports.format import Scale
from kdaudit_reports.plots.cells import count, real, word
from kdaudit_reports.plots.drawing import Box, Drawing, Label, Picture, Shape, number, percent
from kdaudit_reports.text import clip

COLUMNS = ("row", "column", "count")
MOST = 10
LEFT, HEAD, TALL = 116, 42.0, 46.0


def draw(figure: Figure, ident: str, _scale: Scale) -> Picture:
    """A small grid as a drawing; a large one as its heaviest cells in a table."""
    rows = list(dict.fromkeys(word(row[0]) for row in figure.rows))
    columns = list(dict.fromkeys(word(row[1]) for row in figure.rows))
    counts = {(word(row[0]), word(row[1])): real(row[2]) or 0.0 for row in figure.rows}
    total = sum(counts.values()) or 1.0
    if not rows:
        return Picture(title=figure.title, form="panels")
    if max(len(rows), len(columns)) > MOST:
        return _heaviest(figure, counts, total)
    across, short = _axis(columns)
    width = LEFT + max(92, *(7 * len(name) + 16 for name in short)) * len(columns)
    edges = [(LEFT + (width - LEFT) * k / len(columns)) / width for k in range(len(columns) + 1)]
    shapes = _heads(rows, across, short, edges)
    told = []
    for i, row in enumerate(rows):
        for k, column in enumerate(columns):
            value = counts.get((row, column), 0.0)
            shapes += _cell(value, value / total, (edges[k], edges[k + 1]), HEAD + TALL * i)
            told.append(f"{row}, {column}: {count(value)} ({_share(value / total)})")
    drawing = Drawing(
        ident=ident,
        title=figure.title,
        description="; ".join(told),
        height=int(HEAD + TALL * len(rows)) + 2,
        width=width,
        shapes=tuple(shapes),
    )
    return Picture(title=figure.title, form="panels", panels=(drawing,))


def _axis(names: list[str]) -> tuple[str, list[str]]:
    """The first word, said once, where all names share it.

    >>> _axis(["student right", "student wrong"])
    ('student', ['right', 'wrong'])
    >>> _axis(["a", "b"])
    ('', ['a', 'b'])
    """
    first, rests = names[0].partition(" ")[0], [name.partition(" ")[2] for name in names]
    if all(rests) and all(name.partition(" ")[0] == first for name in names):
        return clip(first, 20), [clip(rest, 20) for rest in rests]
    return "", [clip(name, 20) for name in names]


def _heads(rows: list[str], across: str, short: list[str], edges: list[float]) -> list[Shape]:
    down, names = _axis(rows)
    beside = percent(edges[0] - 0.02)
    middle = percent((edges[0] + edges[-1]) / 2)
    heads: list[Shape] = [
        Label(x=middle, y="13", text=across, css="tick"),
        Label(x=beside, y="33", text=down, css="tick", anchor="end"),
    ]
    for k, name in enumerate(short):
        heads.append(Label(x=percent((edges[k] + edges[k + 1]) / 2), y="33", text=name, css="name"))
    for i, name in enumerate(names):
        y = number(HEAD + TALL * (i + 0.5) + 4)
        heads.append(Label(x=beside, y=y, text=name, css="name", anchor="end"))
    return heads


def _cell(value: float, share: float, sides: tuple[float, float], top: float) -> list[Shape]:
    centre = percent(sum(sides) / 2)
    return [
        Box(
            x=percent(sides[0]),
            y=number(top),
            width=percent(sides[1] - sides[0]),
            height=number(TALL),
            css=f"cell q{_step(share)}",
        ),
        Label(x=centre, y=number(top + 21), text=count(value), css="number"),
        Label(x=centre, y=number(top + 37), text=_share(share), css="tick"),
    ]


def _heaviest(figure: Figure, counts: dict[tuple[str, str], float], total: float) -> Picture:
    apart = {cell: n for cell, n in counts.items() if cell[0] != cell[1] and n > 0}
    heavy = sorted(apart.items(), key=lambda item: (-item[1], item[0]))[:MOST]
    return Picture(
        title=figure.title,
        form="table",
        columns=("row", "column", "count", "share of all"),
        table=tuple((row, column, count(n), _share(n / total)) for (row, column), n in heavy),
        numeric=(False, False, True, True),
        note=f"The {len(heavy)} heaviest cells off the diagonal; all {len(counts):,} are in "
        "results.json.",
    )


def _step(share: float) -> int:
    """Five shades; the lightest is for nothing at all."""
    return sum(share > edge for edge in (0.0, 0.02, 0.1, 0.4))


def _share(share: float) -> str:
    if share in (0, 1):
        return f"{share:.0%}"
    return f"{min(max(share, 0.0001), 0.9999):.{1 if 0.001 <= share <= 0.999 else 2}%}"
