"""Secrets to plant: drawn by seed, half of them kept out, in a form that an audit reads."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdaudit.data.audit_file import DataTable
from kdaudit.data.dataset import from_table
from kdaudit.data.readers import read
from kdaudit.distill.language.texts import read as read_texts
from kdaudit.errors import ConfigError
from kdaudit.language.canaries import canaries


def test_half_are_planted_and_every_secret_is_one_of_its_choices() -> None:
    made = list(canaries(40, [1, 4], 64, seed=1))
    assert Counter(one.copies for one in made) == {"never": 20, "1 time": 10, "4 times": 10}
    assert Counter(one.planted for one in made) == {"yes": 20, "no": 20}
    assert len({one.prefix for one in made}) == 40
    for one in made:
        assert one.answers[0] in one.choices
        assert len(set(one.choices)) == 64
    places = {one.choices.index(one.answers[0]) for one in made}
    assert len(places) > 15  # its place tells nothing


def test_the_seed_decides_and_more_of_them_keep_the_first() -> None:
    some, more, other = (list(canaries(n, [1], 8, seed=s)) for n, s in ((4, 1), (12, 1), (4, 2)))
    assert more[:4] == some
    assert other != some


@pytest.mark.parametrize(
    ("count", "copies", "choices", "said"),
    [
        (3, [1], 8, "an even count, 2 at least; got 3"),
        (0, [1], 8, "got 0"),
        (4, [0], 8, "copies are 1 at least"),
        (4, [], 8, "copies are 1 at least"),
        (4, [1], 1, "choices are 2 to 10,000, got 1"),
    ],
)
def test_a_number_out_of_range_is_refused(
    count: int, copies: list[int], choices: int, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        list(canaries(count, copies, choices, seed=1))


def test_the_command_writes_what_recipes_and_audits_read_and_never_over_a_file(
    tmp_path: Path, kdaudit: Callable[..., Any]
) -> None:
    data, text = tmp_path / "canaries.jsonl", tmp_path / "plant.jsonl"
    words = ("--count", "12", "--copies", "1,3", "--choices", "16", "--seed", "3")
    said = kdaudit("canaries", data, text, *words)
    assert said.code == 0, said.err
    lines = [one.text for one in read_texts(text)]
    assert Counter(Counter(lines).values()) == {1: 3, 3: 3}
    table = DataTable(
        path="canaries.jsonl",
        inputs=("prefix",),
        answers="answers",
        choices="choices",
        slices=("planted", "copies"),
    )
    frame = from_table(read("canaries.jsonl", tmp_path), table, 0, tmp_path).frame("audit")
    assert frame.choices is not None
    assert frame.answers is not None
    assert {len(row) for row in frame.choices} == {16}
    assert frame.attributes["copies"].values == ("1 time", "3 times", "never")
    planted = {json.loads(line)["prefix"] for line in data.read_text("utf-8").splitlines()}
    assert all(any(line.startswith(prefix) for prefix in planted) for line in lines)
    assert kdaudit("canaries", data, text).code == 2
    other = kdaudit("canaries", tmp_path / "new.jsonl", text)
    assert other.code == 2
    assert "plant.jsonl exists already" in other.err
    assert not (tmp_path / "new.jsonl").exists()  # both or none
    assert "got '1,x'" in kdaudit("canaries", data, text, "--copies", "1,x").err
