"""Fairness-aware distillation: what rows weigh, and what targets become, by group and class."""

from typing import Literal

import numpy as np
import pytest
import torch

from kdaudit.distill.methods.methods import Setting, preset
from kdaudit.distill.methods.tables import FairTable, ObjectivesTable
from kdaudit.distill.objectives import Objective
from kdaudit.distill.objectives.readings import Corrected
from kdaudit.distill.objectives.soft import Soft
from kdaudit.distill.objectives.weighting import row_weights, share_offsets
from kdaudit.distill.training.sources import Batch


def fair(**options: object) -> tuple[list[Objective], Batch]:
    """80 rows, a quarter of them in the second group, which has none of the third class."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.randn(80, 3, generator=generator)
    groups = (torch.arange(80) % 4 == 0).long()
    targets[groups == 1, 0] += 1.5
    labels = targets.argmax(dim=1)
    labels = torch.where(groups == 1, labels.clamp(max=1), labels)
    rows = Batch(inputs=targets, labels=labels, targets=targets, groups=groups)
    table = ObjectivesTable(fair=FairTable.model_validate({"group": ["g"], **options}))
    setting = Setting(participants={}, transfer=rows, validation=rows, classes=3, seed=0)
    return list(preset(table, setting).terms), rows


@pytest.mark.parametrize("weigh", ["groups", "classes", "reweighing"])
def test_row_weights_give_groups_and_classes_what_their_formula_says(
    weigh: str,
) -> None:
    terms, rows = fair(weigh=weigh)
    assert [term.name for term in terms] == ["fair.soft", "fair.hard"]
    assert "mean_rows(w·(Σ_c" in terms[0].formula
    assert "mean_rows(-w·log q_1(y)), w = " in terms[1].formula
    soft = terms[0]
    assert isinstance(soft, Soft)
    assert soft.rows is not None
    assert rows.groups is not None
    assert rows.labels is not None
    weights = soft.rows(rows).double()
    sums = torch.zeros(2, 3, dtype=torch.float64)
    sums.index_put_((rows.groups, rows.labels), weights, accumulate=True)
    if weigh == "groups":
        torch.testing.assert_close(sums.sum(1), torch.full((2,), 40.0, dtype=torch.float64))
    elif weigh == "classes":
        torch.testing.assert_close(
            sums.sum(0), torch.full((3,), 80 / 3, dtype=torch.float64), rtol=1e-6, atol=0
        )
    else:
        filled = sums[:, :2]  # the second group has no row of the third class
        ratio = filled[0] / filled[1]
        torch.testing.assert_close(ratio, ratio[:1].expand(2), rtol=1e-6, atol=0)


@pytest.mark.parametrize("correct", ["reweighting", "prior"])
def test_corrected_targets_have_nearer_shares_in_both_groups(
    correct: str,
) -> None:
    terms, rows = fair(correct=correct, hard_weight=0)
    (soft,) = terms
    assert isinstance(soft, Soft)
    assert isinstance(soft.reading, Corrected)
    assert "p(c)·π(c)/π_g(c)" in soft.formula
    assert rows.groups is not None
    one = rows.groups == 1
    if correct == "prior":
        before, after = (
            x.softmax(dim=1) for x in (rows.answers("teacher"), soft.reading(rows, 1.0))
        )
        gaps = [float((p[one].mean(0) - p[~one].mean(0)).abs().max()) for p in (before, after)]
        assert gaps[1] < gaps[0] / 2
    else:
        offsets = soft.reading.offsets
        assert rows.labels is not None
        groups = (rows.labels[~one], rows.labels[one])
        filled = 0.5 + np.array([np.bincount(labels, minlength=3) for labels in groups])
        expected = np.log(filled.sum(0) / filled.sum()) - np.log(
            filled / filled.sum(1, keepdims=True)
        )
        np.testing.assert_allclose(offsets, expected, rtol=1e-5, atol=1e-6)
        assert offsets[1, 2] > 1  # the class that this group never has is asked for more often
    exact = rows.answers("teacher")
    assert not torch.equal(soft.reading(rows, 3.0), exact)


def test_a_group_that_was_never_learnt_from_weighs_1_and_is_not_moved() -> None:
    n = torch.tensor([[6.0, 2.0], [1.0, 1.0], [0.0, 0.0]])
    bys: tuple[Literal["groups", "reweighing"], ...] = ("groups", "reweighing")
    for by in bys:
        table = row_weights(n, by).table
        assert (table[2] == 1).all()
        assert torch.equal(table[:2], row_weights(n[:2], by).table)
    assert (share_offsets(n)[2] == 0).all()
    torch.testing.assert_close(share_offsets(n)[:2], share_offsets(n[:2]))
