"""What the store holds of the targets a recipe learns from, and recording what it lacks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from kdaudit.data.audit_file import SubjectTable, read_audit_file
from kdaudit.data.dataset import load
from kdaudit.data.frame import Frame
from kdaudit.distill.recipe import Recipe, made, out_folder, read_recipe
from kdaudit.distill.roles import teaching
from kdaudit.distill.targets.targets import Teacher
from kdaudit.distill.targets.teachers import Asking, described
from kdaudit.distill.targets.views import numbered
from kdaudit.distill.task import SPLITS, in_scope
from kdaudit.errors import ConfigError
from kdaudit.evidence import record as whole
from kdaudit.evidence import record_truncated as truncating
from kdaudit.evidence.missing import left
from kdaudit.evidence.store import Store
from kdaudit.models.adapter import Runnable, Writer
from kdaudit.models.code import resolve
from kdaudit.models.open import open_model
from kdaudit.progress import Advance, Progress, silent

ALONE = silent("", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """The targets of one split, by one teacher.

    Attributes:
        teacher: its name in the audit file or the recipe.
        model: digest of its weights, buffers and code, or of its file.
        split: which rows.
        variant: how they were changed: ``as-is``, or a view by its number.
        kind: full, top_k, label or counts.
        k: of ``top_k``, else None.
        classes: C; of labels and lists in a file those that were seen.
        temperatures: at which they may be used; empty for any.
        dtype: of what is stored.
        rows: of the split.
        recorded: rows that are there.
        bytes: on disk; None for a file that is not the store's.
        evidence: digest of the evidence's key, or of the file.
        accuracy: share of the rows on which it answers the label, once all are there.
        said: what the lineage says of them; known of files only.
    """

    teacher: str
    model: str
    split: str
    variant: str
    kind: str
    k: int | None
    classes: int
    temperatures: tuple[float, ...]
    dtype: str
    rows: int
    recorded: int
    bytes: int | None
    evidence: str
    accuracy: float | None
    said: Mapping[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every row is there."""
        return self.recorded == self.rows


def holdings(
    path: Path, *, store: Store, record: bool, progress: Progress = silent
) -> list[Holding]:
    """What there is, split by split; with ``record``, once everything is there.

    Args:
        path: the recipe.
        store: of recordings.
        record: ask the teachers what is missing, one after the other; nobody is trained.
        progress: shows how far it is.

    Raises:
        KdauditError: for whatever the user can mend.
    """
    recipe, base = read_recipe(path), path.parent
    audit_path = base / recipe.audit
    audit = read_audit_file(audit_path)
    subject = teaching(recipe, audit, audit_path.parent)
    if subject is None:
        raise ConfigError(f"{path.name} learns from labels alone: it has no targets")
    dataset = load(audit, audit_path.parent)
    asking = Asking(
        audit=audit,
        frames={split: in_scope(dataset, split) for split in SPLITS},
        store=store,
        progress=progress,
        keep=recipe.targets.model_copy(update={"record": True}),
    )
    found = []
    tables = {"teacher": (subject, audit_path.parent)}
    tables |= {f"teachers.{name}": (table, base) for name, table in recipe.teachers.items()}
    for role, (table, folder) in tables.items():
        _refuse_untrained(role, table, folder)
        opened = open_model(role, made(table, folder), folder)
        teacher = asking.teacher(opened, table.rename)
        for split, variant, frame in _asked(recipe, base, asking):
            if isinstance(opened.adapter, Writer):
                asked = _named(teacher, opened.adapter, frame, split, store, record, progress)
                found.append(replace(asked, model=described(opened)["digest"]))
                continue
            if not isinstance(opened.adapter, Runnable):
                found.append(_read(teacher, frame, split, store))
                continue
            if record:
                advance = progress(f"asking {role}, {split} rows, {variant}", len(frame))
                teacher.answers(frame, split, store, advance, variant)
            one = _stored(teacher, frame, split, variant, store)
            found.append(replace(one, model=described(opened)["digest"]))
    return found


def _refuse_untrained(role: str, table: SubjectTable, folder: Path) -> None:
    if table.distill is None:
        return
    recipe = folder / table.distill
    if not (out_folder(recipe, read_recipe(recipe)) / "model.json").exists():
        raise ConfigError(
            f"[{role}] is made by {table.distill}, which was not trained yet: run `kdaudit distill "
            f"{recipe}` first"
        )


def _asked(recipe: Recipe, base: Path, asking: Asking) -> Iterator[tuple[str, str, Frame]]:
    """Every set of rows whose targets are stored."""
    for split, frame in asking.frames.items():
        yield split, "as-is", frame
    augment, count = recipe.student.augment, recipe.targets.views or 0
    frame = asking.frames["transfer"]
    for number in range(count):
        assert augment is not None
        columns = numbered(resolve(augment, base), frame.inputs, number)
        yield "transfer", f"view {number}", replace(frame, inputs=columns)


def _stored(teacher: Teacher, frame: Frame, split: str, variant: str, store: Store) -> Holding:
    """What the store has of a model's answers; a label is read off the whole answer."""
    model, keep = teacher.adapter, teacher.keep
    assert isinstance(model, Runnable)
    cut = keep.kind == "top_k"
    if cut:
        kind, part = truncating.KIND, truncating.PART_ROWS
        key = teacher.ask(model, frame, split, variant).key()
    else:
        kind, part = whole.KIND, whole.PART_ROWS
        key = teacher.question(model, frame, split, variant).key()
    entry = store.look(kind, key)
    accuracy = entry.about().get("accuracy") if entry.sealed else None
    return Holding(
        teacher=teacher.name,
        model="",
        split=split,
        variant=variant,
        kind=keep.kind or "full",
        k=keep.k,
        classes=len(model.classes),
        temperatures=(1.0,) if keep.kind == "label" else keep.temperatures,
        dtype=keep.dtype if cut else "float32",
        rows=len(frame),
        recorded=len(frame) - (0 if entry.sealed else left(entry, len(frame), part)),
        bytes=entry.bytes,
        evidence=entry.digest,
        accuracy=accuracy,
    )


def _named(
    teacher: Teacher,
    model: Writer,
    frame: Frame,
    split: str,
    store: Store,
    record: bool,  # noqa: FBT001  # as the command says it
    progress: Progress,
) -> Holding:
    """What the store has of the classes that a language model names."""
    before = teacher.left(model, frame, split, store)
    if record or not before.to_ask:
        advance = progress(f"asking {teacher.name}, {split} rows", before.requests)
        return _read(teacher, frame, split, store, advance)
    return Holding(
        teacher=teacher.name,
        model="",
        split=split,
        variant="as-is",
        kind="label",
        k=None,
        classes=0,
        temperatures=(1.0,),
        dtype="float32",
        rows=before.requests,
        recorded=before.requests - before.to_ask,
        bytes=None,
        evidence="",
        accuracy=None,
    )


def _read(
    teacher: Teacher, frame: Frame, split: str, store: Store, advance: Advance = ALONE
) -> Holding:
    """What a file has; its rows are all there, or it is refused."""
    found = teacher.answers(frame, split, store, advance)
    accuracy = None
    if frame.labels is not None:
        names = [teacher.rename.get(one, one) for one in found.classes]
        answer = [names[i] for i in found.values.argmax(dim=1).tolist()]
        accuracy = round(float(np.mean(np.array(answer, dtype=object) == frame.labels)), 6)
    cut = found.kind == "top_k"
    return Holding(
        teacher=teacher.name,
        model=found.evidence,
        split=split,
        variant="as-is",
        kind=found.kind,
        k=int(torch.isfinite(found.values).sum(dim=1).max()) if cut else None,
        classes=len(found.classes),
        temperatures=found.temperatures,
        dtype="float32",
        rows=len(frame),
        recorded=len(frame),
        bytes=None,
        evidence=found.evidence,
        accuracy=accuracy,
        said=found.said,
    )
