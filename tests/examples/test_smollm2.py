"""The language model example: what it asks, and the whole of it with a tiny model for SmolLM2."""

import json
import os
import runpy
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kdaudit.distill.language.distill import distill_language
from kdaudit.estimate import Estimate
from kdaudit.evidence.store import Store
from kdaudit.execute import execute_all
from kdaudit.results import Outcome, Results
from kdaudit.run_folder import RunFolder
from tests.models import tiny_llama

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "smollm2"
FILES = ("prepare.py", "student.toml", "facts.toml", "texts.toml", "countries.csv")


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example with a tiny teacher, and with fewer rows and texts."""
    for name in (*FILES, "occupations.csv"):
        shutil.copy(EXAMPLE / name, tmp_path)
    shutil.copytree(EXAMPLE / "texts", tmp_path / "texts")
    tiny_llama.save(tmp_path / "data" / "teacher", num_hidden_layers=5, max_position_embeddings=512)
    runpy.run_path(str(tmp_path / "prepare.py"))["main"]()
    return tmp_path


def rows(example: Path, name: str) -> list[dict[str, Any]]:
    lines = (example / "data" / name).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_questions_can_be_answered_or_not_and_are_asked_once(example: Path) -> None:
    facts = rows(example, "facts.jsonl")
    assert Counter(row["kind"] for row in facts) == {
        "capital": 195,
        "fictional": 48,
        "impossible": 48,
    }
    for table in (facts, rows(example, "texts.jsonl")):
        assert len({row["id"] for row in table}) == len(table)
    shown = (example / "facts.toml").read_text("utf-8")
    for row in facts:
        assert row["question"] not in shown
        if row["kind"] == "capital":
            assert len(set(row["choices"])) == 4
            assert set(row["choices"]) & set(row["answers"]) == {row["answers"][0]}
        else:
            assert row["answers"] == row["choices"] == []


def test_pairs_differ_in_the_pronoun_alone_and_texts_are_not_learnt(example: Path) -> None:
    texts = rows(example, "texts.jsonl")
    for row in texts:
        if row["kind"] == "pronoun":
            he, she = row["choices"]
            assert row["usual"] in (he, she)
            assert he.replace(" he ", " she ") == she
    learnt = (example / "texts" / "learn.txt").read_text("utf-8")
    read = [row for row in texts if row["kind"] == "text"]
    assert len(read) == 24
    for row in read:
        assert row["choices"] == row["answers"]
        assert row["choices"][0] not in learnt


def test_a_tiny_model_is_cut_distilled_and_audited(example: Path) -> None:
    recipe = (example / "student.toml").read_text("utf-8")
    for large, small in (("threads = 2", "threads = 1"), ("\ntokens = 48", "\ntokens = 8")):
        assert recipe.count(large) == 1
        recipe = recipe.replace(large, small)
    (example / "student.toml").write_text(recipe, "utf-8")
    made = distill_language(example / "student.toml", store=Store.beside(example))
    assert made.lineage.init is not None
    kept, rises = made.lineage.init["layers"], made.lineage.init["loss rises without each layer by"]
    assert isinstance(kept, list)
    assert isinstance(rises, list)
    assert (len(kept), len(rises)) == (2, 5)
    assert max(rises[i] for i in range(5) if i not in kept) <= min(rises[i] for i in kept)

    for name, step in (("facts.jsonl", 12), ("texts.jsonl", 2)):
        path = example / "data" / name
        path.write_text("".join(path.read_text("utf-8").splitlines(keepends=True)[::step]), "utf-8")
    asked = (example / "facts.toml").read_text("utf-8")
    shots = asked[asked.index("Q: Who") : asked.index("Q: {question}")]  # a byte is a token here
    (example / "facts.toml").write_text(asked.replace(shots, ""), "utf-8")
    facts = execute_all(example / "facts.toml").results
    assert set(facts) == {"short", "int8"}
    for results in facts.values():
        assert isinstance(results, Results)
        choice = results.finding("HAL012").student
        assert isinstance(choice, Estimate)
        assert choice.n == 17
        assert results.finding("HAL007").teacher is not None
    texts = execute_all(example / "texts.toml").results
    for results in texts.values():
        assert isinstance(results, Results)
        bits = results.finding("ACC011").teacher
        assert isinstance(bits, Estimate)
        assert 1 < bits.value < 20
        assert results.finding("PRE001").teacher is not None
        assert all(verdict.outcome is not Outcome.FAIL for verdict in results.verdicts)
    again = execute_all(example / "facts.toml").results
    assert again == facts


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("KDAUDIT_DEMO_LM"),
    reason="fetches 93 MB and takes a quarter of an hour: set KDAUDIT_DEMO_LM=1, or `make demo-lm`",
)
def test_the_example_itself(tmp_path: Path) -> None:
    shutil.copytree(
        EXAMPLE, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("data", "runs", ".*")
    )
    runpy.run_path(str(tmp_path / "prepare.py"))["main"]()
    distill_language(tmp_path / "student.toml", store=Store.beside(tmp_path))
    made = execute_all(tmp_path / "facts.toml").results
    short, int8 = made["short"], made["int8"]
    assert isinstance(short, Results)
    assert isinstance(int8, Results)
    teacher = short.finding("HAL012").teacher
    assert isinstance(teacher, Estimate)
    assert teacher.value > 0.7
    assert RunFolder(tmp_path / "kdaudit-out" / "facts" / "short").card.exists()
    introduced = short.finding("HAL011").student
    assert isinstance(introduced, Estimate)
    assert introduced.value > 0
