"""An input column as a model that reads text is shown it."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdaudit.data.columns import as_text
from kdaudit.data.csv_cells import CsvCells


def is_text(column: npt.NDArray[np.generic]) -> bool:
    """Whether a column holds anything but numbers and truth values."""
    if isinstance(column, CsvCells):
        return column.kind not in ("number", "boolean")
    return column.dtype.kind not in "biuf"


def texts(column: npt.NDArray[np.generic]) -> list[str]:
    """The cells of a column as a model that reads text is shown them; an empty cell is "".

    >>> texts(CsvCells(["0010", None], "number")), texts(np.array([10.0]))
    (['0010', ''], ['10'])
    """
    return [cell or "" for cell in as_text(pd.Series(np.asarray(column)))]
