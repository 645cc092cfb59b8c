"""What `[lm_eval]` asks for, without lm-eval: refusals, and runs that the store has already."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdaudit.data.audit_file import AuditFile, parse
from kdaudit.errors import ConfigError, DataError
from kdaudit.evidence.store import Store
from kdaudit.language import lm_eval_runs
from kdaudit.language.lm_eval_runs import HERE, KIND, with_runs
from kdaudit.models.benchmark_run import LmEvalRun
from kdaudit.models.pretrained import Pretrained
from tests.benchmark_runs.runs import Task, lm_eval_run

SCORES = [float(i % 3 > 0) for i in range(60)]


def document(**changed: Any) -> AuditFile:
    whole = {
        "audit": {"name": "live"},
        "data": {"path": HERE},
        "teacher": {"hf": "models/teacher"},
        "student": {"hf": "models/student"},
        "lm_eval": {"tasks": ["quiz.yaml"]},
    }
    return parse(whole | changed, AuditFile, "audit.toml")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two folders that look like models, and a task."""
    monkeypatch.setattr(lm_eval_runs, "version", lambda name: f"{name} 1")
    for role in ("teacher", "student"):
        folder = tmp_path / "models" / role
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}", "utf-8")
        (folder / "model.safetensors").write_bytes(role.encode())
    (tmp_path / "quiz.yaml").write_text("task: quiz", "utf-8")
    return tmp_path


def recorded(folder: Path, file: AuditFile, *roles: str) -> None:
    """Put runs into the store, as if lm-eval had made them."""
    assert file.lm_eval is not None
    for role in roles:
        model = Pretrained.find(f"models/{role}", folder)
        entry = Store.beside(folder).entry(KIND, lm_eval_runs._key(model, file.lm_eval, folder))
        lm_eval_run(entry.folder, {"quiz": Task(scores={("acc", "none"): SCORES})}, time="run")


def test_runs_that_the_store_has_are_not_run_again(
    here: Path, monkeypatch: pytest.MonkeyPatch, kdaudit: Callable[..., Any]
) -> None:
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    recorded(here, document(), "teacher", "student")
    file = with_runs(document(), here, store=Store.beside(here))
    assert file.data.path == HERE + file.teacher.options["lm_eval"]
    run = LmEvalRun.open(file.teacher.options["lm_eval"], base=here)
    assert run.logs.tasks["quiz"].scores["acc"].tolist() == SCORES
    (here / "audit.toml").write_text(
        'audit.name = "live"\ndata.path = "lm-eval:"\nlm_eval.tasks = ["quiz.yaml"]\n'
        'teacher.hf = "models/teacher"\nstudent.hf = "models/student"\n'
        '[[contract]]\ncheck = "ACC010"\nwhere = { task = "quiz", metric = "acc" }\nmargin = 0.1',
        "utf-8",
    )
    said = kdaudit("run", here / "audit.toml")
    assert said.code == 0, said.out + said.err


@pytest.mark.parametrize("what", ["model", "task", "setting"])
def test_whatever_a_run_depends_on_is_in_its_key(
    here: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    recorded(here, document(), "teacher", "student")
    ran: list[str] = []
    monkeypatch.setattr(
        lm_eval_runs, "_run", lambda model, _table, _base, _folder: ran.append(model.name)
    )
    file = document()
    if what == "model":
        (here / "models" / "student" / "model.safetensors").write_bytes(b"another")
    elif what == "task":
        (here / "quiz.yaml").write_text("task: quiz\nnum_fewshot: 5", "utf-8")
    else:
        file = document(lm_eval={"tasks": ["quiz.yaml"], "limit": 10})
    with_runs(file, here, store=Store.beside(here))
    assert ran == ["models/student"] if what == "model" else ["models/teacher", "models/student"]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"data": {"path": "d.csv", "label": "y"}}, 'path = "lm-eval:" under'),
        ({"student": {"predictions": "s.csv"}}, r"\[student\]: lm-eval runs a folder"),
        ({"lm_eval": {"tasks": ["other.yaml"]}}, "there is no file other.yaml"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_runs(
    here: Path, changed: dict[str, Any], sentence: str
) -> None:
    recorded(here, document(), "teacher")
    with pytest.raises(ConfigError, match=sentence):
        with_runs(document(**changed), here, store=Store.beside(here))


def test_a_run_without_a_folder_or_tasks_is_refused(tmp_path: Path) -> None:
    from kdaudit.data.readers import read

    with pytest.raises(DataError, match=r"names no folder.*\[lm_eval\]"):
        read("lm-eval:", tmp_path)
