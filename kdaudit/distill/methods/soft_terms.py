"""Soft targets and labels: the two terms that most methods have."""

from collections.abc import Iterable

import torch

from kdaudit.distill.methods.setting import Setting
from kdaudit.distill.methods.soft_table import SoftTable
from kdaudit.distill.objectives import Divergence, Hard, Objective, Soft
from kdaudit.distill.objectives.readings import Reading
from kdaudit.distill.objectives.teacher_label import TeacherLabel
from kdaudit.distill.objectives.weighting import RowWeights
from kdaudit.distill.targets.partial import refuse_partial
from kdaudit.distill.training.sources import TEACHER
from kdaudit.errors import DataError


def soft_and_hard(
    name: str,
    table: SoftTable,
    setting: Setting,
    *,
    teachers: Iterable[str] = (TEACHER,),
    reading: Reading | None = None,
    rows: RowWeights | None = None,
) -> list[Objective]:
    """The terms ``name.soft`` and ``name.hard``, where they weigh something.

    Args:
        name: of the method.
        table: its table.
        setting: the rows.
        teachers: whose stored answers are read.
        reading: how targets are made of them; None for the first teacher's as they are.
        rows: how much each row counts; None for all alike.

    Raises:
        DataError: if the loss would be infinite.
    """
    terms: list[Objective] = []
    if table.soft_weight > 0:
        rests_on = setting.transfer
        refuse_partial(name, table, rests_on, read=reading is not None)
        if table.divergence in ("reverse_kl", "mse") and rests_on.kind != "top_k":
            refuse_excluded(
                setting, teachers, f'divergence = "{table.divergence}"', 'divergence = "jsd"'
            )
        soft: Objective = Soft(
            name=f"{name}.soft",
            weight=table.soft_weight,
            divergence=divergence(table),
            reading=reading,
            rows=rows,
            truncated=rests_on.kind == "top_k",
        )
        if rests_on.kind == "label":
            named = f"{name}.teacher_label"
            soft = TeacherLabel(name=named, weight=table.soft_weight, rows=rows)
        terms.append(soft)
    if table.hard_weight > 0:
        terms.append(Hard(name=f"{name}.hard", weight=table.hard_weight, rows=rows))
    return terms


def refuse_excluded(setting: Setting, teachers: Iterable[str], what: str, instead: str) -> None:
    """A teacher that gives a class no chance at all has no logit to compare."""
    for name in teachers:
        both = [batch.answers(name) for batch in (setting.transfer, setting.validation)]
        bad = sum(int((~torch.isfinite(answers)).any(dim=1).sum()) for answers in both)
        if bad:
            raise DataError(
                f"{what} would be infinite: {name} gives some class a probability of exactly 0 in "
                f"{bad} of {sum(map(len, both))} rows; use {instead}"
            )


def divergence(table: SoftTable) -> Divergence:
    """The divergence that a table describes."""
    return Divergence(
        kind=table.divergence,
        temperature=table.temperature,
        beta=table.beta,
        t_squared=table.t_squared,
    )
