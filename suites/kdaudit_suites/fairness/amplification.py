"""Directional bias amplification: does a model tie answers to groups more than the data do?

After Wang and Russakovsky (2021), attribute to task: for every group a and class t, with the
direction ``s = sign(P(a, t) - P(a) P(t))`` in the data, the mean over all pairs of
``s (P(answer = t | a) - P(label = t | a))``. Student minus teacher is then the mean of
``s (P(student = t | a) - P(teacher = t | a))``, what distillation added: it is linear in the rows,
so that its interval is that of paired means.
"""

from dataclasses import replace

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Floats, Ints, Predictions
from kdaudit.evidence.view import PREDICTIONS, Evidence
from kdaudit.measure import mean_finding, not_measured
from kdaudit.results import Finding
from kdaudit.scores import Score, Scores, absence
from kdaudit_suites.fairness.contrasts import Crossing
from kdaudit_suites.fairness.endpoints import FAI008


def amplification(evidence: Evidence, crossing: Crossing) -> Finding:
    """One finding for all groups of a column and all classes.

    The directions are those of the labels; without usable labels those of the teacher's answers,
    and then the teacher's own value is 0. They are held fixed: a direction that is noise has no
    expected effect, since the sum changes sign with it. Groups weigh the same whatever their
    size, as in the paper; the standard error also holds the spread between groups, and errs to
    the safe side by that.
    """
    where = (("attribute", crossing.title),)
    reference = _reference(evidence)
    if isinstance(reference, NotMeasured):
        return not_measured(FAI008, where, reference.reason)
    counted = (crossing.codes >= 0) & (reference >= 0)
    groups, classes = len(crossing.wheres), len(evidence.rows.classes)
    if groups < 2:
        return not_measured(FAI008, where, "there is no one else to compare the group with")
    weight = evidence.rows.weight
    mass = np.ones(len(counted)) if weight is None else weight
    table = _table(crossing.codes[counted], reference[counted], mass[counted], (groups, classes))
    if not table.sum(axis=1).all():
        return not_measured(FAI008, where, "a group has no row with a label")
    # Each group weighs the same, and each of its rows as much of that as it has weight.
    share = np.zeros(len(counted))
    share[counted] = mass[counted] / table.sum(axis=1)[crossing.codes[counted]]
    balanced = replace(evidence, rows=replace(evidence.rows, weight=share * counted.sum() / groups))
    note = "directions are those of the " + (
        "labels" if evidence.unlabelled is None else "teacher's answers"
    )
    scores = _scores(evidence, crossing.codes, reference, direction(table))
    return mean_finding(FAI008, balanced, scores, where=where, rows=counted, note=note)


def direction(table: Floats) -> Floats:
    """(G, T) in {-1, 0, 1}: whether group and class come together more often than by chance.

    Args:
        table: (G, T) weights of the rows of each group and class.

    >>> direction(np.array([[30.0, 10], [10, 30]])).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    >>> direction(np.array([[10.0, 20], [20, 40]])).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    apart = table - expected
    # Of whole numbers a difference this small is a rounding error of the product.
    return np.where(np.abs(apart) <= 1e-9 * table.sum(), 0.0, np.sign(apart))


def _reference(evidence: Evidence) -> Ints | NotMeasured:
    """(N,) the classes whose ties to the groups are the data's; -1 for none."""
    if evidence.unlabelled is None:
        return evidence.rows.label
    teacher = evidence[PREDICTIONS].teacher
    if not isinstance(teacher, Predictions):
        return absence(teacher)
    if not teacher.valid.all():
        missing = int(np.count_nonzero(~teacher.valid))
        return NotMeasured(
            f"without labels the teacher's answers give the directions, and {missing} are missing"
        )
    return teacher.answer


def _table(codes: Ints, classes: Ints, mass: Floats, shape: tuple[int, int]) -> Floats:
    flat = np.bincount(codes * shape[1] + classes, mass, minlength=shape[0] * shape[1])
    return flat.astype(np.float64, copy=False).reshape(shape)


def _scores(evidence: Evidence, codes: Ints, reference: Ints, signs: Floats) -> Scores:
    """What each row adds: the direction of its answer less that of its label, over the classes."""
    group, classes = np.maximum(codes, 0), signs.shape[1]
    own = signs[group, np.maximum(reference, 0)]
    scores: dict[Subject, Score | NotMeasured] = {}
    for who in ORDER:
        kind = evidence[PREDICTIONS].of(who)
        if isinstance(kind, Predictions):
            values = (signs[group, np.maximum(kind.answer, 0)] - own) / classes
            scores[who] = Score(values=values, valid=kind.valid, low=-2 / classes, high=2 / classes)
        else:
            scores[who] = absence(kind)
    return scores
