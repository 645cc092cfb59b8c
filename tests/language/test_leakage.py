"""Shared runs of words: counted by document, however written, and never across two texts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdaudit.language.leakage import leakage, normalised
from kdaudit.stats.proportions import clopper_pearson

RUN = "one two three four five six seven eight nine ten eleven twelve thirteen"
WORDS = st.lists(st.sampled_from("abc"), max_size=8)


def test_thirteen_words_in_a_row_leak_and_twelve_do_not() -> None:
    twelve = RUN.removesuffix(" thirteen") + " and more of it"
    found = leakage([f"before {RUN} after"], [RUN, twelve, f"{RUN} x", "short"], list("abcd"))
    assert found.leaked == ("a", "c")
    assert found.short == ("d",)
    assert found.share is not None
    assert (found.share.value, found.share.n) == (2 / 3, 3)
    assert (found.share.low, found.share.high) == clopper_pearson(2, 3, 0.9)


def test_case_punctuation_and_white_space_do_not_hide_a_run() -> None:
    shouted = RUN.upper().replace(" ", ",\n  ") + "!?"
    assert leakage([shouted], [RUN], ["a"]).leaked == ("a",)
    assert normalised("L'État, c’est  moi_2.") == ["létat", "cest", "moi2"]


def test_a_run_does_not_reach_over_two_texts() -> None:
    half = RUN.split()
    assert leakage([" ".join(half[:7]), " ".join(half[7:])], [RUN], ["a"]).leaked == ()


def test_without_a_document_that_is_long_enough_there_is_no_share() -> None:
    assert leakage([RUN], ["short"], ["a"]).share is None


@given(st.lists(WORDS, max_size=4), st.lists(WORDS, max_size=5), st.integers(2, 4))
def test_it_is_what_a_search_through_everything_finds(
    texts: list[list[str]], documents: list[list[str]], words: int
) -> None:
    ids = [str(i) for i in range(len(documents))]
    found = leakage(map(" ".join, texts), [" ".join(d) for d in documents], ids, words=words)
    runs = {tuple(t[i : i + words]) for t in texts for i in range(len(t) - words + 1)}
    expected = [
        str(i)
        for i, d in enumerate(documents)
        if any(tuple(d[k : k + words]) in runs for k in range(len(d) - words + 1))
    ]
    assert list(found.leaked) == expected
    assert [i for i in ids if len(documents[int(i)]) < words] == list(found.short)


def test_the_command_reads_what_a_teacher_wrote(
    tmp_path: Path, kdaudit: Callable[..., Any]
) -> None:
    written = {"prompt": "Count:", "completion": f"{RUN} fourteen", "ended": True}
    (tmp_path / "text.jsonl").write_text(json.dumps(written) + "\n", "utf-8")
    rows = [
        {"id": "q1", "question": "Which comes next?", "answer": RUN, "level": 1},
        {"id": "q2", "question": " ".join(["other"] * 20), "answer": "none", "level": 2},
    ]
    task = tmp_path / "task.jsonl"
    task.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    said = kdaudit("leakage", tmp_path / "text.jsonl", task)
    assert said.code == 0, said.err
    assert "1 of 2 documents share 13 words in a row with the text: 50.00%" in said.out
    assert said.last == "  q1"
    told = json.loads(kdaudit("leakage", tmp_path / "text.jsonl", task, "--json").out)
    assert told["leaked"] == ["q1"]
    only = kdaudit("leakage", tmp_path / "text.jsonl", task, "--columns", "question")
    assert "0 of 1 documents" in only.out
    assert "1 documents have fewer than 13 words" in only.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--words", "1"), "a run has 2 words at least, got 1"),
        (("--columns", "qestion"), "Did you mean 'question'"),
    ],
)
def test_what_cannot_be_looked_for_is_refused(
    tmp_path: Path, kdaudit: Callable[..., Any], words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "text.txt").write_text(RUN, "utf-8")
    (tmp_path / "task.csv").write_text(f"question\n{RUN}\n", "utf-8")
    ended = kdaudit("leakage", tmp_path / "text.txt", tmp_path / "task.csv", *words)
    assert ended.code == 2
    assert said in ended.err
