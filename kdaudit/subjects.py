"""The audited models: opened, asked once on the audit split, and named by what they rest on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kdaudit.basis import ORDER, Subject
from kdaudit.data.audit_file import DataTable, SubjectTable
from kdaudit.data.dataset import Dataset
from kdaudit.data.frame import Frame
from kdaudit.errors import DataError, examples, unknown
from kdaudit.estimate import NotMeasured
from kdaudit.evidence import align
from kdaudit.evidence.kinds import Floats, Predictions
from kdaudit.evidence.record import Progress, record
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import json_digest
from kdaudit.models.adapter import Runnable
from kdaudit.models.open import Opened
from kdaudit.results import Subject as Identity


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """What one subject answered on the audit frame, still in its own classes.

    Attributes:
        table: its table in the audit file.
        opened: its model.
        classes: its own class names.
        probabilities: (N, C), NaN rows invalid; or None for labels only.
        labels: (N,) strings, or None.
        evidence: digest of the evidence.
        predicted: rows the model ran on just now.
    """

    table: SubjectTable
    opened: Opened
    classes: tuple[str, ...]
    probabilities: Floats | None
    labels: npt.NDArray[np.object_] | None
    evidence: str
    predicted: int


def ask(  # what asking takes
    role: Subject,
    table: SubjectTable,
    opened: Opened,
    dataset: Dataset,
    data: DataTable,
    store: Store | None,
    progress: Progress,
) -> Asked:
    """Ask one subject every audited row, or read its recorded answers.

    Raises:
        DataError: for answers that do not fit the data.
        ModelError: for a model that does not answer as it should.
    """
    frame = dataset.frame("audit")
    who = f"[{role}] {opened.name}"
    adapter = opened.adapter
    if isinstance(adapter, Runnable):
        if store is None:
            raise DataError(f"{who}: a model can only be run from an audit file")
        if not frame.inputs:
            raise DataError(f"{who}: name the columns the model is shown as `inputs` under [data]")
        recording = record(
            adapter, frame.inputs, frame.rows(), split="audit", store=store, progress=progress
        )
        probabilities, _ = align.probabilities_of(recording.values, recording.space, who)
        return Asked(
            table=table,
            opened=opened,
            classes=recording.classes,
            probabilities=probabilities,
            labels=None,
            evidence=recording.digest,
            predicted=recording.computed,
        )
    answers = adapter.answers(data.id or "id", _two_classes(frame, data))
    placed = align.from_answers(answers, frame.ids, dataset.all_ids, who)
    claimed: Floats | None = None
    if placed.probabilities is not None:
        claimed, _ = align.probabilities_of(placed.probabilities, "probabilities", who)
    progress(len(frame))
    return Asked(
        table=table,
        opened=opened,
        classes=placed.classes,
        probabilities=claimed,
        labels=placed.labels,
        evidence=adapter.identity()["sha256"],
        predicted=0,
    )


def agree(
    asked: Mapping[Subject, Asked], frame: Frame, data: DataTable
) -> tuple[tuple[str, ...], dict[Subject, Predictions | NotMeasured]]:
    """One set of classes for all subjects, and everyone's predictions in its order.

    Raises:
        DataError: for class sets that differ, labels no subject knows, a favourable class that
            does not exist, classes in another order, or too few valid answers.
    """
    named = {
        role: [one.table.rename.get(name, name) for name in one.classes]
        for role, one in asked.items()
    }
    # The teacher says what the classes are; who differs from it is named below.
    by_teacher: tuple[Subject, ...] = ("teacher", "student", "baseline")
    full = [set(named[r]) for r in by_teacher if r in asked and asked[r].labels is None]
    assert frame.labels is not None
    labels = {str(label) for label in frame.labels[~frame.out_of_scope]}
    classes = full[0] if full else labels.union(*map(set, named.values()))
    strange = sorted(labels - classes)
    if strange:
        count = int(np.isin(frame.labels, strange).sum())
        raise DataError(
            f"{data.path}: {count} rows have the label {examples(strange)}, which is no class of "
            f"the models ({examples(sorted(classes), 5)}); rename the classes, or name the label "
            "as `out_of_scope` under [data]"
        )
    for favourable in data.positive:
        if favourable not in classes:
            raise DataError(f"[data] positive: {unknown('class', favourable, classes)}")
    order = tuple(sorted(classes))
    everyone: dict[Subject, Predictions | NotMeasured] = dict.fromkeys(
        ORDER, NotMeasured("the audit has no baseline")
    )
    codes = label_codes(frame, order)
    for role, one in asked.items():
        who = f"[{role}] {one.opened.name}"
        subject = align.predictions(
            probabilities=one.probabilities,
            labels=one.labels,
            given=one.classes,
            classes=order,
            rename=one.table.rename,
            threshold=one.table.threshold,
            positive=data.positive,
            who=who,
        )
        align.refuse_too_few(subject, frame.ids, who)
        align.refuse_mixed_up_classes(subject, codes, who)
        everyone[role] = subject
    return order, everyone


def label_codes(frame: Frame, classes: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """(N,) index of each label in ``classes``; -1 for out-of-scope rows."""
    index = {name: i for i, name in enumerate(classes)}
    assert frame.labels is not None
    codes = [
        -1 if outside else index[label]
        for label, outside in zip(frame.labels, frame.out_of_scope, strict=True)
    ]
    return np.array(codes, dtype=np.int64)


def identity(role: Subject, one: Asked) -> Identity:
    """What the results say of a subject."""
    described = dict(one.opened.adapter.identity())
    return Identity(
        role=role,
        adapter=one.opened.kind,
        name=one.opened.name,
        digest=described["sha256"] if set(described) == {"sha256"} else json_digest(described),
        details={"evidence": one.evidence, **described},
    )


def _two_classes(frame: Frame, data: DataTable) -> tuple[str, ...]:
    """(favourable, other) where the labels have two classes and one favourable is named."""
    assert frame.labels is not None
    labels = {str(label) for label in frame.labels[~frame.out_of_scope]}
    others = sorted(labels - set(data.positive))
    if len(data.positive) != 1 or len(others) != 1:
        return ()
    return (data.positive[0], others[0])
