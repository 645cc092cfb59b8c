"""Carry out an audit file: distil what is asked for, audit, and write the run folders."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kdaudit.basis import ORDER
from kdaudit.closing import closing
from kdaudit.data.audit_file import AuditFile, SubjectTable, read_audit_file
from kdaudit.data.dataset import Dataset, load
from kdaudit.errors import DataError, ExitCode, KdauditError
from kdaudit.evidence.store import Store, write_atomically
from kdaudit.governance import environment
from kdaudit.import_ahead import import_ahead
from kdaudit.language.lm_eval_runs import with_runs
from kdaudit.lineage import Lineage
from kdaudit.lock.promise import held_to
from kdaudit.pipeline import Audited, audit_file
from kdaudit.plan import make_plan
from kdaudit.policies import policy_of
from kdaudit.progress import Progress, silent
from kdaudit.registry import report
from kdaudit.results import Lock, Results
from kdaudit.results_file import canonical
from kdaudit.run import Run
from kdaudit.run_folder import RENDERED, RunFolder
from kdaudit.students import comparison, exit_code, pairs, summary, teacher_only
from kdaudit.wear import Ledger

if TYPE_CHECKING:
    from kdaudit.distill.distill import Distilled


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a command asks of an audit file.

    Attributes:
        out: the run folder; default ``kdaudit-out/<name>`` beside the audit file.
        policy: apply ``[policy.NAME]``.
        train: distil subjects that say so; else their folders must exist.
        retime: time the models anew, whatever the store has.
        only: audit this subject alone, against the fixed limits.
        student: of ``[students.NAME]``, audit this one.
        lock: hold the audit to what this file promised.
    """

    out: Path | None = None
    policy: str | None = None
    train: bool = True
    retime: bool = False
    only: Literal["teacher"] | None = None
    student: str | None = None
    lock: Path | None = None


DEFAULT = Request()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Executed:
    """What became of one pair."""

    audited: Audited
    run: Run
    folder: RunFolder
    closing: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExecutedAll:
    """What became of an audit file.

    Attributes:
        pairs: by student; ``""`` is the only one of ``[student]``, or the teacher alone.
        table: of several students, the file that compares them.
    """

    pairs: Mapping[str, Executed | KdauditError]
    table: Path | None = None

    @property
    def results(self) -> dict[str, Results | KdauditError]:
        """The results of each student, or why there are none."""
        return {
            name: one if isinstance(one, KdauditError) else one.audited.results
            for name, one in self.pairs.items()
        }

    @property
    def exit_code(self) -> ExitCode:
        """Of the worst."""
        return exit_code(self.results)

    @property
    def closing(self) -> str:
        """The word of the worst, and how many may ship."""
        return summary(self.results)


def execute(path: Path, request: Request = DEFAULT, progress: Progress = silent) -> Executed:
    """Carry out an audit file of one pair.

    Raises:
        KdauditError: for whatever the user can mend; nothing was written then.
    """
    (one,) = execute_all(path, request, progress).pairs.values()
    if isinstance(one, KdauditError):
        raise one
    return one


def execute_all(path: Path, request: Request = DEFAULT, progress: Progress = silent) -> ExecutedAll:
    """Carry out the audit file at ``path``, student by student.

    What concerns all of them is refused before any model runs. What is wrong with one of several
    students keeps none of the others from being audited.

    Args:
        path: the audit file.
        request: what is asked of it.
        progress: told what goes on.

    Raises:
        KdauditError: for whatever the user can mend, of one student or of all.
    """
    file, base = read_audit_file(path), path.parent
    plan = make_plan(file, base, only=request.only)  # a wrong contract is refused before training
    policy_of(file.policy, request.policy)
    store = Store.beside(base)
    file = with_runs(file, base, store=store, only=request.only, progress=progress)
    named = pairs_of(file, request)
    several = "" not in named
    name = next(iter(named.values())).audit.name if not several else file.audit.name
    root = request.out or base / "kdaudit-out" / name
    if several:
        _refuse_other_folder(root)
    folders = {name: RunFolder(root / name if several else root) for name in named}
    for name, one in named.items():
        folders[name].refuse_foreign(one.audit.name, request.only)
    import_ahead(plan)
    dataset = load(file, base)
    held = None if request.lock is None else held_to(request.lock, file, base, dataset)
    shared = _Shared(
        path=path, request=request, dataset=dataset, store=store, lock=held, progress=progress
    )
    made: dict[str, Executed | KdauditError] = {}
    for name, one in named.items():
        try:
            made[name] = _audit(one, folders[name], shared)
        except KdauditError as error:
            if len(named) == 1:
                raise
            made[name] = error
    if len(named) == 1:
        return ExecutedAll(pairs=made)
    done = ExecutedAll(pairs=made, table=root / "students.md")
    write_atomically(root / "students.md", comparison(done.results).encode())
    return done


def pairs_of(file: AuditFile, request: Request) -> dict[str, AuditFile]:
    """The audits that a request asks for, by student; ``""`` for the only one."""
    return {"": teacher_only(file)} if request.only else pairs(file, request.student)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shared:
    """What the audits of all students of one file share."""

    path: Path
    request: Request
    dataset: Dataset
    store: Store
    lock: Lock | None
    progress: Progress


def _audit(file: AuditFile, folder: RunFolder, shared: _Shared) -> Executed:
    """Distil and audit one pair, and write its run folder."""
    now, clock = environment.utc_now(), time.perf_counter()
    path, request, store = shared.path, shared.request, shared.store
    base = path.parent
    if request.train:
        _train_subjects(file, path, store, shared.progress)
    trained = time.perf_counter()
    file = with_folders(file, base)
    audited = audit_file(
        make_plan(file, base, only=request.only, lock=shared.lock),
        shared.dataset,
        store=store,
        policy=policy_of(file.policy, request.policy),
        retime=request.retime,
        progress=shared.progress,
    )
    done = time.perf_counter()
    run = folder.keep_if_equal(
        audited.results,
        canonical(
            Run(
                started=now,
                seconds={"distil": round(trained - clock, 2), "audit": round(done - trained, 2)},
                environment=environment.machine(),
                packages=environment.versions((*environment.COMPUTING, *environment.ALSO)),
                source=environment.source(base.resolve()),
                predicted=audited.predicted,
                reused=audited.reused,
                lineage=_lineages(file, base),
                wear=Ledger.of(store).record(audited.results, now),
            )
        ),
    )
    folder.write(
        audited,
        run,
        audit_file=path,
        renderers={name: report(name) for name in RENDERED.values()},
        student=None if file.student is None else _folder(file.student, base),
    )
    return Executed(audited=audited, run=run, folder=folder, closing=closing(audited.results))


def train(recipe: Path, progress: Progress = silent) -> "Distilled":
    """Train the models of one recipe, and first the teacher, where a recipe makes it too."""
    from kdaudit.distill.distill import distill
    from kdaudit.distill.language.recipe import is_language
    from kdaudit.distill.recipe import read_recipe
    from kdaudit.distill.roles import teaching

    if is_language(recipe):
        from kdaudit.distill.language.distill import distill_language

        return distill_language(recipe, store=Store.beside(recipe.parent), progress=progress)
    parsed = read_recipe(recipe)
    path = recipe.parent / parsed.audit
    file = read_audit_file(path)
    store = Store.beside(path.parent)
    teacher = teaching(parsed, file, path.parent)
    if teacher is not None and teacher.distill is not None:
        distill(path.parent / teacher.distill, store=store, progress=progress)
    return distill(recipe, store=store, progress=progress)


def recipes(file: AuditFile) -> tuple[str, ...]:
    """The recipes that the subjects of an audit name, the teacher's first, each once."""
    tables = (file.teacher, file.student, file.baseline)
    named = [table.distill for table in tables if table is not None and table.distill is not None]
    return tuple(dict.fromkeys(named))


def _train_subjects(file: AuditFile, path: Path, store: Store, progress: Progress) -> None:
    named = recipes(file)
    if not named:
        return
    from kdaudit.distill.distill import distill
    from kdaudit.distill.language.recipe import is_language
    from kdaudit.distill.roles import last_if_reversed

    base = path.parent
    causal = [name for name in named if is_language(base / name)]
    for recipe in causal:
        train(base / recipe, progress)
    others = [name for name in named if name not in causal]
    for recipe in sorted(others, key=lambda name: last_if_reversed(base / name)):
        distill(base / recipe, store=store, progress=progress)


def with_folders(file: AuditFile, base: Path) -> AuditFile:
    """The same audit, its distilled subjects named by the folders that their recipes write."""
    from kdaudit.distill.recipe import made

    tables: dict[str, SubjectTable | None] = {role: getattr(file, role) for role in ORDER}
    return file.model_copy(
        update={role: made(table, base) for role, table in tables.items() if table is not None}
    )


def _refuse_other_folder(root: Path) -> None:
    """Refuse to write runs of several students where something else lies."""
    if (root / "results.json").exists():
        raise DataError(
            f"{root} holds the run of one student, and the audit file names several; move it, or "
            "name another folder with -o"
        )
    if root.is_dir():
        # What begins with a dot is being written by another process.
        inside = [path for path in root.iterdir() if not path.name.startswith(".")]
        ours = all(p.name == "students.md" or (p / "results.json").exists() for p in inside)
    else:
        ours = not root.exists()
    if not ours:
        raise DataError(
            f"{root} exists and holds no runs of students; name another with -o, or move it"
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
        if folder is None and table is not None and "hf" in table.options:
            folder = base / str(table.options["hf"])  # where a recipe with [language] writes
        ours = folder is not None and (folder / "model.json").exists()
        history = read_lineage(folder) if folder is not None and ours else None
        if history is not None:
            found[str(role)] = history
    return found
