"""The data an audit file names, read once, as strict frames by split."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kdaudit.data import bbq
from kdaudit.data.answers import as_answers
from kdaudit.data.audit_file import RUNS, AuditFile, ColumnSplit, DataTable, Names
from kdaudit.data.columns import as_category, as_input, as_numbers, as_text, distinct, pick
from kdaudit.data.derived import attributes, refuse_reserved
from kdaudit.data.frame import Frame
from kdaudit.data.labels import with_labels
from kdaudit.data.protected_rows import protected_rows
from kdaudit.data.readers import Source, read
from kdaudit.data.splits import SPLITS, Split, assign
from kdaudit.errors import DataError, unknown
from kdaudit.evidence.kinds import Floats, Ints, Strings
from kdaudit.evidence.view import Category
from kdaudit.models.adapter import Columns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Frames by split, and the files they came from.

    Attributes:
        frames: by split; a split without rows is absent.
        sources: (role, file) read, for the record.
        all_ids: every id of the data file: a predictions file may hold more than the audit split.
        protected: the texts of ``[data.protected]``, or None.
    """

    frames: dict[Split, Frame]
    sources: tuple[tuple[str, Source], ...]
    all_ids: npt.NDArray[np.object_] = field(default_factory=lambda: np.array([], dtype=object))
    protected: Frame | None = None

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


def load(audit: AuditFile, base: Path, *, to_label: bool = False) -> Dataset:
    """Read and check the data of an audit file that lies in the folder ``base``.

    Args:
        audit: the audit file.
        base: its folder.
        to_label: whether rows are about to be labelled: a file of labels need not be there yet.

    Raises:
        DataError: naming the file, the column, the row and the value that is wrong.
    """
    source = read(audit.data.path, base)
    data = with_documents(audit.data, source)
    dataset = from_table(source, data, audit.audit.seed, base)
    if data.labels is None:
        return dataset
    seed = audit.audit.seed
    frame, files = with_labels(dataset.frame("audit"), data, base, seed, to_label=to_label)
    return replace(
        dataset,
        frames={**dataset.frames, "audit": frame},
        sources=(*dataset.sources, *files),
    )


def withheld(audit: AuditFile, base: Path) -> Dataset:
    """The data without the audit split, for whoever must not look at it.

    Its rows are taken out of the table before anything is made of it: not even the bands of a
    column know them. The other splits have the rows, and the ids, that `load` gives them.

    Raises:
        DataError: as `load` does; and if there are no validation rows.
    """
    source = read(audit.data.path, base)
    data = with_documents(audit.data, source)
    ids = _ids(source.table, data.id, source.name)
    splits = assign(source.table, data, ids, audit.audit.seed)
    if not (splits == "validation").any():
        raise DataError(
            f"{source.name}: there are no validation rows, and the audit split may not be looked "
            'at; name them in the audit file, e.g. split = { by = "hash", audit = 0.3, '
            "validation = 0.1 }"
        )
    keep = np.isin(splits.astype(str), ("validation", "transfer"))
    # Without an id column the position was the id, and rows have moved up.
    id_column, split_column = data.id or "id", "split of kdaudit"
    table = source.table[keep].assign(**{id_column: ids[keep], split_column: splits[keep]})
    named: dict[str, Names] = {"audit": ("validation",)}
    if data.transfer is None and (splits == "transfer").any():
        named["transfer"] = ("transfer",)
    found = from_table(
        replace(source, table=table.reset_index(drop=True)),
        data.model_copy(
            update={
                "id": id_column,
                "split": ColumnSplit(column=split_column, **named),
                "labels": None,  # of audited rows
            }
        ),
        audit.audit.seed,
        base,
    )
    frames: dict[Split, Frame] = {
        "validation" if split == "audit" else split: frame for split, frame in found.frames.items()
    }
    return replace(found, frames=frames, all_ids=ids)


def with_documents(data: DataTable, source: Source) -> DataTable:
    """``[data]`` with the clusters that are known: what is asked again, and templates of BBQ.

    In a run of benchmarks a document that is asked again is a cluster.
    """
    if data.path.startswith(bbq.PREFIX) and not data.cluster:
        return data.model_copy(update={"cluster": "template"})
    again = data.path.startswith(RUNS) and source.table["document"].duplicated().any()
    return data.model_copy(update={"cluster": "document"}) if again and not data.cluster else data


def from_table(source: Source, data: DataTable, seed: int, base: Path) -> Dataset:
    """Frames from a table already in memory."""
    table = source.table
    ids = _ids(table, data.id, source.name)
    splits = assign(table, data, ids, seed)
    if not (splits == "audit").any():
        raise DataError(f"{source.name}: the audit split has no rows; nothing can be audited")
    transfer = None if data.transfer is None else read(data.transfer.path, base)
    rows = {name: np.flatnonzero(splits == name) for name in SPLITS}
    # Arrow sorts and counts outside the interpreter's lock.
    with ThreadPoolExecutor(max_workers=1) as beside:
        ordered = beside.submit(
            lambda: {name: _in_order(ids, some) for name, some in rows.items() if len(some)}
        )
        groups = attributes(
            table, data, splits, source.name, None if transfer is None else transfer.table
        )
        # Whether a column is numbers or text is a fact of the file, not of one split.
        inputs = _inputs(table, data, source.name)
        frames = {
            name: _frame(
                table,
                *found,
                _labelled_later(table, found[0], data, source.name) if name == "audit" else data,
                source.name,
                inputs,
                groups,
            )
            for name, found in ordered.result().items()
        }
    sources = [("data", source)]
    if transfer is not None:
        sources.append(("transfer", transfer))
        frames["transfer"] = _transfer(transfer, data)
        named = data.transfer.id if data.transfer is not None else None
        if (data.id or "id") in table.columns and (named or "id") in transfer.table.columns:
            _refuse_audited(frames["audit"], frames["transfer"], transfer.name)
    protected = None
    if data.protected is not None:
        sources.append(("protected", read(data.protected.path, base)))
        protected = protected_rows(sources[-1][1], data.protected)
    return Dataset(frames=frames, sources=tuple(sources), all_ids=ids, protected=protected)


def _labelled_later(
    table: pd.DataFrame, rows: npt.NDArray[np.intp], data: DataTable, source: str
) -> DataTable:
    """The roles of audited rows, whose labels may be in a file of their own.

    Raises:
        DataError: if they are labelled in the data already.
    """
    if data.labels is None:
        return data
    if data.label is not None and data.label in table.columns:
        there = int(table[data.label].iloc[rows].notna().sum())
        if there:
            raise DataError(
                f"{source}: column {data.label!r} labels {there} audited rows already, and "
                f"[data.labels] names {data.labels.path}; keep the labels in one place"
            )
    return data.model_copy(update={"label": None})


def _inputs(table: pd.DataFrame, data: DataTable, source: str) -> Columns:
    return {name: as_input(pick(table, name, "inputs", source)) for name in data.inputs}


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
    rows: npt.NDArray[np.intp],
    ids: npt.NDArray[np.object_],
    data: DataTable,
    source: str,
    inputs: Columns,
    groups: Mapping[str, Category],
) -> Frame:
    labels = None if data.label is None else _labels(table, rows, ids, data.label, source)
    choices = (
        None
        if data.choices is None
        else as_answers(pick(table, data.choices, "choices", source, nested=True).iloc[rows])
    )
    stereotyped = _one_choice(table, rows, "stereotyped", data.stereotyped, choices, source)
    way_out = _one_choice(table, rows, "unknown", data.unknown, choices, source)
    _tell_apart(rows, stereotyped, way_out, source)
    return Frame(
        ids=ids,
        labels=labels,
        inputs={name: column[rows] for name, column in inputs.items()},
        out_of_scope=np.asarray(labels == data.out_of_scope, dtype=np.bool_)
        if data.out_of_scope is not None
        else np.zeros(len(rows), dtype=np.bool_),
        weight=_weight(table, rows, data, source),
        cluster=_cluster(table, rows, data, source),
        attributes={name: column.take(rows) for name, column in groups.items()},
        answers=None
        if data.answers is None
        else as_answers(pick(table, data.answers, "answers", source, nested=True).iloc[rows]),
        source=None
        if data.source is None
        else as_text(pick(table, data.source, "source", source).iloc[rows]),
        choices=choices,
        stereotyped=stereotyped,
        unknown=way_out,
    )


def _one_choice(
    table: pd.DataFrame,
    rows: npt.NDArray[np.intp],
    role: str,
    column: str | None,
    choices: Strings | None,
    source: str,
) -> Strings | None:
    """(N,) one of each row's choices, None where the cell is empty."""
    if column is None or choices is None:
        return None
    named = as_text(pick(table, column, role, source).iloc[rows])
    for row, text, among in zip(rows, named, choices, strict=True):
        if text is not None and text not in among:
            raise DataError(
                f"{source}: column {column!r} names {role} choices; in data row {row + 1} "
                f"{unknown('choice', text, among)}"
            )
    return named


def _tell_apart(
    rows: npt.NDArray[np.intp], stereotyped: Strings | None, way_out: Strings | None, source: str
) -> None:
    """Refuse a row whose way out is the stereotyped choice: nothing could be said of it."""
    if stereotyped is None or way_out is None:
        return
    for row, one, other in zip(rows, stereotyped, way_out, strict=True):
        if one is not None and one == other:
            raise DataError(
                f"{source}: data row {row + 1} names the choice {one!r} as stereotyped and as "
                "unknown; the way out is another one, so correct the row"
            )


def _labels(
    table: pd.DataFrame,
    rows: npt.NDArray[np.intp],
    ids: npt.NDArray[np.object_],
    column: str,
    source: str,
) -> npt.NDArray[np.object_]:
    label = as_category(pick(table, column, "label", source).iloc[rows])
    refuse_reserved(label.values, f"{source}: label column {column!r}")
    # A million labels are a few strings, each held once.
    labels = np.array([*label.values, None], dtype=object)[label.codes]
    empty = np.flatnonzero(label.codes < 0)
    if len(empty):
        raise DataError(
            f"{source}: label column {column!r} is empty in {len(empty)} rows, first at id "
            f"{ids[empty[0]]!r}; label them, leave the rows out, or label only those on which the "
            "models differ ([data.labels] and `kdaudit label`)"
        )
    return labels


def _in_order(
    ids: npt.NDArray[np.object_], rows: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.object_]]:
    """The rows in the order of their ids, by code points, and those ids."""
    # UTF-8 sorts as code points do, and Arrow sorts it in a tenth of the time of Python's strings.
    text = pa.array(ids[rows], pa.large_string())
    order = pc.sort_indices(text)
    # New strings, in order: whoever goes through them later goes through memory in order too.
    return rows[np.asarray(order, np.intp)], np.asarray(text.take(order), object)


def _weight(
    table: pd.DataFrame, rows: npt.NDArray[np.intp], data: DataTable, source: str
) -> Floats | None:
    if data.weight is None:
        return None
    weight = as_numbers(pick(table, data.weight, "weight", source).iloc[rows], source)
    if not np.all(np.isfinite(weight) & (weight > 0)):
        bad = weight[~(np.isfinite(weight) & (weight > 0))][0]
        raise DataError(f"{source}: weight column {data.weight!r} must be positive, found {bad}")
    with np.errstate(over="ignore", under="ignore"):
        total = np.square(weight).sum()
    if not 0 < total < np.inf:
        raise DataError(
            f"{source}: weight column {data.weight!r} is too large or too small to be squared, "
            f"e.g. {weight[0]:g}; divide it by its mean"
        )
    # Rows that all weigh the same are rows without weights, and are counted exactly.
    return None if weight.size and np.ptp(weight) == 0 else weight


def _cluster(
    table: pd.DataFrame, rows: npt.NDArray[np.intp], data: DataTable, source: str
) -> Ints | None:
    if data.cluster is None:
        return None
    codes = as_category(pick(table, data.cluster, "cluster", source).iloc[rows]).codes
    if (codes < 0).any():
        raise DataError(f"{source}: cluster column {data.cluster!r} has empty cells; fill them")
    return codes


def _refuse_audited(audited: Frame, transfer: Frame, source: str) -> None:
    """Refuse to learn from the rows that are audited.

    Numbers that two files count from 1 are equal and mean nothing: rows are the same where what a
    model is shown is, too.

    Raises:
        DataError: naming how many, and one of them.
    """
    at = pd.Index(audited.ids).get_indexer(pd.Index(transfer.ids))
    rows = np.flatnonzero(at >= 0)
    if len(rows) and audited.inputs and transfer.inputs:
        rows = rows[audited.rows()[at[rows]] == transfer.rows()[rows]]
    if len(rows):
        raise DataError(
            f"{source}: {len(rows):,} transfer rows are audited rows, by id and content, e.g. "
            f"{str(transfer.ids[rows[0]])!r}; a student that learnt from them knows the answers: "
            "take them out of one of the two"
        )


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
    ordered = _in_order(ids, np.arange(len(table)))
    inputs = _inputs(table, labelled, source.name)
    if labelled.label is None or labelled.label in table.columns:
        return _frame(table, *ordered, labelled, source.name, inputs, {})
    if named.label is not None:
        pick(table, named.label, "data.transfer label", source.name)
    blank = table.assign(**{labelled.label: ""})
    frame = _frame(blank, *ordered, labelled, source.name, inputs, {})
    return Frame(
        ids=frame.ids,
        labels=None,
        inputs=frame.inputs,
        out_of_scope=np.zeros(len(frame), dtype=np.bool_),
    )
