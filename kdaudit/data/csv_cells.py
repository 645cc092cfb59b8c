"""Cells of a csv column that a model is shown: their text, and what the whole column reads as.

A csv file does not say whether ``0010`` is a number. A language model is shown the text as it
stands; a model of tables is shown what pandas would read, and a fitted encoder may know better.
Whether a column holds numbers is a fact of the whole file: a few rows of it keep that fact.
"""

from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

Kind = Literal["boolean", "whole", "number", "text"]
TRUE, FALSE = frozenset(("True", "TRUE", "true")), frozenset(("False", "FALSE", "false"))
EXACT = 2**53  # whole numbers up to here are floats, and floats are these numbers
INT64 = range(-(2**63), 2**63)


class CsvCells(np.ndarray[Any, Any]):
    """(N,) strings, None where a cell is empty.

    Attributes:
        kind: ``boolean``; ``number``; ``whole`` for whole numbers of which one at least is too
            large for a float to be exact; or ``text``.

    >>> cells = CsvCells(["0010", None], "number")
    >>> cells[:1].kind, cells[:1].tolist(), typed(cells).tolist()
    ('number', ['0010'], [10.0, nan])
    """

    kind: Kind

    def __new__(cls, cells: Any, kind: Kind) -> Self:
        """See the class."""
        made = np.asarray(cells, dtype=object).view(cls)
        made.kind = kind
        return made

    def __array_finalize__(self, other: Any) -> None:
        """Parts of a column are of its kind."""
        self.kind = getattr(other, "kind", "text")

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process gets the kind too."""
        return CsvCells, (np.asarray(self, dtype=object), self.kind)


def csv_cells(text: npt.NDArray[np.object_]) -> CsvCells:
    """A whole column, with the kind that it reads as.

    >>> [csv_cells(np.array(cells, dtype=object)).kind
    ...  for cells in (["True", None], ["1", "2.5"], ["9007199254740993"], ["1", "one"], [None])]
    ['boolean', 'number', 'whole', 'text', 'text']
    """
    known = pd.unique(text[~pd.isna(text)])
    if not len(known):
        return CsvCells(text, "text")
    if set(known) <= TRUE | FALSE:
        return CsvCells(text, "boolean")
    # A first glance spares most columns of text the rest.
    if pd.isna(pd.to_numeric(pd.Series(known[:1], dtype=object), errors="coerce")).any():
        return CsvCells(text, "text")
    numbers = pd.to_numeric(pd.Series(known, dtype=object), errors="coerce").to_numpy(np.float64)
    if np.isnan(numbers).any():
        return CsvCells(text, "text")
    large = known[np.isfinite(numbers) & (np.abs(numbers) >= EXACT)]
    whole = len(large) > 0 and all(map(_is_whole, known))
    return CsvCells(text, "whole" if whole else "number")


def typed(column: npt.NDArray[np.generic]) -> npt.NDArray[Any]:
    """(N,) what a model of tables is shown: numbers, truth values, or objects.

    Truth values are bool, or objects True, False and NaN where one is missing; numbers float64, NaN
    where missing; whole numbers that float64 cannot tell apart int64, or objects with None where
    one is missing; text objects, None where missing.
    """
    if not isinstance(column, CsvCells):
        return column
    cells = np.asarray(column, dtype=object)
    if column.kind == "number":
        return np.array([np.nan if cell is None else cell for cell in cells.tolist()]).astype(
            np.float64
        )
    if column.kind == "boolean":
        return truths([None if cell is None else cell in TRUE for cell in cells.tolist()])
    if column.kind == "whole":
        return wholes([None if cell is None else int(cell) for cell in cells.tolist()])
    return cells


def truths(cells: list[bool | None]) -> npt.NDArray[Any]:
    """(N,) bool; objects True, False and NaN where one is missing, as pandas has them."""
    if None not in cells:
        return np.array(cells, dtype=np.bool_)
    return np.array([np.nan if cell is None else cell for cell in cells], dtype=object)


def wholes(cells: list[int | None]) -> npt.NDArray[Any]:
    """(N,) int64 where all fit; else Python's own whole numbers, None where one is missing."""
    if all(cell is not None and cell in INT64 for cell in cells):
        return np.array(cells, dtype=np.int64)
    made = np.empty(len(cells), dtype=object)
    made[:] = cells
    return made


def _is_whole(cell: str) -> bool:
    try:
        int(cell)
    except ValueError:
        return False
    return True
