"""One column of a table as text, numbers or codes: no guessing, and the culprit is named."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdaudit.errors import DataError, unknown
from kdaudit.evidence.kinds import Floats
from kdaudit.evidence.view import Category


def pick(table: pd.DataFrame, column: str, role: str, source: str) -> pd.Series:
    """The column, or a `DataError` that names the nearest one."""
    if column not in table.columns:
        raise DataError(
            f"{source}: {unknown(f'column for {role}', column, map(str, table.columns))}"
        )
    return table[column]


def as_text(series: pd.Series) -> npt.NDArray[np.object_]:
    """(N,) Python strings, None where the cell is empty; 1.0 and 1 are both "1".

    >>> as_text(pd.Series([1.0, 2.5, None])).tolist()
    ['1', '2.5', None]
    """
    if isinstance(series.dtype, pd.StringDtype):
        text = series.to_numpy(dtype=object, copy=True)
        text[series.isna().to_numpy()] = None
        return text
    if series.dtype == object:
        # Each cell by itself: hashing would take 1, 1.0 and True for one another.
        text = series.map(str, na_action="ignore").to_numpy(dtype=object, copy=True)
        text[series.isna().to_numpy()] = None
        return text
    codes, cells = pd.factorize(series)
    return np.array([*map(_spelled, cells), None], dtype=object)[codes]


def _spelled(cell: object) -> str:
    if isinstance(cell, float | np.floating):
        number = float(cell)
        return str(int(number)) if number.is_integer() else repr(number)
    return str(cell)


def as_numbers(series: pd.Series, source: str) -> Floats:
    """(N,) float64, NaN where the cell is empty.

    Raises:
        DataError: naming the column, the row and the value that is no number.
    """
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = pd.to_numeric(series.astype(object), errors="coerce")
    unread = np.flatnonzero(numbers.isna() & series.notna())
    strange = [int(i) for i in unread if str(series.iloc[i]).strip().lower() != "nan"]
    if strange:
        raise DataError(
            f"{source}: column {series.name!r} must hold numbers; data row {strange[0] + 1} holds "
            f"{series.iloc[strange[0]]!r}"
        )
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan)


def as_input(series: pd.Series) -> npt.NDArray[np.generic]:
    """(N,) what a model is shown: float64 where every cell is a number, else strings.

    Empty cells are NaN among numbers and "" among strings.
    """
    if not (
        pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_bool_dtype(series.dtype)
    ):
        numbers = pd.to_numeric(series, errors="coerce")
        if not numbers.notna().equals(series.notna()) or series.isna().all():
            text = as_text(series)
            text[pd.isna(text)] = ""
            return text
        series = numbers
    return series.to_numpy(dtype=np.float64, na_value=np.nan)


def as_category(cells: pd.Series | npt.NDArray[np.object_]) -> Category:
    """Cells as codes into their sorted distinct texts; -1 where empty.

    >>> made = as_category(pd.Series(["b", None, "a"]))
    >>> made.values, made.codes.tolist()
    (('a', 'b'), [1, -1, 0])
    """
    series = cells if isinstance(cells, pd.Series) else pd.Series(cells)
    codes, found = pd.factorize(as_text(series) if series.dtype == object else series)
    text = as_text(pd.Series(found))
    values = sorted(set(text))
    number = {value: i for i, value in enumerate(values)}
    rank = np.array([*(number[cell] for cell in text), -1], dtype=np.int64)
    return Category(rank[codes], tuple(values))


def distinct(ids: npt.NDArray[np.object_], source: str, column: str) -> None:
    """Refuse empty and repeated ids.

    Raises:
        DataError: naming the first offender and how many there are.
    """
    empty = pd.isna(ids)
    if empty.any():
        row = int(np.flatnonzero(empty)[0]) + 1
        raise DataError(f"{source}: id column {column!r} is empty in data row {row}")
    # Equal strings hash alike: where no hash stands twice, no string does.
    hashes = np.sort(pd.util.hash_array(ids, categorize=False))
    if not (hashes[1:] == hashes[:-1]).any():
        return
    series = pd.Series(ids)
    repeated = series[series.duplicated()]
    if len(repeated):
        raise DataError(
            f"{source}: {len(repeated)} duplicate ids in column {column!r}, e.g. "
            f"{repeated.iloc[0]!r}; every row needs an id of its own"
        )
