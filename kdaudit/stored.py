"""Stored results: whether what they say follows from what every finding rests on."""

import math
from dataclasses import replace
from functools import partial
from pathlib import Path

from kdaudit.basis import ORDER, difference, own
from kdaudit.contract import STRICT, Policy
from kdaudit.decision import decided
from kdaudit.errors import DamagedError
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.governance.environment import versions
from kdaudit.results import (
    Basis,
    Finding,
    Fixed,
    LeastRatio,
    Means,
    Outcome,
    PartlyLabelled,
    Results,
    Severity,
    Table,
    Verdict,
)

CURRENT = 2  # format of results; 1 was decided by other rules
NEAR = 1e-9  # relative; another version of a library may round otherwise


def verified(results: Results, path: Path) -> Results:
    """The results, if numbers, verdicts and limitations follow from the bases of the findings.

    Results of an earlier format were decided by other rules. Their numbers must follow; verdicts
    and limitations are made anew, and a limitation says so.

    Raises:
        DamagedError: if they do not.
    """
    findings = (finding for suite in results.suites for finding in suite.findings)
    try:
        wrong = next((one.address for one in findings if not _shows_its_basis(one)), None)
        said = wrong and f"the numbers of {wrong} do not follow from its basis"
        if results.format < CURRENT and not said:
            said = _not_of_format_1(results)
        rule = None if said else rule_of(results)
        if rule is not None and results.format < CURRENT:
            return decided(results, rule)
        if not said and rule is None:
            said = "its verdicts and limitations do not follow from its findings and its contract"
    except (ValueError, ArithmeticError) as error:  # counts below 0, an alpha of 2
        said = f"its numbers do not follow from its findings ({error})"
    if said:
        raise DamagedError(
            f"{path} was changed, or written by another state of kdaudit: {said}; run the audit "
            "again"
        )
    return results


def _not_of_format_1(results: Results) -> str | None:
    """Why results that say they are of format 1 are not what that format decided, or None.

    They cannot be decided again by its rules. So it is asked whether they hold what it never had,
    and whether each verdict is of the contract and the alpha that stand beside it.
    """
    newer = results.look or results.data.labelled or results.data.judged
    bases = (finding.basis for suite in results.suites for finding in suite.findings)
    if newer or any(map(_is_newer, bases)):
        return "it says format 1, and holds what only later formats have"
    strange = (one.address for one in results.verdicts if not _fits(one, results))
    address = next(strange, None)
    return address and f"{address} was decided by another contract or alpha than it holds"


def _is_newer(basis: Basis) -> bool:
    if isinstance(basis, Means):
        return basis.dependence is not None or not basis.own_known
    if isinstance(basis, Fixed):
        return basis.least_p is not None
    return isinstance(basis, LeastRatio | PartlyLabelled)


def _fits(verdict: Verdict, results: Results) -> bool:
    """Whether limit, level and severity of a verdict are those of its check."""
    check, measured = results.contract[verdict.check], verdict.measured
    if not math.isclose(verdict.limit, check.value, rel_tol=NEAR, abs_tol=NEAR):
        return False
    level = measured.level if isinstance(measured, Estimate) else 1.0
    if level < 1 and not math.isclose(level, 1 - 2 * results.alpha, rel_tol=NEAR):
        return False
    stops = verdict.blocks or verdict.outcome is Outcome.FAIL
    return not stops or verdict.blocks == (check.severity is Severity.BLOCK)


def rule_of(results: Results) -> Policy | None:
    """The policy under which verdicts, outcome and limitations follow from the stored findings.

    None where they follow under no policy: then something was changed by hand. What a policy
    says stands in the audit file only, so the one that a name stood for is found by trying; for
    results of an earlier format, whose rules were others, it is the strict one if none gives their
    outcome.
    Results of other versions are held to their numbers and outcomes, not to their words.
    """
    words = dict(results.versions) == versions()
    old = results.format < CURRENT
    for inconclusive, not_evaluable in ((True, True), (False, True), (True, False), (False, False)):
        rule = Policy(
            name=results.policy,
            inconclusive_blocks=inconclusive,
            not_evaluable_blocks=not_evaluable,
        )
        if results.policy is None and rule != STRICT:
            break
        found = decided(results, rule)
        if old and (found.outcome, found.exit_code) == (results.outcome, results.exit_code):
            return rule
        same = len(found.verdicts) == len(results.verdicts) and all(
            _same(one, other, words=words)
            for one, other in zip(found.verdicts, results.verdicts, strict=True)
        )
        said = found.limitations == results.limitations or not words
        if (
            same
            and said
            and (found.outcome, found.exit_code)
            == (
                results.outcome,
                results.exit_code,
            )
        ):
            return rule
    return replace(STRICT, name=results.policy) if old else None


def _shows_its_basis(finding: Finding) -> bool:
    """Whether the printed intervals are those of the basis, as far as they claim to be.

    A value that was counted, or that holds by definition, names another method.
    """
    basis = finding.basis
    if isinstance(basis, PartlyLabelled):
        alone = replace(finding, basis=basis.own, difference=NotMeasured("of other rows"))
        nobody = NotMeasured("of the labelled rows")
        pair = replace(
            finding, basis=basis.compared, student=nobody, teacher=nobody, baseline=nobody
        )
        return _shows_its_basis(alone) and _shows_its_basis(pair)
    if not isinstance(basis, Table | Means):
        return True
    shown = [(getattr(finding, who), partial(own, basis, who)) for who in ORDER]
    # Of means on a log scale a suite may print the difference on the scale itself.
    if isinstance(basis, Table) or basis.scale != "log":
        shown.append((finding.difference, partial(difference, basis, "teacher")))
    return all(
        _near(stored, again)
        for stored, recomputed in shown
        if isinstance(stored, Estimate) and stored.level < 1
        if isinstance(again := recomputed(stored.level), Estimate) and again.method == stored.method
    )


def _near(one: Measurement, other: Measurement) -> bool:
    return type(one) is type(other) and (
        not (isinstance(one, Estimate) and isinstance(other, Estimate))
        or all(
            math.isclose(getattr(one, end), getattr(other, end), rel_tol=NEAR, abs_tol=NEAR)
            for end in ("value", "low", "high", "n", "level")
        )
    )


def _same(found: Verdict, stored: Verdict, *, words: bool) -> bool:
    if words or found == stored:
        return found == stored
    alike = replace(
        found,
        measured=stored.measured,
        reason=stored.reason,
        p_exceeded=stored.p_exceeded,
        needed_n=stored.needed_n,
    )
    return _near(found.measured, stored.measured) and alike == stored
