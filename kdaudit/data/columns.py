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
    missing = series.isna().to_numpy()
    if pd.api.types.is_bool_dtype(series.dtype) or not pd.api.types.is_numeric_dtype(series.dtype):
        values = series.astype(object).map(str, na_action="ignore").to_numpy(dtype=object)
    elif pd.api.types.is_float_dtype(series.dtype):
        numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
        whole = np.isfinite(numbers) & (numbers == np.round(numbers))
        values = np.array(
            [str(int(x)) if w else repr(float(x)) for x, w in zip(numbers, whole, strict=True)],
            dtype=object,
        )
    else:
        values = series.astype(object).map(str, na_action="ignore").to_numpy(dtype=object)
    values = values.copy()
    values[missing] = None
    return values


def as_numbers(series: pd.Series, source: str) -> Floats:
    """(N,) float64, NaN where the cell is empty.

    Raises:
        DataError: naming the column, the row and the value that is no number.
    """
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


def as_category(text: npt.NDArray[np.object_]) -> Category:
    """Strings as codes into their sorted distinct values; -1 where empty."""
    codes, values = pd.factorize(text, sort=False, use_na_sentinel=True)
    order = np.argsort(np.asarray(values, dtype=str))
    rank = np.empty(len(order) + 1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    rank[-1] = -1
    return Category(rank[codes], tuple(str(values[i]) for i in order))


def distinct(ids: npt.NDArray[np.object_], source: str, column: str) -> None:
    """Refuse empty and repeated ids.

    Raises:
        DataError: naming the first offender and how many there are.
    """
    series = pd.Series(ids)
    if series.isna().any():
        row = int(np.flatnonzero(series.isna())[0]) + 1
        raise DataError(f"{source}: id column {column!r} is empty in data row {row}")
    repeated = series[series.duplicated()]
    if len(repeated):
        raise DataError(
            f"{source}: {len(repeated)} duplicate ids in column {column!r}, e.g. "
            f"{repeated.iloc[0]!r}; every row needs an id of its own"
        )
