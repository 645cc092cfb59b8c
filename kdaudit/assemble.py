"""From frames and aligned predictions to the evidence that suites are given."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from kdaudit.basis import Subject
from kdaudit.data.dataset import Dataset
from kdaudit.data.frame import Frame, Listed
from kdaudit.data.variants import which_changed
from kdaudit.declared import crosses, pools
from kdaudit.errors import ConfigError
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.benchmark_tasks import Benchmarks
from kdaudit.evidence.kinds import Bools, Ints, Predictions
from kdaudit.evidence.labels import unlabelled
from kdaudit.evidence.partly_labelled import partly_labelled
from kdaudit.evidence.view import (
    GENERATIONS,
    LIKELIHOODS,
    PREDICTIONS,
    Evidence,
    Kind,
    Rows,
    Scale,
    Trio,
)
from kdaudit.language.written import questions
from kdaudit.plan import Plan
from kdaudit.results import Need
from kdaudit.subjects import label_codes

TIMINGS = Need(kind="timings")
VALIDATION = Need(kind="predictions", split="validation")


def assemble(
    plan: Plan,
    dataset: Dataset,
    classes: tuple[str, ...],
    subjects: Mapping[Subject, Predictions | NotMeasured],
    timings: Kind | NotMeasured,
    others: Mapping[Need, Trio] | None = None,
    benchmarks: Benchmarks | None = None,
) -> Evidence:
    """The rows in scope and out of it, with each subject's evidence.

    Args:
        plan: what was asked for.
        dataset: the rows.
        classes: of all subjects.
        subjects: their predictions on the audited rows.
        timings: of the pair.
        others: predictions on the validation split and on changed rows.
        benchmarks: the tasks of the audited rows, where subjects are runs of benchmarks.

    Raises:
        ConfigError: if no row is in scope.
    """
    data, frame, others = plan.file.data, dataset.frame("audit"), others or {}
    rows = replace(
        _rows(plan, dataset, frame, classes),
        benchmarks=benchmarks,
        questions=questions(frame) if {GENERATIONS, LIKELIHOODS} & set(others) else None,
    )
    timed = Trio(
        student=timings, teacher=timings, baseline=NotMeasured("only teacher and student are timed")
    )
    kinds = {
        PREDICTIONS: Trio(
            student=subjects["student"], teacher=subjects["teacher"], baseline=subjects["baseline"]
        ),
        TIMINGS: timed,
    }
    kinds |= {need: trio for need, trio in others.items() if need.split == "audit"}
    changes = {
        name: which_changed(frame.inputs, name, data)
        for name in {need.variant for need in others} - {PREDICTIONS.variant}
    }
    outside = frame.out_of_scope
    if outside.all():
        raise ConfigError(
            f"[data] out_of_scope = {data.out_of_scope!r} takes in every audited row; none is left"
        )
    level = 1 - 2 * plan.file.audit.alpha

    def view(keep: Bools) -> Evidence:
        return Evidence(
            rows=rows.take(keep),
            level=level,
            kinds={need: trio.take(keep) for need, trio in kinds.items()},
            changes={name: moved[keep] for name, moved in changes.items()},
        )

    inside = replace(view(~outside), independent=data.label_source in ("human", "outcome"))
    if frame.listed is not None and frame.labelled is not None:
        inside = _partly_labelled(inside, frame.listed)
    else:
        inside = replace(inside, unlabelled=unlabelled(inside))
    return replace(
        inside,
        outside=view(outside) if outside.any() else None,
        validation=_validation(plan, dataset, classes, others.get(VALIDATION)),
        control=None if plan.file.baseline is None else plan.file.baseline.control,
    )


def _partly_labelled(evidence: Evidence, listed: Listed) -> Evidence:
    if not evidence.rows.classes:
        raise ConfigError(
            "[data.labels] is for subjects that answer with classes, and these do not; take it out"
        )
    found = partly_labelled(evidence, listed.stands_for, listed.rows)
    if isinstance(found.sampled, Evidence):
        found = replace(found, sampled=replace(found.sampled, unlabelled=unlabelled(found.sampled)))
    return found


def _validation(
    plan: Plan, dataset: Dataset, classes: tuple[str, ...], trio: Trio | None
) -> Evidence | None:
    """The validation rows in scope, or None where there are none or nobody asked for them."""
    frame = dataset.frames.get("validation")
    if frame is None or trio is None or frame.out_of_scope.all():
        return None
    keep = ~frame.out_of_scope
    rows = _rows(plan, dataset, frame, classes).take(keep)
    level = 1 - 2 * plan.file.audit.alpha
    return Evidence(rows=rows, level=level, kinds={PREDICTIONS: trio.take(keep)})


def _rows(plan: Plan, dataset: Dataset, frame: Frame, classes: tuple[str, ...]) -> Rows:
    data = plan.file.data
    return Rows(
        ids=frame.ids,
        label=label_codes(frame, classes),
        classes=classes,
        positive=tuple(classes.index(name) for name in data.positive),
        weight=frame.weight,
        cluster=frame.cluster,
        attributes=frame.attributes,
        slices=_slices(plan),
        sensitive=crosses(
            plan.contract,
            data.sensitive,
            values={name: len(frame.attributes[name].values) for name in data.sensitive},
        ),
        training_counts=_training_counts(dataset, classes),
        scores={
            name: Scale(better=one.better, low=one.low, high=one.high)
            for name, one in data.scores.items()
        },
        rejecting=tuple(i for i, name in enumerate(classes) if name == data.out_of_scope),
        pools=pools(plan.contract),
        labelled=frame.labelled,
        pairs=tuple(dict.fromkeys(check.each[0] for check in plan.contract if check.pairs)),
    )


def _slices(plan: Plan) -> tuple[tuple[str, ...], ...]:
    """What slices are made of: the columns for them, and whatever a check of slices asks for."""
    codes = {e.code for suite in plan.suites for e in suite.codes if "@slices" in e.keys}
    asked = [check for check in plan.contract if check.code in codes]
    data = plan.file.data
    return crosses(asked, data.slice_columns, also=(*data.sensitive, "label"))


def _training_counts(dataset: Dataset, classes: tuple[str, ...]) -> Ints | None:
    frame = dataset.frames.get("transfer")
    if frame is None or frame.labels is None:
        return None
    counts = pd.Series(frame.labels[~frame.out_of_scope]).value_counts()
    return np.array([int(counts.get(name, 0)) for name in classes], dtype=np.int64)
