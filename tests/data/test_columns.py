"""A cell is text, a number or nothing; which of them never depends on its neighbours' luck."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from kdaudit.data.columns import as_category, as_input, as_numbers, as_text, distinct, pick
from kdaudit.errors import DataError


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ([1, 2], ["1", "2"]),
        ([1.0, 2.5, np.nan], ["1", "2.5", None]),
        (["1.0", "01"], ["1.0", "01"]),
        ([True, False], ["True", "False"]),
        ([np.inf, -0.0], ["inf", "0"]),
        ([1e20, 1e-7], ["100000000000000000000", "1e-07"]),
        (["a", None], ["a", None]),
        ([1, "a", None, 2.0], ["1", "a", None, "2.0"]),
    ],
)
def test_cells_as_text(cells: list[object], text: list[str | None]) -> None:
    assert as_text(pd.Series(cells)).tolist() == text


@pytest.mark.parametrize("dtype", ["Int64", "string", "category"])
def test_text_of_types_that_can_be_missing(dtype: Any) -> None:
    assert as_text(pd.Series([1, None, 3], dtype="Int64").astype(dtype)).tolist() == [
        "1",
        None,
        "3",
    ]


def test_whole_numbers_are_one_text_whatever_their_type() -> None:
    for dtype in ("int8", "int64", "uint16", "float32", "float64", "Int64", "Float64"):
        assert as_text(pd.Series([3, 40]).astype(dtype)).tolist() == ["3", "40"]


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1", " 2.5 ", "1e3"], [1, 2.5, 1000]),
        (["0.5", None, "nan", "NaN"], [0.5, np.nan, np.nan, np.nan]),
        (["inf", "-inf"], [np.inf, -np.inf]),
        ([1, None], [1, np.nan]),
        ([True, False], [1, 0]),
    ],
)
def test_cells_as_numbers(cells: list[object], numbers: list[float]) -> None:
    assert as_numbers(pd.Series(cells), "f").tolist() == pytest.approx(numbers, nan_ok=True)


@pytest.mark.parametrize("bad", ["high", "1_000", "0x10", "1,5", "٣%"])
def test_a_cell_that_is_no_number_is_named(bad: str) -> None:
    with pytest.raises(DataError, match=rf"f: column 'p' .*data row 2 holds '{bad}'"):
        as_numbers(pd.Series(["0.5", bad, "x"], name="p"), "f")


def test_inputs_are_numbers_only_if_every_cell_is() -> None:
    assert as_input(pd.Series(["1", "2", None])).tolist() == pytest.approx(
        [1, 2, np.nan], nan_ok=True
    )
    assert as_input(pd.Series(["1", "two", None])).tolist() == ["1", "two", ""]
    assert as_input(pd.Series([None, None], dtype=object)).tolist() == ["", ""]
    assert as_input(pd.Series([True, False])).tolist() == [1.0, 0.0]


def test_categories_are_sorted_codes_and_empty_is_none() -> None:
    made = as_category(np.array(["b", None, "a", "b"], dtype=object))
    assert made.values == ("a", "b")
    assert made.codes.tolist() == [1, -1, 0, 1]
    empty = as_category(np.array([None, None], dtype=object))
    assert (empty.values, empty.codes.tolist()) == ((), [-1, -1])


def test_ids_are_there_and_once() -> None:
    distinct(np.array(["a", "b"], dtype=object), "f", "id")
    with pytest.raises(DataError, match="f: id column 'id' is empty in data row 2"):
        distinct(np.array(["a", None], dtype=object), "f", "id")
    with pytest.raises(DataError, match=r"2 duplicate ids in column 'id', e.g. 'a'"):
        distinct(np.array(["a", "a", "b", "b"], dtype=object), "f", "id")


def test_a_missing_column_suggests_the_nearest() -> None:
    table = pd.DataFrame({"channel": [1], "label": [1]})
    with pytest.raises(DataError, match=r"f: unknown column for slices 'chanel'. Did you mean"):
        pick(table, "chanel", "slices", "f")
