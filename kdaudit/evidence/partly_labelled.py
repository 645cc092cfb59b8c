"""Rows of which not all have a label: which still need one, and what the labelled ones stand for.

Where all subjects answer alike they are right or wrong alike, so the row adds nothing to any
difference between them, whatever its label is. The other rows need one. What needs the labels of
all rows, such as a subject's own accuracy, is measured on a random sample of the rest as well, each
row weighing as many rows as it stands for (Horvitz and Thompson 1952).
"""

from dataclasses import replace

import numpy as np

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Predictions
from kdaudit.evidence.view import PREDICTIONS, ROLES, Evidence, Trio

TOLERANCE = 1e-6  # relative; weights are written with so many digits


def alike(trio: Trio) -> Bools:
    """(N,) rows on which all subjects that are there answer, and alike."""
    there = [kind for who in ROLES if isinstance(kind := trio.of(who), Predictions)]
    same: Bools = np.all([kind.valid & (kind.answer == there[0].answer) for kind in there], axis=0)
    return same


def needs_label(trio: Trio) -> Bools:
    """(N,) rows whose label tells subjects apart: some answer, and not all of them alike.

    A row on which nobody answers needs none: it counts against the student whatever is right.
    """
    there = [kind for who in ROLES if isinstance(kind := trio.of(who), Predictions)]
    some: Bools = np.any([kind.valid for kind in there], axis=0)
    return some & ~alike(trio)


def partly_labelled(evidence: Evidence, stands_for: Floats | None, listed: int) -> Evidence:
    """Evidence of rows of which some have no label, with what can be said of it.

    Args:
        evidence: its rows say which are labelled.
        stands_for: (N,) how many rows each row of the labels file stands for, 0 for the others;
            None where the audit file names no weights.
        listed: rows of the labels file.
    """
    labelled = evidence.rows.labelled
    assert labelled is not None
    n, known = len(labelled), int(labelled.sum())
    asked = needs_label(evidence[PREDICTIONS])
    left = int(np.count_nonzero(asked & ~labelled))
    why = _unsampled(labelled, stands_for, listed, left)
    unlabelled = NotMeasured(f"{n - known:,} of {n:,} rows have no label{why and f'; {why}'}")
    sampled: Evidence | NotMeasured = unlabelled
    if not why:
        assert stands_for is not None
        sampled = sample_of(evidence, labelled, stands_for)
    return replace(evidence, unlabelled=unlabelled, sampled=sampled, open=left)


def sample_of(evidence: Evidence, some: Bools, stands_for: Floats) -> Evidence:
    """Some rows, each weighing as many rows as it stands for.

    Args:
        evidence: of N rows.
        some: (N,) which.
        stands_for: (N,) how many rows each of them stands for.
    """
    weight = stands_for if evidence.rows.weight is None else stands_for * evidence.rows.weight
    return replace(
        evidence,
        rows=replace(evidence.rows, weight=weight, labelled=None).take(some),
        kinds={need: trio.take(some) for need, trio in evidence.kinds.items()},
        changes={name: moved[some] for name, moved in evidence.changes.items()},
    )


def _unsampled(labelled: Bools, stands_for: Floats | None, listed: int, left: int) -> str:
    """Why the labelled rows do not stand for all, or nothing."""
    if left:
        return (
            f"{left:,} of them divide the subjects and count against the student: `kdaudit label` "
            "lists them"
        )
    if stands_for is None:
        return (
            "no weights under [data.labels] say how many rows each labelled one stands for: "
            "`kdaudit label --sample` draws a sample"
        )
    blank = listed - int(np.count_nonzero(labelled & (stands_for > 0)))
    if blank:
        return f"{blank:,} of the {listed:,} rows to label are blank still"
    whole = float(stands_for.sum())
    if abs(whole - len(labelled)) > TOLERANCE * len(labelled):
        return (
            f"the labelled rows stand for {whole:,.0f}, not for all {len(labelled):,}: "
            "`kdaudit label --sample` draws a sample of the others"
        )
    return ""
