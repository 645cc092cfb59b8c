"""Numbers that carry their uncertainty, and the honest absence of a number."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with a two-sided confidence interval, from n units.

    Attributes:
        value: the point estimate, in the unit of its finding.
        low: lower end of the interval; at most ``high``.
        high: upper end of the interval.
        n: rows the value rests on; 1 for a thing counted once, such as a file size.
        level: two-sided coverage in (0, 1]; 1 where the value is counted, not estimated.
        method: how the interval was made, e.g. ``"Tango score"``; part of the claim.

    Raises:
        ValueError: for a value or bound that is not finite, or low above high.

    >>> Estimate(value=0.9, low=0.85, high=0.94, n=200, level=0.9, method="Wilson score").n
    200
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    value: float
    low: float
    high: float
    n: int
    level: float
    method: str
    kind: Literal["estimate"] = "estimate"

    def __post_init__(self) -> None:
        # Written as `not (good)` so that NaN is refused too.
        if not all(map(math.isfinite, (self.value, self.low, self.high))):
            raise ValueError(f"an Estimate is finite, or it is NotMeasured: {self}")
        if not (self.low <= self.high and 0 < self.level <= 1 and self.n >= 1):
            raise ValueError(f"an Estimate has low <= high, 0 < level <= 1 and n >= 1: {self}")


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """No number, and why. A check treats it as a failure to show, never as a pass.

    Attributes:
        reason: one sentence.
        n: rows that were there, where that is known: a group can be large and yet say nothing.
        wiped: independent units, where there are too few for an interval, and in every row of all
            of them the teacher is right and the student wrong; else 0.

    >>> NotMeasured("the subject is a predictions file, which carries no timing").reason[:11]
    'the subject'
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    reason: str
    n: int | None = None
    wiped: int = 0
    kind: Literal["not_measured"] = "not_measured"


Measurement = Estimate | NotMeasured
