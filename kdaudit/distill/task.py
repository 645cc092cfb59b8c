"""What the arms of a recipe learn: rows as tensors, with labels and the teacher's answers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from kdaudit.data.audit_file import read_audit_file
from kdaudit.data.dataset import Dataset, load
from kdaudit.data.frame import Frame
from kdaudit.data.splits import Split
from kdaudit.distill.groups import groups
from kdaudit.distill.recipe import Recipe, StudentTable, made
from kdaudit.distill.roles import teaching
from kdaudit.distill.targets.alignment import at_chance, refuse_shuffled
from kdaudit.distill.targets.augmentation import Augmentation, augmentation
from kdaudit.distill.targets.forms import Targets
from kdaudit.distill.targets.teachers import Asking, Further, described, further, live
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.sources import TEACHER, Batch
from kdaudit.distill.transformers.student import begin
from kdaudit.errors import ConfigError, DataError, ModelError, examples, unknown
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import json_digest
from kdaudit.models.code import Code, resolve
from kdaudit.models.inputs import for_code, select
from kdaudit.models.open import Opened, open_model
from kdaudit.models.torch import Encoder
from kdaudit.progress import Progress

SPLITS: tuple[Split, ...] = ("transfer", "validation")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """Everything the arms share.

    Attributes:
        recipe: the recipe.
        base: its folder.
        factory: builds a student.
        encoder: fitted to the transfer rows, with its width.
        classes: (C,) the teacher's, or those of the labels where there is no teacher.
        transfer: rows to learn from.
        validation: rows to stop by.
        teacher: name, adapter and digest for the lineage, or None.
        live: the teacher as a module, by its name, where a method looks into it.
        targets: evidence digest and rows for the lineage, or None.
        rows: what the lineage says of the transfer rows.
        generation: of a chain in which each student learns from the one before; 0 for the first.
        start: first weights of a student that are not drawn, by name.
        init: what the lineage says of them, or None where a factory draws all.
        augmented: how transfer rows are changed before they are shown, or None.
    """

    recipe: Recipe
    base: Path
    factory: Code
    encoder: Encoder
    classes: tuple[str, ...]
    transfer: Batch
    validation: Batch
    teacher: Mapping[str, str] | None
    live: Mapping[str, Participant]
    targets: Mapping[str, str] | None
    rows: Mapping[str, object]
    generation: int = 0
    start: Mapping[str, torch.Tensor] = field(default_factory=dict)
    init: Mapping[str, object] | None = None
    augmented: Augmentation | None = None


def prepare(
    recipe: Recipe,
    base: Path,
    store: Store,
    progress: Progress,
    dataset: Dataset | None = None,
) -> Task:
    """Read the data, ask the teacher, encode the rows.

    Of the audit split only the inputs are looked at, and only to count which of them are among the
    transfer rows.

    Args:
        recipe: the recipe.
        base: its folder.
        store: of the teacher's recordings.
        progress: shows how far the teacher is.
        dataset: the rows, where they were read before; perhaps without the audit split.

    Raises:
        KdauditError: for data, a teacher or a student that does not fit.
    """
    path = base / recipe.audit
    audit = read_audit_file(path)
    dataset = dataset or load(audit, path.parent)
    frames = {split: in_scope(dataset, split) for split in SPLITS}
    _refuse_unlabelled(recipe, frames["transfer"])
    # Before the teacher is asked, so that a typing error costs no hour of its time.
    subject = teaching(recipe, audit, path.parent)
    asked = subject or audit.teacher
    augment = recipe.student.augment

    @cache  # opening reads and checks every file of a folder
    def opening() -> Opened:
        return open_model("teacher", made(asked, path.parent), path.parent)

    beginning = begin(
        recipe.student,
        base=base,
        transfer=frames["transfer"],
        teacher=opening,
        rename=asked.rename,
        taught=subject is not None,
    )
    recipe = recipe.model_copy(update={"student": beginning.student})
    factory = resolve(recipe.student.factory, base)
    encoder, encoded = _encode(recipe.student, base, frames, beginning.state)
    answers: Mapping[Split, Targets] = {}
    asking = Asking(audit=audit, frames=frames, store=store, progress=progress, keep=recipe.targets)
    teacher = participant = opened = None
    shown: Mapping[Split, torch.Tensor] = {}
    if subject is not None:
        opened = opening()
        teacher = described(opened)
        answers = asking.ask(opened, "the teacher", subject.rename)
        if recipe.objectives.live:
            participant, shown = live(opened, recipe.objectives.live, frames)
    rename = {} if subject is None else subject.rename
    classes = _classes(answers, rename, frames)
    answers = {
        split: one.placed([rename.get(name, name) for name in one.classes], classes)
        for split, one in answers.items()
    }
    others = further(recipe, base, asking, classes)
    fair = recipe.objectives.fair
    codes = {} if fair is None or not fair.group else groups(fair.group, frames)
    batches = {
        split: Batch(
            inputs=encoded[split],
            labels=_codes(frame, classes, split),
            **(_taught(answers[split]) if answers else {}),
            further={name: other.targets[split] for name, other in others.items()},
            shown={TEACHER: shown[split]} if shown else {},
            groups=codes.get(split),
        )
        for split, frame in frames.items()
    }
    warned = _aligned(recipe, batches)
    augmented = None
    if augment is not None:
        augmented = augmentation(
            recipe,
            asking,
            opened=opened,
            rename=rename,
            batch=batches["transfer"],
            encoder=encoder,
            function=resolve(augment, base),
            classes=classes,
            looked_into=participant is not None,
        )
    return Task(
        recipe=recipe,
        base=base,
        factory=factory,
        encoder=encoder,
        classes=classes,
        transfer=batches["transfer"],
        validation=batches["validation"],
        teacher=teacher if teacher is None else {**teacher, **_said(others)},
        live={} if participant is None else {TEACHER: participant},
        targets=_evidence(answers, batches["transfer"], warned, augmented),
        rows=_transfer(dataset, frames["transfer"])
        | ({} if recipe.objectives.data_free is None else {"shown": False}),
        start=beginning.first(classes),
        init=beginning.history(classes),
        augmented=augmented,
    )


def in_scope(dataset: Dataset, split: Split) -> Frame:
    """The rows of a split that are of some class.

    Raises:
        ConfigError: if there are none.
    """
    frame = dataset.frames.get(split)
    if frame is None or frame.out_of_scope.all():
        why = {
            "transfer": "the rows a student learns from",
            "validation": "the rows that decide when to stop and which seed to keep; the audit "
            "split may not",
        }[split]
        raise ConfigError(
            f"there are no {split} rows in scope: {why}. Name them in the audit file, e.g. split = "
            '{ column = "split", audit = "test", validation = "val", transfer = "train" } or split '
            '= { by = "hash", audit = 0.3, validation = 0.1 } under [data]'
        )
    keep = ~frame.out_of_scope
    return Frame(
        ids=frame.ids[keep],
        labels=None if frame.labels is None else frame.labels[keep],
        inputs={name: column[keep] for name, column in frame.inputs.items()},
        out_of_scope=frame.out_of_scope[keep],
        attributes={name: column.take(keep) for name, column in frame.attributes.items()},
    )


def _refuse_unlabelled(recipe: Recipe, transfer: Frame) -> None:
    """Loss terms that read labels need labels."""
    if transfer.labels is not None:
        return
    for _, instead in recipe.objectives.reading_labels():
        raise ConfigError(f"the transfer rows have no labels: {instead}")
    if {"hard", "label_smoothing"} & set(recipe.kinds):
        raise ConfigError(
            "the transfer rows have no labels, and two controls learn from labels: set "
            "hard = false and label_smoothing = 0 under [controls]"
        )


def _said(others: Mapping[str, Further]) -> dict[str, str]:
    return {
        f"{name}: {what}": said for name, one in others.items() for what, said in one.said.items()
    }


def _classes(
    answers: Mapping[Split, Targets], rename: Mapping[str, str], frames: Mapping[Split, Frame]
) -> tuple[str, ...]:
    if answers and not answers["transfer"].seen_only:
        classes = tuple(rename.get(name, name) for name in answers["transfer"].classes)
    elif answers:  # of labels and lists only those are known that came up
        given = [frame.labels for frame in frames.values() if frame.labels is not None]
        known = {rename.get(name, name) for name in answers["transfer"].classes}
        classes = tuple(sorted(known | {str(label) for labels in given for label in labels}))
    else:
        labels = frames["transfer"].labels
        assert labels is not None
        classes = tuple(sorted({str(label) for label in labels}))
    if len(set(classes)) < max(2, len(classes)):
        raise DataError(f"a classifier needs two or more different classes, got {classes}")
    return classes


def _taught(answers: Targets) -> dict[str, Any]:
    """What a batch knows of the teacher's answers."""
    return {
        "targets": answers.values,
        "norms": answers.norms,
        "temperatures": answers.temperatures,
        "kind": answers.kind,
    }


def _aligned(recipe: Recipe, batches: Mapping[Split, Batch]) -> dict[str, str]:
    """Refuse targets that belong to other rows; where no label is learnt, say so instead."""
    found = {}
    for split, batch in batches.items():
        if any(True for _ in recipe.objectives.reading_labels()):
            refuse_shuffled(batch, split)
        elif seen := at_chance(batch):
            found[f"warning, {split} rows"] = seen
    return found


def _codes(frame: Frame, classes: Sequence[str], split: str) -> torch.Tensor | None:
    if frame.labels is None:
        return None
    index = {name: i for i, name in enumerate(classes)}
    strange = sorted({str(label) for label in frame.labels} - set(index))
    if strange:
        raise DataError(
            f"{split} rows: {unknown('label', strange[0], classes)} ({len(strange)} such labels: "
            f"{examples(strange)}). Name them as out_of_scope under [data], rename the teacher's "
            "classes, or, without a teacher, put rows of each class into the transfer split"
        )
    return torch.tensor([index[str(label)] for label in frame.labels], dtype=torch.int64)


def _encode(
    student: StudentTable,
    base: Path,
    frames: Mapping[Split, Frame],
    known: Mapping[str, Any] | None,
) -> tuple[Encoder, dict[Split, torch.Tensor]]:
    """Fit the encoder to the transfer rows, unless its state is known, and encode both splits."""
    columns = student.inputs or tuple(frames["transfer"].inputs)
    state: Mapping[str, Any] = known or {}
    if student.fit is not None:
        fit = resolve(student.fit, base)
        state = _plain(fit(dict(for_code(select(frames["transfer"].inputs, columns)))), fit.name)
    function = None if student.encode is None else resolve(student.encode, base)
    encoder = Encoder(columns=columns, function=function, state=state)
    encoded = {split: encoder(frame.inputs) for split, frame in frames.items()}
    for split, tensor in encoded.items():
        bad = ~torch.isfinite(tensor).all(dim=1).numpy()
        if bad.any():
            raise DataError(
                f"{int(bad.sum())} {split} rows are encoded as NaN or infinity, e.g. "
                f"{examples(frames[split].ids[bad].tolist())}; fill empty cells, in the data or in "
                "encode"
            )
    encoder = replace(encoder, width=encoded["transfer"].shape[1])
    return encoder, encoded


def _plain(state: object, name: str) -> dict[str, Any]:
    """The state as it will be read back from JSON, so that training sees what ships."""
    try:
        plain = json.loads(json.dumps(state, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name} must return what JSON can hold: {error}") from error
    if not isinstance(plain, dict):
        raise ModelError(f"{name} must return a dict, got {type(state).__name__}")
    return plain


def _evidence(
    answers: Mapping[Split, Targets],
    transfer: Batch,
    warned: Mapping[str, str],
    augmented: Augmentation | None,
) -> Mapping[str, str] | None:
    if transfer.targets is None:
        return None
    said = {f"{split} evidence": found.evidence for split, found in answers.items()} | {
        "rows": str(len(transfer))
    }
    if transfer.labels is not None:
        right = transfer.targets.argmax(dim=1) == transfer.labels
        said["teacher accuracy on them"] = f"{float(right.double().mean()):.4f}"
    changed = {} if augmented is None else augmented.said
    return {**said, **answers["transfer"].said, **changed, **warned}


def _transfer(dataset: Dataset, transfer: Frame) -> dict[str, object]:
    rows = transfer.rows().tolist()
    known = set(rows)
    audited = dataset.frames.get("audit")  # a search has none
    shared = [row in known for row in audited.rows().tolist()] if audited else []
    return {
        "rows": len(transfer),
        "out-of-scope rows left out": len(dataset.frame("transfer")) - len(transfer),
        "labelled": transfer.labels is not None,
        "digest": json_digest([row.hex() for row in rows]),
        "share of audit rows in it": sum(shared) / max(1, len(shared)),
    }
