"""Tables are read as they were written, or refused by name."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdaudit.data.readers import read
from kdaudit.errors import DataError


def written(folder: Path, text: str | bytes, name: str = "t.csv") -> str:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def test_every_cell_of_a_csv_file_is_text(tmp_path: Path) -> None:
    name = written(tmp_path, "id,n,word,gap\n007,1.50,NA,\n010,1e3,null,x\n")
    table = read(name, tmp_path).table
    assert table.id.tolist() == ["007", "010"]
    assert table.n.tolist() == ["1.50", "1e3"]
    assert table.word.tolist() == ["NA", "null"]  # words, not missing values
    assert table.gap.isna().tolist() == [True, False]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffid,x\n1,a\n",  # as Excel writes it
        "id,x\r\n1,a\r\n",
        "id,x\r1,a\r",
        'id,x\n1,"a"\n',
        "id,x\n\n1,a\n\n",
    ],
)
def test_csv_as_other_programs_write_it(tmp_path: Path, text: str) -> None:
    table = read(written(tmp_path, text), tmp_path).table
    assert table.columns.tolist() == ["id", "x"]
    assert table.to_numpy().tolist() == [["1", "a"]]


def test_a_short_row_has_empty_cells_at_its_end(tmp_path: Path) -> None:
    table = read(written(tmp_path, "id,x,y\n1,a\n2,b,c\n"), tmp_path).table
    assert table.y.isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,x,x\n1,2,3\n", "has the column 'x' twice"),
        ("id,x\n1,2,\n3,4,\n", "rows have more cells than the 2 columns .* comma at the end"),
        ("id,x\n1,2\n3,4,5\n", "is not a csv table: .*line 3, saw 3"),
        ('id,x\n1,"2\n', "is not a csv table"),
        ("\n\n\n", "is not a csv table"),
        (b"id,x\n1,\xe9\n", "not UTF-8: byte 0xe9 at offset 7; save it as UTF-8"),
        ("id,x\n", "has columns but no rows"),
        ("", "is empty"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(DataError, match=rf"t\.csv.*{words}"):
        read(written(tmp_path, text), tmp_path)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere.csv", r"there is no file nowhere\.csv \(looked in /"),
        (".", "is a folder; name a file in it"),
        ("t.xlsx", r"unknown ending of data file t\.xlsx: '\.xlsx'.*\.csv, \.jsonl, \.parquet"),
        ("sklearn:digit", "unknown scikit-learn data set 'digit'. Did you mean 'digits'"),
    ],
)
def test_what_is_not_there_is_refused(tmp_path: Path, source: str, words: str) -> None:
    written(tmp_path, "x", "t.xlsx")
    with pytest.raises(DataError, match=words):
        read(source, tmp_path)


def test_parquet_keeps_its_types_and_an_index_is_a_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [7, 8], "p": [0.5, np.nan], "word": ["a", None]}).set_index("id")
    frame.to_parquet(tmp_path / "t.parquet")
    table = read("t.parquet", tmp_path).table
    assert table.id.tolist() == [7, 8]
    assert table.p.dtype == np.float64
    assert table.word.isna().tolist() == [False, True]


def test_truncated_parquet_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": list(range(1000))}), tmp_path / "t.parquet")
    whole = (tmp_path / "t.parquet").read_bytes()
    for part in (whole[:-8], whole[: len(whole) // 2], whole[:4]):
        (tmp_path / "t.parquet").write_bytes(part)
        with pytest.raises(DataError, match=r"t\.parquet cannot be read as Parquet"):
            read("t.parquet", tmp_path)


def test_parquet_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["id", "id"])
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(DataError, match="has a column twice"):
        read("t.parquet", tmp_path)


def test_json_lines_keep_text_as_text(tmp_path: Path) -> None:
    text = '{"id": "007", "when": "2020-01-01", "n": 1}\n{"id": "010", "n": 2.5, "when": null}\n'
    table = read(written(tmp_path, text, "t.jsonl"), tmp_path).table
    assert table.id.tolist() == ["007", "010"]
    assert table.when.tolist()[0] == "2020-01-01"
    assert table.n.tolist() == [1.0, 2.5]


@pytest.mark.parametrize("text", ["{", "not json\n", '{"a": 1}\n{"a": \n'])
def test_lines_that_are_no_json_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"t\.jsonl is not one JSON object per line"):
        read(written(tmp_path, text, "t.jsonl"), tmp_path)


def test_half_a_character_is_refused(tmp_path: Path) -> None:
    name = written(tmp_path, '{"id": "\\ud83d", "n": 1}\n', "t.jsonl")
    with pytest.raises(DataError, match="half of a character"):
        read(name, tmp_path)


def test_the_digest_is_of_the_bytes(tmp_path: Path) -> None:
    source = read(written(tmp_path, "id\n1\n"), tmp_path)
    assert source.sha256 == hashlib.sha256(b"id\n1\n").hexdigest()
    assert source.name == "t.csv"


def test_scikit_learns_tables_have_names_and_ids() -> None:
    source = read("sklearn:iris", Path())
    assert source.table.shape == (150, 6)
    assert set(source.table.label) == {"setosa", "versicolor", "virginica"}
    assert source.table.id[0] == "iris-00000"
    assert source.sha256 == read("sklearn:iris", Path()).sha256
