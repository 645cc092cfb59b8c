"""Rates by group as fairlearn defines them: tables beside the contrasts, in no decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.evidence.kinds import Bools, Floats, Ints, Predictions
from kdaudit.evidence.view import Evidence
from kdaudit.results import Figure
from kdaudit_suites.fairness.contrasts import Crossing

RATES = ("selection rate", "true-positive rate", "false-positive rate", "accuracy")

# Number of the crossing, of the group in it, rows answered, and the rates.
GroupRates = tuple[int, int, int, tuple[float | None, ...]]


def group_rates(
    evidence: Evidence, subject: Predictions, crossings: Sequence[Crossing]
) -> list[GroupRates]:
    """Rows answered and the `RATES` of each group, by fairlearn's `MetricFrame`.

    The frame is made once and is given one weighted row per distinct (group, label, answer, right),
    so that its cost grows with the groups, not with the rows. A rate without rows in its
    denominator is None, where fairlearn says 0.
    """
    from fairlearn.metrics import (
        MetricFrame,
        false_positive_rate,
        selection_rate,
        true_positive_rate,
    )

    cells = _cells(evidence, subject, crossings)
    if not cells.group.size:
        return []
    y, a, right = cells.outcome // 4, cells.outcome // 2 % 2, cells.outcome % 2
    weighted = {"sample_weight": cells.mass}
    frame = MetricFrame(
        metrics=dict(
            zip(
                RATES,
                (selection_rate, true_positive_rate, false_positive_rate, _accuracy),
                strict=True,
            )
        ),
        y_true=y,
        y_pred=a,
        sensitive_features={"group": cells.group},  # as an array, it refuses a single cell
        sample_params={
            name: weighted | ({"right": right} if name == "accuracy" else {}) for name in RATES
        },
    ).by_group
    starts = np.cumsum([0, *(len(crossing.wheres) for crossing in crossings)])
    out = []
    for number, values in zip(frame.index, frame.to_numpy(), strict=True):
        here = cells.group == number
        has = {
            "true-positive rate": (y == 1) & here,
            "false-positive rate": (y == 0) & here,
        }
        rates = tuple(
            float(value)
            if np.any(has.get(name, here)) and (evidence.rows.positive or name == "accuracy")
            else None
            for name, value in zip(RATES, values, strict=True)
        )
        crossing = int(np.searchsorted(starts, number, side="right")) - 1
        group = int(number - starts[crossing])
        out.append((crossing, group, int(cells.count[here].sum()), rates))
    return out


def rate_tables(
    evidence: Evidence,
    crossings: Sequence[Crossing],
    measured: Mapping[Subject, Sequence[GroupRates]],
) -> list[Figure]:
    """A table per crossing, a row per group and subject.

    Args:
        evidence: the rows.
        crossings: in the order that ``measured`` numbers them by.
        measured: `group_rates` by subject.
    """
    rows: list[list[tuple[str | int | float | None, ...]]] = [[] for _ in crossings]
    for who, found in measured.items():
        for crossing, group, n, rates in found:
            rows[crossing].append((crossings[crossing].names[group], who, n, *rates))
    place = {str(who): i for i, who in enumerate(ORDER)}
    return [
        Figure(
            name="rates-" + "-".join(crossing.columns),
            chart="table",
            title=f"Rates by {crossing.title} (rows answered; fairlearn)",
            columns=(" × ".join(crossing.columns), "subject", "rows", *RATES),
            rows=tuple(sorted(some, key=lambda row: (str(row[0]), place[str(row[1])]))),
        )
        for crossing, some in zip(crossings, rows, strict=True)
        if some and evidence.unlabelled is None
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    group: Ints  # counted through all crossings
    outcome: Ints  # label, answer and right as bits
    count: Ints
    mass: Floats


def _cells(evidence: Evidence, subject: Predictions, crossings: Sequence[Crossing]) -> _Cells:
    rows = evidence.rows
    label = np.isin(rows.label, rows.positive)
    answer = np.isin(subject.answer, rows.positive)
    outcome = label * 4 + answer * 2 + (subject.answer == rows.label)
    outcome = np.where(subject.valid, outcome, 8)  # no answer: in no rate
    counts: list[Floats] = [np.zeros(0)]
    masses: list[Floats] = [np.zeros(0)]
    for crossing in crossings:
        # Rows of no group have the code -1, and so the first nine cells.
        cell = (crossing.codes + 1) * 9 + outcome
        size = (len(crossing.wheres) + 1) * 9
        count = np.bincount(cell, minlength=size)
        weight = np.bincount(cell, rows.weight, minlength=size)
        counts.append(count[9:].astype(np.float64))
        masses.append(weight[9:].astype(np.float64))
    count, mass = np.concatenate(counts), np.concatenate(masses)
    found = np.flatnonzero((count > 0) & (np.arange(len(count)) % 9 < 8))
    return _Cells(found // 9, found % 9, count[found].astype(np.int64), mass[found])


def _accuracy(y_true: Bools, y_pred: Bools, *, right: Bools, sample_weight: Floats) -> float:
    """Share of right answers, in the form that `MetricFrame` calls."""
    del y_true, y_pred
    return float(np.average(right, weights=sample_weight))
