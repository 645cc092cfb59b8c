"""Distil a student, audit it against its teacher, decide whether it may ship, keep the evidence."""

from typing import TYPE_CHECKING

from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.results import Finding, Outcome, Results, SuiteResult, Verdict

if TYPE_CHECKING:
    from kdaudit.tables import audit

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
    # Its module has another name: a submodule `kdaudit.audit` would take the function's place.
    if name == "audit":
        from kdaudit.tables import audit

        return audit
    raise AttributeError(f"module 'kdaudit' has no attribute {name!r}")
