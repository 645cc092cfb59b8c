"""Predictions off the audited rows: on the validation split, and on changed rows.

They are asked for by suites (`Need`), recorded once like all evidence, and never decide by
themselves whether an audit can be had: a subject that has none there is `NotMeasured`.
"""

from collections.abc import Mapping
from dataclasses import replace

from kdaudit.basis import ORDER, Subject
from kdaudit.data.dataset import Dataset
from kdaudit.data.variants import declared
from kdaudit.errors import DataError
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Predictions
from kdaudit.evidence.store import Store
from kdaudit.evidence.view import PREDICTIONS, Trio
from kdaudit.models.adapter import Runnable, Writer
from kdaudit.plan import Plan
from kdaudit.progress import Progress, silent
from kdaudit.results import Need
from kdaudit.subjects import Asked, aligned, ask, scores_only


def wanted(plan: Plan, dataset: Dataset) -> tuple[Need, ...]:
    """What the suites need of predictions beside those on the audited rows, and can be had."""
    needs = {replace(need, optional=False) for suite in plan.suites for need in suite.needs()}
    return tuple(
        sorted(
            (
                need
                for need in needs
                if need.kind == "predictions"
                and need != PREDICTIONS
                and need.split in dataset.frames
                and need.variant in ("as-is", *declared(plan.file.data))
            ),
            key=lambda need: (need.split, need.variant),
        )
    )


def further(
    need: Need,
    plan: Plan,
    dataset: Dataset,
    asked: Mapping[Subject, Asked],
    classes: tuple[str, ...],
    store: Store | None,
    progress: Progress,
) -> tuple[Trio, dict[Subject, int]]:
    """Each subject's predictions for one need, and on how many rows its model ran just now."""
    data, frame = plan.file.data, dataset.frame(need.split)
    everyone: dict[Subject, Predictions | NotMeasured] = dict.fromkeys(
        ORDER, NotMeasured("the audit has no baseline")
    )
    computed: dict[Subject, int] = {}
    for role, one in asked.items():
        stage = f"asking the {role} on the {need.split} rows, {need.variant}"
        runs = isinstance(one.opened.adapter, Runnable | Writer)
        advance = (progress if runs else silent)(stage, len(frame))
        try:
            answer = ask(role, one.opened, plan, dataset, store, advance, need)
            if not answer.answers:
                everyone[role] = scores_only(one)
                continue
            everyone[role] = aligned(role, answer, classes, frame, data)
        except DataError as error:
            everyone[role] = NotMeasured(str(error))
            continue
        computed[role] = answer.predicted
    trio = Trio(
        student=everyone["student"], teacher=everyone["teacher"], baseline=everyone["baseline"]
    )
    return trio, computed
