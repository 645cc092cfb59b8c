"""What the decision does not mean, and how its numbers were made."""

from collections.abc import Sequence

from kdaudit.estimate import Estimate
from kdaudit.results import Limit, Look, Results
from kdaudit.run import Run
from kdaudit_reports import drill
from kdaudit_reports.contract import Clause
from kdaudit_reports.sections import silent
from kdaudit_reports.text import line, listing, plural

WORN = 10  # students judged on the same rows, from which the card warns


def caveats(results: Results, run: Run, clauses: Sequence[Clause]) -> tuple[str, ...]:
    """Sentences for the box under the decision; each is true of this audit."""
    rows = plural(results.data.rows, "audited row")
    told = [
        f"It speaks of rows like the {rows}, not of other traffic or next year's."
        if results.data.rows
        else "No row was audited, so it speaks of nothing."
    ]
    told.append(_unmeasured(results))
    blocking = sum(clause.blocking for clause in clauses)
    if blocking:
        told.append(_risk(results.alpha, blocking))
        told.append(
            "Inconclusive is not failed: it says that these rows cannot tell. Nothing that was not "
            "measured counts as a pass."
        )
    if any(check.limit in (Limit.MARGIN, Limit.KEEP) for check in results.contract):
        told.append(
            "A margin compares the student with another model. Where that model is wrong or "
            "unfair, a student that copies it passes."
        )
    unseen = None if run.drill is None else drill.caveat(run.drill)
    if unseen is not None:
        told.append(unseen)
    if results.look is not None:
        told.append(_look(results.look, results.alpha))
    elif run.wear is not None and run.wear.students >= WORN:
        told.append(
            f"These rows have now judged {run.wear.students:,} students. The more are tried on the "
            "same rows, the likelier one of them passes by luck: decide the next one on fresh rows."
        )
    if results.only is not None:
        told.append("It speaks of the teacher alone, as the reference: no student was audited.")
    source = results.data.label_source or ""
    if source.startswith("model"):
        told.append(
            f"The labels are themselves answers of a model ({line(source)}): "
            "right means agreement with it."
        )
    told.append("It is evidence for a decision by a person, not a statement of compliance.")
    return tuple(told)


def _look(look: Look, alpha: float) -> str:
    return (
        f"It is look {look.number:,} of {look.of:,} at these rows, as the store counts them. All "
        f"looks together let a student at a limit pass in at most {100 * look.alpha:.3g}% of "
        f"cases; this one could spend {100 * alpha:.3g}%, and {100 * look.left:.3g}% is left."
    )


def _risk(alpha: float, blocking: int) -> str:
    passed = (
        f"A student that is exactly at a limit passes that check in at most {100 * alpha:.3g}% of "
        "audits."
    )
    if blocking == 1:
        return passed
    return (
        f"{passed} All {blocking:,} blocking checks must pass, so an unfit student is let through "
        "less often than that, and a fit one is held back more often."
    )


def _unmeasured(results: Results) -> str:
    """Which suites spoke, and how much of what they said no check holds against a limit."""
    spoke = [
        line(suite.suite)
        for suite in results.suites
        if any(isinstance(finding.student, Estimate) for finding in suite.findings)
    ]
    held = {verdict.address for verdict in results.verdicts}
    free = sum(
        finding.address not in held and isinstance(finding.student, Estimate)
        for finding in results.findings()
    )
    if not spoke:
        return "No suite reported a number, so it says nothing of the student's quality."
    quiet = [line(suite.suite) for suite in results.suites if silent(suite)]
    nothing = f" Nothing was there for {listing(quiet, 12)} to measure." if quiet else ""
    return (
        f"It says nothing of what was not measured; measured were {listing(spoke, 12)}.{nothing} "
        f"{plural(free, 'finding')} below {'is' if free == 1 else 'are'} held against no limit."
    )


METHOD = """
Every interval is two-sided at 1 − 2α = {level} (α = {alpha:g}, one-sided), except where another
level is printed beside it. A single bound therefore errs in at most {risk} of audits.

A check passes when the harmful side of its interval stays inside the limit. It fails when Holm's
procedure over all checks of its severity says that the limit is exceeded, in which every entry of
the contract weighs the same. Otherwise it is inconclusive. Groups with too few rows to pass can
fail, and are judged together as well.

Unrounded numbers decide. Printed ones carry as many digits as their interval supports, and more
where fewer would put them on the other side of a limit.

Differences are student minus teacher on the same rows, paired. For contrasts of groups zero is
best, and harm is the growth of their size. Clustered or weighted rows count as what they are worth.

A missing or invalid answer scores worst for the student and best for the teacher wherever an
endpoint has a worst.

Random draws are keyed by seed {seed} and the address of each finding, so another suite or slice
changes no number here.

This card is rendered from results.json and run.json, which hold the unrounded numbers. The
commands kdaudit card and kdaudit gate render and decide again from them, and refuse verdicts that
do not follow from the findings.
"""


def method(results: Results) -> tuple[str, ...]:
    """How to read the numbers, for whoever checks them a year later."""
    told = METHOD.format(
        alpha=results.alpha,
        level=f"{100 * (1 - 2 * results.alpha):.4g}%",
        risk=f"{100 * results.alpha:.3g}%",
        seed=results.seed,
    )
    return tuple(" ".join(paragraph.split()) for paragraph in told.strip().split("\n\n"))
