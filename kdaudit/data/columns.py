"""One column of a table as text, numbers or codes: no guessing, and the culprit is named."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdaudit.data.csv_cells import EXACT, csv_cells, truths, wholes
from kdaudit.errors import DataError, unknown
from kdaudit.evidence.kinds import Floats, Strings
from kdaudit.evidence.view import Category

NUMBERS = (int, float, np.integer, np.floating)
NESTED = (list, tuple, dict, set, np.ndarray, bytes)


def pick(
    table: pd.DataFrame, column: str, role: str, source: str, *, nested: bool = False
) -> pd.Series:
    """A column whose cells are single values.

    Args:
        table: any.
        column: its name.
        role: what the column is for, for messages.
        source: the file, for messages.
        nested: whether lists may be cells.

    Raises:
        DataError: naming the nearest column there is; or the first cell that is a list.
    """
    if column not in table.columns:
        raise DataError(
            f"{source}: {unknown(f'column for {role}', column, map(str, table.columns))}"
        )
    series = table[column]
    if not nested:
        _refuse_nested(series, source)
    return series


def _refuse_nested(series: pd.Series, source: str) -> None:
    if series.dtype != object:
        return
    for row, cell in enumerate(series.tolist()):
        if isinstance(cell, NESTED):
            kind = "an object" if isinstance(cell, dict) else "a list"
            kind = "bytes" if isinstance(cell, bytes) else kind
            where = f"{source}: " if source else ""
            raise DataError(
                f"{where}column {series.name!r} holds {kind} in data row {row + 1}, "
                f"{_cut(cell)}; kdaudit reads one value per cell. {_instead(cell)}"
            )


def _cut(cell: object) -> str:
    said = repr(cell.tolist() if isinstance(cell, np.ndarray) else cell)
    return said if len(said) <= 60 else f"{said[:57]}…"


def _instead(cell: object) -> str:
    if isinstance(cell, dict):
        return "Write the field that matters into a column of its own"
    if isinstance(cell, bytes):
        return "Write text or numbers"
    items = list(cell) if isinstance(cell, list | tuple | set | np.ndarray) else []
    if items and all(isinstance(item, int | float | np.number | np.ndarray) for item in items):
        if set(np.ravel(np.asarray(items, dtype=object)).tolist()) <= {0, 1}:
            return (
                "A list of zeros and ones says which of many labels a row has: audit each label by "
                "itself, in a column of its own, or the F1 of each row as score_<name>"
            )
        return "Write each number into a column of its own"
    return (
        "Where a row has many labels, audit each label by itself, in a column of its own, or the "
        "F1 of each row as score_<name>"
    )


def as_text(series: pd.Series) -> Strings:
    """(N,) Python strings, None where the cell is empty; 1.0 and 1 are both "1".

    A cell of a csv file is its text as it stands there.

    Raises:
        DataError: for a cell that is a list, or a whole number that a float no longer tells from
            its neighbours.

    >>> as_text(pd.Series([1.0, 2.5, None])).tolist()
    ['1', '2.5', None]
    >>> as_text(pd.Series(["007", None])).tolist()
    ['007', None]
    """
    if isinstance(series.dtype, pd.StringDtype):
        text = series.to_numpy(dtype=object, copy=True)
        text[series.isna().to_numpy()] = None
        return text
    _refuse_nested(series, "")
    if pd.api.types.is_float_dtype(series.dtype):
        _refuse_inexact(series)
    if series.dtype == object:
        # Each cell by itself: hashing would take 1, 1.0 and True for one another.
        text = series.map(_spelled, na_action="ignore").to_numpy(dtype=object, copy=True)
        text[series.isna().to_numpy()] = None
        return text
    if isinstance(series.dtype, pd.CategoricalDtype):
        words = as_text(pd.Series(series.cat.categories, name=series.name))
        return np.append(words, np.array([None], dtype=object))[series.cat.codes]
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return _dates(series)
    codes, cells = pd.factorize(series)
    return np.array([*map(_spelled, cells), None], dtype=object)[codes]


def _refuse_inexact(series: pd.Series) -> None:
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    with np.errstate(invalid="ignore"):
        large = np.isfinite(values) & (np.abs(values) > EXACT) & (values == np.trunc(values))
    if large.any():
        row = int(np.flatnonzero(large)[0])
        raise DataError(
            f"column {series.name!r} holds {values[row]:.17g} in data row {row + 1} as a float, "
            "which no longer tells a whole number beyond 2^53 from its neighbours; hold the column "
            "as text or as whole numbers (pandas: Int64)"
        )


def _spelled(cell: object) -> str:
    if isinstance(cell, float | np.floating):
        number = float(cell)
        return str(int(number)) if number.is_integer() else repr(number)
    return str(cell)


def _dates(series: pd.Series) -> Strings:
    """As pandas writes them to a csv file: without the time where it is midnight everywhere."""
    known = series.dropna()
    text = np.full(len(series), None, dtype=object)
    days = bool((known == known.dt.normalize()).all()) and known.dt.tz is None
    text[series.notna().to_numpy()] = [
        str(cell.date()) if days else str(cell) for cell in known.tolist()
    ]
    return text


def as_numbers(series: pd.Series, source: str) -> Floats:
    """(N,) float64, NaN where the cell is empty.

    Raises:
        DataError: naming the column, the row and the value that is no number.
    """
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse_nested(series, source)
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
    """(N,) what a model is shown, as `typed` describes it; cells of a csv file keep their text.

    Text stays text in every other format, however much it looks like numbers.

    Raises:
        DataError: for a cell that is a list.

    >>> as_input(pd.Series([1, 2, None], dtype="Int64")).tolist()
    [1.0, 2.0, nan]
    >>> as_input(pd.Series(["1", None], dtype=object)).tolist()
    ['1', None]
    """
    kind = series.dtype
    if isinstance(kind, pd.StringDtype):
        return csv_cells(as_text(series))
    if isinstance(kind, pd.CategoricalDtype):
        return as_input(series.astype(kind.categories.dtype if series.notna().all() else object))
    if pd.api.types.is_float_dtype(kind) or pd.api.types.is_datetime64_any_dtype(kind):
        return _plain(series)
    if not pd.api.types.is_object_dtype(kind) and not series.isna().any():
        return _exact(series.to_numpy())
    _refuse_nested(series, "")
    there = series.notna()
    cells: list[Any] = series.astype(object).where(there, None).tolist()
    return _of_cells(cells, {type(cell) for cell in series[there].tolist()})


def _plain(series: pd.Series) -> npt.NDArray[Any]:
    if pd.api.types.is_float_dtype(series.dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    return series.to_numpy()


def _exact(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Whole numbers as float64, unless one would not be exact."""
    if values.dtype.kind not in "iu":
        return values
    large = (values > EXACT) | (values < -EXACT)
    return values if large.any() else values.astype(np.float64)


def _of_cells(cells: list[Any], kinds: set[type]) -> npt.NDArray[Any]:
    """Of Python's own values, None where one is missing."""
    if kinds and kinds <= {bool, np.bool_}:
        return truths([None if cell is None else bool(cell) for cell in cells])
    whole = all(issubclass(one, int | np.integer) for one in kinds)
    if whole and any(cell is not None and abs(int(cell)) > EXACT for cell in cells):
        return wholes([None if cell is None else int(cell) for cell in cells])
    if kinds and all(issubclass(one, NUMBERS) and one is not bool for one in kinds):
        return np.array([np.nan if cell is None else float(cell) for cell in cells], np.float64)
    made = np.empty(len(cells), dtype=object)
    made[:] = cells
    return made


def as_category(cells: pd.Series | Strings) -> Category:
    """Cells as codes into their sorted distinct texts; -1 where empty.

    >>> made = as_category(pd.Series(["b", None, "a"]))
    >>> made.values, made.codes.tolist()
    (('a', 'b'), [1, -1, 0])
    """
    series = cells if isinstance(cells, pd.Series) else pd.Series(cells)
    whole = series.dtype == object or pd.api.types.is_datetime64_any_dtype(series.dtype)
    codes, found = pd.factorize(as_text(series) if whole else series)
    text = as_text(pd.Series(found, name=series.name))
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
