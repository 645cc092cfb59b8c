"""Frames hold the rows of one split, sorted by id, every column checked."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kdaudit.data.audit_file import AuditFile, parse
from kdaudit.data.dataset import Dataset, load
from kdaudit.data.frame import Frame, split_digest
from kdaudit.errors import ConfigError, DataError

TABLE = pd.DataFrame(
    {
        "id": ["c", "a", "b", "d"],
        "label": ["yes", "no", "yes", "none"],
        "part": ["test", "test", "train", "test"],
        "x": [3.0, 1.0, 2.0, 4.0],
        "sex": ["f", "m", None, "f"],
        "user": ["u", "v", "u", "w"],
        "w": [1.0, 2.0, 3.0, 4.0],
    }
)


def audit_file(**data: Any) -> AuditFile:
    subject = {"predictions": "p.csv"}
    document = {
        "audit": {"name": "a", "seed": 3},
        "data": {"path": "t.parquet", "id": "id", "label": "label"} | data,
        "teacher": subject,
        "student": subject,
    }
    return parse(document, AuditFile, "audit.toml")


def dataset(folder: Path, table: pd.DataFrame = TABLE, **data: Any) -> Dataset:
    table.to_parquet(folder / "t.parquet")
    return load(audit_file(**data), folder)


def test_rows_are_sorted_by_id_and_stay_whole(tmp_path: Path) -> None:
    frame = dataset(
        tmp_path, inputs=["x"], sensitive=["sex"], cluster="user", weight="w", out_of_scope="none"
    ).frame("audit")
    assert frame.ids.tolist() == ["a", "b", "c", "d"]
    assert frame.labels is not None
    assert frame.labels.tolist() == ["no", "yes", "yes", "none"]
    assert frame.inputs["x"].tolist() == [1, 2, 3, 4]
    assert frame.out_of_scope.tolist() == [False, False, False, True]
    assert frame.weight is not None
    assert frame.weight.tolist() == [2, 3, 1, 4]
    assert frame.cluster is not None
    assert frame.cluster.tolist() == [1, 0, 0, 2]
    assert frame.attributes["sex"].codes.tolist() == [1, -1, 0, 0]


def test_without_an_id_column_positions_are_the_ids(tmp_path: Path) -> None:
    frame = dataset(tmp_path, TABLE.drop(columns="id"), id=None).frame("audit")
    assert frame.ids.tolist() == [f"{i:012d}" for i in range(4)]


def test_a_column_called_id_is_the_id_unless_another_is_named(tmp_path: Path) -> None:
    assert dataset(tmp_path, id=None).frame("audit").ids.tolist() == ["a", "b", "c", "d"]


def test_splits_are_the_values_of_a_column(tmp_path: Path) -> None:
    made = dataset(tmp_path, split={"column": "part", "audit": "test", "transfer": "train"})
    assert {name: len(frame) for name, frame in made.frames.items()} == {"audit": 3, "transfer": 1}
    assert sorted(made.all_ids) == list("abcd")
    with pytest.raises(DataError, match="there are no validation rows; name them"):
        made.frame("validation")


def test_what_a_column_holds_is_a_fact_of_the_file_and_not_of_a_split(tmp_path: Path) -> None:
    table = TABLE.assign(x=["1", "2", "three", "4"])
    made = dataset(
        tmp_path,
        table,
        inputs=["x"],
        split={"column": "part", "audit": "test", "transfer": "train"},
    )
    assert made.frame("audit").inputs["x"].tolist() == ["2", "1", "4"]  # text, as "three" is


def test_a_hash_split_keeps_clusters_whole_and_shares_right(tmp_path: Path) -> None:
    n = 4000
    table = pd.DataFrame(
        {"id": range(n), "label": ["a", "b"] * (n // 2), "user": np.arange(n) // 4}
    )
    made = dataset(
        tmp_path, table, cluster="user", split={"by": "hash", "audit": 0.3, "validation": 0.1}
    )
    sizes = {name: len(frame) / n for name, frame in made.frames.items()}
    assert sizes == pytest.approx({"audit": 0.3, "validation": 0.1, "transfer": 0.6}, abs=0.05)
    users = [set(np.array(frame.ids, dtype=int) // 4) for frame in made.frames.values()]
    assert sum(map(len, users)) == len(set().union(*users)) == n // 4


def test_a_row_stays_in_its_split_whoever_comes_and_goes(tmp_path: Path) -> None:
    table = pd.DataFrame({"id": [f"i{k}" for k in range(300)], "label": ["a", "b"] * 150})
    split = {"by": "hash", "audit": 0.5}
    whole = set(dataset(tmp_path, table, split=split).frame("audit").ids)
    half = set(dataset(tmp_path, table[::2], split=split).frame("audit").ids)
    assert half == whole & set(table.id[::2])


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"label": "lable"}, "unknown column for label 'lable'. Did you mean 'label'"),
    ({}, {"id": "ids"}, "unknown column for id 'ids'. Did you mean 'id'"),
    ({}, {"cluster": "usr"}, "unknown column for cluster 'usr'. Did you mean 'user'"),
    ({}, {"inputs": ["y"]}, "unknown column for inputs 'y'"),
    ({"id": ["a", "a", "b", "c"]}, {}, "1 duplicate ids"),
    ({"id": ["a", None, "b", "c"]}, {}, "id column 'id' is empty in data row 2"),
    ({"label": ["a", None, "b", ""]}, {}, "label column 'label' is empty in 1 rows, first at id"),
    ({"w": [1, 0, 1, 1]}, {"weight": "w"}, "weight column 'w' must be positive, found 0"),
    ({"w": [1, -1, 1, 1]}, {"weight": "w"}, "must be positive, found -1"),
    ({"w": [1, np.nan, 1, 1]}, {"weight": "w"}, "must be positive, found nan"),
    ({"w": [1, np.inf, 1, 1]}, {"weight": "w"}, "must be positive, found inf"),
    ({"w": [1, 1e200, 1, 1]}, {"weight": "w"}, "too large or too small"),
    ({"w": ["1", "x", "1", "1"]}, {"weight": "w"}, "must hold numbers; data row 1 holds 'x'"),
    ({"user": ["a", None, "b", "c"]}, {"cluster": "user"}, "cluster column 'user' has empty cells"),
    (
        {},
        {"split": {"column": "part", "audit": "dev"}},
        "no row has part = 'dev' .*'test', 'train'",
    ),
    (
        {},
        {"split": {"column": "part", "audit": ["test", "train"], "transfer": "train"}},
        "puts part = 'train' into audit and into transfer; no row can be both",
    ),
    ({}, {"split": {"column": "prt", "audit": "dev"}}, "unknown column for split 'prt'"),
]


@pytest.mark.parametrize(("cells", "data", "words"), REFUSED, ids=lambda given: str(given)[:50])
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, cells: dict[str, Any], data: dict[str, Any], words: str
) -> None:
    with pytest.raises(DataError, match=rf"t\.parquet: .*{words}"):
        dataset(tmp_path, TABLE.assign(**cells), **data)


def test_the_digest_of_a_split_tells_which_row_has_which_label() -> None:
    def digest(ids: list[str], labels: list[str]) -> str:
        return split_digest(
            Frame(
                ids=np.array(ids, dtype=object),
                labels=np.array(labels, dtype=object),
                inputs={},
                out_of_scope=np.zeros(len(ids), dtype=np.bool_),
            )
        )

    first = digest(["ab", "c"], ["x", "y"])
    assert first == digest(["ab", "c"], ["x", "y"])
    others = [(["a", "bc"], ["x", "y"]), (["ab", "c"], ["y", "x"]), (["ab", "cx"], ["", "y"])]
    assert first not in {digest(*other) for other in others}
    assert digest([], []) != first


def test_a_column_of_ids_is_no_group(tmp_path: Path) -> None:
    table = pd.DataFrame({"id": range(201), "label": ["a", "b", "a"] * 67})
    with pytest.raises(DataError, match="'id' in slices has 201 different values, one per row"):
        dataset(tmp_path, table, slices=["id"])


def test_a_split_without_audit_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the audit split has no rows"):
        dataset(tmp_path, TABLE[:2], split={"by": "hash", "audit": 1e-9})


def test_another_file_may_be_distilled_on_with_labels_or_without(tmp_path: Path) -> None:
    more = TABLE.assign(id=["e", "f", "g", "h"])
    more.to_parquet(tmp_path / "more.parquet")
    labelled = dataset(tmp_path, inputs=["x"], transfer={"path": "more.parquet"})
    assert labelled.frame("transfer").labels is not None
    more.drop(columns="label").to_parquet(tmp_path / "more.parquet")
    bare = dataset(tmp_path, inputs=["x"], transfer={"path": "more.parquet"}).frame("transfer")
    assert bare.labels is None
    assert bare.inputs["x"].tolist() == [3, 1, 2, 4]
    assert not bare.out_of_scope.any()
    with pytest.raises(DataError, match=r"more\.parquet: unknown column for data.transfer label"):
        dataset(tmp_path, inputs=["x"], transfer={"path": "more.parquet", "label": "intent"})


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({"by": "hash", "audit": 0.8, "validation": 0.3}, "together at most 1"),
        ({"by": "hash", "audit": 0}, "greater than 0"),
        ({"by": "hsh", "audit": 0.5}, "data.split"),
        ({"column": "part"}, "data.split.audit is missing"),
        ({"column": "part", "audit": "a", "tain": "b"}, "'tain'"),
    ],
)
def test_a_split_that_cannot_be_meant_is_refused(split: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        audit_file(split=split)
