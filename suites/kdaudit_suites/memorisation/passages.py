"""The texts that a model may have memorised: how each begins and goes on, and who learnt it."""

from dataclasses import dataclass

import numpy as np

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Ints, Strings
from kdaudit.evidence.marks import marks
from kdaudit.evidence.view import Evidence, Questions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Passages:
    """The rows that the suite looks at.

    Attributes:
        evidence: their evidence, weights, clusters and level.
        asked: how each text begins, and how it goes on.
        members: (N,) rows that the teacher was trained on; all, where no column says.
        others: (N,) rows that it was not trained on; None where no column says.
        column: the column that says.
    """

    evidence: Evidence
    asked: Questions
    members: Bools
    others: Bools | None
    column: str | None

    @classmethod
    def of(cls, evidence: Evidence, column: str | None) -> "Passages | NotMeasured":
        """The rows of the evidence, or why they cannot be read.

        Args:
            evidence: of the texts.
            column: which of `slices` or `sensitive` says what was trained on, if any.
        """
        asked = evidence.rows.questions
        if asked is None:
            return NotMeasured("no subject has generated text or likelihoods")
        n = len(evidence.rows)
        if column is None:
            return cls(
                evidence=evidence,
                asked=asked,
                members=np.ones(n, dtype=np.bool_),
                others=None,
                column=None,
            )
        said = marks(
            evidence.rows, column, option="member", of="text", yes=["member"], no=["non-member"]
        )
        if isinstance(said, NotMeasured):
            return said
        members, others = said
        return cls(
            evidence=evidence,
            asked=asked,
            members=members,
            others=others,
            column=column,
        )

    @property
    def continued(self) -> Bools:
        """(N,) rows of which it is known how they go on."""
        truth = self.asked.answers
        if truth is None:
            return np.zeros(len(self.members), dtype=np.bool_)
        return np.array([bool(one) for one in truth], dtype=np.bool_)

    @property
    def texts(self) -> Strings:
        """(N,) the whole text of each row, as far as it is known; empty where it is not."""
        made = np.full(len(self.members), "", dtype=object)
        for row, spot in enumerate(self.spots):
            choices = self.asked.choices
            if choices is not None and spot >= 0:
                made[row] = f"{self.asked.prompt[row]} {choices[row][spot]}".strip()
        return made

    @property
    def spots(self) -> Ints:
        """(N,) which choice is the text itself: the true one, or the only one; -1 for none."""
        choices, truth = self.asked.choices, self.asked.answers
        if choices is None:
            return np.full(len(self.members), -1, dtype=np.int64)
        found = [
            next((i for i, choice in enumerate(row) if truth is not None and choice in known), -1)
            for row, known in zip(choices, choices if truth is None else truth, strict=True)
        ]
        return np.array(
            [
                0 if spot < 0 and len(row) == 1 else spot
                for spot, row in zip(found, choices, strict=True)
            ],
            dtype=np.int64,
        )
