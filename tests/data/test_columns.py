"""A cell is text, a number or nothing; which of them never depends on its neighbours' luck."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from kdaudit.data.columns import as_category, as_input, as_numbers, as_text, distinct, pick
from kdaudit.data.csv_cells import typed
from kdaudit.errors import DataError


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ([1, 2], ["1", "2"]),
        ([1.0, 2.5, np.nan], ["1", "2.5", None]),
        (["1.0", "01"], ["1.0", "01"]),
        ([True, False], ["True", "False"]),
        ([np.inf, -0.0], ["inf", "0"]),
        ([2.0**53, 1e-7], ["9007199254740992", "1e-07"]),
        (["a", None], ["a", None]),
        ([1, "a", None, 2.0], ["1", "a", None, "2"]),
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


def test_cells_of_a_csv_file_are_numbers_only_if_every_cell_is() -> None:
    numbers = as_input(pd.Series(["01", "2", None], dtype="str"))
    assert numbers.tolist() == ["01", "2", None]
    assert typed(numbers).tolist() == pytest.approx([1, 2, np.nan], nan_ok=True)
    # Whether they are is a fact of the whole column.
    assert typed(as_input(pd.Series(["1", "two", None], dtype="str"))[:1]).tolist() == ["1"]
    assert typed(as_input(pd.Series([None, None], dtype="str"))).tolist() == [None, None]


def test_inputs_are_what_the_file_holds() -> None:
    assert as_input(pd.Series(["1", None], dtype=object)).tolist() == ["1", None]
    assert as_input(pd.Series([True, False])).tolist() == [True, False]
    assert as_input(pd.Series([2**53 + 1, 5])).tolist() == [2**53 + 1, 5]
    assert as_input(pd.Series([2**53 + 1, None], dtype="Int64")).tolist() == [2**53 + 1, None]
    assert as_input(pd.Series([5, None], dtype="Int64")).tolist() == pytest.approx(
        [5, np.nan], nan_ok=True
    )


def test_a_float_that_is_no_exact_whole_number_is_no_text() -> None:
    with pytest.raises(DataError, match=r"column 'shop' holds 9007199254740994 .*row 2 .*Int64"):
        as_text(pd.Series([1.0, 2.0**53 + 2, None], name="shop"))


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (["ui", "bug"], "holds a list in data row 2.*audit each label by itself"),
        ([0, 1], "holds a list in data row 2.*zeros and ones"),
        (np.array([0.5, 2.0]), "holds a list .*Write each number into a column of its own"),
        ({"role": "user"}, "holds an object in data row 2"),
        (b"x", "holds bytes in data row 2"),
    ],
)
def test_a_list_is_no_cell(cell: object, said: str) -> None:
    table = pd.DataFrame({"tags": pd.Series(["a", cell], dtype=object)})
    with pytest.raises(DataError, match=rf"f: column 'tags' {said}"):
        pick(table, "tags", "label", "f")
    with pytest.raises(DataError, match=r"column 'tags'"):
        as_text(table["tags"])


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
