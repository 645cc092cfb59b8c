"""Carry out an audit file: distil what is asked for, audit, and write the run folder."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kdaudit.basis import ORDER
from kdaudit.contract import Policy, judge
from kdaudit.data.audit_file import AuditFile, SubjectTable, read_audit_file
from kdaudit.errors import ConfigError, unknown
from kdaudit.evidence.store import Store
from kdaudit.governance import environment
from kdaudit.lineage import Lineage
from kdaudit.pipeline import Audited, audit_file
from kdaudit.plan import make_plan
from kdaudit.progress import Progress, silent
from kdaudit.registry import report
from kdaudit.results import Outcome, Results
from kdaudit.results_file import canonical
from kdaudit.run import Run
from kdaudit.run_folder import RENDERED, RunFolder

if TYPE_CHECKING:
    from kdaudit.distill.distill import Distilled

WORDS = {
    Outcome.PASS: "PASS",
    Outcome.FAIL: "FAIL",
    Outcome.INCONCLUSIVE: "INCONCLUSIVE",
    Outcome.NOT_EVALUABLE: "NOT EVALUABLE",
    Outcome.ERROR: "ERROR",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Executed:
    """What became of an audit file."""

    audited: Audited
    run: Run
    folder: RunFolder
    closing: str


def execute(
    path: Path,
    out: Path | None = None,
    *,
    policy: str | None = None,
    train: bool = True,
    retime: bool = False,
    progress: Progress = silent,
) -> Executed:
    """Carry out the audit file at ``path``.

    Args:
        path: the audit file.
        out: the run folder; default ``kdaudit-out/<name>`` beside the audit file.
        policy: apply ``[policy.NAME]``.
        train: distil subjects that say so; else their folders must exist.
        retime: time the models anew, whatever the store has.
        progress: told what goes on.

    Raises:
        KdauditError: for whatever the user can mend; nothing was written then.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    file = read_audit_file(path)
    make_plan(file, path.parent)  # a wrong contract is refused before a model is trained
    rule = _policy(file, policy)
    folder = RunFolder(out or path.parent / "kdaudit-out" / file.audit.name)
    folder.refuse_foreign()
    store = Store.beside(path.parent)
    if train:
        _train_subjects(file, path, store, progress)
    trained = time.perf_counter()
    plan = make_plan(_with_folders(file, path.parent), path.parent)
    audited = audit_file(plan, store=store, policy=rule, retime=retime, progress=progress)
    done = time.perf_counter()
    run = folder.keep_if_equal(
        audited.results,
        canonical(
            Run(
                started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
                seconds={"distil": round(trained - clock, 2), "audit": round(done - trained, 2)},
                environment=environment.machine(),
                packages=environment.versions((*environment.COMPUTING, *environment.ALSO)),
                source=environment.source(path.parent.resolve()),
                predicted=audited.predicted,
                reused=audited.reused,
                lineage=_lineages(plan.file, path.parent),
            )
        ),
    )
    folder.write(
        audited,
        run,
        audit_file=path,
        renderers={name: report(name) for name in RENDERED.values()},
        student=_folder(plan.file.student, path.parent),
    )
    closing = _closing(audited.results)
    return Executed(audited=audited, run=run, folder=folder, closing=closing)


def train(recipe: Path, progress: Progress = silent) -> "Distilled":
    """Train the models of one recipe, and first the teacher, where a recipe makes it too."""
    from kdaudit.distill.distill import distill
    from kdaudit.distill.recipe import read_recipe

    parsed = read_recipe(recipe)
    path = recipe.parent / parsed.audit
    file = read_audit_file(path)
    store = Store.beside(path.parent)
    if parsed.soft and file.teacher.distill is not None:
        distill(path.parent / file.teacher.distill, store=store, progress=progress)
    return distill(recipe, store=store, progress=progress)


def _train_subjects(file: AuditFile, path: Path, store: Store, progress: Progress) -> None:
    recipes = [
        table.distill
        for role in ("teacher", "student", "baseline")
        if (table := getattr(file, role)) is not None and table.distill is not None
    ]
    if not recipes:
        return
    from kdaudit.distill.distill import distill

    for recipe in dict.fromkeys(recipes):
        distill(path.parent / recipe, store=store, progress=progress)


def _with_folders(file: AuditFile, base: Path) -> AuditFile:
    """The same audit, its distilled subjects named by the folders that their recipes write."""
    from kdaudit.distill.recipe import made

    tables: dict[str, SubjectTable | None] = {role: getattr(file, role) for role in ORDER}
    return file.model_copy(
        update={role: made(table, base) for role, table in tables.items() if table is not None}
    )


def _folder(table: SubjectTable, base: Path) -> Path | None:
    source = table.options.get("path")
    return base / source if isinstance(source, str) else None


def _lineages(file: AuditFile, base: Path) -> dict[str, Lineage]:
    from kdaudit.models.folder import read_lineage

    found = {}
    for role in ORDER:
        table = getattr(file, role)
        folder = None if table is None else _folder(table, base)
        history = None if folder is None else read_lineage(folder)
        if history is not None:
            found[str(role)] = history
    return found


def _policy(file: AuditFile, name: str | None) -> Policy:
    if name is None:
        return Policy()
    if name not in file.policy:
        raise ConfigError(unknown("policy", name, file.policy))
    table = file.policy[name]
    return Policy(
        name=name,
        inconclusive_blocks=table.inconclusive == "block",
        not_evaluable_blocks=table.not_evaluable == "block",
    )


def _closing(results: Results) -> str:
    word = WORDS[results.outcome]
    if results.exit_code == 0 and results.policy is not None:
        strict = judge(results.contract, results.suites, results.alpha)
        warned = sum(verdict.blocks for verdict in strict)
        if warned:
            return f"WARN ({warned} undecided, which policy {results.policy} lets pass)"
    if not any(check.declared for check in results.contract):
        return f"{word} (no check is declared)"
    return word
