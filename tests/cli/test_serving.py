"""Serving from the audit file to the card: foreign timings, and language models timed here."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

Run = Callable[..., Any]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "latency.md"
ROWS = 60


def audit_of_the_page() -> str:
    _, _, rest = PAGE.read_text("utf-8").partition("<!-- test: timings.toml -->\n```toml\n")
    return rest.partition("```")[0]


GOODPUT = """
[[contract]]
check = "LAT010"
where = { scenario = "single-stream" }
at_least = 0.98
"""


def timings(*, first: float, each: float, tokens: int) -> pd.DataFrame:
    due = np.arange(300) * 5.0
    factor = np.exp(0.05 * np.random.default_rng(int(1000 * first)).normal(size=300))
    begun = due + first * factor
    return pd.DataFrame(
        {
            "request": [f"r{i}" for i in range(300)],
            "scenario": "single-stream",
            "sent_s": due,
            "first_token_s": begun,
            "last_token_s": begun + each * (tokens - 1) * factor,
            "tokens_in": 8 + np.arange(300) % 30,
            "tokens_out": tokens,
            "bytes_out": 4 * tokens,
        }
    )


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The audit of the page, with files to audit."""
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    ids = [f"r{i}" for i in range(ROWS)]
    answers = [f"A {i}" for i in ids]
    facts = {"id": ids, "question": [f"What is {i}?" for i in ids], "answer": answers}
    pd.DataFrame(facts).to_csv(tmp_path / "facts.csv", index=False)
    for name in ("teacher", "student"):
        wrote = pd.DataFrame({"id": ids, "text": answers})
        wrote.to_csv(tmp_path / f"{name}.csv", index=False)
    timings(first=0.2, each=0.01, tokens=30).to_csv(tmp_path / "teacher-timings.csv", index=False)
    timings(first=0.1, each=0.02, tokens=30).to_csv(tmp_path / "phone.csv", index=False)
    (tmp_path / "audit.toml").write_text(audit_of_the_page(), "utf-8")
    return tmp_path


def results_of(folder: Path, name: str) -> dict[str, Any]:
    path = folder / "kdaudit-out" / name / "results.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def finding(results: dict[str, Any], code: str, **where: str) -> dict[str, Any]:
    (found,) = [
        f
        for suite in results["suites"]
        for f in suite["findings"]
        if f["code"] == code and dict(f["where"]) == where
    ]
    return dict(found)


def test_timings_of_other_machines_reach_the_card(phone: Path, kdaudit: Run) -> None:
    said = kdaudit("run", phone / "audit.toml")
    assert said.code == 3, said.err  # no check is declared
    results = results_of(phone, "phone")
    roles = {one["role"]: one["name"] for one in results["inputs"]}
    assert roles["timings of the student"] == "phone.csv"
    speed = finding(results, "LAT001")
    assert "times of different hardware" in speed["student"]["reason"]
    wait = finding(results, "LAT007", percentile="p50", scenario="single-stream")
    assert wait["student"]["value"] == pytest.approx(100, rel=0.05)
    assert "Pixel 8" in wait["difference"]["reason"]
    cost = finding(results, "LAT005")
    tokens = (22.5 * 2.5 + 30 * 10) / 1e6
    assert cost["teacher"]["value"] == pytest.approx(1000 * tokens)
    card = (phone / "kdaudit-out" / "phone" / "card.html").read_text("utf-8")
    assert "Pixel 8, 4 threads" in card
    assert "time to first token" in card
    assert kdaudit("gate", phone / "kdaudit-out" / "phone").code == 3
    alone = kdaudit("run", phone / "audit.toml", "--only", "teacher")
    assert alone.code == 3, alone.err
    taught = finding(results_of(phone, "phone-teacher"), "LAT005")
    assert taught["student"] == cost["teacher"]


def test_the_same_hardware_gives_a_speed_up_and_a_verdict(phone: Path, kdaudit: Run) -> None:
    text = audit_of_the_page().replace("one A100 80 GB, vLLM 0.11, 1 replica", "Pixel 8, 4 threads")
    for limit, code in ((150, 0), (50, 1)):
        path = phone / f"within-{limit}.toml"
        limits = f"[suites.latency]\nlimits = {{ first_token = {limit} }}\n"
        path.write_text(f"{text}\n{limits}\n{GOODPUT}", "utf-8")
        assert kdaudit("run", path).code == code
    results = results_of(phone, "phone")
    assert finding(results, "LAT001")["student"]["low"] > 0.5
    wait = finding(results, "LAT007", percentile="p50", scenario="single-stream")
    assert wait["difference"]["value"] == pytest.approx(-100, rel=0.1)
    good = finding(results, "LAT010", scenario="single-stream")
    assert (good["student"]["value"], good["teacher"]["value"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('hardware = "Pixel 8, 4 threads"\n', ""), "say on what, e.g. hardware ="),
        (("utilisation = 0.6", "utilisation = 1.6"), "cost.student.utilisation"),
        ((", utilisation = 0.6", ""), "hourly and utilisation go together"),
        (("date = 2026-11-01", 'date = "soon"'), "cost.date"),
        (("declared = 250.0", "declared = -1.0"), "cost.distillation.declared"),
        (("declared = 250.0", ""), "give hourly, a price of an hour of training, or declared"),
        (("phone.csv", "nowhere.csv"), "there is no file nowhere.csv"),
        (("[cost]", '[serving]\nscenarios = ["server"]\n[cost]'), "rate, in requests per second"),
        (("[cost]", "[serving]\nrate = 3.0\n[cost]"), "rate, in requests per second"),
    ],
)
def test_what_cannot_be_meant_is_exit_2(
    change: tuple[str, str], words: str, phone: Path, kdaudit: Run
) -> None:
    text = audit_of_the_page()
    assert change[0] in text
    (phone / "audit.toml").write_text(text.replace(*change), "utf-8")
    said = kdaudit("run", phone / "audit.toml")
    assert said.code == 2
    assert words in said.err.replace("\n", " ")


def test_language_models_are_timed_here_as_they_write(phone: Path, kdaudit: Run) -> None:
    from tests.models.tiny_llama import save

    save(phone / "large", num_hidden_layers=3)
    save(phone / "small", seed=1, num_hidden_layers=1)
    (phone / "live.toml").write_text(
        """
[audit]
name = "live"
[data]
path = "facts.csv"
id = "id"
inputs = ["question"]
answers = "answer"
[prompt]
max_tokens = 2
[teacher]
hf = "large"
[student]
hf = "small"
[serving]
scenarios = ["single-stream", "server"]
requests = 80
rate = 200.0
[suites.latency]
percentiles = [50]
limits = { answer = 60000 }
[[contract]]
check = "ACC003"
at_most = 1.0
""",
        "utf-8",
    )
    shown = kdaudit("run", phone / "live.toml", "--dry-run").out
    assert "timing: 160 more requests to each language model ([serving])" in shown
    said = kdaudit("run", phone / "live.toml")
    assert said.code in (0, 3), said.err
    results = results_of(phone, "live")
    for scenario in ("single-stream", "server"):
        wait = finding(results, "LAT007", percentile="p50", scenario=scenario)
        whole = finding(results, "LAT009", percentile="p50", scenario=scenario)
        assert 0 < wait["student"]["value"] < whole["student"]["value"]
        assert whole["difference"]["kind"] == "estimate"
    assert finding(results, "LAT006")["student"]["value"] < 30_000
    assert finding(results, "LAT001")["student"]["value"] > 1
    assert finding(results, "LAT013")["student"]["value"] <= 2
    before = (phone / "kdaudit-out/live/results.json").read_bytes()
    assert kdaudit("run", phone / "live.toml").code == said.code
    assert (phone / "kdaudit-out/live/results.json").read_bytes() == before


def test_the_drill_of_an_audit_with_timings_leaves_them_alone(phone: Path, kdaudit: Run) -> None:
    labelled = pd.DataFrame({"id": [f"r{i}" for i in range(200)], "label": ["a", "b"] * 100})
    labelled.to_csv(phone / "facts.csv", index=False)
    wrong = np.arange(200) % 20 == 0
    prediction = np.where(wrong, "b", labelled.label)
    answers = pd.DataFrame({"id": labelled.id, "prediction": prediction})
    for name in ("teacher", "student"):
        answers.to_csv(phone / f"{name}.csv", index=False)
    text = audit_of_the_page().replace("generations =", "predictions =")
    text = text.replace('inputs = ["question"]\nanswers = "answer"', 'label = "label"')
    check = '[[contract]]\ncheck = "ACC001"\nmargin = 0.05\n'
    (phone / "audit.toml").write_text(f"{text}\n{check}", "utf-8")
    assert kdaudit("run", phone / "audit.toml").code == 0
    said = kdaudit("drill", phone / "audit.toml", "--replicates", "30")
    assert said.code == 0, said.err
