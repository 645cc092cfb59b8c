"""Attributes by which rows are grouped: the columns that are named, and what follows from them."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdaudit.data import texts
from kdaudit.data.audit_file import DataTable
from kdaudit.data.bands import cut
from kdaudit.data.columns import as_category, as_text, pick
from kdaudit.data.periods import periods
from kdaudit.errors import DataError
from kdaudit.evidence.kinds import Bools, Floats
from kdaudit.evidence.view import Category
from kdaudit.results import POOL

MOST_VALUES = 200  # of a column of names; more are ids, not groups
FEW_NUMBERS = 20  # numbers with no more values than this are names: grades, floors, months


def attributes(
    table: pd.DataFrame,
    data: DataTable,
    splits: npt.NDArray[np.object_],
    source: str,
    transfer: pd.DataFrame | None = None,
) -> dict[str, Category]:
    """Every attribute of every row: slices, sensitive columns, and what is derived.

    Where bands begin, and how long a period is, is a fact of the audited rows; other splits are
    grouped likewise.

    Args:
        table: all rows of the data file.
        data: the roles.
        splits: (N,) the split of each row.
        source: the file, for messages.
        transfer: the transfer rows, where they are a file of their own.

    Raises:
        DataError: naming the column, and the value that does not fit.
    """
    audited: Bools = np.asarray(splits == "audit", np.bool_)
    found: dict[str, Category] = {}
    for role, names in (("slices", data.slices), ("sensitive", data.sensitive)):
        for name in names:
            found[name] = _column(table, name, role, data, audited, source)
    for name in data.text:
        reference = _reference(table, transfer, name, splits)
        found |= _of_text(
            as_text(pick(table, name, "text", source)), name, data, audited, reference
        )
    if data.time is not None:
        found[f"{data.time}.period"] = periods(
            pick(table, data.time, "time", source), audited, source
        )
    return found


def _column(
    table: pd.DataFrame, name: str, role: str, data: DataTable, audited: Bools, source: str
) -> Category:
    series = pick(table, name, role, source)
    rule = data.bands.get(name)
    numbers = None if rule is False else _numbers(series)
    if numbers is None:
        if rule:
            raise DataError(
                f"{source}: column {name!r} is to be cut into bands, but not every cell is a number"
            )
        return _names(series, name, role, audited, source)
    if np.isinf(numbers).any():
        raise DataError(
            f"{source}: column {name!r} in {role} holds {numbers[np.isinf(numbers)][0]}"
        )
    different = len(np.unique(numbers[audited & ~np.isnan(numbers)]))
    if rule is None and different <= FEW_NUMBERS:
        return _names(series, name, role, audited, source)
    if name == (data.id or "id"):
        raise DataError(
            f"{source}: column {name!r} in {role} has {different} different values, one per row: "
            "it is the id, and no group"
        )
    return cut(numbers, audited, rule)


def _numbers(series: pd.Series) -> Floats | None:
    """(N,) NaN where empty; None where a cell is no number, or no cell is one."""
    if pd.api.types.is_bool_dtype(series.dtype) or not series.notna().any():
        return None
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    # A first glance spares most columns of names the rest.
    if pd.isna(pd.to_numeric(series[series.first_valid_index() :][:1], errors="coerce")).any():
        return None
    codes, values = pd.factorize(series)  # as text, numbers repeat: read each of them once
    read = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(np.float64)
    if np.isnan(read).any():
        return None
    return np.append(read, np.nan)[codes]


def _names(series: pd.Series, name: str, role: str, audited: Bools, source: str) -> Category:
    category = as_category(series)
    refuse_reserved(category.values, f"{source}: column {name!r} in {role}")
    audited_values = np.count_nonzero(np.bincount(category.codes[audited] + 1)[1:])
    if audited_values > MOST_VALUES:
        raise DataError(
            f"{source}: column {name!r} in {role} has {audited_values} different values, more than "
            f"{MOST_VALUES}; gather them into fewer groups first"
        )
    return category


def refuse_reserved(values: Iterable[str], where: str) -> None:
    """Refuse a group that is called what small groups are together.

    Raises:
        DataError: naming it.
    """
    taken = next((value for value in values if POOL.match(value)), None)
    if taken is not None:
        raise DataError(
            f"{where} holds {taken!r}, which is what kdaudit calls all small groups together; call "
            "the group otherwise"
        )


def _of_text(
    cells: texts.Cells, name: str, data: DataTable, audited: Bools, reference: texts.Cells | None
) -> dict[str, Category]:
    rule = data.bands.get(f"{name}.length") or None
    found = texts.words(cells)
    if reference is None:
        others, of = texts.words(cells[audited]), "audited"
    else:
        others, of = texts.words(reference), "transfer"
    return {
        f"{name}.length": cut(texts.lengths(cells), audited, rule),
        f"{name}.negation": texts.negation(cells, found),
        f"{name}.rare": texts.rare(cells, found, others, of),
    }


def _reference(
    table: pd.DataFrame,
    transfer: pd.DataFrame | None,
    name: str,
    splits: npt.NDArray[np.object_],
) -> texts.Cells | None:
    """The texts a student was distilled on, or None where they are not known."""
    if transfer is not None:
        return as_text(transfer[name]) if name in transfer.columns else None
    rows = splits == "transfer"
    return as_text(table[name][rows]) if name in table.columns and rows.any() else None
