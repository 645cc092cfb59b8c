"""Whether there is anything to compare answers with."""

import numpy as np

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Predictions
from kdaudit.evidence.view import Evidence
from kdaudit.results import Need


def unlabelled(evidence: Evidence) -> NotMeasured | None:
    """Why labels cannot be compared with, if they cannot."""
    rows = evidence.rows
    if not rows.classes:
        return NotMeasured("the subjects gave scores per row, and no answers")
    if len(np.unique(rows.label)) < 2:
        only = rows.classes[int(rows.label[0])]
        return NotMeasured(
            f"every audited row has the label {only!r}; one class says nothing of the others"
        )
    trio = evidence[Need(kind="predictions")]
    for role, subject in (("teacher", trio.teacher), ("student", trio.student)):
        if isinstance(subject, Predictions):
            answered = subject.valid
            if answered.any() and np.array_equal(subject.answer[answered], rows.label[answered]):
                return NotMeasured(
                    f"the labels equal the {role}'s answers on every row: they would measure "
                    "imitation, not truth; label the rows independently"
                )
    return None
