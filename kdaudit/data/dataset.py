"""The data an audit file names, read once, as strict frames by split."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdaudit.data.audit_file import AuditFile, DataTable
from kdaudit.data.columns import as_category, as_input, as_numbers, as_text, distinct, pick
from kdaudit.data.frame import Frame
from kdaudit.data.readers import Source, read
from kdaudit.data.splits import SPLITS, Split, assign
from kdaudit.errors import DataError
from kdaudit.evidence.view import Category

MOST_VALUES = 200  # of a slice or sensitive column; more is a number or an id, not a group


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Frames by split, and the files they came from.

    Attributes:
        frames: by split; a split without rows is absent.
        sources: (role, file) read, for the record.
        all_ids: every id of the data file: a predictions file may hold more than the audit split.
    """

    frames: dict[Split, Frame]
    sources: tuple[tuple[str, Source], ...]
    all_ids: frozenset[str] = field(default_factory=frozenset)

    def frame(self, split: Split) -> Frame:
        """The frame of one split.

        Raises:
            DataError: saying how to declare it.
        """
        if split not in self.frames:
            raise DataError(
                f"there are no {split} rows; name them in the audit file, e.g. "
                'split = { column = "split", audit = "test", validation = "val", '
                'transfer = "train" } '
                'or split = { by = "hash", audit = 0.3, validation = 0.1 }'
            )
        return self.frames[split]


def load(audit: AuditFile, base: Path) -> Dataset:
    """Read and check the data of an audit file that lies in the folder ``base``.

    Raises:
        DataError: naming the file, the column, the row and the value that is wrong.
    """
    source = read(audit.data.path, base)
    return from_table(source, audit.data, audit.audit.seed, base)


def from_table(source: Source, data: DataTable, seed: int, base: Path) -> Dataset:
    """Frames from a table already in memory."""
    table = source.table
    ids = _ids(table, data.id, source.name)
    splits = assign(table, data, ids, seed)
    frames: dict[Split, Frame] = {}
    for name in SPLITS:
        rows = np.flatnonzero(splits == name)
        if len(rows):
            frames[name] = _frame(table, ids, rows, data, source.name)
    if "audit" not in frames:
        raise DataError(f"{source.name}: the audit split has no rows; nothing can be audited")
    sources = [("data", source)]
    if data.transfer is not None:
        transfer = read(data.transfer.path, base)
        sources.append(("transfer", transfer))
        frames["transfer"] = _transfer(transfer, data)
    return Dataset(frames=frames, sources=tuple(sources), all_ids=frozenset(ids.tolist()))


def _ids(table: pd.DataFrame, column: str | None, source: str) -> npt.NDArray[np.object_]:
    if column is None and "id" in table.columns:
        column = "id"
    if column is None:
        # Without an id column rows can only be told apart by position, so positions are the ids.
        return np.array([f"{i:012d}" for i in range(len(table))], dtype=object)
    ids = as_text(pick(table, column, "id", source))
    distinct(ids, source, column)
    return ids


def _frame(
    table: pd.DataFrame,
    ids: npt.NDArray[np.object_],
    rows: npt.NDArray[np.intp],
    data: DataTable,
    source: str,
) -> Frame:
    # Whether a column is numbers or text is a fact of the file, not of one split.
    inputs = {name: as_input(pick(table, name, "inputs", source)) for name in data.inputs}
    rows = rows[np.argsort(ids[rows].astype(str), kind="stable")]
    part = table.iloc[rows]
    labels = as_text(pick(part, data.label, "label", source))
    empty = np.flatnonzero(pd.isna(labels))
    if len(empty):
        raise DataError(
            f"{source}: label column {data.label!r} is empty in {len(empty)} rows, first at id "
            f"{ids[rows][empty[0]]!r}; label them or leave the rows out"
        )
    return Frame(
        ids=ids[rows],
        labels=labels,
        inputs={name: column[rows] for name, column in inputs.items()},
        out_of_scope=np.asarray(labels == data.out_of_scope, dtype=np.bool_)
        if data.out_of_scope is not None
        else np.zeros(len(rows), dtype=np.bool_),
        weight=_weight(part, data, source),
        cluster=None
        if data.cluster is None
        else as_category(_filled(part, data.cluster, "cluster", source)).codes,
        attributes={
            name: _groups(part, name, role, source)
            for role, names in (("slices", data.slices), ("sensitive", data.sensitive))
            for name in names
        },
    )


def _weight(part: pd.DataFrame, data: DataTable, source: str) -> npt.NDArray[np.float64] | None:
    if data.weight is None:
        return None
    weight = as_numbers(pick(part, data.weight, "weight", source), source)
    if not np.all(np.isfinite(weight) & (weight > 0)):
        bad = weight[~(np.isfinite(weight) & (weight > 0))][0]
        raise DataError(f"{source}: weight column {data.weight!r} must be positive, found {bad}")
    with np.errstate(over="ignore"):
        total = np.square(weight).sum()
    if not np.isfinite(total):
        raise DataError(f"{source}: weight column {data.weight!r} adds up to infinity")
    return weight


def _filled(part: pd.DataFrame, column: str, role: str, source: str) -> npt.NDArray[np.object_]:
    text = as_text(pick(part, column, role, source))
    if any(cell is None for cell in text):
        raise DataError(f"{source}: {role} column {column!r} has empty cells; fill them")
    return text


def _groups(part: pd.DataFrame, column: str, role: str, source: str) -> Category:
    category = as_category(as_text(pick(part, column, role, source)))
    if len(category.values) > MOST_VALUES:
        raise DataError(
            f"{source}: column {column!r} in {role} has {len(category.values)} different values, "
            f"more than {MOST_VALUES}; cut it into bands (or into fewer groups) first"
        )
    return category


def _transfer(source: Source, data: DataTable) -> Frame:
    named = data.transfer
    assert named is not None
    labelled = DataTable(
        path=named.path,
        id=named.id or (data.id if data.id in source.table.columns else None),
        label=named.label or data.label,
        inputs=data.inputs,
        out_of_scope=data.out_of_scope,
    )
    table = source.table
    ids = _ids(table, labelled.id, source.name)
    rows = np.arange(len(table))
    if labelled.label in table.columns:
        return _frame(table, ids, rows, labelled, source.name)
    if named.label is not None:
        pick(table, named.label, "data.transfer label", source.name)
    blank = table.assign(**{labelled.label: ""})
    frame = _frame(blank, ids, rows, labelled, source.name)
    return Frame(
        ids=frame.ids,
        labels=None,
        inputs=frame.inputs,
        out_of_scope=np.zeros(len(frame), dtype=np.bool_),
    )
