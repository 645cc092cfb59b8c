"""Questions of which nothing true can be said."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdaudit.data.audit_file import DataTable
from kdaudit.data.dataset import from_table
from kdaudit.data.readers import read
from kdaudit.errors import ConfigError
from kdaudit.language.probes import FICTIONAL, IMPOSSIBLE, probes


def test_every_question_is_distinct_and_has_no_answer() -> None:
    made = list(probes(400, seed=1))
    assert len({probe.question for probe in made}) == 400
    assert len({probe.id for probe in made}) == 400
    assert not any(probe.answers for probe in made)
    assert Counter(probe.kind for probe in made) == {"fictional": 200, "impossible": 200}
    # Questions of one template are a cluster; an interval needs eight at least.
    assert len({probe.template for probe in made}) == len(FICTIONAL) + len(IMPOSSIBLE)


def test_the_seed_decides_and_more_questions_keep_the_first() -> None:
    some, more, other = (list(probes(n, seed=s)) for n, s in ((20, 1), (60, 1), (20, 2)))
    assert more[:20] == some
    assert other != some


@pytest.mark.parametrize("count", [0, 401])
def test_a_count_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(ConfigError, match=f"1 to 400 probes, got {count}"):
        list(probes(count, seed=1))


PAGE = Path(__file__).resolve().parents[2] / "docs" / "hallucination.md"


def block(mark: str) -> str:
    """A block of the page, by the mark above it."""
    found = re.search(
        rf"<!-- test: {mark} -->\n```\w+\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL
    )
    assert found, mark
    return found[1]


def test_the_page_finds_the_student_that_answers_what_has_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kdaudit: Callable[..., Any]
) -> None:
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    write, answer, run = block("probes").splitlines()
    assert kdaudit(*write.split()[1:]).code == 0
    assert answer == "python answer.py"
    subprocess.run([sys.executable, "-c", block("answer.py")], cwd=tmp_path, check=True)
    (tmp_path / "audit.toml").write_text(block("probes.toml"), "utf-8")
    said = kdaudit(*run.split()[1:])
    assert said.code == 1, said.out + said.err
    assert said.last.startswith("FAIL card: ")


def test_the_command_writes_a_data_file_and_never_over_one(
    tmp_path: Path, kdaudit: Callable[..., Any]
) -> None:
    path = tmp_path / "probes.jsonl"
    assert kdaudit("probes", path, "--count", "40", "--seed", "3").code == 0
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert len(rows) == 40
    data = DataTable(path="probes.jsonl", id="id", answers="answers", cluster="template")
    frame = from_table(read("probes.jsonl", tmp_path), data, 0, tmp_path).frame("audit")
    assert frame.answers is not None
    assert set(frame.answers) == {()}
    again = kdaudit("probes", path)
    assert again.code == 2
    assert "exists already" in again.err
