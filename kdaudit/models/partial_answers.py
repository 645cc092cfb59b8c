"""Answers as servers and samplers give them: logits, counts over samples, the likeliest few.

Columns ``logit_<class>``; ``count_<class>``, how often each class came up among that row's samples;
``top_1``, ``logprob_1``, ``top_2``, … the likeliest classes with log-probabilities, or the same in
one column ``top_logprobs``, as ``{"class": logprob}`` or ``[{"token": "class", "logprob": …}]``.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdaudit.data.columns import as_numbers, as_text
from kdaudit.errors import DataError
from kdaudit.models.adapter import Answers

LOGIT, COUNT, TOP = "logit_", "count_", "top_logprobs"
ROUNDED = 1e-3  # a log-probability of 0 may come a little above it
ABOVE_ONE = 5e-3  # probabilities that were rounded add up to no more than this above one


def partial_answers(table: pd.DataFrame, ids: npt.NDArray[np.object_], name: str) -> Answers | None:
    """The answers of a file that holds them in one of these forms, or None.

    Args:
        table: the file.
        ids: (M,) of its rows.
        name: of the file, for messages.

    Raises:
        DataError: naming the column and the row that is not what it must be.
    """
    columns = [str(column) for column in table.columns]
    logits = [column for column in columns if column.startswith(LOGIT)]
    if logits:
        values = np.column_stack([as_numbers(table[column], name) for column in logits])
        classes = tuple(column.removeprefix(LOGIT) for column in logits)
        return Answers(ids=ids, classes=classes, probabilities=_softmax(values), labels=None)
    counts = [column for column in columns if column.startswith(COUNT)]
    if counts:
        values = np.column_stack([as_numbers(table[column], name) for column in counts])
        _refuse_uncounted(values, counts, name)
        draws = values.sum(axis=1)
        with np.errstate(invalid="ignore"):
            shares = values / np.where(draws > 0, draws, np.nan)[:, None]
        classes = tuple(column.removeprefix(COUNT) for column in counts)
        return Answers(ids=ids, classes=classes, probabilities=shares, labels=None, draws=draws)
    rows = _listed(table, columns, name)
    return None if rows is None else _top(rows, ids, name)


def _softmax(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Probabilities; NaN where a row holds NaN or inf, or excludes every class."""
    largest = values.max(axis=1, keepdims=True)
    safe = np.where(np.isfinite(largest), values, np.nan)
    exponent = np.exp(safe - largest)
    return np.asarray(exponent / exponent.sum(axis=1, keepdims=True), dtype=np.float64)


def _refuse_uncounted(values: npt.NDArray[np.float64], columns: Sequence[str], name: str) -> None:
    wrong = np.argwhere(~np.isnan(values) & ((values < 0) | (values % 1 != 0)))
    if len(wrong):
        row, column = wrong[0].tolist()
        raise DataError(
            f"{name}: column {columns[column]!r} must hold counts of samples, whole numbers; data "
            f"row {row + 1} holds {values[row, column]:g}. Shares are p_<class> columns"
        )


def _listed(
    table: pd.DataFrame, columns: Sequence[str], name: str
) -> list[dict[str, float]] | None:
    """Of every row, the listed classes with their log-probabilities."""
    if TOP in columns:
        return [_cell(cell, row, name) for row, cell in enumerate(table[TOP], 1)]
    places = sorted(int(match[1]) for c in columns if (match := re.fullmatch(r"top_(\d+)", c)))
    if not places:
        return None
    for place in places:
        if f"logprob_{place}" not in columns:
            raise DataError(
                f"{name} has top_{place} and no logprob_{place}: say how likely it is, or save the "
                "answers alone, as `prediction`"
            )
    found: list[dict[str, float]] = [{} for _ in range(len(table))]
    for place in places:
        names, values = as_text(table[f"top_{place}"]), as_numbers(table[f"logprob_{place}"], name)
        for row, (one, value) in enumerate(zip(names.tolist(), values.tolist(), strict=True)):
            if one is not None and not np.isnan(value):
                _once(found[row], one, value, row + 1, name)
    return found


def _cell(cell: Any, row: int, name: str) -> dict[str, float]:
    """One cell of ``top_logprobs``: an object, a list of objects, or either as JSON text."""
    found: dict[str, float] = {}
    try:
        given = json.loads(cell) if isinstance(cell, str) else cell
        if given is None or isinstance(given, float):  # an empty cell
            return found
        if isinstance(given, Mapping):
            given = [{"token": key, "logprob": value} for key, value in given.items()]
        for one in given:
            if one["logprob"] is not None:
                _once(found, str(one["token"]), float(one["logprob"]), row, name)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise DataError(
            f"{name}: column {TOP!r} must hold {{class: logprob}} or [{{token, logprob}}]; data "
            f"row {row} holds {str(cell)[:80]!r}"
        ) from error
    return found


def _once(found: dict[str, float], one: str, value: float, row: int, name: str) -> None:
    if one in found:
        raise DataError(f"{name}: data row {row} lists {one!r} twice; add its mass up, or drop one")
    if not value <= ROUNDED:
        raise DataError(
            f"{name}: data row {row} says that the log-probability of {one!r} is {value:g}; it is "
            "at most 0. Are these probabilities? Take their natural logarithm before saving them"
        )
    found[one] = min(value, 0.0)


def _top(rows: list[dict[str, float]], ids: npt.NDArray[np.object_], name: str) -> Answers:
    classes = tuple(sorted({one for row in rows for one in row}))
    column = {one: number for number, one in enumerate(classes)}
    listed = np.zeros((len(rows), len(classes)))
    labels = np.full(len(rows), None, dtype=object)
    for number, row in enumerate(rows):
        for one, value in row.items():
            listed[number, column[one]] = np.exp(value)
        if row:
            labels[number] = max(row, key=lambda one: row[one])
        else:
            listed[number] = np.nan
    above = np.flatnonzero(listed.sum(axis=1) > 1 + ABOVE_ONE)
    if len(above):
        raise DataError(
            f"{name}: the listed probabilities of {len(above)} rows add up to more than 1, e.g. "
            f"to {listed[above[0]].sum():.3f} in data row {above[0] + 1}; log-probabilities are "
            "natural logarithms"
        )
    return Answers(ids=ids, classes=classes, probabilities=None, labels=labels, listed=listed)
