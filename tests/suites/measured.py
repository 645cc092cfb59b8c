"""What tests of suites read off a result."""

from kdaudit.estimate import Estimate
from kdaudit.results import Finding, SuiteResult


def finding(result: SuiteResult, address: str) -> Finding:
    """The one finding at an address."""
    (found,) = [one for one in result.findings if one.address == address]
    return found


def findings(result: SuiteResult) -> dict[str, Finding]:
    """All findings by address."""
    return {one.address: one for one in result.findings}


def estimate(measured: object) -> Estimate:
    """What must have been measured."""
    assert isinstance(measured, Estimate), measured
    return measured
