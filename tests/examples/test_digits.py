"""The digits example as its user runs it, then again, then after a kill."""

import hashlib
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kdaudit.results import Outcome
from kdaudit.run_folder import RunFolder

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "digits"


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kdaudit", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("PIL", reason="scikit-learn reads its photographs with pillow")
    folder = tmp_path_factory.mktemp("digits")
    for name in ("audit.toml", "teacher.toml", "student.toml", "model.py", "prepare.py"):
        shutil.copy(EXAMPLE / name, folder)
    subprocess.run([sys.executable, "prepare.py"], cwd=folder, check=True)
    return folder


def test_a_killed_run_resumes_and_a_finished_one_is_free_and_byte_identical(example: Path) -> None:
    killed = subprocess.Popen(
        [sys.executable, "-m", "kdaudit", "run", "audit.toml"],
        cwd=example,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoints = example / ".kdaudit" / "arms"
    while not list(checkpoints.rglob("*.safetensors")):
        assert killed.poll() is None, "it ended before it wrote a checkpoint"
        time.sleep(0.1)
    time.sleep(2)  # in the middle of training, wherever that is
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (example / "kdaudit-out" / "digits").exists()

    done = run(example, "run", "audit.toml")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "FAIL card: kdaudit-out/digits/card.html"
    first = digests(example / "kdaudit-out" / "digits")

    again = run(example, "run", "audit.toml")
    assert "student: 0 rows run, 2,800 from the store" in again.stderr
    assert "teacher: 0 rows run, 2,800 from the store" in again.stderr
    assert digests(example / "kdaudit-out" / "digits") == first

    results = RunFolder(example / "kdaudit-out" / "digits").results()
    rare = results.finding("SLC002[label=9]")
    verdicts = {verdict.address: verdict for verdict in results.verdicts}
    assert verdicts["SLC002[label=9]"].outcome is Outcome.FAIL
    assert verdicts["HAL003"].outcome is Outcome.PASS
    assert rare.difference != rare.student

    # The evidence that was written is itself a predictions file: anyone can audit it again.
    text = (example / "audit.toml").read_text("utf-8")
    start, end = text.index("[teacher]"), text.index("[suites.hallucination]")
    evidence = "kdaudit-out/digits/evidence"
    subjects = "\n".join(
        f'[{role}]\npredictions = "{evidence}/{role}.predictions.parquet"\n'
        + ('control = "hard"\n' if role == "baseline" else "")
        for role in ("teacher", "student", "baseline")
    )
    (example / "again.toml").write_text(
        text[:start].replace('name = "digits"', 'name = "again"') + subjects + text[end:], "utf-8"
    )
    run(example, "audit", "again.toml")
    repeated = RunFolder(example / "kdaudit-out" / "again").results()
    for suite, other in zip(results.suites, repeated.suites, strict=True):
        if suite.suite != "latency":
            assert suite == other
