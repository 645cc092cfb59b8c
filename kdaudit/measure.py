"""From scores per row to a finding: what every suite of additive scores shares.

A missing or invalid answer scores worst for the student and best for its references wherever the
endpoint has a worst; a contrast has none, so there it stands at the centre of its range and the
basis carries how far it may be off. Nothing is dropped, so deleting rows can never help.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kdaudit.basis import ORDER, Subject, difference, own
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.kinds import Bools, Ints
from kdaudit.evidence.view import Evidence
from kdaudit.folded_scores import FoldedScores
from kdaudit.results import (
    Basis,
    Better,
    Endpoint,
    Figure,
    Finding,
    Means,
    PartlyLabelled,
    Suite,
    SuiteResult,
    Table,
    Where,
    together,
)
from kdaudit.score_bases import NO_ROWS, Bases, Groups, contrasts, group_means
from kdaudit.scores import Score, Scores


def mean_finding(
    endpoint: Endpoint,
    evidence: Evidence,
    scores: Scores,
    *,
    where: Where = (),
    rows: Bools | None = None,
    note: str = "",
) -> Finding:
    """The mean of a score over the rows, or over some of them.

    Args:
        endpoint: what is measured; its direction says which score is the worst.
        evidence: for weights, clusters and the level of the intervals.
        scores: by subject; absent subjects are `NotMeasured`.
        where: the address.
        rows: (N,) which rows, or None for all.
        note: a sentence the reader must see.
    """
    n = len(evidence.rows)
    codes = np.zeros(n, np.int64) if rows is None else np.where(rows, 0, -1)
    (found,) = mean_findings(endpoint, evidence, scores, codes=codes, wheres=[where], note=note)
    return found


def contrast_finding(
    endpoint: Endpoint,
    evidence: Evidence,
    scores: Scores,
    *,
    group: Bools,
    rest: Bools,
    where: Where,
    note: str = "",
) -> Finding:
    """The mean of a score in a group minus that in the rest.

    Args:
        endpoint: a ``zero`` endpoint.
        evidence: for weights, clusters and level.
        scores: by subject.
        group: (N,) rows of the group that count for this rate.
        rest: (N,) rows outside it that do.
        where: the group's address.
        note: a sentence the reader must see.
    """
    codes = np.where(group, 0, np.where(rest, 1, -1))
    groups = Groups(endpoint=endpoint, evidence=evidence, codes=codes, wheres=[where], note=note)
    return _findings(contrasts, groups, scores)[0]


def mean_findings(
    endpoint: Endpoint,
    evidence: Evidence,
    scores: Scores,
    *,
    codes: Ints,
    wheres: Sequence[Where],
    note: str = "",
) -> list[Finding]:
    """The mean of a score in each group: `mean_finding` for many, at the cost of one.

    Args:
        endpoint: what is measured.
        evidence: for weights, clusters and level.
        scores: by subject.
        codes: (N,) index into ``wheres``, or -1 for a row of no group.
        wheres: the address of each group.
        note: a sentence the reader must see.

    Returns:
        One per group, in their order; and where a check of this code asks for members of at least
        so many rows, one of all smaller groups together.
    """
    groups = Groups(endpoint=endpoint, evidence=evidence, codes=codes, wheres=wheres, note=note)
    found = _findings(group_means, groups, scores)
    for pool in pooled(endpoint, evidence, codes, wheres):
        found += _findings(
            group_means, replace(groups, codes=pool.alone, wheres=[pool.where]), scores
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """Groups that are too small for a check each, as one group.

    Attributes:
        where: the address.
        codes: (N,) 0 for their rows, 1 for those of other groups, -1 for rows of no group.
    """

    where: Where
    codes: Ints

    @property
    def alone(self) -> Ints:
        """(N,) 0 for their rows, -1 for all others."""
        return np.where(self.codes == 0, 0, -1)


def pooled(
    endpoint: Endpoint, evidence: Evidence, codes: Ints, wheres: Sequence[Where]
) -> Iterator[Pool]:
    """The groups that checks of a code find too small, where there are two or more of them.

    Args:
        endpoint: whose checks.
        evidence: what checks ask for.
        codes: (N,) index into ``wheres``, or -1; of a rate of some rows, -1 for all others too.
        wheres: the address of each group.
    """
    if not wheres:
        return
    columns = tuple(column for column, _ in wheres[0])
    rows = np.bincount(codes[codes >= 0], minlength=len(wheres))
    for min_n in evidence.rows.pools.get(endpoint.code, {}).get(columns, ()):
        small = (rows > 0) & (rows < min_n)
        if np.count_nonzero(small) > 1:
            inside = np.append(np.where(small, 0, 1), -1)[codes]
            yield Pool(where=together(columns, min_n), codes=inside)


def contrast_findings(
    endpoint: Endpoint,
    evidence: Evidence,
    scores: Scores,
    *,
    codes: Ints,
    wheres: Sequence[Where],
    counts: Bools | None = None,
) -> list[Finding]:
    """Each group against all other rows that have a group: `contrast_finding` for many.

    Args:
        endpoint: a ``zero`` endpoint.
        evidence: for weights, clusters and level.
        scores: by subject.
        codes: (N,) index into ``wheres``, or -1 for a row of no group.
        wheres: the address of each group.
        counts: (N,) rows that count for this rate; None for all.

    Returns:
        As of `mean_findings`.
    """
    within = _counted(codes, counts)
    groups = Groups(endpoint=endpoint, evidence=evidence, codes=within, wheres=wheres)
    found = _findings(contrasts, groups, scores)
    for pool in pooled(endpoint, evidence, within, wheres):
        found += _findings(
            contrasts, replace(groups, codes=pool.codes, wheres=[pool.where]), scores
        )
    return found


Grouping = tuple[Ints, Sequence[Where]]


def mean_findings_over(
    endpoint: Endpoint, evidence: Evidence, scores: Scores, groupings: Sequence[Grouping]
) -> list[list[Finding]]:
    """`mean_findings` of several groupings, where it can be in one pass over the rows.

    Args:
        endpoint: what is measured.
        evidence: for weights, clusters and level.
        scores: by subject.
        groupings: of each the (N,) codes and the address of each group, as `crossed` gives them
            for slices and sensitive columns.
    """
    folded = None if endpoint.better is not Better.ZERO else FoldedScores.of(evidence, scores)
    if folded is None:
        return [
            mean_findings(endpoint, evidence, scores, codes=codes, wheres=wheres)
            for codes, wheres in groupings
        ]
    return [
        _of_bases(endpoint, evidence, folded.means(codes, len(wheres)), wheres, scores)
        + [
            one
            for pool in pooled(endpoint, evidence, codes, wheres)
            for one in _of_bases(
                endpoint, evidence, folded.means(pool.alone, 1), [pool.where], scores
            )
        ]
        for codes, wheres in groupings
    ]


def contrast_findings_over(
    endpoint: Endpoint,
    evidence: Evidence,
    scores: Scores,
    groupings: Sequence[Grouping],
    counts: Bools | None = None,
) -> list[list[Finding]]:
    """`contrast_findings` of several groupings, where it can be in one pass over the rows.

    Args:
        endpoint: a ``zero`` endpoint.
        evidence: for weights, clusters and level.
        scores: by subject.
        groupings: as in `mean_findings_over`.
        counts: (N,) rows that count for this rate; None for all.
    """
    folded = FoldedScores.of(evidence, scores, counts)
    if folded is None:
        return [
            contrast_findings(endpoint, evidence, scores, codes=codes, wheres=wheres, counts=counts)
            for codes, wheres in groupings
        ]
    return [
        _of_bases(endpoint, evidence, folded.contrasts(codes, len(wheres)), wheres, scores)
        + [
            one
            for pool in pooled(endpoint, evidence, _counted(codes, counts), wheres)
            for one in _of_bases(
                endpoint, evidence, folded.contrasts(pool.codes, 2)[:1], [pool.where], scores
            )
        ]
        for codes, wheres in groupings
    ]


def _counted(codes: Ints, counts: Bools | None) -> Ints:
    return codes if counts is None else np.where(counts, codes, -1)


def _findings(bases: Bases, groups: Groups, scores: Scores) -> list[Finding]:
    if any(isinstance(scores[who], NotMeasured) for who in ("student", "teacher")):
        return _each_alone(bases, groups, scores)
    present = [score for who in ORDER if isinstance(score := scores[who], Score)]
    found = bases(groups, present)
    return _of_bases(groups.endpoint, groups.evidence, found, groups.wheres, scores, groups.note)


def _of_bases(  # the parts of a finding, of many
    endpoint: Endpoint,
    evidence: Evidence,
    bases: Sequence[Basis],
    wheres: Sequence[Where],
    scores: Scores,
    note: str = "",
) -> list[Finding]:
    found = [
        _with_absent(finding_of(endpoint, evidence, basis, where, note), scores)
        for basis, where in zip(bases, wheres, strict=True)
    ]
    known = all(score.own_known for score in scores.values() if isinstance(score, Score))
    return found if known else [_of_pair_alone(one, evidence) for one in found]


def _of_pair_alone(finding: Finding, evidence: Evidence) -> Finding:
    """The finding with its difference alone; own values need more labels than there are."""
    basis, unknown = finding.basis, evidence.unlabelled
    if not isinstance(basis, Table | Means) or unknown is None:
        return finding
    return replace(
        finding,
        student=unknown,
        teacher=unknown,
        baseline=finding.baseline if isinstance(finding.baseline, NotMeasured) else unknown,
        basis=PartlyLabelled(compared=basis, own=unknown, open=evidence.open),
    )


def _each_alone(bases: Bases, groups: Groups, scores: Scores) -> list[Finding]:
    """Findings without a pair: every subject has its own value, and nobody is compared."""
    alone: dict[Subject, list[Measurement]] = {}
    for who in ORDER:
        score = scores[who]
        if isinstance(score, NotMeasured):
            alone[who] = [score] * len(groups.wheres)
            continue
        pair: Scores = {"student": score, "teacher": score, "baseline": score}
        both = _findings(bases, groups, pair)
        alone[who] = [one.student if who == "student" else one.teacher for one in both]
    reason = next(
        m for who in ("student", "teacher") if isinstance(m := scores[who], NotMeasured)
    ).reason
    return [
        replace(
            not_measured(groups.endpoint, where, reason),
            student=alone["student"][number],
            teacher=alone["teacher"][number],
            baseline=alone["baseline"][number],
            note=groups.note,
        )
        if rows
        else _without(groups.endpoint, where, NotMeasured(NO_ROWS, 0))
        for number, (where, rows) in enumerate(zip(groups.wheres, groups.totals(), strict=False))
    ]


def _with_absent(finding: Finding, scores: Scores) -> Finding:
    """The finding with the reason why its baseline, if any, has no value."""
    baseline = scores["baseline"]
    if isinstance(baseline, NotMeasured) and isinstance(finding.student, Estimate):
        return replace(finding, baseline=baseline)
    return finding


def finding_of(
    endpoint: Endpoint, evidence: Evidence, basis: Basis, where: Where = (), note: str = ""
) -> Finding:
    """A finding whose every number follows from its basis."""
    if not isinstance(basis, Table | Means):
        reason = basis if isinstance(basis, NotMeasured) else NotMeasured("measured elsewhere")
        return _without(endpoint, where, reason)
    values = {who: own(basis, who, evidence.level) for who in ORDER}
    return endpoint.finding(
        where=where,
        student=values["student"],
        teacher=values["teacher"],
        baseline=values["baseline"],
        difference=difference(basis, "teacher", evidence.level),
        basis=basis,
        note=note,
    )


def result(
    suite: Suite,
    findings: Iterable[Finding],
    figures: Iterable[Figure] = (),
    notes: Iterable[str] = (),
) -> SuiteResult:
    """A suite's result, its findings in the order of their addresses."""
    return SuiteResult(
        suite=suite.name,
        codes=tuple(endpoint.code for endpoint in suite.codes),
        findings=tuple(sorted(findings, key=lambda finding: (finding.code, finding.where))),
        figures=tuple(figures),
        notes=tuple(notes),
    )


def not_measured(endpoint: Endpoint, where: Where, reason: str) -> Finding:
    """A finding with no numbers, and why."""
    return _without(endpoint, where, NotMeasured(reason))


def _without(endpoint: Endpoint, where: Where, absent: NotMeasured) -> Finding:
    return endpoint.finding(
        where=where,
        student=absent,
        teacher=absent,
        baseline=absent,
        difference=absent,
        basis=absent,
    )


def share_of_rows(
    endpoint: Endpoint,
    evidence: Evidence,
    hits: Bools,
    where: Where = (),
    *,
    of_pair: str,
    rows: Bools | None = None,
) -> Finding:
    """A 0/1 score of the student alone, such as a flip: the teacher has no value of its own.

    Args:
        endpoint: what is measured.
        evidence: for weights, clusters and level.
        hits: (N,) the score.
        where: the address.
        of_pair: why there is no value for the teacher.
        rows: (N,) which rows, or None for all.
    """
    score = Score(values=hits, valid=np.ones(len(hits), dtype=np.bool_))
    nobody = NotMeasured(of_pair)
    zero = Score(values=np.zeros_like(hits), valid=score.valid)
    scores: Scores = {"student": score, "teacher": zero, "baseline": nobody}
    finding = mean_finding(endpoint, evidence, scores, where=where, rows=rows)
    return replace(finding, teacher=nobody, baseline=nobody, difference=nobody)


def counted(value: float, of: int, method: str = "exact count of these rows") -> Estimate:
    """A thing that was counted, not estimated: no interval, at any level."""
    return Estimate(value=value, low=value, high=value, n=max(of, 1), level=1.0, method=method)


def ends(measured: Measurement) -> tuple[float | None, float | None, float | None]:
    """Value, low and high for a figure; None where nothing was measured."""
    if isinstance(measured, Estimate):
        return measured.value, measured.low, measured.high
    return None, None, None
