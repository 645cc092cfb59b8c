"""What to do next about a check that is not met."""

from kdaudit.estimate import Estimate
from kdaudit.results import Check, Finding, Limit, Means, Outcome, PartlyLabelled, Verdict
from kdaudit_reports.index import Index
from kdaudit_reports.limits import place
from kdaudit_reports.text import plural

CONTROL = (
    "compare with a control trained on labels alone, at equal budget, to tell distillation from "
    "the student's size"
)
CHOICES = f"It no longer tells true from false: give it more layers or text; and {CONTROL}."

FAILED = {
    "ACC": f"Find where it loses: read the slices and rare classes; then {CONTROL}.",
    "CAL": "Fit one temperature on the validation split, not on this one, and audit again.",
    "SLC": "Add transfer rows of this kind, or raise their weight, and distil again.",
    "FAI": f"Read the bias label of this group; then {CONTROL}, before blaming the teacher.",
    "HAL": "Let it decline what it does not know: by a threshold fixed on the validation split, or "
    "where it writes texts by transfer rows that decline; and audit again.",
    "HAL002": f"Read the transfer matrix: what it lost, and to what; then {CONTROL}.",
    "HAL012": CHOICES,
    "HAL013": CHOICES,
    "LAT": "Profile the student on the machine it ships to; a smaller student is another recipe.",
}
# Rates that are of rows of one label only: other rows would not help.
LABELLED = {
    "FAI002": "a favourable label",
    "FAI003": "a label that is not favourable",
    "SAF001": "a harmful prompt",
    "SAF002": "a benign prompt",
    "SAF003": "a harmful prompt",
    "SAF004": "a benign prompt",
}
CORRECTED = ("grader", "corrected")
INVALID = "List the rows without a valid answer; each one counts as wrong until it is answered."
OTHERWISE = "Read the finding and its suite's manual, change the student, and audit again."
CRASHED = "Fix the crash and run again: a suite that crashed says nothing, and that is not a pass."
AT_THE_LIMIT = (
    "Not even ten times as many rows would be likely to settle it. Improve the student, or argue "
    "for another limit before the next measurement."
)
TEACHER = (
    "Improve the teacher first, or argue for another limit: a student that imitates it inherits "
    "this."
)
MISSING = (
    "Supply what the reason names and run again. To take the check out of the contract is a "
    "decision for a person, in the open."
)


def next_step(check: Check, verdict: Verdict, index: Index) -> str:
    """One sentence for an open line; empty for one that passed."""
    match verdict.outcome:
        case Outcome.PASS:
            return ""
        case Outcome.ERROR:
            return CRASHED
        case Outcome.INCONCLUSIVE:
            return _inconclusive(check, verdict, index)
        case Outcome.NOT_EVALUABLE:
            return _not_evaluable(check, verdict, index)
        case Outcome.FAIL:
            return _failed(check, index)


def _inconclusive(check: Check, verdict: Verdict, index: Index) -> str:
    finding = index.findings.get(verdict.address)
    have = verdict.measured.n if isinstance(verdict.measured, Estimate) else 0
    if verdict.needed_n is None:
        return AT_THE_LIMIT
    more = verdict.needed_n - have
    if more <= 0:
        return f"Measure once more on about {verdict.needed_n:,} fresh rows, a number fixed first."
    kind = _kind(finding)
    if _sampled(check, finding, index):
        return (
            f"Label about {plural(more, 'more row')}{kind} ({verdict.needed_n:,} in all): "
            "`kdaudit label` with a larger --sample draws them from all rows."
        )
    # More rows of the clusters that are there would say little that is new.
    apart = finding is not None and isinstance(finding.basis, Means) and finding.basis.clustered
    like = f"{kind or ' like these'}{' in new clusters' if apart else ''}"
    return (
        f"Collect about {plural(more, 'more row')}{like} ({verdict.needed_n:,} in all). "
        "Fix the number before looking, and decide once."
    )


def _not_evaluable(check: Check, verdict: Verdict, index: Index) -> str:
    finding = index.findings.get(verdict.address)
    if not isinstance(verdict.measured, Estimate) or verdict.needed_n is None:
        return MISSING
    more = max(verdict.needed_n - verdict.measured.n, 1)
    kind = _kind(finding)
    if _sampled(check, finding, index):
        return (
            f"Label about {plural(more, 'more row')}{kind}: `kdaudit label` with a larger --sample "
            "draws them from all rows."
        )
    by_people = finding is not None and CORRECTED in finding.where
    graded = ", and have people grade a random part of them" if by_people else ""
    return f"Add about {plural(more, 'row')}{kind} to those that are audited{graded}."


def _kind(finding: Finding | None) -> str:
    """Which rows a finding is of, read after "rows"; empty for all rows."""
    if finding is None:
        return ""
    where = tuple(key for key in finding.where if key != CORRECTED)  # who graded is no kind of row
    kinds = filter(None, (place(where), LABELLED.get(finding.code, "")))
    kind = " and ".join(kinds)
    return kind and f" with {kind}"


def _sampled(check: Check, finding: Finding | None, index: Index) -> bool:
    """Whether a check rests on the labelled rows alone."""
    if not index.labelled or finding is None or finding.code == "ACC003":
        return False
    own = check.limit in (Limit.AT_MOST, Limit.AT_LEAST)
    return own or not isinstance(finding.basis, PartlyLabelled)


def _failed(check: Check, index: Index) -> str:
    if check.code == "ACC003":
        return INVALID
    if check.code in {"ACC001", "ACC002"} and (worst := index.worst("SLC001")) is not None:
        return f"Look first where {place(worst.where)}, the slice that loses most; then {CONTROL}."
    return FAILED.get(check.code) or FAILED.get(check.code[:3], OTHERWISE)
