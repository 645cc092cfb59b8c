"""From scores per row to a finding: what every suite of additive scores shares.

A missing or invalid answer scores worst for the student and best for its references wherever the
endpoint has a worst; a contrast has none, so there it stands at the centre of its range and the
basis carries how far it may be off. Nothing is dropped, so deleting rows can never help.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kdaudit.basis import ORDER, Subject, difference, own
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Ints, Predictions
from kdaudit.evidence.view import Evidence, Rows
from kdaudit.results import (
    Basis,
    Better,
    Endpoint,
    Figure,
    Finding,
    Means,
    Need,
    Suite,
    SuiteResult,
    Table,
    Where,
)
from kdaudit.stats.means import JointMeans, joint_contrast, joint_means

FEWEST_CLUSTERS = 8  # below, a cluster-robust interval is not to be believed (methods: C < 8)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Score:
    """One subject's additive score on N rows.

    Attributes:
        values: (N,) bool for 0/1 scores, else float; whatever stands where ``valid`` is False is
            not looked at.
        valid: (N,) whether the subject gave an answer that can be scored.
        low: least possible score.
        high: greatest possible score.
    """

    values: Bools | Floats
    valid: Bools
    low: float = 0.0
    high: float = 1.0


Scores = Mapping[Subject, Score | NotMeasured]


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
    absent = _absent(endpoint, evidence, scores, where, rows, note)
    if absent is not None:
        return absent
    present = [score for who in ORDER if isinstance(score := scores[who], Score)]
    filled = [
        _filled(score, endpoint.better, student=index == 0) for index, score in enumerate(present)
    ]
    kept = _kept(evidence.rows, rows)
    if _binary(filled) and _independent(evidence.rows, kept):
        table = _table([f[kept] for f in filled])
        return _with_absent(finding_of(endpoint, evidence, table, where, note), scores)
    part = evidence.rows if rows is None else evidence.rows.take(kept)
    joint = joint_means(
        np.stack([np.asarray(f[kept], np.float64) for f in filled]),
        clusters=part.cluster,
        weights=part.weight,
    )
    basis = _means(joint, present, evidence.rows)
    if isinstance(basis, Means):
        bounds = (present[0].low, present[0].high)
        basis = replace(basis, effective=_effective(part), bounds=bounds)
        off = tuple(_off(score, kept, part) for score in present)
        if endpoint.better is Better.ZERO:
            basis = replace(basis, unknown=tuple(width / 2 for width in off))
        elif any(off):
            basis = replace(basis, filled=off)
    return _with_absent(finding_of(endpoint, evidence, basis, where, note), scores)


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
    absent = _absent(endpoint, evidence, scores, where, group, note)
    if absent is not None:
        return absent
    if not rest.any():
        return not_measured(endpoint, where, "there is no one else to compare the group with")
    present = [score for who in ORDER if isinstance(score := scores[who], Score)]
    joint = joint_contrast(
        np.stack([_filled(s, endpoint.better, student=False).astype(np.float64) for s in present]),
        group=group,
        rest=rest,
        clusters=evidence.rows.cluster,
        weights=evidence.rows.weight,
    )
    basis = _means(joint, present, evidence.rows)
    if isinstance(basis, Means):
        reach = present[0].high - present[0].low
        sides = [(side, evidence.rows.take(side)) for side in (group, rest)]
        basis = replace(
            basis,
            unknown=tuple(sum(_off(s, *side) for side in sides) / 2 for s in present),
            bounds=(-reach, reach),
            effective=min(_effective(part) or len(part) for _, part in sides),
        )
    return _with_absent(finding_of(endpoint, evidence, basis, where, note), scores)


def mean_findings(
    endpoint: Endpoint,
    evidence: Evidence,
    scores: Scores,
    *,
    codes: Ints,
    wheres: Sequence[Where],
    note: str = "",
) -> list[Finding]:
    """The mean of a score in each group: `mean_finding` for many.

    Args:
        endpoint: what is measured.
        evidence: for weights, clusters and level.
        scores: by subject.
        codes: (N,) index into ``wheres``, or -1 for a row of no group.
        wheres: the address of each group.
        note: a sentence the reader must see.
    """
    return [
        mean_finding(endpoint, evidence, scores, where=where, rows=codes == number, note=note)
        for number, where in enumerate(wheres)
    ]


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
    """
    within = codes >= 0 if counts is None else (codes >= 0) & counts
    return [
        contrast_finding(
            endpoint,
            evidence,
            scores,
            group=(codes == number) & within,
            rest=(codes != number) & within,
            where=where,
        )
        for number, where in enumerate(wheres)
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
        return not_measured(endpoint, where, reason.reason)
    values = {who: own(basis, who, evidence.level) for who in ORDER}
    return Finding(
        code=endpoint.code,
        where=where,
        metric=endpoint.metric,
        unit=endpoint.unit,
        better=endpoint.better,
        student=values["student"],
        teacher=values["teacher"],
        baseline=values["baseline"],
        difference=difference(basis, "teacher", evidence.level),
        basis=basis,
        note=note,
    )


def correctness(evidence: Evidence, need: Need) -> Scores:
    """Whether each subject's answer is the label, on the rows it answered."""
    trio = evidence[need]
    scores: dict[Subject, Score | NotMeasured] = {}
    for who in ORDER:
        kind = trio.of(who)
        if isinstance(kind, Predictions):
            scores[who] = Score(values=kind.answer == evidence.rows.label, valid=kind.valid)
        else:
            scores[who] = absence(kind)
    return scores


def absence(kind: object) -> NotMeasured:
    """Why a subject has no evidence of the kind that was asked for."""
    return kind if isinstance(kind, NotMeasured) else NotMeasured("another kind of evidence")


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
    absent = NotMeasured(reason)
    return Finding(
        code=endpoint.code,
        where=where,
        metric=endpoint.metric,
        unit=endpoint.unit,
        better=endpoint.better,
        student=absent,
        teacher=absent,
        baseline=absent,
        difference=absent,
        basis=absent,
    )


def share_of_rows(
    endpoint: Endpoint, evidence: Evidence, hits: Bools, where: Where = (), *, of_pair: str
) -> Finding:
    """A 0/1 score of the student alone, such as a flip: the teacher has no value of its own.

    Args:
        endpoint: what is measured.
        evidence: for weights, clusters and level.
        hits: (N,) the score.
        where: the address.
        of_pair: why there is no value for the teacher.
    """
    score = Score(values=hits, valid=np.ones(len(hits), dtype=np.bool_))
    nobody = NotMeasured(of_pair)
    zero = Score(values=np.zeros_like(hits), valid=score.valid)
    finding = mean_finding(
        endpoint, evidence, {"student": score, "teacher": zero, "baseline": nobody}, where=where
    )
    return Finding(
        code=finding.code,
        where=where,
        metric=finding.metric,
        unit=finding.unit,
        better=finding.better,
        student=finding.student,
        teacher=nobody,
        baseline=nobody,
        difference=nobody,
        basis=finding.basis,
    )


def counted(value: float, of: int, method: str = "exact count of these rows") -> Estimate:
    """A thing that was counted, not estimated: no interval, at any level."""
    return Estimate(value=value, low=value, high=value, n=max(of, 1), level=1.0, method=method)


def ends(measured: Measurement) -> tuple[float | None, float | None, float | None]:
    """Value, low and high for a figure; None where nothing was measured."""
    if isinstance(measured, Estimate):
        return measured.value, measured.low, measured.high
    return None, None, None


def _absent(
    endpoint: Endpoint,
    evidence: Evidence,
    scores: Scores,
    where: Where,
    rows: Bools | None,
    note: str,
) -> Finding | None:
    kept = _kept(evidence.rows, rows)
    if not kept.any():
        return not_measured(endpoint, where, "no rows")
    missing = [scores[who] for who in ("student", "teacher") if not isinstance(scores[who], Score)]
    if not missing:
        return None
    reason = next(m for m in missing if isinstance(m, NotMeasured))
    alone: dict[Subject, Measurement] = {}
    for who in ORDER:
        score = scores[who]
        if isinstance(score, NotMeasured):
            alone[who] = score
            continue
        pair: Scores = {"student": score, "teacher": score, "baseline": score}
        both = mean_finding(endpoint, evidence, pair, rows=rows)
        alone[who] = both.student if who == "student" else both.teacher
    return Finding(
        code=endpoint.code,
        where=where,
        metric=endpoint.metric,
        unit=endpoint.unit,
        better=endpoint.better,
        student=alone["student"],
        teacher=alone["teacher"],
        baseline=alone["baseline"],
        difference=reason,
        basis=reason,
        note=note,
    )


def _kept(rows: Rows, some: Bools | None) -> Bools:
    return np.ones(len(rows), dtype=np.bool_) if some is None else some


def _filled(score: Score, better: Better, *, student: bool) -> Bools | Floats:
    if better is Better.ZERO:
        centre = (score.low + score.high) / 2
        return np.where(score.valid, score.values, centre).astype(np.float64)
    worst = score.low if better is Better.HIGHER else score.high
    best = score.high if better is Better.HIGHER else score.low
    filled = np.where(score.valid, score.values, worst if student else best)
    if score.values.dtype == np.bool_:
        return filled.astype(np.bool_)
    return filled.astype(np.float64)


def _independent(rows: Rows, kept: Bools) -> bool:
    """Whether the rows are equal and no two of them share a cluster."""
    if rows.weight is not None:
        return False
    return rows.cluster is None or int(np.bincount(rows.cluster[kept]).max()) == 1


def _binary(filled: list[Bools | Floats]) -> bool:
    return all(score.dtype == np.bool_ for score in filled)


def _table(scores: list[Bools | Floats]) -> Table:
    student, *others = [np.asarray(score, dtype=np.bool_) for score in scores]
    pairs = [_pair(student, other) for other in others]
    n11, n10, n01, n00 = pairs[0]
    return Table(n11=n11, n10=n10, n01=n01, n00=n00, baseline=pairs[1] if len(pairs) > 1 else None)


def _pair(student: Bools, other: Bools) -> tuple[int, int, int, int]:
    n11, n10, n01, n00 = (
        int(np.count_nonzero(cell))
        for cell in (student & other, student & ~other, ~student & other, ~student & ~other)
    )
    return n11, n10, n01, n00


def _off(score: Score, kept: Bools, part: Rows) -> float:
    """How far a mean may be off: the range of the score, times the weight share of unknown rows."""
    weight = np.ones(len(part)) if part.weight is None else part.weight
    share = float(weight[~score.valid[kept]].sum() / weight.sum())
    return share * (score.high - score.low)


def _effective(part: Rows) -> float | None:
    """Units of equal weight that would say as much as these (Kish), or None for equal rows."""
    if part.weight is None and part.cluster is None:
        return None
    mass: Floats = np.ones(len(part)) if part.weight is None else part.weight
    if part.cluster is not None:
        mass = np.bincount(part.cluster, mass).astype(np.float64)
    return float(mass.sum() ** 2 / (mass**2).sum())


def _means(joint: JointMeans | None, present: list[Score], rows: Rows) -> Means | NotMeasured:
    what = "rows" if rows.cluster is None else "clusters"
    if joint is None:
        return NotMeasured(f"fewer than two {what}; a spread needs two at least")
    if rows.cluster is not None and joint.clusters < FEWEST_CLUSTERS:
        return NotMeasured(
            f"{joint.clusters} clusters; at least {FEWEST_CLUSTERS} are needed for an interval"
        )
    if joint.df < 1:
        return NotMeasured(f"fewer than two {what} on one side; a spread needs two at least")
    return Means(
        mean=tuple(float(x) for x in joint.mean),
        covariance=tuple(tuple(float(x) for x in row) for row in joint.covariance),
        df=float(joint.df),
        n=joint.n,
        clusters=joint.clusters,
        span=max(score.high - score.low for score in present),
        unknown=(0.0,) * len(present),
        clustered=rows.cluster is not None,
    )
