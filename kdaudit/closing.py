"""The word that ends a command: what was decided, and what is let pass."""

from kdaudit.contract import judge
from kdaudit.results import Outcome, Results

WORDS = {
    Outcome.PASS: "PASS",
    Outcome.FAIL: "FAIL",
    Outcome.INCONCLUSIVE: "INCONCLUSIVE",
    Outcome.NOT_EVALUABLE: "NOT EVALUABLE",
    Outcome.ERROR: "ERROR",
}


def closing(results: Results) -> str:
    """The last line of a command, before the path: a green word never hides a red number."""
    word = WORDS[results.outcome]
    if results.exit_code == 0 and results.policy is not None:
        strict = judge(results.contract, results.suites, results.alpha, only=results.only)
        warned = sum(verdict.blocks for verdict in strict)
        if warned:
            return f"WARN ({warned} undecided, which policy {results.policy} lets pass)"
    if not any(check.declared for check in results.contract):
        return f"{word} (no check is declared)"
    failed = {
        verdict.check
        for verdict in results.verdicts
        if verdict.outcome is Outcome.FAIL and not verdict.blocks
    }
    if results.exit_code == 0 and failed:
        checks = "1 check that does" if len(failed) == 1 else f"{len(failed)} checks that do"
        return f"{word} ({checks} not block failed)"
    return word
