"""How much longer an audit takes than running lm-eval on teacher and student by hand.

A multiple-choice task of arithmetic (the questions are drawn, nothing is downloaded), the same
models, documents and batch size, two ways: `lm_eval` once per model with its samples logged, and
`kdaudit run` of an audit file with `[lm_eval] tasks`, which also pairs, decides and draws the card.

    python benchmarks/lm_eval_overhead.py TEACHER STUDENT               folders of causal models
    python benchmarks/lm_eval_overhead.py TEACHER STUDENT --documents 400

The two ways take turns, forwards and backwards. The last line is `overhead_percent N`, of the
median of the ratios; below 0 the audit is faster: it starts Python and the libraries once.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

THREADS = "1"
TASK = """\
task: sums
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{right}}}}"
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
"""
AUDIT = """\
[audit]
name = "sums"

[data]
path = "lm-eval:"

[teacher]
hf = "{teacher}"

[student]
hf = "{student}"

[lm_eval]
tasks = ["sums.yaml"]
batch_size = 8

[[contract]]
check = "ACC010"
where = {{ task = "sums", metric = "acc" }}
margin = 0.1
"""


def write(folder: Path, teacher: Path, student: Path, documents: int) -> None:
    """The task, its documents, and the audit file."""
    rng = np.random.default_rng(0)
    lines = []
    for a, b in rng.integers(10, 99, (documents, 2)).tolist():
        choices = [str(a + b + d) for d in (0, 1, 2, 10)]
        order = rng.permutation(4).tolist()
        lines.append(
            {
                "question": f"Question: What is {a} plus {b}?\nAnswer:",
                "choices": [choices[i] for i in order],
                "right": order.index(0),
            }
        )
    (folder / "sums.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", "utf-8")
    (folder / "sums.yaml").write_text(TASK.format(data=folder / "sums.jsonl"), "utf-8")
    (folder / "audit.toml").write_text(AUDIT.format(teacher=teacher, student=student), "utf-8")


def by_hand(folder: Path, teacher: Path, student: Path) -> None:
    """lm-eval, once per model."""
    for name, model in (("teacher", teacher), ("student", student)):
        command = ["-m", "lm_eval", "run", "--model", "hf", "--model_args", f"pretrained={model}"]
        command += ["--tasks", "sums", "--include_path", str(folder), "--batch_size", "8"]
        command += ["--device", "cpu", "--log_samples", "--output_path", str(folder / name)]
        _run(command, folder)


def by_audit(folder: Path, teacher: Path, student: Path) -> None:
    """The same, audited; from nothing."""
    del teacher, student
    for kept in (".kdaudit", "kdaudit-out"):
        shutil.rmtree(folder / kept, ignore_errors=True)
    _run(["-m", "kdaudit", "run", "audit.toml"], folder)


def _run(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": THREADS, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(  # noqa: S603  # this file's own commands
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1, 3):  # what an audit decides is no matter here
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("teacher", type=Path)
    parser.add_argument("student", type=Path)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--turns", type=int, default=3)
    asked = parser.parse_args()
    models = asked.teacher.resolve(), asked.student.resolve()
    ways: dict[str, Callable[[Path, Path, Path], None]] = {"by hand": by_hand, "audit": by_audit}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder, *models, asked.documents)
        for turn in range(asked.turns):
            for name in ways if turn % 2 == 0 else [*ways][::-1]:
                clock = time.perf_counter()
                ways[name](folder, *models)
                seconds[name].append(time.perf_counter() - clock)
                print(f"turn {turn + 1}: {name:<8} {seconds[name][-1]:7.1f} s", flush=True)
    ratios = [a / b for a, b in zip(seconds["audit"], seconds["by hand"], strict=True)]
    print(f"overhead_percent {100 * (statistics.median(ratios) - 1):.1f}")


if __name__ == "__main__":
    main()
