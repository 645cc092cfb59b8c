"""Verdicts as test cases, for the systems that show JUnit XML beside a change.

A check that is not met is a failure; one that could not be decided and blocks is an error, because
"nothing measured" must be red too; one that does not block is skipped, with its reason.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from xml.etree import ElementTree as ET

from kdaudit.estimate import Estimate
from kdaudit.results import Check, Limit, Outcome, Results, Verdict
from kdaudit.run import Run
from kdaudit_reports.held import measured_text
from kdaudit_reports.index import Index, index
from kdaudit_reports.limits import statement
from kdaudit_reports.text import PROSE, line

NO_SUITE = "contract"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case; ``kind`` is ``failure``, ``error``, ``skipped`` or empty."""

    suite: str
    classname: str
    name: str
    kind: str = ""
    message: str = ""
    detail: str = ""
    properties: tuple[tuple[str, str], ...] = ()


def render(results: Results, run: Run) -> str:
    """Render the XML. Pure: same arguments, same bytes."""
    cases = _unique([*_verdicts(results, index(results)), *_crashes(results), *_nothing(results)])
    root = ET.Element("testsuites", {"name": f"kdaudit {line(results.name)}", **_counts(cases)})
    for suite in dict.fromkeys(case.suite for case in cases):
        own = [case for case in cases if case.suite == suite]
        started = {"timestamp": line(run.started)}
        element = ET.SubElement(root, "testsuite", {"name": suite, **_counts(own), **started})
        for case in own:
            _write(element, case)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _verdicts(results: Results, where: Index) -> Iterator[Case]:
    for verdict in results.verdicts:
        check = results.contract[verdict.check]
        suite = _suite(where, check.code)
        kind, detail = _kind(verdict), line(verdict.reason, PROSE)
        finding = where.findings.get(verdict.address)
        told = statement(check, finding or where.example(check.code))
        yield Case(
            suite=f"kdaudit.{suite}",
            classname=f"kdaudit.{suite}.{line(check.code)}",
            name=f"{line(verdict.address, 200)} {_limit(check)}",
            kind=kind,
            message=f"{verdict.outcome.replace('_', ' ')}: {detail}" if kind else "",
            detail=f"{told} Measured: {measured_text(check, verdict, finding)}.",
            properties=tuple(_properties(verdict)),
        )


def _crashes(results: Results) -> Iterator[Case]:
    for suite in results.suites:
        if suite.error is not None:
            name = f"kdaudit.{line(suite.suite)}"
            yield Case(
                suite=name,
                classname=name,
                name="the suite ran",
                kind="error",
                message=line(suite.error, PROSE),
                detail="What this suite would have measured is unknown.",
            )


def _nothing(results: Results) -> Iterator[Case]:
    """An empty report would be green; an audit that decided nothing is not."""
    if not any(check.declared for check in results.contract):
        yield Case(
            suite=f"kdaudit.{NO_SUITE}",
            classname=f"kdaudit.{NO_SUITE}",
            name="a contract is declared",
            kind="error",
            message="no contract declared, so nothing was decided",
            detail="Declare what the student must keep in [[contract]] of the audit file.",
        )


def _kind(verdict: Verdict) -> str:
    if verdict.outcome is Outcome.PASS:
        return ""
    if not verdict.blocks:
        return "skipped"
    return "failure" if verdict.outcome is Outcome.FAIL else "error"


def _suite(where: Index, code: str) -> str:
    owner = where.owners.get(code)
    return line(owner.suite) if owner is not None else NO_SUITE


def _limit(check: Check) -> str:
    reference = f" against {check.against}" if check.limit in (Limit.MARGIN, Limit.KEEP) else ""
    return f"{check.limit} {check.value!r}{reference}"


def _properties(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """Unrounded numbers, for machines."""
    yield "outcome", verdict.outcome
    yield "limit", repr(verdict.limit)
    if isinstance(verdict.measured, Estimate):
        for name in ("value", "low", "high", "n", "level"):
            yield name, repr(getattr(verdict.measured, name))
        yield "method", line(verdict.measured.method)
    if verdict.p_exceeded is not None:
        yield "p_exceeded", repr(verdict.p_exceeded)
    if verdict.needed_n is not None:
        yield "needed_n", repr(verdict.needed_n)


def _unique(cases: Sequence[Case]) -> list[Case]:
    """GitLab shows only the first of two cases of one name, so names are numbered."""
    seen: dict[tuple[str, str], int] = {}
    named = []
    for case in cases:
        key = (case.classname, case.name)
        seen[key] = seen.get(key, 0) + 1
        again = f" #{seen[key]}" if seen[key] > 1 else ""
        named.append(replace(case, name=case.name + again))
    return named


def _counts(cases: Sequence[Case]) -> dict[str, str]:
    kinds = [case.kind for case in cases]
    return {
        "tests": str(len(kinds)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
    }


def _write(parent: ET.Element, case: Case) -> None:
    element = ET.SubElement(parent, "testcase", {"classname": case.classname, "name": case.name})
    if case.properties:
        properties = ET.SubElement(element, "properties")
        for name, value in case.properties:
            ET.SubElement(properties, "property", {"name": name, "value": value})
    if case.kind:
        problem = ET.SubElement(element, case.kind, {"message": case.message})
        problem.text = case.detail
    elif case.detail:
        ET.SubElement(element, "system-out").text = case.detail
