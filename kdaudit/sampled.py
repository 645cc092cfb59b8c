"""Partly labelled rows: differences measured on all of them, all else on those with a label.

A suite is asked twice: about all rows, without what needs every label, and about the labelled ones
alone, each weighing as many rows as it stands for.
"""

from collections.abc import Callable
from dataclasses import replace

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.view import Evidence
from kdaudit.results import Figure, Finding, Means, PartlyLabelled, SuiteResult, Table

Columns = tuple[str, ...]
# What the pair kept and lost is known on all rows, and more precisely: findings say it.
KNOWN_ON_ALL = ("comparison",)


def with_sample(
    found: SuiteResult, evidence: Evidence, ask: Callable[[Evidence], SuiteResult]
) -> SuiteResult:
    """A suite's result with what it can only measure where all rows are labelled.

    Args:
        found: the result on all rows.
        evidence: of which ``sampled`` are the labelled rows, or why they do not stand for all.
        ask: runs the suite.
    """
    if not any(_needs_labels(one, evidence) for one in found.findings):
        return found
    sampled = evidence.sampled
    if not isinstance(sampled, Evidence):
        return found
    labelled = ask(sampled)
    if labelled.error is not None:
        return labelled
    some = f"on the {len(sampled.rows):,} labelled rows"
    told = f"{some}, which stand for all {len(evidence.rows):,}"
    own = {one.address: one for one in labelled.findings}
    whole = [one for one in found.findings if not isinstance(one.basis, NotMeasured)]
    measured = {_place(one) for one in whole}
    findings = [
        _with_own(one, own.get(one.address), evidence, told)
        for one in found.findings
        if _place(one) in measured
    ]
    findings += [
        replace(one, note=_joined(one.note, f"measured {told}"))
        for one in labelled.findings
        if _place(one) not in measured
    ]
    return replace(
        found,
        findings=tuple(sorted(findings, key=lambda one: (one.code, one.where))),
        figures=(*found.figures, *_new(found.figures, labelled.figures, some, told)),
        notes=(*found.notes, *(one for one in labelled.notes if one not in found.notes)),
    )


def _needs_labels(finding: Finding, evidence: Evidence) -> bool:
    return evidence.unlabelled is not None and (
        isinstance(finding.basis, PartlyLabelled) or finding.basis == evidence.unlabelled
    )


def _place(finding: Finding) -> tuple[str, Columns]:
    """What is measured once for all groups of some columns, or not at all."""
    return finding.code, tuple(column for column, _ in finding.where)


def _with_own(finding: Finding, own: Finding | None, evidence: Evidence, told: str) -> Finding:
    """The finding with own values from the labelled rows, where they were missing."""
    basis = finding.basis
    if not isinstance(basis, PartlyLabelled):
        return finding
    if own is None or isinstance(own.basis, NotMeasured):
        few = own.basis if own is not None and isinstance(own.basis, NotMeasured) else None
        return replace(finding, basis=replace(basis, own=few or evidence.unlabelled or basis.own))
    assert isinstance(own.basis, Table | Means)
    return replace(
        finding,
        student=own.student,
        teacher=own.teacher,
        baseline=own.baseline,
        note=_joined(finding.note, f"own values {told}"),
        label=own.label,
        basis=replace(basis, own=own.basis),
    )


def _new(there: tuple[Figure, ...], more: tuple[Figure, ...], some: str, told: str) -> list[Figure]:
    """Figures of the labelled rows that show what those of all rows do not."""
    shown = {figure.name: figure for figure in there}
    counted = f"counted {some}, not on all"
    return [
        replace(
            figure,
            name=f"{figure.name}-labelled",
            # A matrix counts rows, whatever they stand for.
            title=f"{figure.title}, {counted if figure.chart == 'matrix' else told}",
        )
        for figure in more
        if figure.name not in KNOWN_ON_ALL
        and (figure.name not in shown or len(figure.rows) > len(shown[figure.name].rows))
    ]


def _joined(*sentences: str) -> str:
    return "; ".join(sentence for sentence in sentences if sentence)
