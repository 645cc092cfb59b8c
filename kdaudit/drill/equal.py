"""A student that is as good as its teacher: what a harm is planted in.

Planted in the student as it was audited, a harm would be seen as often as that student's luck adds
to it: of a student that won 2 points by chance a loss of 5 shows as 3. What an audit *could* have
seen does not depend on it. So in every trial a coin says for each row that was drawn, or for each
cluster, whether student and teacher change places: the two are then alike in every respect, and
differ as often as they do. A harm is done to both beforehand, and shows in whoever is the student.
"""

from dataclasses import dataclass, replace

import numpy as np

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Predictions
from kdaudit.evidence.view import Evidence, Kind, Trio

Answers = Kind | NotMeasured


def exchanged(evidence: Evidence) -> Evidence:
    """The teacher in the student's place, and the other way round, where both gave answers."""
    outside, validation = evidence.outside, evidence.validation
    return replace(
        evidence,
        kinds={need: _exchanged(trio) for need, trio in evidence.kinds.items()},
        outside=None if outside is None else exchanged(outside),
        validation=None if validation is None else exchanged(validation),
    )


def _exchanged(trio: Trio) -> Trio:
    if not _comparable(trio.student, trio.teacher):
        return trio
    return replace(trio, student=trio.teacher, teacher=trio.student)


def _comparable(one: Answers, other: Answers) -> bool:
    """Whether one's answers can stand for the other's: probabilities for probabilities."""
    return (
        isinstance(one, Predictions)
        and isinstance(other, Predictions)
        and (one.probabilities is None) == (other.probabilities is None)
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coins:
    """Who is the student, row by row of a resample.

    Attributes:
        heads: (M,) rows on which the teacher is.
        outside: likewise of the out-of-scope rows, or None without such rows.
    """

    heads: Bools
    outside: "Coins | None" = None

    @classmethod
    def toss(cls, evidence: Evidence, rng: np.random.Generator) -> "Coins":
        """One coin for each row, or cluster."""
        rows, outside = evidence.rows, evidence.outside
        units = np.arange(len(rows)) if rows.cluster is None else rows.cluster
        return cls(
            heads=(rng.random(int(units.max(initial=-1)) + 1) < 0.5)[units],
            outside=None if outside is None else cls.toss(outside, rng),
        )

    def student(self, evidence: Evidence, one: Evidence, other: Evidence) -> Evidence:
        """The evidence with a student that is ``other``'s where the coin says so, else ``one``'s.

        Args:
            evidence: the resample.
            one: the same with a harmed student.
            other: the same with subjects `exchanged`, and then harmed.
        """
        outside = evidence.outside
        if outside is not None and self.outside is not None:
            assert one.outside is not None
            assert other.outside is not None
            outside = self.outside.student(outside, one.outside, other.outside)
        return replace(
            evidence,
            kinds={
                need: replace(
                    trio,
                    student=self._mixed(one.kinds[need].student, other.kinds[need].student),
                    teacher=self._mixed(trio.teacher, trio.student),
                )
                for need, trio in evidence.kinds.items()
            },
            outside=outside,
            validation=one.validation,
        )

    def _mixed(self, one: Answers, other: Answers) -> Answers:
        """One's answers, and the other's where the coin says so and there is one."""
        if not _comparable(one, other):
            return one
        assert isinstance(one, Predictions)
        assert isinstance(other, Predictions)
        # A row that one of them left unanswered stays with whom it is.
        trade = self.heads & one.valid & other.valid
        probabilities = one.probabilities
        if probabilities is not None and other.probabilities is not None:
            probabilities = np.where(trade[:, None], other.probabilities, probabilities)
        answer = np.where(trade, other.answer, one.answer)
        return replace(one, answer=answer, probabilities=probabilities)
