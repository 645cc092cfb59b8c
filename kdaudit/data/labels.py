"""Labels of some of the audited rows, in a file of their own (``[data.labels]``)."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdaudit.data.audit_file import DataTable, LabelsTable
from kdaudit.data.columns import as_numbers, as_text, distinct, pick
from kdaudit.data.frame import Frame, Listed
from kdaudit.data.readers import Source, read
from kdaudit.errors import DataError, examples
from kdaudit.evidence.kinds import Floats, Ints
from kdaudit.stats.random import stream

STANDS_FOR = "stands_for"
ROLES = ("labels", "label weights")  # of the two files


def with_labels(
    frame: Frame, data: DataTable, base: Path, seed: int, *, to_label: bool = False
) -> tuple[Frame, list[tuple[str, Source]]]:
    """The audited rows with the labels that there are, and the files they came from.

    Args:
        frame: the rows, without labels.
        data: its ``labels`` says where they are.
        base: the folder that paths are relative to.
        seed: with which rows were drawn.
        to_label: whether rows are about to be labelled: then no file is no label.

    Raises:
        DataError: naming the file and the row that is wrong.
    """
    table = data.labels
    assert table is not None
    labels = np.full(len(frame), None, dtype=object)
    if not (base / table.path).exists():
        if to_label:
            return replace(frame, labels=labels, listed=Listed(rows=0, stands_for=None)), []
        raise DataError(
            f"there is no file {table.path} of [data.labels]; `kdaudit label` writes the rows to "
            "label into it"
        )
    source = read(table.path, base)
    files = [(ROLES[0], source)]
    at = _places(source, _id_column(source, table, data), frame)
    told = as_text(pick(source.table, table.label, "data.labels label", source.name))
    labels[at] = [None if cell is None or not cell.strip() else cell for cell in told]
    if not to_label and not any(label is not None for label in labels):
        raise DataError(
            f"{source.name}: column {table.label!r} is empty in all {len(at)} rows; label them "
            "first"
        )
    stands_for: Floats | None = None
    if table.weights is not None:
        weights = read(table.weights, base)
        files.append((ROLES[1], weights))
        stands_for = _stands_for(weights, table, data, frame, at, source.name)
        _refuse_other_draw(stands_for, seed, weights.name)
    return replace(frame, labels=labels, listed=Listed(rows=len(at), stands_for=stands_for)), files


def _id_column(source: Source, table: LabelsTable, data: DataTable) -> str:
    return table.id or (data.id if data.id in source.table.columns else None) or "id"


def _places(source: Source, column: str, frame: Frame) -> npt.NDArray[np.intp]:
    """(K,) the audited row of each row of a file.

    Raises:
        DataError: for ids that are empty, stand twice or are of no audited row.
    """
    ids = as_text(pick(source.table, column, "data.labels id", source.name))
    distinct(ids, source.name, column)
    place = pd.Index(frame.ids).get_indexer(pd.Index(ids))
    strange = [str(one) for one in ids[place < 0]]
    if strange:
        raise DataError(
            f"{source.name}: {len(strange)} ids are of no audited row, e.g. {examples(strange)}"
        )
    return np.asarray(place, np.intp)


def _stands_for(
    weights: Source,
    table: LabelsTable,
    data: DataTable,
    frame: Frame,
    listed: npt.NDArray[np.intp],
    labels: str,
) -> Floats:
    """(N,) how many rows each listed row stands for.

    Raises:
        DataError: for numbers below 1, or other rows than those to label.
    """
    at = _places(weights, _id_column(weights, table, data), frame)
    numbers = as_numbers(
        pick(weights.table, STANDS_FOR, "data.labels weights", weights.name), weights.name
    )
    bad = np.flatnonzero(~(np.isfinite(numbers) & (numbers >= 1)))
    if len(bad):
        raise DataError(
            f"{weights.name}: {STANDS_FOR} says how many rows a row stands for, itself at least; "
            f"data row {int(bad[0]) + 1} has {numbers[bad[0]]}"
        )
    _refuse_other_rows(at, listed, frame, weights.name, labels)
    stands_for = np.zeros(len(frame))
    stands_for[at] = numbers
    return stands_for


def drawing_order(seed: int, rows: int) -> Ints:
    """(N,) the order in which rows are drawn, those that stand for themselves left out."""
    order: Ints = stream(seed, "label", "sample").permutation(rows)
    return order


def _refuse_other_draw(stands_for: Floats, seed: int, name: str) -> None:
    """Refuse a sample that is not the one the seed draws: chosen rows stand for no others.

    Raises:
        DataError: saying what does not fit.
    """
    drawn = np.flatnonzero(stands_for > 1)
    if not len(drawn):
        return
    if np.ptp(stands_for[drawn]) > 1e-9 * stands_for[drawn[0]]:
        raise DataError(
            f"{name}: rows that were drawn stand for equally many each, and here for "
            f"{stands_for[drawn].min():g} to {stands_for[drawn].max():g}; use the file as "
            "`kdaudit label` wrote it"
        )
    others = [row for row in drawing_order(seed, len(stands_for)) if stands_for[row] != 1]
    if set(others[: len(drawn)]) != set(drawn.tolist()):
        raise DataError(
            f"{name}: these are not the rows that `kdaudit label` draws with [audit] seed = "
            f"{seed}; use the file as it was written, with the seed of then"
        )


def _refuse_other_rows(
    one: npt.NDArray[np.intp], other: npt.NDArray[np.intp], frame: Frame, name: str, labels: str
) -> None:
    apart: Ints = np.setxor1d(one, other)
    if len(apart):
        raise DataError(
            f"{name} and {labels} are of different rows: {len(apart)} ids are in one of them only, "
            f"e.g. {examples([str(frame.ids[i]) for i in apart])}; `kdaudit label` writes both"
        )
