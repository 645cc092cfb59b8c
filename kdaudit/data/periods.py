"""Times as periods: did the student fall behind at some time?"""

from math import ceil

import numpy as np
import pandas as pd

from kdaudit.errors import DataError
from kdaudit.evidence.kinds import Bools, Ints
from kdaudit.evidence.view import Category, Derived

MOST = 12  # periods; more are a curve, with few rows at each of its points


def periods(series: pd.Series, audited: Bools, source: str) -> Category:
    """Days, months, quarters or years: the finest of which the audited rows span at most twelve.

    Args:
        series: (N,) dates or times, as such or written by ISO 8601; with a time zone they are taken
            to UTC. Empty cells have no period, nor have rows outside the audited span.
        audited: (N,) the rows whose span counts.
        source: the file, for messages.

    Raises:
        DataError: naming the column, the row and the value that is no time.

    >>> days = pd.Series(["2024-01-31", "2024-02-01T09:30", None, "2024-04-30"])
    >>> found = periods(days, np.ones(4, dtype=np.bool_), "t.csv")
    >>> found.values, found.codes.tolist()
    (('2024-01', '2024-02', '2024-03', '2024-04'), [0, 1, -1, 3])
    """
    times = _times(series, source)
    known = times.notna().to_numpy()
    if not known[audited].any():
        raise DataError(f"{source}: time column {series.name!r} is empty in every audited row")
    year, month = (_whole(part, known) for part in (times.dt.year, times.dt.month))
    midnight = times.dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    counts = {
        "day": np.where(known, midnight.astype(np.int64), 0),
        "month": 12 * year + month - 1,
        "quarter": 4 * year + (month - 1) // 3,
        "year": year,
    }
    spans = {unit: int(np.ptp(count[known & audited])) + 1 for unit, count in counts.items()}
    unit = next((unit for unit, span in spans.items() if span <= MOST), "year")
    count = counts[unit]
    first, last = int(count[known & audited].min()), int(count[known & audited].max())
    step = ceil(spans[unit] / MOST)
    inside = known & (count >= first) & (count <= last)
    values = tuple(_name(unit, at, min(at + step - 1, last)) for at in range(first, last + 1, step))
    return Category(
        np.where(inside, (count - first) // step, -1).astype(np.int64),
        values,
        Derived(kind="periods", how=f"by {unit}, in UTC" if step == 1 else f"by {step} years"),
    )


def _times(series: pd.Series, source: str) -> "pd.Series[pd.Timestamp]":
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return pd.to_datetime(series, utc=True)
    text = series.astype(object).map(str, na_action="ignore")
    times = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    strange = np.flatnonzero((times.isna() & series.notna()).to_numpy())
    if len(strange):
        raise DataError(
            f"{source}: time column {series.name!r} must hold dates or times such as 2024-05-31 or "
            f"2024-05-31T09:30; data row {strange[0] + 1} holds {series.iloc[strange[0]]!r}"
        )
    return times


def _whole(part: pd.Series, known: Bools) -> Ints:
    filled: Ints = part.fillna(0).to_numpy(dtype=np.int64)
    return np.where(known, filled, 0)


def _name(unit: str, first: int, last: int) -> str:
    if unit == "day":
        return str(np.datetime64(first, "D"))
    if unit == "month":
        return f"{first // 12:04d}-{first % 12 + 1:02d}"
    if unit == "quarter":
        return f"{first // 4:04d}-Q{first % 4 + 1}"
    return f"{first:04d}" if first == last else f"{first:04d} to {last:04d}"
