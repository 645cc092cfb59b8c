"""Agreement: how often do student and teacher give the same answer?

Findings
    AGR001  top-1 agreement: share of rows answered alike (higher is better)

Options
    break_down  raise instead of measuring, to show what a crash looks like (default false)

Source
    Stanton et al. 2021, "Does knowledge distillation really work?"

Limits
    Agreement says nothing of who is right. It is a value of the pair: the teacher's own is one.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Predictions
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.measure import not_measured, result, share_of_rows
from kdaudit.results import Better, Endpoint, Need, SuiteResult

AGR001 = Endpoint(
    code="AGR001", metric="top-1 agreement", unit="share of rows", better=Better.HIGHER
)
PREDICTIONS = Need(kind="predictions")


@dataclass(frozen=True, slots=True)
class Agreement:
    """The suite and its options."""

    break_down: bool = False

    name: ClassVar[str] = "agreement"
    codes: ClassVar[tuple[Endpoint, ...]] = (AGR001,)

    def needs(self) -> tuple[Need, ...]:
        """Predictions on the audit split."""
        return (PREDICTIONS,)

    def run(self, evidence: Evidence, streams: Streams) -> SuiteResult:
        """Measure; see the module's page."""
        del streams
        if self.break_down:
            raise RuntimeError("as it was asked to")
        trio = evidence[PREDICTIONS]
        student, teacher = trio.student, trio.teacher
        if not isinstance(student, Predictions) or not isinstance(teacher, Predictions):
            absent = student if isinstance(student, NotMeasured) else teacher
            assert isinstance(absent, NotMeasured)
            return result(self, [not_measured(AGR001, (), absent.reason)])
        # An answer that is missing agrees with nothing.
        same = np.asarray((student.answer == teacher.answer) & student.valid, dtype=np.bool_)
        pair = "agreement is of the pair"
        return result(self, [share_of_rows(AGR001, evidence, same, of_pair=pair)])
