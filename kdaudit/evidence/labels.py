"""Whether there is anything to compare answers with."""

import numpy as np

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Predictions
from kdaudit.evidence.view import PREDICTIONS, Evidence

# A student that hardly ever errs where the model it learnt from often does has seen the labels.
NEARLY, FEWEST = 0.005, 20


def unlabelled(evidence: Evidence) -> NotMeasured | None:
    """Why labels cannot be compared with, if they cannot.

    Labels that equal a subject's answers are taken for copies of these, unless the audit file
    declares that people or outcomes gave them: then a subject may simply be right, and the card
    says so.
    """
    rows = evidence.rows
    if not rows.classes:
        return NotMeasured("no subject answers with a class")
    if len(np.unique(rows.label)) < 2:
        only = rows.classes[int(rows.label[0])]
        return NotMeasured(
            f"every audited row has the label {only!r}; one class says nothing of the others"
        )
    if evidence.independent:
        return None
    trio = evidence[PREDICTIONS]
    for role, subject in (("teacher", trio.teacher), ("student", trio.student)):
        if isinstance(subject, Predictions):
            answered = subject.valid
            if answered.any() and np.array_equal(subject.answer[answered], rows.label[answered]):
                return NotMeasured(
                    f"the labels equal the {role}'s answers on every row: they would measure "
                    "imitation, not truth; label the rows independently, and say who labelled them "
                    "as label_source under [data]"
                )
    if isinstance(trio.teacher, Predictions) and isinstance(trio.student, Predictions):
        # Counted so that no answer left out makes a copy look like less of one.
        ours = int(np.count_nonzero((trio.student.answer != rows.label) & trio.student.valid))
        theirs = int(np.count_nonzero(trio.teacher.answer != rows.label))
        if ours <= NEARLY * len(rows.label) and theirs >= max(FEWEST, 10 * ours):
            return NotMeasured(
                f"the labels are the student's answers on all but {ours} of {len(rows.label)} "
                f"rows, while its teacher differs on {theirs}: they look copied from the student; "
                "label the rows independently, and say who labelled them as label_source under "
                "[data]"
            )
    return None
