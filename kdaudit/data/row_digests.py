"""Digests of rows by content: what a model answers depends on what it was shown, not on ids."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kdaudit.data.columns import as_text
from kdaudit.data.csv_cells import EXACT, CsvCells, typed
from kdaudit.evidence.kinds import Bools
from kdaudit.models.adapter import Columns

GONE = b"\xff\xff\xff\xff"  # a missing cell; no text is as long
PLAIN = r"^(0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]*[1-9])$"
DIGITS = 15  # of a decimal number that a float gives back as it was written
SMALL = 1e-4  # below it, Python writes an exponent


def row_digests(columns: Columns, n: int) -> npt.NDArray[np.object_]:
    """Digest N rows of named columns by content.

    A number of a csv file that is written as Python writes it is the number of other formats;
    ``0010`` is not, because a language model is shown it as it stands.

    Args:
        columns: (N,) arrays by name.
        n: number of rows, for the case of no columns.

    Returns:
        (N,) array of 16-byte ``bytes``.

    >>> a = row_digests({"x": np.array([1.0, 2.0, 1.0])}, 3)
    >>> bool(a[0] == a[2]), bool(a[0] == a[1])
    (True, False)
    """
    shown = {name: typed(column) for name, column in columns.items()}
    numbers = sorted(name for name, column in shown.items() if column.dtype.kind in "iuf")
    texts = sorted(set(shown) - set(numbers))
    # Names and kinds lead: the number 1 and the text "1" stay different.
    head = blake2b("\x1f".join([*numbers, "\x1e", *texts]).encode(), digest_size=16)
    block = np.empty((n, len(numbers)), dtype="<f8")
    for i, name in enumerate(numbers):
        block[:, i] = shown[name]
    text = [_spelled(shown[name]) for name in texts]
    besides: dict[int, list[str]] = {}
    for name in sorted(shown):
        for row, cell in _not_told(columns[name], shown[name]):
            besides.setdefault(row, []).append(f"{name}\x1f{cell}")
    out = np.empty(n, dtype=object)
    for i in range(n):
        digest = head.copy()
        digest.update(block[i].tobytes())
        for column in text:
            digest.update(_framed(column[i]))
        for said_besides in besides.get(i, ()):
            digest.update(GONE + said_besides.encode())
        out[i] = digest.digest()
    return out


def _framed(cell: str | None) -> bytes:
    if cell is None:
        return GONE
    said = cell.encode()
    return len(said).to_bytes(4, "little") + said


def _spelled(column: npt.NDArray[np.generic]) -> Sequence[str | None]:
    if column.dtype == object:
        return [None if pd.isna(cell) else str(cell) for cell in column.tolist()]
    text: list[str | None] = as_text(pd.Series(column)).tolist()
    return text


def _not_told(
    column: npt.NDArray[np.generic], shown: npt.NDArray[np.generic]
) -> list[tuple[int, str]]:
    """(row, text) of cells that a float does not tell whole."""
    if isinstance(column, CsvCells):
        rows = np.flatnonzero(_unusual(column, shown))
        return [(int(row), str(column[row])) for row in rows]
    if shown.dtype.kind in "iu":
        large = np.flatnonzero(np.abs(shown.astype(np.float64)) >= EXACT)
        return [(int(row), str(shown[row])) for row in large]
    return []


def _unusual(column: CsvCells, shown: npt.NDArray[np.generic]) -> Bools:
    """(N,) cells that are written otherwise than Python writes what they say."""
    if column.kind == "text":
        return np.zeros(len(column), dtype=np.bool_)
    cells = np.asarray(column, dtype=object)
    there = np.array([cell is not None for cell in cells.tolist()], dtype=np.bool_)
    usual = np.zeros(len(cells), dtype=np.bool_)
    if column.kind == "number":
        text = pa.array(cells, pa.large_string())
        plain = pc.and_(
            pc.match_substring_regex(text, PLAIN),
            pc.less_equal(pc.utf8_length(text), DIGITS),
        )
        usual = np.asarray(pc.fill_null(plain, True), dtype=np.bool_)
        values = np.asarray(shown, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            usual &= ~(np.abs(values) < SMALL) | (values == 0)
    rest = np.flatnonzero(there & ~usual)
    said = as_text(pd.Series(np.asarray(shown, dtype=object)[rest], dtype=object))
    found = np.zeros(len(cells), dtype=np.bool_)
    found[rest] = said != cells[rest]
    return found
