"""A real run of lm-eval on a tiny random model: its files are read, and its numbers are ours."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kdaudit.basis import Subject
from kdaudit.compared_runs import compare
from kdaudit.data.audit_file import DataTable
from kdaudit.models.benchmark_run import LmEvalRun
from kdaudit.models.open import Opened

SCRIPT = """
import json, pathlib, random
import torch
torch.set_num_threads(1)
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

here, rng = pathlib.Path.cwd(), random.Random(0)
(here / "tasks").mkdir()
for name, n in (("long", 30), ("short", 12)):
    rows = [
        {"question": f"which of {i % 10}?", "choices": ["aa", "bb"], "gold": rng.randrange(2)}
        for i in range(n)
    ]
    (here / f"{name}.jsonl").write_text("\\n".join(map(json.dumps, rows)))
    (here / "tasks" / f"{name}.yaml").write_text(json.dumps({
        "task": name, "dataset_path": "json", "test_split": "test",
        "dataset_kwargs": {"data_files": {"test": str(here / f"{name}.jsonl")}},
        "output_type": "multiple_choice", "doc_to_text": "{{question}}",
        "doc_to_choice": "{{choices}}", "doc_to_target": "{{gold}}",
        "metric_list": [{"metric": m} for m in ("acc", "acc_norm", "brier_score")],
        "metadata": {"version": 1.0},
    }))
(here / "tasks" / "both.yaml").write_text(json.dumps({
    "group": "both", "task": ["long", "short"],
    "aggregate_metric_list": [{"metric": "acc", "weight_by_size": False}],
    "metadata": {"version": 1.0},
}))
letters = {c: i for i, c in enumerate([*sorted(pre_tokenizers.ByteLevel.alphabet()), "<e>"])}
pieces = Tokenizer(models.BPE(vocab=letters, merges=[]))
pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
pieces.decoder = decoders.ByteLevel()
marks = dict.fromkeys(("eos_token", "bos_token", "pad_token"), "<e>")
tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces, **marks)
sizes = {"vocab_size": 257, "n_positions": 64, "n_embd": 16, "n_layer": 1, "n_head": 2}
for seed, role in enumerate(("teacher", "student")):
    torch.manual_seed(seed)
    config = GPT2Config(**sizes, bos_token_id=256, eos_token_id=256, initializer_range=0.6)
    GPT2LMHeadModel(config).save_pretrained(here / "models" / role)
    tokenizer.save_pretrained(here / "models" / role)
    tracker = EvaluationTracker(output_path=str(here / role))
    found = simple_evaluate(
        model="hf", model_args={"pretrained": str(here / "models" / role), "dtype": "float32"},
        tasks=["both"], batch_size=8, device="cpu", evaluation_tracker=tracker,
        task_manager=TaskManager(include_path=str(here / "tasks"), include_defaults=False),
    )
    samples = found.pop("samples")
    tracker.save_results_aggregated(results=found, samples=samples)
    for task in found["configs"]:
        tracker.save_results_samples(task_name=task, samples=samples[task])
"""


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("lm_eval") is None or importlib.util.find_spec("torch") is None,
        reason="lm-eval (or torch) is not installed",
    ),
]
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
ROLES: tuple[Subject, ...] = ("teacher", "student")
AUDIT = """
[audit]
name = "live"
[data]
path = "lm-eval:"
[teacher]
hf = "models/teacher"
[student]
hf = "models/student"
[lm_eval]
tasks = ["tasks/both.yaml"]
"""


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT, "HF_HOME": str(folder / "cache")},
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, three tasks, and what lm-eval said of them."""
    folder = tmp_path_factory.mktemp("real")
    done = call(folder, "-c", SCRIPT)
    assert done.returncode == 0, done.stderr
    return folder


def test_what_lm_eval_writes_is_read_and_its_aggregates_are_ours(real: Path) -> None:
    runs = {role: LmEvalRun.open(role, base=real) for role in ROLES}
    for role, run in runs.items():
        (file,) = (real / role).rglob("results_*.json")
        said = json.loads(file.read_text("utf-8"))["results"]
        for name, log in run.logs.tasks.items():
            assert log.version == "1.0"
            assert log.setting == {"few-shot number": "0"}
            for metric in ("acc", "acc_norm", "brier_score"):
                ours, theirs = log.scores[metric].mean(), said[name][f"{metric},none"]
                assert ours == pytest.approx(theirs, rel=1e-12)
    opened = {role: Opened(kind="lm_eval", name=role, adapter=run) for role, run in runs.items()}
    found = compare(opened, DataTable(path="lm-eval:teacher"))
    assert found is not None
    assert found.notes == ()
    (group,) = found.on(runs["teacher"].answers("id", ()).ids).groups
    assert (group.group, group.metric, group.by) == ("both", "acc", "tasks")


def test_tasks_are_run_once_per_model_and_give_what_lm_eval_gives_by_hand(real: Path) -> None:
    (real / "audit.toml").write_text(AUDIT, "utf-8")
    done = call(real, "-m", "kdaudit", "run", "audit.toml")
    assert done.returncode in (0, 3), done.stderr
    first = (real / "kdaudit-out" / "live" / "results.json").read_bytes()
    runs = sorted(real.glob(".kdaudit/lm-eval/*/*/results_run.json"))
    assert len(runs) == 2
    times = [file.stat().st_mtime_ns for file in runs]
    again = call(real, "-m", "kdaudit", "run", "audit.toml")
    assert "lm-eval" not in again.stderr
    assert [file.stat().st_mtime_ns for file in runs] == times
    assert (real / "kdaudit-out" / "live" / "results.json").read_bytes() == first
    said = {
        role: json.loads(next((real / role).rglob("results_*.json")).read_text("utf-8"))
        for role in ROLES
    }
    (suite,) = [one for one in json.loads(first)["suites"] if one["suite"] == "accuracy"]
    found = {
        tuple(map(tuple, finding["where"])): finding
        for finding in suite["findings"]
        if finding["code"] == "ACC010"
    }
    for task in ("long", "short"):
        for role in ROLES:
            ours = found[("metric", "acc"), ("task", task)][role]["value"]
            assert ours == said[role]["results"][task]["acc,none"]
