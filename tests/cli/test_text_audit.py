"""Audits of language models that run here, through the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdaudit.results import Results
from kdaudit.results_file import load
from tests.models import tiny_llama

AUDIT = """
[audit]
name = "towns"
[data]
path = "data.jsonl"
inputs = ["question"]
answers = "answers"
choices = "choices"
[prompt]
template = "Q: {question}\\nA:"
max_tokens = 6
samples = 1
[teacher]
hf = "teacher"
[student]
hf = "student"
[[contract]]
check = "HAL001"
margin = 0.05
"""
TYPED = 'slices = ["question"]\n[suites.hallucination]\nquestion_type = "questoin"\n[prompt]'
N = 60
Command = Callable[..., Any]


@pytest.fixture
def towns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An audit of one tiny model with itself."""
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    tiny_llama.save(tmp_path / "teacher")
    (tmp_path / "student").symlink_to(tmp_path / "teacher")
    rows = [
        {"id": i, "question": f"land {i}?", "answers": [f"T{i}"], "choices": [f"T{i}", "none"]}
        for i in range(N)
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (tmp_path / "audit.toml").write_text(AUDIT, "utf-8")
    return tmp_path


def results(folder: Path) -> Results:
    return load(Results, folder / "kdaudit-out" / "towns" / "results.json")


def of_texts(found: Results) -> list[Any]:
    return [suite for suite in found.suites if suite.suite == "hallucination"]


def test_before_a_run_its_requests_and_tokens_are_told(towns: Path, kdaudit: Command) -> None:
    before = set(towns.rglob("*"))
    said = kdaudit("run", towns / "audit.toml", "--dry-run")
    assert said.code == 0, said.err
    assert set(towns.rglob("*")) == before
    # 60 answers, 60 samples, 120 choices; a letter is a token here.
    line = next(one for one in said.out.splitlines() if one.startswith("teacher"))
    assert "240 requests on the audit rows, 0 in the store, 240 to ask" in line
    assert f"at most {2 * N * 6:,} to write" in line
    assert "four letters" not in line
    assert "HAL001" in said.out
    told = json.loads(kdaudit("run", towns / "audit.toml", "--dry-run", "--json").out)
    texts = [f"Q: land {i}?\nA:" for i in range(N)]
    scored = [f"{text} {choice}" for i, text in enumerate(texts) for choice in (f"T{i}", "none")]
    assert told["requests"][0]["prompt_tokens"] == 2 * sum(map(len, texts)) + sum(map(len, scored))
    power = kdaudit("power", towns / "audit.toml")
    assert power.code == 0
    assert "HAL001" in power.out


def test_a_model_against_itself_and_its_evidence_is_read_again(
    towns: Path, kdaudit: Command
) -> None:
    """It says nothing before six tokens are over, so that it passes not even beside itself."""
    said = kdaudit("run", towns / "audit.toml")
    first = results(towns)
    assert [s.error for s in first.suites if s.error] == []
    assert said.code == 1, said.out + said.err
    assert "98 points" in said.out
    assert "student: 240 requests asked, 0 from the store" in said.err
    told = dict(first.subjects[0].details)
    assert told["[prompt] template"] == '"Q: {question}\\nA:"'
    assert told["[prompt] max_tokens"] == "6"
    assert "[prompt] stop" not in told
    untimed = next(f for f in first.findings() if f.code == "LAT001").student
    assert "[serving]" in getattr(untimed, "reason", "")
    # The same model, asked the same: nobody is asked twice.
    assert "teacher: 0 requests asked, 240 from the store" in said.err
    again = kdaudit("run", towns / "audit.toml", "--dry-run")
    assert "240 requests on the audit rows, all in the store" in again.out
    assert kdaudit("run", towns / "audit.toml").code == 1
    assert results(towns) == first
    # Elsewhere, from what the run folder holds alone.
    evidence = towns / "kdaudit-out" / "towns" / "evidence"
    names = {path.name for path in evidence.iterdir()}
    assert names == {
        f"{who}.{kind}.parquet"
        for who in ("teacher", "student")
        for kind in ("generations", "likelihoods")
    }
    text = AUDIT
    for who in ("teacher", "student"):
        files = {}
        for kind in ("generations", "likelihoods"):
            files[kind] = f"{who}.{kind}.parquet"
            (evidence / files[kind]).rename(towns / files[kind])
        named = "\n".join(f'{kind} = "{file}"' for kind, file in files.items())
        text = text.replace(f'hf = "{who}"', named)
    (towns / "audit.toml").write_text(text, "utf-8")
    said = kdaudit("run", towns / "audit.toml")
    assert said.code == 1, said.out + said.err
    (one,), (other,) = of_texts(first), of_texts(results(towns))
    assert one.findings == other.findings
    assert {"HAL001", "HAL012"} <= {f.code for f in one.findings if f.basis is not None}
    assert {one.name for one in results(towns).inputs} >= {"student.likelihoods.parquet"}


def test_likelihoods_of_a_run_folder_are_read_again(towns: Path, kdaudit: Command) -> None:
    text = AUDIT.replace("max_tokens = 6", "max_tokens = 0").replace("HAL001", "ACC003")
    text = text.replace("margin = 0.05", "at_most = 0.1")
    (towns / "audit.toml").write_text(text, "utf-8")
    assert kdaudit("run", towns / "audit.toml").code == 0
    first = results(towns)
    evidence = towns / "kdaudit-out" / "towns" / "evidence"
    for who in ("teacher", "student"):
        (evidence / f"{who}.likelihoods.parquet").rename(towns / f"{who}.parquet")
        text = text.replace(f'hf = "{who}"', f'likelihoods = "{who}.parquet"')
    (towns / "audit.toml").write_text(text, "utf-8")
    said = kdaudit("run", towns / "audit.toml")
    assert said.code == 0, said.out + said.err
    for one, other in zip(of_texts(first), of_texts(results(towns)), strict=True):
        assert one.findings == other.findings


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{question}", "{qestion}", "Did you mean 'question'?"),
        ('hf = "student"', 'hf = "nowhere"', "there is no folder nowhere"),
        ("max_tokens = 6", "max_tokens = 120", "id '0': its prompt has 13 tokens; with 120 to"),
        ("samples = 1", 'stops = "x"', "Did you mean 'stop'?"),
        ("[prompt]", TYPED, "[suites.hallucination] question_type: unknown column"),
        ("[[contract]]", "[suites.safety]\nharmful = 'h'\n[[contract]]", "[suites.safety] harmful"),
    ],
)
def test_what_is_wrong_is_named(
    towns: Path, kdaudit: Command, old: str, new: str, said: str
) -> None:
    (towns / "audit.toml").write_text(AUDIT.replace(old, new), "utf-8")
    found = kdaudit("run", towns / "audit.toml")
    assert found.code == 2
    assert said in found.err + found.out
