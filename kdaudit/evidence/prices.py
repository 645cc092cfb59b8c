"""What serving costs, as declared: nothing here is looked up or guessed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kdaudit.estimate import NotMeasured

if TYPE_CHECKING:
    from kdaudit.evidence.view import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one subject costs: by the hour of its machine, by the token, or both.

    Attributes:
        hourly: of the machine that serves it, or None.
        utilisation: share of the paid hours in which it serves requests, in (0, 1].
        per_million_in: of a million tokens of prompts.
        per_million_out: of a million tokens of answers.
    """

    hourly: float | None = None
    utilisation: float = 1.0
    per_million_in: float = 0.0
    per_million_out: float = 0.0

    @property
    def by_token(self) -> bool:
        """Whether tokens are paid for."""
        return self.per_million_in > 0 or self.per_million_out > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The price table of an audit.

    Attributes:
        currency: of all prices.
        source: where they are from, and of which day.
        subjects: by role.
        distillation: what making the student cost, or why that is not known.
        distillation_by: how it was reckoned, in words.
    """

    currency: str
    source: str
    subjects: "Mapping[Role, Price]"
    distillation: float | NotMeasured
    distillation_by: str

    def of_teacher_alone(self) -> "Prices":
        """The same with the teacher in the student's place."""
        teacher = self.subjects.get("teacher")
        if teacher is None:
            return replace(self, subjects={})
        return replace(self, subjects={"student": teacher, "teacher": teacher})
