"""Decide measured results: verdicts, outcome, and the limitations that follow from them."""

from dataclasses import replace

from kdaudit.contract import Policy, judge, overall
from kdaudit.limitations import limitations
from kdaudit.results import Results


def decided(results: Results, policy: Policy) -> Results:
    """The same results, decided by their contract and a policy.

    Args:
        results: what was measured; whatever verdicts it has are replaced.
        policy: which undecided outcomes block.
    """
    verdicts = judge(results.contract, results.suites, results.alpha, policy, only=results.only)
    outcome, code = overall(results.contract, verdicts, results.suites)
    return replace(
        results,
        policy=policy.name,
        verdicts=verdicts,
        outcome=outcome,
        exit_code=int(code),
        limitations=limitations(results, verdicts),
    )
