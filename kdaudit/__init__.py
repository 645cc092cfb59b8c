"""Distil a student, audit it against its teacher, decide whether it may ship, keep the evidence."""

from typing import TYPE_CHECKING

from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.results import Finding, Outcome, Results, SuiteResult, Verdict

if TYPE_CHECKING:
    from kdaudit.audit import audit

__all__ = [
    "Estimate",
    "Finding",
    "Measurement",
    "NotMeasured",
    "Outcome",
    "Results",
    "SuiteResult",
    "Verdict",
    "audit",
]


def __getattr__(name: str) -> object:
    # `kdaudit --help` must not pay for pandas, so the one public function loads when asked for.
    if name == "audit":
        from kdaudit.audit import audit

        return audit
    raise AttributeError(f"module 'kdaudit' has no attribute {name!r}")
