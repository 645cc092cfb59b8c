"""Stored results: whether their verdicts follow from their findings and their contract."""

import math
from dataclasses import replace
from pathlib import Path

from kdaudit.contract import STRICT, Policy, judge, overall
from kdaudit.errors import DamagedError
from kdaudit.estimate import Estimate
from kdaudit.governance.environment import versions
from kdaudit.results import Results, Verdict

NEAR = 1e-9  # relative; another version of a library may round otherwise


def verified(results: Results, path: Path) -> Results:
    """The results, if their verdicts follow from their findings.

    Raises:
        DamagedError: if they do not.
    """
    if rule_of(results) is None:
        raise DamagedError(
            f"{path} was changed: its verdicts do not follow from its findings and its contract; "
            "run the audit again"
        )
    return results


def rule_of(results: Results) -> Policy | None:
    """The policy under which the stored verdicts and outcome follow from the stored findings.

    None where they follow under no policy: then something was changed by hand. What a policy
    says stands in the audit file only, so the one that a name stood for is found by trying.
    Results of other versions are held to their numbers and outcomes, not to their words.
    """
    words = dict(results.versions) == versions()
    for inconclusive, not_evaluable in ((True, True), (False, True), (True, False), (False, False)):
        rule = Policy(
            name=results.policy,
            inconclusive_blocks=inconclusive,
            not_evaluable_blocks=not_evaluable,
        )
        if results.policy is None and rule != STRICT:
            return None
        found = judge(results.contract, results.suites, results.alpha, rule, only=results.only)
        outcome, code = overall(results.contract, found, results.suites)
        same = len(found) == len(results.verdicts) and all(
            _same(one, other, words=words)
            for one, other in zip(found, results.verdicts, strict=True)
        )
        if same and (outcome, int(code)) == (results.outcome, results.exit_code):
            return rule
    return None


def _same(found: Verdict, stored: Verdict, *, words: bool) -> bool:
    if words or found == stored:
        return found == stored
    a, b = found.measured, stored.measured
    if isinstance(a, Estimate) and isinstance(b, Estimate):
        numbers = all(
            math.isclose(getattr(a, end), getattr(b, end), rel_tol=NEAR, abs_tol=NEAR)
            for end in ("value", "low", "high", "n", "level")
        )
    else:
        numbers = type(a) is type(b)
    alike = replace(
        found,
        measured=b,
        reason=stored.reason,
        p_exceeded=stored.p_exceeded,
        needed_n=stored.needed_n,
    )
    return numbers and alike == stored
