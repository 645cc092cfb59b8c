"""What a fitted scikit-learn model expects of a column: the categories that its encoders learnt.

A csv file does not say whether ``02134`` is a number, ``True`` a truth value or ``NA`` a missing
cell, and no format says whether a missing text was None or NaN where the model was fitted. The
encoders of the model say it: a cell is shown as the category that it is.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdaudit.data.csv_cells import FALSE, TRUE, CsvCells, typed

# What pandas.read_csv takes for missing, unless it is told otherwise.
READ_AS_MISSING = frozenset(
    (
        *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
        *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    )
)


def fitted_categories(model: Any) -> dict[str, list[Any]]:
    """By column, the categories of the first encoder that reads it; columns without one are absent.

    Args:
        model: any fitted estimator of scikit-learn.
    """
    found: dict[str, list[Any]] = {}
    for name, categories in _walk(model, (), set()):
        found.setdefault(name, categories)
    return found


def _walk(part: Any, names: Sequence[str], seen: set[int]) -> Iterator[tuple[str, list[Any]]]:
    if isinstance(part, list | tuple | dict):
        for item in part.values() if isinstance(part, dict) else part:
            yield from _walk(item, (), seen)
        return
    if not hasattr(part, "get_params") or id(part) in seen:
        return
    seen.add(id(part))
    names = [str(name) for name in getattr(part, "feature_names_in_", names)]
    categories = getattr(part, "categories_", None)
    if isinstance(categories, list) and len(categories) == len(names):
        yield from ((name, list(one)) for name, one in zip(names, categories, strict=True))
    if hasattr(part, "steps"):
        for _, step in part.steps:
            yield from _walk(step, names, seen)
            names = names if _keeps(step, names) else ()
        return
    for item in vars(part).values():
        yield from _walk(item, (), seen)


def _keeps(step: Any, names: Sequence[str]) -> bool:
    """Whether what a step makes of some columns is those columns."""
    try:
        return list(map(str, step.get_feature_names_out(list(names)))) == list(names)
    except (AttributeError, ValueError, TypeError):
        return step in ("passthrough", None)


def shown_as(column: npt.NDArray[np.generic], categories: Sequence[Any] | None) -> npt.NDArray[Any]:
    """(N,) a column as the model was fitted on it.

    Args:
        column: (N,) an input column.
        categories: what its encoder learnt, or None where no encoder reads it.

    >>> shown_as(CsvCells(["NA", "EU", None], "text"), ["AF", "EU", np.nan]).tolist()
    [nan, 'EU', nan]
    >>> shown_as(CsvCells(["02134"], "number"), ["02134", "10001"]).tolist()
    ['02134']
    """
    known = [] if categories is None else [c for c in categories if not _is_gone(c)]
    gone: Any = None if categories is not None and any(c is None for c in categories) else np.nan
    if isinstance(column, CsvCells) and known:
        cells: list[Any] = np.asarray(column, dtype=object).tolist()
        if all(isinstance(c, str) for c in known):
            lost = READ_AS_MISSING - set(known)
            return _objects([gone if c is None or c in lost else c for c in cells])
        truths = all(isinstance(c, bool | np.bool_) for c in known)
        if truths and set(cells) <= {*TRUE, *FALSE, None}:
            return _objects([gone if c is None else c in TRUE for c in cells])
    shown = typed(column)
    if shown.dtype != object:
        return shown
    return _objects([gone if _is_gone(cell) else cell for cell in shown.tolist()])


def _is_gone(cell: object) -> bool:
    return cell is None or bool(pd.isna(cell))  # type: ignore[call-overload]  # any scalar


def _objects(cells: list[Any]) -> npt.NDArray[Any]:
    made = np.empty(len(cells), dtype=object)
    made[:] = cells
    return made
