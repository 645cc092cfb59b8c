"""From frames and aligned predictions to the evidence that suites are given."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kdaudit.basis import Subject
from kdaudit.data.dataset import Dataset
from kdaudit.declared import crosses
from kdaudit.errors import ConfigError
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Ints, Predictions
from kdaudit.evidence.view import Evidence, Kind, Rows, Trio
from kdaudit.plan import Plan
from kdaudit.results import Need
from kdaudit.subjects import label_codes

PREDICTIONS = Need(kind="predictions")
TIMINGS = Need(kind="timings")


def assemble(
    plan: Plan,
    dataset: Dataset,
    classes: tuple[str, ...],
    subjects: Mapping[Subject, Predictions | NotMeasured],
    timings: Kind | NotMeasured,
) -> Evidence:
    """The rows in scope and out of it, with each subject's evidence.

    Raises:
        ConfigError: if no row is in scope.
    """
    data, frame = plan.file.data, dataset.frame("audit")
    rows = Rows(
        ids=frame.ids,
        label=label_codes(frame, classes),
        classes=classes,
        positive=tuple(classes.index(name) for name in data.positive),
        weight=frame.weight,
        cluster=frame.cluster,
        attributes=frame.attributes,
        slices=crosses(plan.contract, data.slices),
        sensitive=crosses(plan.contract, data.sensitive),
        training_counts=_training_counts(dataset, classes),
        rejecting=tuple(i for i, name in enumerate(classes) if name == data.out_of_scope),
    )
    level = 1 - 2 * plan.file.audit.alpha
    timed = Trio(
        student=timings, teacher=timings, baseline=NotMeasured("only teacher and student are timed")
    )

    def view(part: Rows, keep: Bools) -> Evidence:
        trio = Trio(
            **{r: s if isinstance(s, NotMeasured) else s.take(keep) for r, s in subjects.items()}
        )
        return Evidence(rows=part, level=level, kinds={PREDICTIONS: trio, TIMINGS: timed})

    outside = frame.out_of_scope
    if outside.all():
        raise ConfigError(
            f"[data] out_of_scope = {data.out_of_scope!r} takes in every audited row; none is left"
        )
    inside = view(rows.take(~outside), ~outside)
    return Evidence(
        rows=inside.rows,
        level=level,
        outside=view(rows.take(outside), outside) if outside.any() else None,
        unlabelled=_unlabelled(inside),
        kinds=inside.kinds,
    )


def _unlabelled(evidence: Evidence) -> NotMeasured | None:
    """Why labels cannot be compared with, if they cannot."""
    rows = evidence.rows
    if len(np.unique(rows.label)) < 2:
        only = rows.classes[int(rows.label[0])]
        return NotMeasured(
            f"every audited row has the label {only!r}; one class says nothing of the others"
        )
    teacher = evidence[PREDICTIONS].teacher
    if isinstance(teacher, Predictions):
        answered = teacher.valid
        if answered.any() and np.array_equal(teacher.answer[answered], rows.label[answered]):
            return NotMeasured(
                "the labels equal the teacher's answers on every row: they would measure "
                "imitation, not truth; label the rows independently"
            )
    return None


def _training_counts(dataset: Dataset, classes: tuple[str, ...]) -> Ints | None:
    frame = dataset.frames.get("transfer")
    if frame is None or frame.labels is None:
        return None
    counts = pd.Series(frame.labels[~frame.out_of_scope]).value_counts()
    return np.array([int(counts.get(name, 0)) for name in classes], dtype=np.int64)
