"""Numbers as bands: a slice of "age" is a range of ages, not one age."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Context, Decimal
from itertools import pairwise

import numpy as np

from kdaudit.evidence.kinds import Bools, Floats
from kdaudit.evidence.view import Category, Derived

DEFAULT = 4  # quarters: fewer hide a harm at one end, more leave few rows in each


def cut(numbers: Floats, audited: Bools, rule: int | tuple[float, ...] | None) -> Category:
    """Numbers as bands.

    Args:
        numbers: (N,) finite, NaN where the cell is empty.
        audited: (N,) the rows whose quantiles count.
        rule: how many bands of about equally many rows, or where bands begin; None for quarters.

    Returns:
        The band of each row, from low to high.

    >>> ages = np.array([17, 30, 31, 44, 52, 60, 61, 90.0])
    >>> bands = cut(ages, np.ones(8, dtype=np.bool_), None)
    >>> bands.values
    ('under 31', '[31, 50)', '[50, 61)', '61 and over')
    >>> bands.codes.tolist()
    [0, 0, 1, 1, 2, 2, 3, 3]
    """
    if isinstance(rule, tuple):
        edges, how = rule, "bands begin where the audit file says"
    else:
        edges = quantile_edges(numbers[audited], rule or DEFAULT)
        how = f"{len(edges) + 1} bands of about equally many audited rows"
    empty = np.isnan(numbers)
    codes = np.searchsorted(np.asarray(edges, np.float64), numbers, side="right")
    return Category(
        np.where(empty, -1, codes).astype(np.int64),
        names(edges),
        Derived(kind="bands", how=how, edges=edges),
    )


def quantile_edges(numbers: Floats, bands: int) -> tuple[float, ...]:
    """Where bands begin, so that each holds about as many rows; equal numbers stay together.

    Each edge is the shortest decimal that parts the rows so: it says no more of the data than it
    must.

    Args:
        numbers: (N,), NaN where the cell is empty.
        bands: how many, at least 2.

    Returns:
        At most ``bands - 1`` rising edges; fewer where many rows share one number.

    >>> quantile_edges(np.array([1.0, 2, 3, 4]), 2)
    (3.0,)
    >>> quantile_edges(np.array([0.0, 0, 0, 0, 0, 7.25]), 4)
    (7.0,)
    """
    values, counts = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
    if len(values) < 2:
        return ()
    below = (np.cumsum(counts) - counts)[1:] / counts.sum()
    wanted = np.arange(1, bands) / bands
    nearest = {int(np.argmin(np.abs(below - share))) + 1 for share in wanted}
    return tuple(_shortest(float(values[i - 1]), float(values[i])) for i in sorted(nearest))


def _shortest(above: float, most: float) -> float:
    """The decimal of fewest digits in (above, most]."""
    exact = Decimal(repr(most))
    for digits in range(1, 18):
        short = float(Context(prec=digits, rounding=ROUND_FLOOR).create_decimal(exact))
        if above < short <= most:
            return short + 0.0  # never -0
    return most


def names(edges: Sequence[float]) -> tuple[str, ...]:
    """One name per band.

    The ends are open, and so neither change with the extremes of the data nor print them.

    >>> names([0.5, 10.0])
    ('under 0.5', '[0.5, 10)', '10 and over')
    """
    told = [printed(edge) for edge in edges]
    if not told:
        return ("any",)
    inner = [f"[{low}, {high})" for low, high in pairwise(told)]
    return (f"under {told[0]}", *inner, f"{told[-1]} and over")


def printed(number: float) -> str:
    """A number as TOML would say it, exactly.

    >>> printed(28.0), printed(0.1)
    ('28', '0.1')
    """
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
