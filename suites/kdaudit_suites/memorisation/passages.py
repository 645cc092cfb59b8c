"""The texts that a model may have memorised: how each begins and goes on, and who learnt it."""

from dataclasses import dataclass

import numpy as np

from kdaudit.errors import examples, unknown
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Ints, Strings
from kdaudit.evidence.view import Evidence, Questions

YES, NO = frozenset(("yes", "true", "member")), frozenset(("no", "false", "non-member"))


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
        if column not in evidence.rows.attributes:
            return NotMeasured(unknown("column of member", column, evidence.rows.attributes))
        cells = evidence.rows.column(column)
        said = [value.casefold() for value in cells.values]
        strange = [v for v, plain in zip(cells.values, said, strict=True) if plain not in YES | NO]
        if strange:
            return NotMeasured(
                f"the column {column!r} says yes or no of every text; it holds {examples(strange)}"
            )
        # The last entry stands for the code -1 of an empty cell: nobody knows.
        inside, outside = ([one in known for one in said] + [False] for known in (YES, NO))
        return cls(
            evidence=evidence,
            asked=asked,
            members=np.array(inside, dtype=np.bool_)[cells.codes],
            others=np.array(outside, dtype=np.bool_)[cells.codes],
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
