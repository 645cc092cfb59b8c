"""``--dry-run``: what is cached, what would be run and trained, what the checks can show.

Nothing is written, no model is run or trained; models that exist are opened, to know them by
their content.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from kdaudit.basis import ORDER, Subject
from kdaudit.data.audit_file import AuditFile, SubjectTable, read_audit_file
from kdaudit.data.dataset import Dataset, load
from kdaudit.evidence.record import pending
from kdaudit.evidence.store import Store
from kdaudit.evidence.view import PREDICTIONS
from kdaudit.execute import Request, pairs_of, recipes, with_folders
from kdaudit.further_evidence import wanted
from kdaudit.governance.digest import file_digest
from kdaudit.lock.promise import held_to
from kdaudit.models.adapter import Runnable
from kdaudit.models.open import open_model
from kdaudit.plan import Plan, make_plan
from kdaudit.policies import policy_of
from kdaudit.power.planning import ASSUMED, Shown, before
from kdaudit.power.table import as_text as power_text
from kdaudit.results import Need
from kdaudit.subjects import question


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One recipe: what it trains, and whether its model folder is there.

    Attributes:
        recipe: as the audit file names it.
        arms: models, by kind and seed.
        epochs: of each, at most.
        made: whether the folder was made by this very recipe; what it rests on may have changed.
    """

    recipe: str
    arms: tuple[str, ...]
    epochs: int
    made: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """One subject on one split.

    Attributes:
        subject: role, with the student's name where there are several.
        model: as the audit file names it.
        rows: of the split.
        split: which, and how its rows are changed.
        to_run: rows that its model would be run on; None for answers that are read from a file.
    """

    subject: str
    model: str
    split: str
    rows: int
    to_run: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Everything there is to do."""

    training: tuple[Training, ...]
    rows: tuple[Rows, ...]
    power: Shown
    alpha: float


def preview(path: Path, request: Request) -> Preview:
    """What `kdaudit.execute.execute_all` would do.

    Raises:
        KdauditError: for whatever it would refuse before any model runs.
    """
    file, base = read_audit_file(path), path.parent
    policy_of(file.policy, request.policy)
    named = pairs_of(file, request)
    dataset = load(file, base)
    if request.lock is not None:
        held_to(request.lock, file, base, dataset)
    store = Store.beside(base)
    trained: dict[str, Training] = {}
    rows: dict[tuple[str, str], Rows] = {}
    for name, one in named.items():
        if request.train:
            trained |= {recipe: training(base / recipe, recipe) for recipe in recipes(one)}
        plan = make_plan(with_folders(one, base), base, only=request.only)
        stale = {recipe for recipe, told in trained.items() if not told.made}
        for found in _subjects(plan, one, dataset, store, name, stale):
            rows[found.subject, found.split] = found
    plan = make_plan(next(iter(named.values())), base, only=request.only)
    return Preview(
        training=tuple(trained.values()),
        rows=tuple(rows.values()),
        power=before(plan, dataset, ASSUMED[:1])[0],
        alpha=file.audit.alpha,
    )


def training(path: Path, name: str) -> Training:
    """What the recipe at ``path`` trains.

    Raises:
        ConfigError: for a recipe that is wrong.
    """
    from kdaudit.distill.language.recipe import is_language, read_language_recipe
    from kdaudit.distill.recipe import out_folder, read_recipe
    from kdaudit.models.folder import read_lineage

    recipe = read_language_recipe(path) if is_language(path) else read_recipe(path)
    history = read_lineage(out_folder(path, recipe))
    return Training(
        recipe=name,
        arms=tuple(f"{kind}, seed {seed}" for kind in recipe.kinds for seed in recipe.seeds),
        epochs=recipe.train.epochs,
        made=history is not None and history.source.get("recipe") == file_digest(path),
    )


def training_text(told: Training) -> str:
    """One recipe as a line."""
    state = "its model folder is there" if told.made else "to be trained"
    return f"{told.recipe}: {state}; {'; '.join(told.arms)}; at most {told.epochs:,} epochs each"


def as_text(shown: Preview) -> str:
    """The preview for a terminal."""
    lines = ["Nothing was run, trained or written.", ""]
    lines += [training_text(told) for told in shown.training]
    lines += [""] if shown.training else []
    lines += [_line(one) for one in shown.rows]
    return "\n".join(lines) + "\n\n" + power_text([shown.power], shown.alpha)


def as_json(shown: Preview) -> str:
    """The preview for a machine."""
    return json.dumps(asdict(shown), indent=1, sort_keys=True, allow_nan=False) + "\n"


def _line(one: Rows) -> str:
    if one.to_run is None:
        told = "read from a file"
    else:
        told = f"{one.rows - one.to_run:,} in the store, {one.to_run:,} to run"
    return f"{one.subject} ({one.model}): {one.rows:,} {one.split} rows, {told}"


def _subjects(
    plan: Plan, asked: AuditFile, dataset: Dataset, store: Store, name: str, stale: set[str]
) -> Iterator[Rows]:
    needs = (PREDICTIONS, *wanted(plan, dataset))
    for role in ORDER:
        table: SubjectTable | None = getattr(asked, role)
        if table is None:
            continue
        who = f"{role} {name}" if role == "student" and name else role
        for need in needs:
            split = need.split if need.variant == "as-is" else f"{need.split}, {need.variant},"
            rows = len(dataset.frames[need.split])
            model = str(table.distill or next(iter(table.options.values()), ""))
            # A model that is still to be trained has answered nothing.
            to_run = rows if table.distill in stale else _pending(role, plan, dataset, store, need)
            yield Rows(subject=who, model=model, split=split, rows=rows, to_run=to_run)


def _pending(role: Subject, plan: Plan, dataset: Dataset, store: Store, need: Need) -> int | None:
    adapter = open_model(role, getattr(plan.file, role), plan.base).adapter
    if not isinstance(adapter, Runnable):
        return None
    asked = question(adapter, dataset.frames[need.split], need, plan.file.data)
    return pending(asked, store=store)
