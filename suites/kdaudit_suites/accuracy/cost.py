"""What wrong answers cost, by label and answer."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.errors import unknown
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Floats, Predictions
from kdaudit.evidence.view import Evidence, Trio
from kdaudit.scores import Score, Scores, absence


@dataclass(frozen=True, slots=True, eq=False)
class CostMatrix:
    """(C, C) cost of answering column where the label is row; any sign, finite."""

    cells: Floats

    @classmethod
    def of(
        cls, cost: Mapping[str, Mapping[str, float]], classes: tuple[str, ...]
    ) -> "CostMatrix | NotMeasured":
        """The matrix in the order of the classes; what is not named costs nothing."""
        cells = np.zeros((len(classes), len(classes)))
        for label, answers in cost.items():
            for answer, value in answers.items():
                for name in (label, answer):
                    if name not in classes:
                        said = unknown("class", name, classes)
                        return NotMeasured(f"[suites.accuracy] cost: {said}")
                if not np.isfinite(value):
                    return NotMeasured(
                        f"[suites.accuracy] cost of {answer!r} where the label is {label!r} is "
                        f"{value}; it must be finite"
                    )
                cells[classes.index(label), classes.index(answer)] = value
        if cells.min() == cells.max():
            return NotMeasured("[suites.accuracy] cost: every answer costs the same")
        return cls(cells)


def costs(matrix: CostMatrix, evidence: Evidence, trio: Trio) -> Scores:
    """Each subject's cost per row."""
    scores: dict[Subject, Score | NotMeasured] = {}
    for who in ORDER:
        kind = trio.of(who)
        scores[who] = (
            Score(
                values=matrix.cells[evidence.rows.label, np.maximum(kind.answer, 0)],
                valid=kind.valid,
                low=float(matrix.cells.min()),
                high=float(matrix.cells.max()),
            )
            if isinstance(kind, Predictions)
            else absence(kind)
        )
    return scores
