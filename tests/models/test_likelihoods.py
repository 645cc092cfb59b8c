"""A file of likelihoods: read strictly, and brought onto the declared choices of the rows."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdaudit.data.audit_file import SubjectTable
from kdaudit.errors import ConfigError, DataError
from kdaudit.evidence.align import from_answers
from kdaudit.evidence.choices import on_choices
from kdaudit.evidence.kinds import Likelihoods
from kdaudit.models.adapter import Recorded
from kdaudit.models.likelihoods import LikelihoodsFile
from kdaudit.models.open import open_model
from tests.suites.writing import strings

CHOICES = strings([("yes", "no"), ("red", "green", "blue"), ()])
IDS = strings(["a", "b", "c"])
GOOD = [
    {"id": "b", "choice": "blue", "logprob": -3.0, "tokens": 2, "greedy": False},
    {"id": "a", "choice": "no", "logprob": -0.5, "tokens": 1, "greedy": True},
    {"id": "b", "choice": "red", "logprob": -1.5, "tokens": 1, "greedy": False},
    {"id": "a", "choice": "yes", "logprob": -1.0, "tokens": 1, "greedy": False},
    {"id": "b", "choice": "green", "logprob": -2.5, "tokens": 1, "greedy": False},
]


def read(folder: Path, rows: list[dict[str, Any]], choices: Any = CHOICES) -> Likelihoods:
    path = folder / "scores.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    adapter = LikelihoodsFile.open("scores.jsonl", base=folder)
    assert isinstance(adapter, Recorded)
    placed = from_answers(adapter.answers("id", ()), IDS, IDS, "[student] scores.jsonl")
    assert placed.likelihoods is not None
    return on_choices(placed.likelihoods, choices, IDS, "[student] scores.jsonl")


def test_scores_stand_at_their_choice_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    made = read(tmp_path, GOOD)
    assert made.start.tolist() == [0, 2, 5, 5]
    assert made.logprob.tolist() == [-1.0, -0.5, -1.5, -2.5, -3.0]
    assert made.tokens.tolist() == [1, 1, 1, 1, 2]
    assert made.greedy.tolist() == [False, True, False, False, False]
    assert made.valid.tolist() == [True, True, False]


def test_a_choice_may_be_told_by_its_number(tmp_path: Path) -> None:
    rows = [
        {"id": i, "number": n, "logprob": -1.0 - n}
        for i, k in (("a", 2), ("b", 3))
        for n in range(k)
    ]
    assert read(tmp_path, rows).logprob.tolist() == [-1, -2, -1, -2, -3]


def test_a_text_beside_the_number_must_be_that_choice(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "number": 0, "choice": "yes", "logprob": -1.0},
        {"id": "b", "number": 1, "choice": "green", "logprob": -2.0},
    ]
    assert np.nan_to_num(read(tmp_path, rows).logprob).tolist() == [-1, 0, 0, -2, 0]
    with pytest.raises(DataError, match="choice number 1 is 'green', and the score is of 'red'"):
        read(tmp_path, [rows[0], rows[1] | {"choice": "red"}])


def test_scores_by_token_follow_their_choice(tmp_path: Path) -> None:
    each = {"blue": [-1.0, -2.0], "no": [-0.5], "red": [-1.5], "yes": [-1.0]}
    rows = [
        row
        | {"token_logprob": each[row["choice"]], "token_mean": [-3.0] * len(each[row["choice"]])}
        for row in GOOD
        if row["choice"] in each
    ]
    made = read(tmp_path, rows).each
    assert made is not None
    assert made.start.tolist() == [0, 1, 2, 3, 3, 5]  # of green there is none
    assert made.logprob.tolist() == [-1.0, -0.5, -1.5, -1.0, -2.0]
    assert made.mean.tolist() == [-3.0] * 5
    assert np.isnan(made.deviation).all()
    with pytest.raises(DataError, match="token_mean has not as many"):
        read(tmp_path, [*rows[1:], rows[0] | {"token_mean": [-3.0]}])


@pytest.mark.parametrize("empty", [None, float("nan"), float("-inf")])
def test_a_choice_without_a_score_is_missing(tmp_path: Path, empty: float | None) -> None:
    made = read(tmp_path, [GOOD[0] | {"logprob": empty}, *GOOD[1:]])
    assert np.isnan(made.logprob).tolist() == [False, False, False, False, True]
    assert made.valid.tolist() == [True, False, False]


def test_a_row_or_a_choice_that_is_not_there_is_missing(tmp_path: Path) -> None:
    made = read(
        tmp_path, [row for row in GOOD if row["id"] == "b" and row["choice"] != "red"] + GOOD[1:2]
    )
    assert np.isnan(made.logprob).tolist() == [True, False, True, False, False]


def test_a_text_that_a_row_declares_twice_is_one_text(tmp_path: Path) -> None:
    twice = strings([("yes", "yes"), ("red", "green", "blue"), ()])
    rows = [row for row in GOOD if row["choice"] != "no"]
    assert read(tmp_path, rows, twice).logprob.tolist()[:2] == [-1.0, -1.0]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([*GOOD, {"id": "a", "choice": "maybe", "logprob": -1}], r"id 'a': unknown choice 'maybe'"),
        ([*GOOD, GOOD[0]], r"id 'b' scores the choice 'blue' twice"),
        ([*GOOD, {"id": "z", "choice": "yes", "logprob": -1}], "1 ids are not in the data file"),
        ([GOOD[0] | {"logprob": 0.4}, *GOOD[1:]], "at most 0; data row 1 holds 0.4"),
        ([{"id": "a", "logprob": -1}], "column for choice 'choice'"),
        ([GOOD[0] | {"choice": None}, *GOOD[1:]], "'choice' is empty in data row 1"),
        ([GOOD[0] | {"id": None}, *GOOD[1:]], "'id' is empty in data row 1"),
        ([{"id": i, "number": 2, "logprob": -1} for i in "ab"], "2 choices, numbered from 0"),
        ([{"id": "a", "number": 0.5, "logprob": -1}], "data row 1 holds 0.5"),
        ([{"id": "a", "number": 1e25, "logprob": -1}], r"data row 1 holds 1e\+25"),
        ([GOOD[0] | {"tokens": 0}, *GOOD[1:]], "'tokens' counts .* 1 or more; data row 1 holds 0"),
        ([GOOD[0] | {"tokens": 2.5}, *GOOD[1:]], "data row 1 holds 2.5"),
        ([GOOD[0] | {"token_logprob": [-1.0, 2.0]}], "'token_logprob' holds .* at most 0, and 2"),
        ([GOOD[0] | {"token_logprob": [-1.0, None]}], "'token_logprob' holds .* and nan"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    tmp_path: Path, rows: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path, rows)


def test_likelihoods_need_declared_choices(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="as `choices` under"):
        read(tmp_path, GOOD, None)


def test_texts_and_likelihoods_of_one_model_stand_side_by_side(tmp_path: Path) -> None:
    lines = [{"id": i, "text": f"text of {i}"} for i in "ca"]
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in lines), "utf-8")
    (tmp_path / "scores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in GOOD), "utf-8")
    table = SubjectTable.model_validate(
        {"likelihoods": "scores.jsonl", "generations": "texts.jsonl"}
    )
    opened = open_model("student", table, tmp_path)
    assert opened.name == "texts.jsonl and scores.jsonl"
    assert isinstance(opened.adapter, Recorded)
    placed = from_answers(opened.adapter.answers("id", ()), IDS, IDS, "[student]")
    assert placed.written is not None
    assert placed.written.text.tolist() == ["text of a", None, "text of c"]
    assert placed.likelihoods is not None
    made = on_choices(placed.likelihoods, CHOICES, IDS, "[student]")
    assert made.logprob.tolist() == [-1.0, -0.5, -1.5, -2.5, -3.0]
    before = opened.adapter.identity()["sha256"]
    (tmp_path / "texts.jsonl").write_text(json.dumps(lines[0]) + "\n", "utf-8")
    assert open_model("student", table, tmp_path).adapter.identity()["sha256"] != before


def test_further_options_beside_two_files_are_refused(tmp_path: Path) -> None:
    options = {"likelihoods": "a", "generations": "b"}
    for more, said in (({"hf": "c"}, "names 3 models"), ({"chat": True}, "unknown option")):
        table = SubjectTable.model_validate({**options, **more})
        with pytest.raises(ConfigError, match=said):
            open_model("student", table, tmp_path)
