"""The input columns of a model: which, in what order, and as one matrix where they are numbers."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kdaudit.data.csv_cells import typed
from kdaudit.data.shown import is_text
from kdaudit.errors import ModelError, unknown
from kdaudit.models.adapter import Columns


def select(columns: Columns, names: Sequence[str]) -> Columns:
    """The named columns in the order of ``names``; all of them as they come without names.

    Raises:
        ModelError: naming the column that is missing and the nearest there is.

    >>> list(select({"a": np.zeros(1), "b": np.ones(1)}, ["b"]))
    ['b']
    """
    for name in names:
        if name not in columns:
            raise ModelError(
                f"{unknown('input column', name, columns)}; name it under [data] inputs"
            )
    return {name: columns[name] for name in names} if names else columns


def for_code(columns: Columns) -> Columns:
    """The columns as code of a user is shown them: see `kdaudit.data.csv_cells.typed`."""
    return {name: typed(column) for name, column in columns.items()}


def matrix(columns: Columns, remedy: str) -> npt.NDArray[np.float64]:
    """Numeric columns side by side, (N, D).

    Args:
        columns: (N,) arrays by name, in the order of the matrix.
        remedy: what to do about a column of text; ends the message.

    Raises:
        ModelError: for no columns, or naming the one that is text.

    >>> matrix({"b": np.array([1, 2]), "a": np.array([3.0, 4.0])}, "").tolist()
    [[1.0, 3.0], [2.0, 4.0]]
    """
    for name, column in columns.items():
        if is_text(column):
            few = [cell for cell in np.asarray(column)[:100].tolist() if cell is not None][:1]
            raise ModelError(f"input column {name!r} holds text, e.g. {few}; {remedy}")
    if not columns:
        raise ModelError("there are no input columns; name them under [data] inputs")
    return np.stack([np.asarray(typed(column), np.float64) for column in columns.values()], axis=1)
