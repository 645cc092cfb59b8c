"""Saved generations: one answer a row, samples beside it, and nothing lost."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdaudit.errors import DataError
from kdaudit.evidence.kinds import Generations
from kdaudit.models.adapter import Recorded
from kdaudit.models.generations import GenerationsFile


def read(folder: Path, *rows: dict[str, Any]) -> tuple[list[str], Generations]:
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    file = GenerationsFile.open("t.jsonl", base=folder)
    assert isinstance(file, Recorded)
    answers = file.answers("id", ())
    assert answers.written is not None
    return answers.ids.tolist(), answers.written


def test_an_answer_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    ids, found = read(
        tmp_path,
        {"id": 7, "text": "Paris", "finish_reason": "stop", "tokens": 3, "model": "m-1"},
        {"id": "b", "text": "It is the", "finish_reason": "length", "judge": "B", "human": "A"},
        {"id": "c", "text": None},
        {"id": "d", "text": ""},
    )
    assert ids == ["7", "b", "c", "d"]
    assert found.text.tolist() == ["Paris", "It is the", None, ""]
    assert found.truncated.tolist() == [False, True, False, False]
    assert found.tokens[0] == 3
    assert np.isnan(found.tokens[1:]).all()
    assert (found.judge[1], found.human[1], found.judge[0]) == ("B", "A", None)
    assert found.models == ("m-1",)
    assert found.valid.tolist() == [True, True, False, True]


def test_repeats_are_samples_in_their_order_and_none_takes_the_place_of_the_answer(
    tmp_path: Path,
) -> None:
    ids, found = read(
        tmp_path,
        {"id": "a", "text": "second", "repeat": 2},
        {"id": "b", "text": "only a sample", "repeat": 1},
        {"id": "a", "text": "answer", "truncated": True},
        {"id": "a", "text": "first", "repeat": 1},
    )
    assert ids == ["a", "b"]
    assert found.text.tolist() == ["answer", None]  # dropping an answer cannot promote a sample
    assert found.samples.tolist() == [("first", "second"), ()]
    assert found.truncated.tolist() == [True, False]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"id": "a"}], "unknown column for text 'text'"),
        ([{"id": "a", "text": "x"}, {"id": "a", "text": "y"}], "1 duplicate ids"),
        ([{"id": "a", "text": "x", "repeat": -1}], "data row 1 holds -1"),
        ([{"id": "a", "text": "x", "repeat": 0.5}], "data row 1 holds 0.5"),
        ([{"id": "a", "text": "x", "truncated": "maybe"}], "data row 1 holds 'maybe'"),
        ([{"id": None, "text": "x"}], "is empty in data row 1"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, rows: list[Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path, *rows)


def test_the_same_id_and_repeat_twice_names_both(tmp_path: Path) -> None:
    twice = {"id": "a", "text": "x", "repeat": 1}
    with pytest.raises(DataError, match=r"column 'id with repeat', e\.g\. 'a#1'"):
        read(tmp_path, twice, twice)
