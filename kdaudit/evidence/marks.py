"""Columns that say yes or no of every row."""

from collections.abc import Collection

import numpy as np

from kdaudit.errors import examples, unknown
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools
from kdaudit.evidence.view import Rows

YES, NO = ("yes", "true"), ("no", "false")


def marks(
    rows: Rows, column: str, *, option: str, of: str, yes: Collection[str], no: Collection[str]
) -> tuple[Bools, Bools] | NotMeasured:
    """(N,) each: rows of which a column says yes, and no; of an empty cell it says neither.

    Args:
        rows: with their attributes.
        column: which of them.
        option: that names the column, for messages.
        of: what a row is, for messages.
        yes: further words for yes, in lower case; `YES` are known.
        no: likewise for no.

    Returns:
        Why it cannot be told, where there is no such column or it holds something else.
    """
    if column not in rows.attributes:
        return NotMeasured(unknown(f"column of {option}", column, rows.attributes))
    cells = rows.column(column)
    said = [value.casefold() for value in cells.values]
    words = {True: {*YES, *yes}, False: {*NO, *no}}
    known = words[True] | words[False]
    strange = [v for v, plain in zip(cells.values, said, strict=True) if plain not in known]
    if strange:
        return NotMeasured(
            f"the column {column!r} says yes or no of every {of}; it holds {examples(strange)}"
        )
    # The last entry stands for the code -1 of an empty cell.
    positive, negative = (
        np.array([*(one in words[side] for one in said), False], dtype=np.bool_)[cells.codes]
        for side in (True, False)
    )
    return positive, negative
