"""Known harms, and how each is done to a student's answers.

A harm is done to the rows as they were audited; a trial then draws rows from there. So a loss of
five points is exactly that in the population a trial is drawn from, and as uneven as luck makes it
in the trial, as a real loss would be.

Whatever answer is changed keeps the confidence it was given with: the probabilities of the old and
the new answer change places. A harm that would leave rank and confidence as tell-tales would be
seen by checks that would not see a real one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np

from kdaudit.evidence.kinds import Bools, Floats, Ints, Predictions
from kdaudit.evidence.view import PREDICTIONS, Evidence, Rows
from kdaudit.results import Where

SURE = 0.99  # confidence of a claim that was an abstention


class Harm(Protocol):
    """One harm of one size, at one place."""

    kind: ClassVar[str]

    @property
    def size(self) -> float:
        """How much of it, as a share."""
        ...

    @property
    def where(self) -> Where:
        """The address; empty for all rows."""
        ...

    @property
    def said(self) -> str:
        """What is done, in words."""
        ...

    def rows(self, evidence: Evidence) -> int:
        """How many rows it concerns."""
        ...

    def inject(self, evidence: Evidence, rng: np.random.Generator) -> Evidence:
        """The evidence of a student with this harm."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyLoss:
    """Right answers turned wrong, in one slice, group or class, or anywhere.

    The wrong answer is the student's next best guess. Of small groups one row more or less is
    turned by chance, so that the loss is of this size on average.
    """

    size: float
    where: Where = ()

    kind: ClassVar[str] = "accuracy loss"

    @property
    def said(self) -> str:
        """What is done."""
        return f"the student loses {_points(self.size)} of accuracy {_place(self.where)}"

    def rows(self, evidence: Evidence) -> int:
        """Rows of the place."""
        return int(np.count_nonzero(inside(evidence.rows, self.where)))

    def inject(self, evidence: Evidence, rng: np.random.Generator) -> Evidence:
        """Turn ``size`` of the place's rows, by weight, from right to wrong."""
        student = answers_of(evidence)
        label, group = evidence.rows.label, inside(evidence.rows, self.where)
        right = np.flatnonzero(group & student.valid & (student.answer == label))
        target = self.size * _mass(evidence.rows, group)
        turned = _drawn(rng.permutation(right), evidence.rows, target, rng)
        wrong = np.arange(len(student.classes)) != label[turned, None]
        return _answering(evidence, turned, _best(student, turned, wrong, rng))


@dataclass(frozen=True, slots=True, kw_only=True)
class Overconfidence:
    """Probabilities raised to a power, so that more confidence is claimed for the same answers.

    Attributes:
        size: by how much mean confidence exceeds accuracy afterwards, beyond what it did before.
            Of a student that claims less than it earns, what it claims too little comes on top:
            up to there more confidence is no harm.
        power: that does so; see `sharpening`.
    """

    size: float
    power: float

    kind: ClassVar[str] = "overconfidence"

    @property
    def where(self) -> Where:
        """All rows."""
        return ()

    @property
    def said(self) -> str:
        """What is done."""
        return f"the student claims {_points(self.size)} more confidence than its answers earn"

    def rows(self, evidence: Evidence) -> int:
        """All rows in scope."""
        return len(evidence.rows)

    def inject(self, evidence: Evidence, rng: np.random.Generator) -> Evidence:
        """Sharpen every probability of the student: on other splits and out of scope as well."""

        def sharper(view: Evidence | None) -> Evidence | None:
            return None if view is None else self.inject(view, rng)

        return replace(
            _changed(evidence, lambda student: sharpened(student, self.power)),
            outside=sharper(evidence.outside),
            validation=sharper(evidence.validation),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Amplification:
    """A group's selection rate moved further from that of all others.

    Attributes:
        size: by how much.
        where: the group.
        fewer: whether favourable answers are withdrawn, as where the group has fewer of them
            already; else they are granted.
    """

    size: float
    where: Where
    fewer: bool = True

    kind: ClassVar[str] = "amplification"

    @property
    def said(self) -> str:
        """What is done."""
        change = "withdraws" if self.fewer else "grants"
        return (
            f"the student {change} {_points(self.size)} of favourable answers {_place(self.where)}"
        )

    def rows(self, evidence: Evidence) -> int:
        """Rows of the group."""
        return int(np.count_nonzero(inside(evidence.rows, self.where)))

    def inject(self, evidence: Evidence, rng: np.random.Generator) -> Evidence:
        """Turn ``size`` of the group's rows, by weight."""
        student, rows = answers_of(evidence), evidence.rows
        group = inside(rows, self.where)
        favourable = np.isin(np.arange(len(student.classes)), rows.positive)
        has = favourable[np.maximum(student.answer, 0)]
        can = np.flatnonzero(group & student.valid & (has if self.fewer else ~has))
        turned = _drawn(rng.permutation(can), rows, self.size * _mass(rows, group), rng)
        wanted = np.tile(~favourable if self.fewer else favourable, (len(turned), 1))
        return _answering(evidence, turned, _best(student, turned, wanted, rng))


@dataclass(frozen=True, slots=True, kw_only=True)
class LostAbstention:
    """Out-of-scope rows claimed with confidence 0.99.

    The rows are those the student is least sure of, answers that reject the row first. So whatever
    confidence an audit takes for a claim, these were none as long as there were enough of those.
    """

    size: float

    kind: ClassVar[str] = "lost abstention"

    @property
    def where(self) -> Where:
        """All out-of-scope rows."""
        return ()

    @property
    def said(self) -> str:
        """What is done."""
        return f"the student claims {_points(self.size)} more of the out-of-scope rows"

    def rows(self, evidence: Evidence) -> int:
        """Out-of-scope rows."""
        return 0 if evidence.outside is None else len(evidence.outside.rows)

    def inject(self, evidence: Evidence, rng: np.random.Generator) -> Evidence:
        """Make ``size`` of the out-of-scope rows, by weight, claims."""
        outside = evidence.outside
        if outside is None:
            return evidence
        student, rows = answers_of(outside), outside.rows
        doubt = doubts(student, rows)
        order = np.lexsort((rng.random(len(rows)), doubt))
        order = order[doubt[order] < SURE]
        everywhere = np.ones(len(rows), dtype=np.bool_)
        turned = _drawn(order, rows, self.size * _mass(rows, everywhere), rng)
        claims = ~np.isin(np.arange(len(student.classes)), rows.rejecting)
        chosen = _best(student, turned, np.tile(claims, (len(turned), 1)), rng)
        claimed = _answering(outside, turned, chosen)
        return replace(evidence, outside=_changed(claimed, lambda one: _sure(one, turned)))


def answers_of(evidence: Evidence) -> Predictions:
    """The student's answers; harms are made only where there are some."""
    student = evidence[PREDICTIONS].student
    assert isinstance(student, Predictions)
    return student


def inside(rows: Rows, where: Where) -> Bools:
    """(N,) the rows of an address."""
    held = np.ones(len(rows), dtype=np.bool_)
    for name, value in where:
        column = rows.column(name)
        held &= column.codes == column.values.index(value)
    return held


def doubts(student: Predictions, rows: Rows) -> Floats:
    """(N,) confidence of each claim; -1 where the row was rejected, 1 where there is no doubt."""
    rejected = np.isin(student.answer, rows.rejecting)
    sure = np.ones(len(student)) if student.probabilities is None else student.confidence
    return np.where(student.valid, np.where(rejected, -1.0, sure), 1.0)


def sharpened(student: Predictions, power: float) -> Predictions:
    """Probabilities to a power, renormalised; answers stay.

    Rows whose answer is not the most probable class, as a threshold makes them, stay as they are:
    there a sharper distribution would claim less for the answer.
    """
    if student.probabilities is None:
        return student
    top = np.max(student.probabilities, axis=1, keepdims=True, initial=0.0)
    with np.errstate(invalid="ignore"):
        raised = (student.probabilities / np.where(top > 0, top, 1.0)) ** power
        raised /= raised.sum(axis=1, keepdims=True)
        loudest = student.valid & (student.confidence >= top[:, 0])
    probabilities = np.where(loudest[:, None], raised, student.probabilities)
    return replace(student, probabilities=probabilities)


def sharpening(evidence: Evidence, size: float) -> float | None:
    """The power at which the student is overconfident by ``size`` more; None if none is.

    See `Overconfidence`. Without labels its mean confidence simply grows by that.
    """
    from scipy.optimize import brentq

    student, rows = answers_of(evidence), evidence.rows
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight

    def mean(power: float) -> float:
        claimed = sharpened(student, power).confidence
        return float(weight @ np.where(student.valid, claimed, 0.0) / weight.sum())

    now, right = mean(1.0), student.valid & (student.answer == rows.label)
    earned = now if evidence.unlabelled is not None else float(weight @ right / weight.sum())
    wanted = max(now, earned) + size
    highest = 7.0  # e^7: whoever is not sure by then is torn between equals
    if mean(np.exp(highest)) < wanted:
        return None
    found = brentq(lambda step: mean(np.exp(step)) - wanted, 0.0, highest, xtol=1e-7)
    return float(np.exp(found))


def _points(size: float) -> str:
    return f"{100 * size:.3g} points"


def _place(where: Where) -> str:
    named = " and ".join(f"{column} = {value}" for column, value in where)
    return f"where {named}" if named else "over all rows"


def _mass(rows: Rows, group: Bools) -> float:
    return float(np.count_nonzero(group) if rows.weight is None else rows.weight[group].sum())


def _drawn(order: Ints, rows: Rows, target: float, rng: np.random.Generator) -> Ints:
    """The first rows of an order that weigh ``target``; the last is taken by chance.

    Its chance is what is left of the target over its weight, so that the weight is right on
    average.
    """
    weight = np.ones(len(order)) if rows.weight is None else rows.weight[order]
    last = weight * rng.random()
    return order[np.cumsum(weight) - last <= target * (1 + 1e-12)]


def _best(student: Predictions, rows: Ints, allowed: Bools, rng: np.random.Generator) -> Ints:
    """(K,) of the classes allowed to each row, the most probable; any, of a student of labels."""
    liking = (
        rng.random(allowed.shape) if student.probabilities is None else student.probabilities[rows]
    )
    return np.asarray(np.argmax(np.where(allowed, liking, -1.0), axis=1), dtype=np.int64)


def _answering(evidence: Evidence, rows: Ints, chosen: Ints) -> Evidence:
    """The student answers ``chosen`` on some rows, whatever variant of them it is shown."""

    def change(student: Predictions) -> Predictions:
        given = rows[student.answer[rows] >= 0]
        new, old = chosen[student.answer[rows] >= 0], student.answer[given]
        answer = student.answer.copy()
        answer[given] = new
        if student.probabilities is None:
            return replace(student, answer=answer)
        probabilities = student.probabilities.copy()
        probabilities[given, new], probabilities[given, old] = (
            student.probabilities[given, old],
            student.probabilities[given, new],
        )
        return replace(student, answer=answer, probabilities=probabilities)

    return _changed(evidence, change)


def _sure(student: Predictions, rows: Ints) -> Predictions:
    """The answers to some rows, each with confidence 0.99; the other classes share the rest."""
    if student.probabilities is None:
        return student
    given = rows[student.valid[rows]]
    probabilities = student.probabilities.copy()
    others = probabilities[given]
    others[np.arange(len(given)), student.answer[given]] = 0.0
    rest = others.sum(axis=1, keepdims=True)
    even = np.where(rest > 0, rest, 1.0)
    probabilities[given] = others / even * (1 - SURE)
    probabilities[given, student.answer[given]] = np.where(rest[:, 0] > 0, SURE, 1.0)
    return replace(student, probabilities=probabilities)


def _changed(evidence: Evidence, change: Callable[[Predictions], Predictions]) -> Evidence:
    """The same evidence of another student: as it was shown the rows, and in every variant."""
    return replace(
        evidence,
        kinds={
            need: replace(trio, student=change(trio.student))
            if isinstance(trio.student, Predictions)
            else trio
            for need, trio in evidence.kinds.items()
        },
    )
