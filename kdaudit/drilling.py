"""Carry out a drill: of the audit that a run folder holds, on the evidence in the store."""

from dataclasses import dataclass, replace
from pathlib import Path

from kdaudit.data.audit_file import read_audit_file
from kdaudit.data.dataset import load
from kdaudit.drill.drill import drill
from kdaudit.drill.drilled import Drill
from kdaudit.errors import ConfigError, DataError
from kdaudit.evidence.store import Store
from kdaudit.execute import with_folders
from kdaudit.governance.digest import file_digest
from kdaudit.pipeline import audit_file
from kdaudit.plan import make_plan
from kdaudit.progress import Progress, silent
from kdaudit.registry import report
from kdaudit.results import Outcome, Results
from kdaudit.run_folder import RENDERED, RunFolder
from kdaudit.students import pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """What became of a drill: the drill, and the run folder that holds it now."""

    drill: Drill
    folder: RunFolder


def drill_audit(
    path: Path,
    *,
    out: Path | None = None,
    student: str | None = None,
    trials: int | None = None,
    progress: Progress = silent,
) -> Drilled:
    """Drill the audit of an audit file; it was carried out before, and its run folder is there.

    Models are asked for those rows only whose answers are no longer in the store.

    Args:
        path: the audit file.
        out: its run folder; default ``kdaudit-out/<name>`` beside it.
        student: of ``[students.NAME]``, this one.
        trials: resamples of each harm; fewer for many rows by default.
        progress: told what goes on.

    Raises:
        KdauditError: for whatever the user can mend.
    """
    file, base = read_audit_file(path), path.parent
    named = pairs(file, student)
    if len(named) > 1:
        raise ConfigError(f"name one of the students: --student {next(iter(named))}")
    if file.data.labels is not None:
        raise ConfigError(
            "a drill plants harms in right answers, and [data.labels] says of some rows only "
            "what is right; label all of them to drill"
        )
    ((name, one),) = named.items()
    root = out or base / "kdaudit-out" / file.audit.name
    folder = RunFolder(root / name)
    stored = folder.results()
    plan = make_plan(with_folders(one, base), base)
    audited = audit_file(plan, load(file, base), store=Store.beside(base), progress=progress)
    if _measured(audited.results) != _measured(stored):
        raise DataError(
            f"{folder.path} holds another audit than {path} asks for now: something has changed "
            f"since. Audit again first: kdaudit audit {path}"
        )
    drilled = drill(
        audited.evidence,
        plan.suites,
        stored,
        digest=file_digest(folder.path / "results.json"),
        trials=trials,
        progress=progress,
    )
    folder.add_drill(drilled, {name: report(name) for name in RENDERED.values()})
    return Drilled(drill=drilled, folder=folder)


def _measured(results: Results) -> Results:
    """The results without what a policy or a lock adds, which changes no number."""
    return replace(
        results,
        policy=None,
        lock=None,
        outcome=Outcome.PASS,
        exit_code=0,
        limitations=(),
        verdicts=tuple(replace(verdict, blocks=False) for verdict in results.verdicts),
    )
