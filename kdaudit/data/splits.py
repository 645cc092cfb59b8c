"""Which rows belong to which split: by a column's values, or by a seeded hash."""

from hashlib import blake2b
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdaudit.data.audit_file import ColumnSplit, DataTable, HashSplit
from kdaudit.data.columns import as_category, as_text, pick
from kdaudit.errors import DataError, examples

Split = Literal["audit", "validation", "transfer"]
SPLITS: tuple[Split, ...] = ("audit", "validation", "transfer")


def assign(
    table: pd.DataFrame, data: DataTable, ids: npt.NDArray[np.object_], seed: int
) -> npt.NDArray[np.object_]:
    """(N,) the split of each row, or None for rows in no split.

    Without ``split`` every row is audited. A hash split draws by cluster where one is declared,
    so that a cluster never lies on both sides.

    Raises:
        DataError: if a named value does not occur, or a split is empty.
    """
    if data.split is None:
        return np.full(len(ids), "audit", dtype=object)
    if isinstance(data.split, HashSplit):
        units = (
            ids
            if data.cluster is None
            else as_text(pick(table, data.cluster, "cluster", data.path))
        )
        draws = _uniform(units, seed)
        audit, validation = data.split.audit, data.split.validation
        names = np.where(
            draws < audit, "audit", np.where(draws < audit + validation, "validation", "transfer")
        )
        return names.astype(object)
    return _by_column(table, data.split, data.path)


def _by_column(table: pd.DataFrame, split: ColumnSplit, source: str) -> npt.NDArray[np.object_]:
    cells = as_category(pick(table, split.column, "split", source))
    names: dict[str, Split] = {}
    for name in SPLITS:
        for value in getattr(split, name):
            if value not in cells.values:
                raise DataError(
                    f"{source}: no row has {split.column} = {value!r} ({name} split); "
                    f"the column holds {examples(cells.values, 8)}"
                )
            if value in names:
                raise DataError(
                    f"{source}: split puts {split.column} = {value!r} into {names[value]} and into "
                    f"{name}; no row can be both"
                )
            names[value] = name
    # The last entry stands for the code -1 of an empty cell.
    return np.array([*map(names.get, cells.values), None], dtype=object)[cells.codes]


def _uniform(units: npt.NDArray[np.object_], seed: int) -> npt.NDArray[np.float64]:
    """(N,) numbers in [0, 1), equal for equal units."""
    salt = str(seed).encode()
    draws = {
        unit: int.from_bytes(blake2b(str(unit).encode(), key=salt, digest_size=8).digest(), "big")
        for unit in set(units.tolist())
    }
    return np.array([draws[unit] for unit in units.tolist()], dtype=np.float64) / 2.0**64
