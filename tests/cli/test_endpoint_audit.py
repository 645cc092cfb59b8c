"""Whole audits of models behind addresses: interrupted or not, the evidence is the same."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.models.llm_server import Fault, Server, chosen, dropped, late, raw, serving, status

ROWS = 60
SECRET = "sk-of-no-server-123456"  # noqa: S105  # of no server
AUDIT = """
[audit]
name = "qa"
[data]
path = "data.csv"
id = "id"
inputs = ["question"]
answers = "answer"
[prompt]
template = "Q: {{question}}"
max_tokens = 8
[teacher]
endpoint = "{teacher}"
model = "large"
revision = "1"
api_key_env = "MY_KEY"
timeout = 1.0
concurrency = 4
[student]
endpoint = "{student}"
model = "small"
api = "completions"
api_key_env = "MY_KEY"
timeout = 1.0
retries = 12
[[contract]]
check = "HAL001"
margin = 0.2
"""
CLASSES = """
[audit]
name = "parity"
[data]
path = "data.csv"
id = "id"
inputs = ["question"]
label = "parity"
[prompt]
template = "Q: {{question}}"
classes = ["even", "odd"]
[teacher]
endpoint = "{teacher}"
model = "large"
[student]
endpoint = "{student}"
model = "small"
[[contract]]
check = "ACC001"
margin = 0.5
"""


def number(prompt: str) -> int:
    return int(prompt.rsplit(maxsplit=1)[-1])


def knows_all(prompt: str) -> dict[str, Any]:
    return chosen(str(number(prompt)))


def knows_most(prompt: str) -> dict[str, Any]:
    return chosen("I don't know" if number(prompt) % 10 == 9 else str(number(prompt)))


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    with serving(answer=knows_all) as teacher, serving(answer=knows_most) as student:
        yield teacher, student


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    monkeypatch.setenv("MY_KEY", SECRET)
    monkeypatch.setattr("kdaudit.models.endpoint.adapter.BACKOFF", 0.002)


def laid_out(folder: Path, servers: tuple[Server, Server], audit: str = AUDIT) -> Path:
    folder.mkdir()
    rows = [f"r{i},What is {i},{i},{'odd' if i % 2 else 'even'}" for i in range(ROWS)]
    (folder / "data.csv").write_text("\n".join(["id,question,answer,parity", *rows]) + "\n")
    teacher, student = servers
    path = folder / "audit.toml"
    path.write_text(audit.format(teacher=teacher.url, student=student.url))
    return path


def evidence(audit: Path) -> dict[str, bytes]:
    """Results and evidence; nothing in them may depend on what went wrong on the way."""
    (out,) = (audit.parent / "kdaudit-out").iterdir()
    found = {file.name: file.read_bytes() for file in (out / "evidence").iterdir()}
    assert {"teacher.parquet", "student.parquet"} <= {
        name.replace(".generations", "") for name in found
    }
    return found | {"results.json": (out / "results.json").read_bytes()}


def forget(*servers: Server) -> None:
    for server in servers:
        server.asked.clear()
        server.answered.clear()
        server.requests.clear()


def once() -> Counter[str]:
    return Counter({f"Q: What is {i}": 1 for i in range(ROWS)})


def noted(audit: Path) -> int:
    """Answers in the journal of an unfinished set."""
    (journal,) = (audit.parent / ".kdaudit").rglob("journal.jsonl")
    return len(journal.read_bytes().splitlines())


def test_faults_and_a_restart_leave_no_trace_in_the_evidence(
    tmp_path: Path, servers: tuple[Server, Server], kdaudit: Callable[..., Any]
) -> None:
    calm = laid_out(tmp_path / "calm", servers)
    assert kdaudit("run", calm).code == 0
    forget(*servers)

    teacher, student = servers
    faults: list[Fault] = [
        status(429, Retry_After="0.01"), late(1.4), raw(b'{"choices": [{'), dropped, status(500),
        raw(b"{", promised=99), status(503),
    ]  # fmt: skip

    def away() -> None:
        student.stop()
        time.sleep(0.3)
        student.start()

    def restart(prompt: str, before: int) -> Fault | None:
        if number(prompt) != 20 or before:
            return None
        threading.Thread(target=away).start()
        return dropped

    def first_a_fault(prompt: str, before: int) -> Fault | None:
        return None if before else faults[number(prompt) % len(faults)]

    teacher.fault, student.fault = first_a_fault, restart
    rough = laid_out(tmp_path / "rough", servers)
    assert kdaudit("run", rough).code == 0
    assert evidence(rough) == evidence(calm)
    assert teacher.answered == once()
    assert set(student.answered) == set(once())


def test_a_run_that_is_killed_asks_only_for_what_is_missing(
    tmp_path: Path, servers: tuple[Server, Server], kdaudit: Callable[..., Any]
) -> None:
    calm = laid_out(tmp_path / "calm", servers)
    assert kdaudit("run", calm).code == 0
    forget(*servers)

    killed = laid_out(tmp_path / "killed", servers)
    teacher, student = servers
    waiting = threading.Event()

    def stuck(prompt: str, _: int) -> Fault | None:
        if sum(teacher.answered.values()) < ROWS // 2:
            return None
        waiting.set()
        return late(0.5)

    teacher.fault = stuck
    words = [sys.executable, "-m", "kdaudit", "run", str(killed)]
    run = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert run.stdout is not None
    try:
        while not waiting.wait(0.1):
            assert run.poll() is None, run.stdout.read()
        patience = time.monotonic() + 5  # what was answered is on its way into the journal
        while noted(killed) < ROWS // 2 and time.monotonic() < patience:
            time.sleep(0.02)
    finally:
        os.kill(run.pid, signal.SIGKILL)
        run.stdout.close()
        run.wait()
    kept = noted(killed)
    assert kept >= ROWS // 2

    teacher.fault = lambda _prompt, _before: None
    forget(*servers)
    assert kdaudit("run", killed).code == 0
    assert len(teacher.requests) == ROWS - kept
    assert set(teacher.answered.values()) == {1}
    assert student.requests == []  # it was asked first, and is done
    assert evidence(killed) == evidence(calm)


def test_a_server_that_stays_away_ends_the_run_and_another_run_goes_on(
    tmp_path: Path, servers: tuple[Server, Server], kdaudit: Callable[..., Any]
) -> None:
    teacher, _ = servers
    audit = laid_out(tmp_path / "a", servers)
    teacher.fault = lambda prompt, _: (
        status(401, {"error": SECRET}) if number(prompt) == 59 else None
    )
    said = kdaudit("run", audit)
    assert said.code == 2
    assert f"{teacher.url} (model 'large') answered with status 401: [key]; check the key" in (
        " ".join(said.err.split())
    )
    assert "Traceback" not in said.err
    kept = noted(audit)
    assert kept >= 5
    forget(*servers)
    teacher.fault = lambda _prompt, _before: None
    assert kdaudit("run", audit).code == 0
    assert len(teacher.requests) == ROWS - kept


def test_the_key_is_in_no_file(
    tmp_path: Path, servers: tuple[Server, Server], kdaudit: Callable[..., Any]
) -> None:
    audit = laid_out(tmp_path / "a", servers)
    said = kdaudit("run", audit)
    assert servers[0].requests[0]["key"] == f"Bearer {SECRET}"
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) > 8
    assert not [file for file in files if SECRET.encode() in file.read_bytes()]
    assert SECRET not in said.out + said.err
    audit.write_text(audit.read_text().replace('"MY_KEY"', f'"{SECRET}"'))
    refused = kdaudit("run", audit)
    assert refused.code == 2
    assert SECRET not in refused.out + refused.err


def test_what_is_declared_and_a_model_that_changed_are_limitations(
    tmp_path: Path, servers: tuple[Server, Server], kdaudit: Callable[..., Any]
) -> None:
    teacher, student = servers
    student.answer = lambda prompt: knows_all(prompt) | {"model": f"small-{number(prompt) // 30}"}
    audit = laid_out(tmp_path / "a", servers)
    assert kdaudit("run", audit).code == 0
    results = json.loads((audit.parent / "kdaudit-out/qa/results.json").read_bytes())
    assert [s["name"].split(" at ")[0] for s in results["subjects"]] == ["small", "large"]
    texts = [one["text"] for one in results["limitations"]]
    assert (
        f"The teacher answers behind {teacher.url}; that it is large, revision 1, is declared by "
        "the owner and was not measured."
    ) in texts
    assert (
        "What answered as the student called itself by 2 names (small-0, fp, small-1, fp): the "
        "model may have changed within this audit."
    ) in texts
    assert not [text for text in texts if text.startswith("What answered as the teacher")]
    details = {one["role"]: one["details"] for one in results["subjects"]}
    assert details["teacher"]["declared"] == "url, model, revision"
    assert details["teacher"]["answered as"] == "served-1, fp"
    assert details["student"]["revision"] == "NOT PROVIDED"


def test_with_classes_a_language_model_classifies_and_unread_answers_are_invalid(
    tmp_path: Path, servers: tuple[Server, Server], kdaudit: Callable[..., Any]
) -> None:
    def parity(prompt: str) -> dict[str, Any]:
        odd = number(prompt) % 2 == 1 and number(prompt) > 2
        return chosen("**Odd.**" if odd else "Even\n\nIt can be halved.")

    def unsure(prompt: str) -> dict[str, Any]:
        return chosen("even or odd") if number(prompt) % 8 == 7 else parity(prompt)

    teacher, student = servers
    teacher.answer, student.answer = parity, unsure
    audit = laid_out(tmp_path / "a", servers, CLASSES)
    said = kdaudit("run", audit)
    results = json.loads((audit.parent / "kdaudit-out/parity/results.json").read_bytes())
    found = {one["code"]: one for suite in results["suites"] for one in suite["findings"]
             if not one["where"]}  # fmt: skip
    assert found["ACC003"]["student"]["value"] == 7 / ROWS
    assert found["ACC003"]["teacher"]["value"] == 0
    assert found["ACC001"]["student"]["value"] == 52 / ROWS
    assert found["ACC001"]["teacher"]["value"] == 59 / ROWS
    assert said.code == 1  # ACC003 blocks by default


def test_a_dry_run_tells_requests_and_cost_without_a_key_and_asks_nothing(
    tmp_path: Path,
    servers: tuple[Server, Server],
    kdaudit: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    priced = 'model = "large"\nprice = {{ input = 0, output = 1e6, currency = "EUR" }}'
    audit = laid_out(tmp_path / "a", servers, AUDIT.replace('model = "large"', priced))
    monkeypatch.delenv("MY_KEY")
    said = kdaudit("run", audit, "--dry-run")
    assert said.code == 0
    assert f"teacher (large at {servers[0].url}): " in said.out
    assert f"{ROWS} to ask" in said.out
    assert f"at most {8 * ROWS} to write, at most {8 * ROWS}.00 EUR" in " ".join(said.out.split())
    assert servers[0].requests == servers[1].requests == []
    refused = kdaudit("run", audit)
    assert refused.code == 2
    assert "the environment variable MY_KEY is not set" in refused.err
    monkeypatch.setenv("MY_KEY", SECRET)
    assert kdaudit("run", audit).code == 0
    monkeypatch.delenv("MY_KEY")
    forget(*servers)
    assert kdaudit("run", audit, "--dry-run").out.count("all in the store") == 2
    assert kdaudit("run", audit).code == 0  # what is stored needs no key
    assert servers[0].requests == servers[1].requests == []
