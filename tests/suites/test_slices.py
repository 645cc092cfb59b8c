"""Slices: every value is measured, whatever its size, and the parts by frequency are thirds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import recall_score

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.results import SuiteResult, Table
from kdaudit_suites.slices import Slices
from tests.suites.measured import estimate, findings

Make = Callable[..., Evidence]


def run(evidence: Evidence) -> SuiteResult:
    return Slices().run(evidence, Streams(0))


CHANNEL = ["web"] * 4 + ["app"] * 3 + ["fax"] + [None] * 2
LABEL = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
STUDENT = [0, 1, 0, 0, 0, 1, 1, 0, 0, 0]
TEACHER = [0, 1, 1, 1, 0, 0, 0, 1, 1, 1]


def sliced(evidence: Make, **more: Any) -> Evidence:
    given = {
        "label": LABEL,
        "student": STUDENT,
        "teacher": TEACHER,
        "attributes": {"channel": CHANNEL},
        "slices": (("channel",),),
    }
    return evidence(**(given | more))


def test_accuracy_in_slices_by_hand(evidence: Make) -> None:
    found = findings(run(sliced(evidence)))
    # Of the four web rows the student is right on the first three, the teacher on all but the
    # third; rows without a channel are in no slice.
    assert found["SLC001[channel=web]"].basis == Table(n11=2, n10=1, n01=1, n00=0)
    assert found["SLC001[channel=app]"].basis == Table(n11=1, n10=1, n01=1, n00=0)
    assert {a for a in found if a.startswith("SLC001")} == {
        "SLC001[channel=app]",
        "SLC001[channel=fax]",
        "SLC001[channel=web]",
    }


def test_a_slice_of_one_row_is_measured_and_far_from_certain(evidence: Make) -> None:
    fax = findings(run(sliced(evidence)))["SLC001[channel=fax]"]
    assert estimate(fax.student).n == 1
    assert estimate(fax.student).high - estimate(fax.student).low > 0.5


def test_crossed_slices_have_both_columns_in_their_address(evidence: Make) -> None:
    found = findings(
        run(
            sliced(
                evidence,
                attributes={"channel": CHANNEL, "vip": ["y", "n"] * 5},
                slices=(("channel",), ("vip",), ("vip", "channel")),
            )
        )
    )
    crossed = found["SLC001[channel=web,vip=y]"]
    assert crossed.where == (("channel", "web"), ("vip", "y"))
    assert estimate(crossed.student).n == 2
    assert "SLC001[channel=fax,vip=y]" not in found  # no such row


@pytest.mark.parametrize("seed", range(3))
def test_class_recall_is_scikit_learns(evidence: Make, seed: int) -> None:
    rng = np.random.default_rng(seed)
    label, student, teacher = rng.integers(0, 4, (3, 200))
    weight = rng.uniform(0.1, 3, 200)
    for chosen in (None, weight):
        made = evidence(
            label=label, student=student, teacher=teacher, classes="abcd", weight=chosen
        )
        found = findings(run(made))
        recall = recall_score(label, student, average=None, sample_weight=chosen)
        ours = [estimate(found[f"SLC002[label={name}]"].student).value for name in "abcd"]
        assert ours == pytest.approx(list(recall))


def test_a_class_without_rows_is_not_measured_rather_than_zero(evidence: Make) -> None:
    made = evidence(label=[0, 1] * 20, student=[0, 1] * 20, teacher=[0, 0] * 20, classes="abc")
    absent = findings(run(made))["SLC002[label=c]"]
    assert absent.student == absent.basis == NotMeasured("no rows", 0)


def test_frequency_parts_are_thirds_of_the_training_rows(evidence: Make) -> None:
    # 60, 25, 10, 5 of 100 rows: a alone holds the first third, so it is head; b begins at 60 of
    # 100, in the second third: torso; c begins at 85 and d at 95: tail.
    label = [0, 1, 2, 3] * 10
    made = evidence(
        label=label,
        student=label,
        teacher=[0] * 40,
        classes="abcd",
        training_counts=[60, 25, 10, 5],
    )
    found = findings(run(made))
    sizes = {
        part: estimate(found[f"SLC003[frequency={part}]"].student).n
        for part in ("head", "torso", "tail")
    }
    assert sizes == {"head": 10, "torso": 10, "tail": 20}
    assert found["SLC003[frequency=head]"].note == ""


def test_without_training_rows_frequency_is_that_of_the_audited_rows_and_said(
    evidence: Make,
) -> None:
    label = [0] * 60 + [1] * 25 + [2] * 15
    found = findings(run(evidence(label=label, student=label, teacher=[0] * 100, classes="abc")))
    assert estimate(found["SLC003[frequency=head]"].student).n == 60
    assert "no transfer rows" in found["SLC003[frequency=head]"].note


def test_two_classes_have_no_tail(evidence: Make) -> None:
    assert not any(a.startswith("SLC003") for a in findings(run(sliced(evidence))))


def test_adding_a_slice_changes_no_other_finding(evidence: Make) -> None:
    before = findings(run(sliced(evidence)))
    after = findings(
        run(
            sliced(
                evidence,
                attributes={"channel": CHANNEL, "vip": ["y", "n"] * 5},
                slices=(("channel",), ("vip",)),
            )
        )
    )
    assert {address: after[address] for address in before} == before


def test_without_labels_of_its_own_nothing_is_measured(evidence: Make) -> None:
    why = NotMeasured("labels are the teacher's")
    result = run(sliced(evidence, unlabelled=why))
    assert [one.basis for one in result.findings] == [why] * len(Slices.codes)
