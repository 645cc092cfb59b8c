"""``--dry-run``: what is cached, what would be run and trained, what the checks can show.

Nothing is written, no model is run or trained; models that exist are opened, to know them by
their content.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from kdaudit.basis import ORDER
from kdaudit.data.audit_file import AuditFile, SubjectTable, read_audit_file
from kdaudit.data.dataset import Dataset, load
from kdaudit.data.frame import Frame
from kdaudit.evidence.record import pending
from kdaudit.evidence.store import Store
from kdaudit.evidence.view import PREDICTIONS
from kdaudit.execute import Request, pairs_of, recipes, with_folders
from kdaudit.further_evidence import wanted
from kdaudit.governance.digest import file_digest
from kdaudit.language.asking import asking
from kdaudit.language.protected import beginnings
from kdaudit.language.requests import Requests, as_line, requests
from kdaudit.lock.promise import held_to
from kdaudit.models.adapter import Adapter, Runnable, Writer
from kdaudit.models.open import open_model
from kdaudit.plan import Plan, make_plan
from kdaudit.policies import policy_of
from kdaudit.power.planning import ASSUMED, Shown, at_next_look, before
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
    requests: tuple[Requests, ...]
    power: Shown
    alpha: float
    timed: int = 0  # requests that each language model is timed on, by [serving]


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
    rows: dict[tuple[str, str], Rows | Requests] = {}
    for name, one in named.items():
        if request.train:
            trained |= {recipe: training(base / recipe, recipe) for recipe in recipes(one)}
        plan = make_plan(with_folders(one, base), base, only=request.only)
        stale = {recipe for recipe, told in trained.items() if not told.made}
        for found in _subjects(plan, one, dataset, store, name, stale):
            rows[found.subject, found.split] = found
    plan = at_next_look(make_plan(next(iter(named.values())), base, only=request.only), dataset)
    return Preview(
        training=tuple(trained.values()),
        rows=tuple(one for one in rows.values() if isinstance(one, Rows)),
        requests=tuple(one for one in rows.values() if isinstance(one, Requests)),
        power=before(plan, dataset, ASSUMED[:1])[0],
        alpha=plan.file.audit.alpha,
        timed=0 if file.serving is None else file.serving.requests * len(file.serving.scenarios),
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
    lines += [as_line(one) for one in shown.requests]
    if shown.timed and shown.requests:
        lines.append(f"timing: {shown.timed:,} more requests to each language model ([serving])")
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
) -> Iterator[Rows | Requests]:
    from kdaudit.distill.language.recipe import is_language

    needs = (PREDICTIONS, *wanted(plan, dataset))
    for role in ORDER:
        table: SubjectTable | None = getattr(asked, role)
        if table is None:
            continue
        who = f"{role} {name}" if role == "student" and name else role
        # A model that is still to be trained has answered nothing.
        found = (
            None
            if table.distill in stale
            else open_model(role, getattr(plan.file, role), plan.base)
        )
        model = table.distill or (found.name if found is not None else "")
        opened = found.adapter if found is not None else None
        writer = opened if isinstance(opened, Writer) else None
        writes = writer is not None or (
            opened is None and table.distill is not None and is_language(plan.base / table.distill)
        )
        if writes and dataset.protected is not None:
            yield requests(
                writer,
                beginnings(dataset.protected),
                store,
                subject=who,
                name=model,
                split="protected",
            )
        for need in needs:
            split = need.split if need.variant == "as-is" else f"{need.split}, {need.variant},"
            frame = dataset.frames[need.split]
            if writes:
                if need != PREDICTIONS and not (plan.file.prompt and plan.file.prompt.classes):
                    continue  # texts are written of the audited rows alone
                yield requests(
                    writer,
                    asking(plan.file, frame, need, f"[{role}] {model}"),
                    store,
                    subject=who,
                    name=model,
                    split=split,
                )
                continue
            to_run = len(frame) if opened is None else _pending(opened, plan, frame, store, need)
            yield Rows(subject=who, model=model, split=split, rows=len(frame), to_run=to_run)


def _pending(adapter: Adapter, plan: Plan, frame: Frame, store: Store, need: Need) -> int | None:
    if not isinstance(adapter, Runnable):
        return None
    return pending(question(adapter, frame, need, plan.file.data), store=store)
