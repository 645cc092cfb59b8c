"""Columns that rows are grouped by: numbers as bands, texts by what they show, times as periods."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdaudit.data.audit_file import AuditFile, parse
from kdaudit.data.bands import quantile_edges
from kdaudit.data.dataset import load
from kdaudit.data.periods import periods
from kdaudit.data.texts import rare, words
from kdaudit.errors import ConfigError, DataError
from kdaudit.evidence.view import Category

N = 400


def attributes(folder: Path, table: pd.DataFrame, **data: Any) -> dict[str, Category]:
    subject = {"predictions": "p.csv"}
    document = {
        "audit": {"name": "a"},
        "data": {"path": "t.parquet", "label": "label"} | data,
        "teacher": subject,
        "student": subject,
    }
    table.to_parquet(folder / "t.parquet")
    return dict(load(parse(document, AuditFile, "a.toml"), folder).frame("audit").attributes)


def people(**more: Any) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    columns = {"id": [f"r{i:04d}" for i in range(N)], "label": ["a", "b"] * (N // 2)}
    return pd.DataFrame(columns | {"age": rng.integers(17, 90, N)} | more)


def sizes(column: Category) -> dict[str, int]:
    return {value: int((column.codes == code).sum()) for code, value in enumerate(column.values)}


def test_a_number_is_cut_into_quarters_that_anyone_can_recount(tmp_path: Path) -> None:
    table = people()
    age = attributes(tmp_path, table, slices=["age"])["age"]
    assert age.derived is not None
    low, middle, high = age.derived.edges
    assert age.values == (
        f"under {low:g}", f"[{low:g}, {middle:g})", f"[{middle:g}, {high:g})", f"{high:g} and over"
    )  # fmt: skip
    inside = (table.age >= low) & (table.age < middle)
    assert sizes(age)[age.values[1]] == inside.sum()
    assert all(abs(n - N / 4) < 12 for n in sizes(age).values())


def test_few_numbers_are_names(tmp_path: Path) -> None:
    table = people(floor=np.arange(N) % 20 + 0.0)
    floor = attributes(tmp_path, table, slices=["floor"])["floor"]
    assert floor.derived is None
    assert len(floor.values) == 20
    assert "7" in floor.values


@pytest.mark.parametrize("written", [str, float])
def test_numbers_of_a_csv_file_are_numbers(tmp_path: Path, written: Any) -> None:
    table = people()
    plain = attributes(tmp_path, table, slices=["age"])["age"]
    again = attributes(tmp_path, table.assign(age=table.age.map(written)), slices=["age"])["age"]
    assert again.values == plain.values
    assert again.codes.tolist() == plain.codes.tolist()


def test_the_audit_file_says_where_bands_begin(tmp_path: Path) -> None:
    table = people()

    def age(rule: Any) -> Category:
        return attributes(tmp_path, table, sensitive=["age"], bands={"age": rule})["age"]

    assert age([18, 40.5, 65]).values == ("under 18", "[18, 40.5)", "[40.5, 65)", "65 and over")
    assert len(age(6).values) == 6
    assert len(age(False).values) == table.age.nunique()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"slices": ["age"], "bands": {"age": 1}}, "how many bands"),
        ({"slices": ["age"], "bands": {"age": [40, 18]}}, "rising"),
        ({"slices": ["age"], "bands": {"age": True}}, "how many bands"),
        ({"slices": ["age"], "bands": {"agee": 4}}, "column to cut 'agee'. Did you mean 'age'"),
        ({"slices": ["m.length"], "text": ["m"]}, "derived from text or time already"),
    ],
)
def test_roles_that_cannot_be_meant_are_refused(
    tmp_path: Path, data: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        attributes(tmp_path, people(), **data)


@pytest.mark.parametrize(
    ("columns", "data", "message"),
    [
        ({"x": [f"v{i}" for i in range(N)]}, {"slices": ["x"]}, "'x' in slices has 400 different"),
        ({}, {"slices": ["age"], "bands": {"age": False}}, None),
        ({"x": ["a", "b"] * 200}, {"slices": ["x"], "bands": {"x": 4}}, "not every cell is a num"),
        ({"x": [np.inf, *range(399)]}, {"slices": ["x"]}, "'x' in slices holds inf"),
        ({"id": range(N)}, {"slices": ["id"]}, "one per row: it is the id, and no group"),
        ({}, {"text": ["mesage"]}, "unknown column for text 'mesage'"),
        ({}, {"time": "day"}, "unknown column for time 'day'"),
        ({"day": ["2024-01-01", "tomorrow"] * 200}, {"time": "day"}, "data row 2 holds 'tomorrow'"),
        ({"day": [1714521600] * N}, {"time": "day"}, "'day' must hold dates"),
    ],
)
def test_cells_that_do_not_fit_are_named(
    tmp_path: Path, columns: dict[str, Any], data: dict[str, Any], message: str | None
) -> None:
    table = people(**columns)
    if message is None:
        attributes(tmp_path, table, **data)
        return
    with pytest.raises(DataError, match=message):
        attributes(tmp_path, table, **data)


@given(
    st.lists(st.floats(-1e6, 1e6) | st.integers(-3, 3).map(float), min_size=2, max_size=60),
    st.integers(2, 6),
)
def test_edges_part_the_rows_as_the_data_do_and_never_equal_numbers(
    numbers: list[float], bands: int
) -> None:
    values = np.array(numbers) + 0.0
    edges = quantile_edges(values, bands)
    assert list(edges) == sorted(set(edges))
    assert len(edges) < bands
    for edge in edges:
        assert values.min() < edge <= values.max()  # no band is empty
    if len(np.unique(values)) > 1:
        # Nothing splits the rows nearer to each share.
        shares = [float(np.mean(values < v)) for v in np.unique(values)[1:]]
        for k in range(1, bands):
            nearest = min(abs(share - k / bands) for share in shares)
            ours = min(abs(float(np.mean(values < edge)) - k / bands) for edge in edges)
            assert ours == pytest.approx(nearest)


TEXTS = ["I can’t pay", "please pay now", "nothing works", "pay pay pay xylograph", None, "pay"]


def test_texts_by_what_they_show(tmp_path: Path) -> None:
    table = people(message=[*TEXTS, *["please pay"] * (N - len(TEXTS))])
    found = attributes(tmp_path, table, text=["message"])
    assert set(found) == {"message.length", "message.negation", "message.rare"}
    negation, unusual = found["message.negation"], found["message.rare"]
    assert negation.values == ("no", "yes")
    assert negation.codes[:6].tolist() == [1, 0, 1, 0, -1, 0]
    # Of 400 messages, "i", "can't", "now", "nothing", "works" and "xylograph" are said once.
    assert unusual.codes[:6].tolist() == [1, 1, 1, 1, -1, 0]
    assert unusual.derived is not None
    assert "in the audited rows" in unusual.derived.how
    assert sizes(found["message.length"])["under 10"] == 1


def test_a_rare_word_is_one_that_the_student_has_hardly_seen(tmp_path: Path) -> None:
    parts = ["train"] * 200 + ["test"] * 200
    said = ["pay"] * 198 + ["pay bill"] * 2 + ["pay"] * 100 + ["bill"] * 100
    table = people(message=said, part=parts)
    split = {"column": "part", "audit": "test", "transfer": "train"}
    column = attributes(tmp_path, table, text=["message"], split=split)["message.rare"]
    # "bill" stands in a hundred audited rows, but in two of those it was taught with.
    assert sizes(column) == {"no": 100, "yes": 100}
    assert column.derived is not None
    assert "in the transfer rows" in column.derived.how


def test_words_of_many_blocks_are_those_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = np.array([*TEXTS, "b a", "a c"] * 3, dtype=object)
    whole = words(cells)
    monkeypatch.setattr("kdaudit.data.texts.BLOCK", 4)
    parts = words(cells)
    assert parts.row.tolist() == whole.row.tolist()
    assert parts.vocabulary[parts.code].tolist() == whole.vocabulary[whole.code].tolist()
    assert (
        rare(cells, parts, parts, "x").codes.tolist()
        == rare(cells, whole, whole, "x").codes.tolist()
    )
    empty = words(np.array([None, ""], dtype=object))
    assert len(empty.row) == 0


@pytest.mark.parametrize(
    ("first", "last", "values"),
    [
        ("2024-02-27", "2024-03-02", ("2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01",
                                      "2024-03-02")),
        ("2023-11-30", "2024-01-01", ("2023-11", "2023-12", "2024-01")),
        ("2023-01-01", "2024-01-01", ("2023-Q1", "2023-Q2", "2023-Q3", "2023-Q4", "2024-Q1")),
        ("2019-05-05", "2022-06-01", ("2019", "2020", "2021", "2022")),
        ("2000-05-05", "2015-06-01", tuple(f"{y} to {y + 1}" for y in range(2000, 2016, 2))),
    ],
    ids=["days", "months", "quarters", "years", "spans of years"],
)  # fmt: skip
def test_periods_are_as_fine_as_twelve_allow(
    first: str, last: str, values: tuple[str, ...]
) -> None:
    column = periods(pd.Series([first, last, None]), np.ones(3, dtype=np.bool_), "t.csv")
    assert column.values == values
    assert column.codes.tolist() == [0, len(values) - 1, -1]


def test_time_zones_are_taken_to_utc_whatever_the_column_holds() -> None:
    audited = np.ones(2, dtype=np.bool_)
    text = pd.Series(["2024-01-01T00:30+02:00", "2024-01-02"])
    assert periods(text, audited, "t").values == ("2023-12-31", "2024-01-01", "2024-01-02")
    for held in (pd.to_datetime(text, format="ISO8601", utc=True), text.str[:10]):
        assert periods(held, audited, "t").values[-1] == "2024-01-02"
    naive = pd.Series(pd.to_datetime(["2024-01-01 23:59", "2024-01-02 00:00"]))
    assert periods(naive, audited, "t").codes.tolist() == [0, 1]


def test_where_bands_and_periods_begin_is_a_fact_of_the_audited_rows(tmp_path: Path) -> None:
    parts = ["train"] * 200 + ["test"] * 200
    days = ["1999-01-01"] * 200 + ["2024-01-01", "2024-03-01"] * 100
    table = people(part=parts, age=[*range(1000, 1200), *range(200)], day=days)
    split = {"column": "part", "audit": "test", "transfer": "train"}
    found = attributes(tmp_path, table, slices=["age"], time="day", split=split)
    assert found["age"].derived is not None
    assert list(found["age"].derived.edges) == [50, 100, 150]
    assert found["day.period"].values == ("2024-01", "2024-02", "2024-03")
