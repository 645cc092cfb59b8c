"""Where things are in one audit: findings, their anchors, and the limits that bear on them."""

from collections.abc import Mapping
from dataclasses import dataclass

from kdaudit.estimate import Estimate
from kdaudit.results import Better, Check, Finding, Limit, Results, SuiteResult
from kdaudit_reports.text import anchors


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Limits that printed numbers of one finding may not appear to cross."""

    student: tuple[float, ...] = ()
    difference: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Look-ups every view needs.

    Attributes:
        findings: by address.
        anchors: by address; the id of the finding's row on the card.
        owners: suite that declares or reports each code.
        near: by address.
        sections: by suite; the id of its section on the card.
        labelled: whether only some of the rows have a label.
    """

    findings: Mapping[str, Finding]
    anchors: Mapping[str, str]
    owners: Mapping[str, SuiteResult]
    near: Mapping[str, Near]
    sections: Mapping[str, str]
    labelled: bool = False

    def example(self, code: str) -> Finding | None:
        """Any finding of a code: its metric and unit are those of all."""
        return next((f for f in self.findings.values() if f.code == code), None)

    def worst(self, code: str) -> Finding | None:
        """The finding of a code in which the student loses most; None if it loses nowhere."""
        harms = [
            (harm(finding), finding)
            for finding in self.findings.values()
            if finding.code == code and finding.where
        ]
        most = max(harms, key=lambda pair: pair[0], default=None)
        return most[1] if most is not None and most[0] > 0 else None


def index(results: Results) -> Index:
    """Index the results once."""
    findings = {finding.address: finding for finding in results.findings()}
    owners: dict[str, SuiteResult] = {}
    for suite in results.suites:
        for code in (*suite.codes, *(finding.code for finding in suite.findings)):
            owners.setdefault(code, suite)
    return Index(
        findings=findings,
        anchors=anchors(findings, "f"),
        owners=owners,
        near=_near(results, findings),
        labelled=results.data.labelled is not None,
        sections=anchors((suite.suite for suite in results.suites), "suite"),
    )


def harm(finding: Finding) -> float:
    """How much worse the student is than the teacher; 0 where nothing was measured."""
    student, teacher, difference = finding.student, finding.teacher, finding.difference
    if finding.better is Better.ZERO:
        if isinstance(student, Estimate) and isinstance(teacher, Estimate):
            return abs(student.value) - abs(teacher.value)
        return 0.0
    if not isinstance(difference, Estimate):
        return 0.0
    return -difference.value if finding.better is Better.HIGHER else difference.value


def _near(results: Results, findings: Mapping[str, Finding]) -> dict[str, Near]:
    near: dict[str, Near] = {}
    for verdict in results.verdicts:
        finding = findings.get(verdict.address)
        if finding is None:
            continue
        known = near.get(verdict.address, Near())
        extra = _limits(results.contract[verdict.check], finding.better)
        near[verdict.address] = Near(
            student=known.student + extra.student, difference=known.difference + extra.difference
        )
    return near


def _limits(check: Check, better: Better) -> Near:
    """On the scales of the finding itself, which are not always the scale that decides."""
    if check.limit is Limit.KEEP:
        return Near()
    if check.limit is Limit.MARGIN:
        if better is Better.ZERO or check.against != "teacher":
            return Near()
        return Near(difference=(-check.value if better is Better.HIGHER else check.value,))
    if better is Better.ZERO:
        return Near(student=(check.value, -check.value))
    return Near(student=(check.value,))
