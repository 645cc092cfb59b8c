"""Run lm-eval where an audit file asks for tasks: once per model, its rows kept in the store.

What a run depends on is its key: the model's files, the tasks, their local files, the settings and
the versions of the libraries. A model that was run under the same key is not run again. The rows
are kept in lm-eval's own format without what changes from run to run, and read like any logs.
"""

import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from kdaudit.data.audit_file import AuditFile, LmEvalTable, SubjectTable
from kdaudit.errors import ConfigError, ModelError
from kdaudit.evidence.store import Store, write_atomically
from kdaudit.governance.digest import file_digest
from kdaudit.models.pretrained import Pretrained
from kdaudit.progress import Progress, silent

KIND = "lm-eval"
HERE = "lm-eval:"  # `path` of an audit whose rows come from the runs it asks for
KEPT = (  # of the results; the rest is time, machine and environment
    "results",
    "groups",
    "group_subtasks",
    "configs",
    "versions",
    "n-shot",
    "higher_is_better",
    "n-samples",
)
REPLICATES = 100  # of lm-eval's bootstrap, for metrics that are no means


def with_runs(
    file: AuditFile,
    base: Path,
    *,
    store: Store,
    only: str | None = None,
    progress: Progress = silent,
) -> AuditFile:
    """The same audit, its subjects named by the logs of their runs; unchanged without tasks.

    Args:
        file: the audit file.
        base: its folder; paths in local tasks are relative to it too.
        store: where runs are kept.
        only: run this subject alone.
        progress: told what goes on.

    Raises:
        ConfigError: for data that are not of the runs, or a subject that lm-eval cannot run.
        ModelError: for a model folder that cannot be opened, or a run that failed.
    """
    table = file.lm_eval
    if table is None:
        return file
    if file.data.path != HERE:
        raise ConfigError(
            f'[lm_eval] names tasks to run, so their documents are the data: path = "{HERE}" under '
            f"[data], got {file.data.path!r}"
        )

    def ran(role: str, subject: SubjectTable | None) -> SubjectTable | None:
        if subject is None or only not in (None, role):
            return subject
        return _logged(role, subject, table, base, store, progress)

    teacher = ran("teacher", file.teacher)
    assert teacher is not None
    changed: dict[str, Any] = {
        "teacher": teacher,
        "student": ran("student", file.student),
        "baseline": ran("baseline", file.baseline),
        "students": {
            name: ran(f"students.{name}", subject) for name, subject in file.students.items()
        },
        "data": file.data.model_copy(update={"path": HERE + str(teacher.options["lm_eval"])}),
    }
    return file.model_copy(update=changed)


def _logged(
    role: str,
    subject: SubjectTable,
    table: LmEvalTable,
    base: Path,
    store: Store,
    progress: Progress,
) -> SubjectTable:
    """The subject, named by the logs of its run."""
    if "lm_eval" in subject.options:
        return subject  # an earlier run; it is compared like any other
    source = subject.options.get("hf")
    if set(subject.options) != {"hf"} or not isinstance(source, str):
        raise ConfigError(
            f'[{role}]: lm-eval runs a folder of Transformers here: hf = "folder"; or name earlier '
            'logs: lm_eval = "folder"'
        )
    model = Pretrained.find(source, base)
    entry = store.entry(KIND, _key(model, table, base))
    if not (entry.folder / "results_run.json").exists():
        progress(f"lm-eval on the {role}", 1)
        with tempfile.TemporaryDirectory(dir=entry.folder, prefix=".run-") as scratch:
            _run(model, table, base, Path(scratch))
            # The results come last: with them the run is whole.
            for written in sorted(Path(scratch).iterdir(), reverse=True):
                shutil.move(written, entry.folder / written.name)
    return SubjectTable.model_validate({"lm_eval": os.path.relpath(entry.folder, base)})


def _key(model: Pretrained, table: LmEvalTable, base: Path) -> dict[str, object]:
    local = [base / task for task in table.tasks if task.endswith(".yaml")]
    for path in local:
        if not path.is_file():
            raise ConfigError(f"[lm_eval] tasks: there is no file {path.name} in {path.parent}")
    read = sorted({file for path in local for file in _read_by(path, base)})
    try:
        libraries = {name: version(name) for name in ("lm_eval", "torch", "transformers")}
    except PackageNotFoundError as error:
        raise ConfigError(
            f"[lm_eval] needs {error.name}, which is not installed: pip install 'kdaudit[lm]'"
        ) from None
    return {
        "model": model.digests(),
        "settings": table.model_dump(mode="json"),
        "files": {os.path.relpath(file, base): file_digest(file) for file in read},
        "libraries": libraries,
    }


def _read_by(task: Path, base: Path) -> Iterator[Path]:
    """Files that a local task may read: tasks and functions beside it, and the data they name."""
    for file in task.parent.iterdir():
        if file.suffix in (".yaml", ".py"):
            yield file.resolve()
        if file.suffix == ".yaml":
            words = re.findall(r"""[^\s"',{}\[\]]+""", file.read_text("utf-8"))
            yield from ((base / word).resolve() for word in words if (base / word).is_file())


def _run(model: Pretrained, table: LmEvalTable, base: Path, folder: Path) -> None:
    """Run the tasks on one model and write its rows and results."""
    with _quietly(base):
        import torch
        from lm_eval import simple_evaluate
        from lm_eval.tasks import TaskManager
        from lm_eval.tasks._yaml_loader import load_yaml
        from lm_eval.utils import handle_non_serializable, sanitize_list

        files = {task: Path(task).resolve() for task in table.tasks if task.endswith(".yaml")}
        said = {task: load_yaml(file, resolve_func=False) for task, file in files.items()}
        names = {task: one.get("group", one.get("task")) for task, one in said.items()}
        folders = sorted({str(file.parent) for file in files.values()})
        every = len(files) < len(table.tasks)  # reading lm-eval's own thousands takes seconds
        try:
            found: dict[str, Any] = simple_evaluate(
                model="hf",
                model_args={"pretrained": str(model.path.resolve())},
                tasks=[names.get(task, task) for task in table.tasks],
                num_fewshot=table.num_fewshot,
                limit=table.limit,
                batch_size=table.batch_size,
                device="cuda" if torch.cuda.is_available() else "cpu",
                log_samples=True,
                bootstrap_iters=REPLICATES,
                task_manager=TaskManager(include_path=folders, include_defaults=every),
            )
        except Exception as error:
            raise ModelError(
                f"lm-eval failed on {model.name}: {type(error).__name__}: {error}"
            ) from error
    samples = found.pop("samples")

    def dumped(value: object) -> bytes:
        text = json.dumps(value, default=handle_non_serializable, ensure_ascii=False)
        return text.encode()

    for task, rows in samples.items():
        lines = []
        for row in rows:
            answers = {name: sanitize_list(row[name]) for name in ("resps", "filtered_resps")}
            lines.append(dumped({**row, **answers, "target": str(row["target"])}) + b"\n")
        write_atomically(folder / f"samples_{task}_run.jsonl", b"".join(lines))
    kept = {name: found[name] for name in KEPT if name in found}
    about = {"model": model.name, **model.digests()}
    write_atomically(folder / "results_run.json", dumped({**kept, "model": about}))


@contextlib.contextmanager
def _quietly(base: Path) -> Iterator[None]:
    """Keep what lm-eval prints off standard output, its bootstrap in one process, paths local."""
    was = os.environ.get("DISABLE_MULTIPROC")
    os.environ["DISABLE_MULTIPROC"] = "1"
    try:
        with contextlib.redirect_stdout(sys.stderr), contextlib.chdir(base):
            yield
    finally:
        if was is None:
            del os.environ["DISABLE_MULTIPROC"]
        else:
            os.environ["DISABLE_MULTIPROC"] = was
