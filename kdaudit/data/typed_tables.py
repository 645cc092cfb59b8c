"""Tables whose source says what each cell is: text stays text, and whole numbers stay exact.

Only a csv file does not say; its columns have pandas' own type of strings, and no other source's
have (`kdaudit.data.readers`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from kdaudit.data.csv_cells import INT64
from kdaudit.errors import DataError

# Types of pandas that hold a missing cell beside whole numbers and truth values.
NULLABLE = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


def from_arrow(table: pa.Table) -> pd.DataFrame:
    """A table of Arrow; a named index of pandas is a column."""
    frame: pd.DataFrame = table.to_pandas(types_mapper=NULLABLE.get)
    frame = frame if frame.index.names == [None] else frame.reset_index()
    return from_frame(frame)


def from_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """A table in memory: its strings are text, whatever they look like, and so are its names.

    Raises:
        DataError: for two columns of one name.

    >>> from_frame(pd.DataFrame({"zip": ["02134"]})).dtypes["zip"]
    dtype('O')
    """
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"the table has the column {twice!r} twice; rename one")
    if names != list(frame.columns):
        frame = frame.set_axis(names, axis="columns")
    texts = [name for name, kind in frame.dtypes.items() if isinstance(kind, pd.StringDtype)]
    if not texts:
        return frame
    found = frame.copy(deep=False)
    for name in texts:
        found[name] = _objects(frame[name])
    return found


def _objects(series: pd.Series) -> pd.Series:
    return series.astype(object).where(series.notna(), None)


def from_records(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as JSON has them; a key that is not there is a missing cell.

    >>> made = from_records([{"shop": 9007199254740993, "paid": True}, {"shop": None}])
    >>> made["shop"].tolist(), made["paid"].tolist()
    ([9007199254740993, <NA>], [True, <NA>])
    """
    names = dict.fromkeys(name for row in rows for name in row)
    return pd.DataFrame({name: column([row.get(name) for row in rows]) for name in names})


def column(cells: Sequence[Any]) -> pd.Series:
    """One column of Python's values: whole numbers, numbers, truth values, or objects."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds == {bool}:
        return pd.Series(cells, dtype="boolean" if None in cells else np.bool_)
    if kinds == {int} and all(cell is None or cell in INT64 for cell in cells):
        return pd.Series(cells, dtype="Int64" if None in cells else np.int64)
    if kinds == {float}:
        return pd.Series(cells, dtype=np.float64)
    # Whole numbers beside fractions too: each cell is spelled as it stands.
    return pd.Series(cells, dtype=object)
