"""From scores per row to a finding: what every suite of additive scores shares.

A missing or invalid answer scores worst for the student and best for its references wherever the
endpoint has a worst; a contrast has none, so there it stands at the centre of its range and the
basis carries how far it may be off. Nothing is dropped, so deleting rows can never help.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import numpy.typing as npt

from kdaudit.basis import ORDER, Subject, difference, own
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Ints, Predictions
from kdaudit.evidence.view import Evidence, Rows, cells
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
from kdaudit.stats.grouped_means import CellSums, grouped_contrasts, grouped_means
from kdaudit.stats.means import JointMeans

# Effective units below which no interval of unequal or clustered rows is to be believed: one unit
# then may hold a third of the mass, and a single cluster's accident reads as the truth.
FEWEST_CLUSTERS = 8
NO_ROWS = "no rows"


def too_few(effective: float) -> bool:
    """Whether effective units are fewer than `FEWEST_CLUSTERS`; eight equal ones are not."""
    return effective < FEWEST_CLUSTERS - 1e-9  # however their number was rounded


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

    def right(self, *, missing: bool) -> Bools:
        """(N,) of 0/1 scores which are 1; an answer that is not there counts as ``missing``."""
        return np.where(self.valid, self.values, missing).astype(np.bool_)


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
    groups = _Groups(endpoint=endpoint, evidence=evidence, codes=codes, wheres=[where], note=note)
    return _findings(_contrasts, groups, scores)[0]


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
    """
    groups = _Groups(endpoint=endpoint, evidence=evidence, codes=codes, wheres=wheres, note=note)
    return _findings(_group_means, groups, scores)


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
    within = codes if counts is None else np.where(counts, codes, -1)
    groups = _Groups(endpoint=endpoint, evidence=evidence, codes=within, wheres=wheres)
    return _findings(_contrasts, groups, scores)


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
    folded = None if endpoint.better is not Better.ZERO else _Folded.of(evidence, scores)
    if folded is None:
        return [
            mean_findings(endpoint, evidence, scores, codes=codes, wheres=wheres)
            for codes, wheres in groupings
        ]
    return [folded.means(endpoint, codes, wheres) for codes, wheres in groupings]


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
    folded = _Folded.of(evidence, scores, counts)
    if folded is None:
        return [
            contrast_findings(endpoint, evidence, scores, codes=codes, wheres=wheres, counts=counts)
            for codes, wheres in groupings
        ]
    return [folded.contrasts(endpoint, codes, wheres) for codes, wheres in groupings]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Folded:
    """Scores of independent rows that are all there, added up by the finest groups of the data."""

    evidence: Evidence
    scores: Scores
    present: list[Score]
    row: Ints  # (K,) one row of each cell
    n: Floats  # (K,) rows of each cell that count
    sums: CellSums

    @classmethod
    def of(
        cls, evidence: Evidence, scores: Scores, counts: Bools | None = None
    ) -> "_Folded | None":
        """None where rows are clustered or weighted, an answer is missing, or cells are many."""
        rows = evidence.rows
        present = [score for who in ORDER if isinstance(score := scores[who], Score)]
        pair = all(isinstance(scores[who], Score) for who in ("student", "teacher"))
        if rows.cluster is not None or rows.weight is not None or not pair:
            return None
        found = cells(rows, chain.from_iterable([*rows.slices, *rows.sensitive]))
        if found is None or not all(score.valid.all() for score in present):
            return None
        code = found.code if counts is None else np.where(counts, found.code, -1)
        return cls(
            evidence=evidence,
            scores=scores,
            present=present,
            row=found.row,
            n=np.bincount(code + 1, minlength=len(found.row) + 1)[1:].astype(np.float64),
            sums=CellSums([score.values for score in present], code, len(found.row)),
        )

    def means(self, endpoint: Endpoint, codes: Ints, wheres: Sequence[Where]) -> list[Finding]:
        """As `mean_findings`, of a ``zero`` endpoint."""
        group, size, rows = codes[self.row], len(wheres), self.evidence.rows
        n = self._totals(group, size)
        bounds = self.present[0].low, self.present[0].high
        found: list[Basis] = []
        for index, joint in enumerate(self.sums.means(group, size)):
            basis: Basis = NotMeasured(NO_ROWS, 0)
            if n[index]:
                basis = _means(joint, self.present, rows)
                basis = (
                    replace(basis, bounds=bounds)
                    if isinstance(basis, Means)
                    else replace(basis, n=int(n[index]))
                )
            found.append(basis)
        return self._findings(endpoint, found, wheres)

    def contrasts(self, endpoint: Endpoint, codes: Ints, wheres: Sequence[Where]) -> list[Finding]:
        """As `contrast_findings`."""
        group, size = codes[self.row], len(wheres)
        n, off = self._totals(group, size), np.zeros((len(self.present), size))
        grouped = self.sums.contrasts(group, size)
        found = _contrast_bases(grouped, n, n, off, self.present, self.evidence.rows)
        return self._findings(endpoint, found, wheres)

    def _totals(self, group: Ints, size: int) -> Floats:
        return np.bincount(group + 1, self.n, size + 1)[1:].astype(np.float64)

    def _findings(
        self, endpoint: Endpoint, found: Sequence[Basis], wheres: Sequence[Where]
    ) -> list[Finding]:
        return [
            _with_absent(finding_of(endpoint, self.evidence, basis, where), self.scores)
            for basis, where in zip(found, wheres, strict=True)
        ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Groups:
    """What is measured, and where: the arguments of `mean_findings`."""

    endpoint: Endpoint
    evidence: Evidence
    codes: Ints
    wheres: Sequence[Where]
    note: str = ""

    def totals(self, mass: Floats | None = None, every: int = 0) -> Floats:
        """(G,) rows of each group, or their weight; ``every`` counts groups without address."""
        size = max(len(self.wheres), every)
        return np.bincount(self.codes + 1, mass, size + 1)[1:].astype(np.float64)


Bases = Callable[[_Groups, list[Score]], list[Basis]]


def _findings(bases: Bases, groups: _Groups, scores: Scores) -> list[Finding]:
    if any(isinstance(scores[who], NotMeasured) for who in ("student", "teacher")):
        return _each_alone(bases, groups, scores)
    present = [score for who in ORDER if isinstance(score := scores[who], Score)]
    return [
        _with_absent(
            finding_of(groups.endpoint, groups.evidence, basis, where, groups.note), scores
        )
        for basis, where in zip(bases(groups, present), groups.wheres, strict=True)
    ]


def _each_alone(bases: Bases, groups: _Groups, scores: Scores) -> list[Finding]:
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


def _group_means(groups: _Groups, present: list[Score]) -> list[Basis]:
    rows, codes, better = groups.evidence.rows, groups.codes, groups.endpoint.better
    size = len(groups.wheres)
    filled = [_filled(score, better, student=index == 0) for index, score in enumerate(present)]
    n = groups.totals()
    some = n > 0
    exact = some & _independent(rows, codes, size) & _binary(filled)
    found: list[Basis] = [NotMeasured(NO_ROWS, 0)] * size
    if exact.any():
        tables = _tables(filled, codes, size)
        for group in np.flatnonzero(exact):
            found[group] = tables[group]
    if exact.sum() == some.sum():
        return found
    off = _off(groups, present)
    grouped = grouped_means(filled, codes, size, clusters=rows.cluster, weights=rows.weight)
    for group in np.flatnonzero(some & ~exact):
        basis = _means(grouped[group], present, rows)
        if isinstance(basis, Means):
            far = tuple(float(width) for width in off[:, group])
            basis = replace(basis, bounds=(present[0].low, present[0].high))
            if better is Better.ZERO:
                basis = replace(basis, unknown=tuple(width / 2 for width in far))
            elif any(far):
                basis = replace(basis, filled=far)
        else:
            basis = replace(basis, n=int(n[group]))
        found[group] = basis
    return found


def _contrasts(groups: _Groups, present: list[Score]) -> list[Basis]:
    rows, codes, size = groups.evidence.rows, groups.codes, len(groups.wheres)
    every = max(size, int(codes.max(initial=-1)) + 1)  # the rest may have groups of its own
    filled = [_centred(score) for score in present]
    n = groups.totals(every=every)
    weight = n if rows.weight is None else groups.totals(rows.weight, every)
    off = _off(groups, present, every)
    grouped = grouped_contrasts(filled, codes, size, clusters=rows.cluster, weights=rows.weight)
    return _contrast_bases(grouped, n, weight, off, present, rows)


def _contrast_bases(
    grouped: Sequence[JointMeans | None],
    n: Floats,
    weight: Floats,
    off: Floats,
    present: list[Score],
    rows: Rows,
) -> list[Basis]:
    """What each group against the rest rests on; ``n``, ``weight`` and ``off`` go on to others."""
    reach = present[0].high - present[0].low
    found: list[Basis] = []
    for group, joint in enumerate(grouped):
        if not n[group]:
            found.append(NotMeasured(NO_ROWS, 0))
            continue
        if n[group] == n.sum():
            found.append(NotMeasured("there is no one else to compare the group with"))
            continue
        basis = _means(joint, present, rows)
        if isinstance(basis, Means):
            share = np.where(np.arange(len(n)) == group, 0.0, weight)
            unknown = off[:, group] + (off * (share / share.sum())).sum(axis=1)
            basis = replace(
                basis,
                unknown=tuple(float(width) / 2 for width in unknown),
                bounds=(-reach, reach),
            )
        else:
            basis = replace(basis, n=int(n[group]))
        found.append(basis)
    return found


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


def _filled(score: Score, better: Better, *, student: bool) -> Bools | Floats:
    if better is Better.ZERO:
        return _centred(score).astype(np.float64)
    worst = score.low if better is Better.HIGHER else score.high
    best = score.high if better is Better.HIGHER else score.low
    filled = np.where(score.valid, score.values, worst if student else best)
    if score.values.dtype == np.bool_:
        return filled.astype(np.bool_)
    return filled.astype(np.float64)


def _centred(score: Score) -> Bools | Floats:
    """The scores, with the centre of their range where there is none; 0/1 where none is missing."""
    if score.valid.all():
        return score.values
    return np.where(score.valid, score.values, (score.low + score.high) / 2).astype(np.float64)


def _independent(rows: Rows, codes: Ints, groups: int) -> Bools:
    """(G,) whether the rows of a group are equal and no two of them share a cluster."""
    if rows.weight is not None:
        return np.zeros(groups, dtype=np.bool_)
    alone = np.ones(groups, dtype=np.bool_)
    if rows.cluster is not None:
        grouped = codes >= 0
        width = int(rows.cluster.max()) + 1
        pairs, n = np.unique(codes[grouped] * width + rows.cluster[grouped], return_counts=True)
        alone[pairs[n > 1] // width] = False
    return alone


def _binary(filled: list[Bools | Floats]) -> bool:
    return all(score.dtype == np.bool_ for score in filled)


def _tables(scores: list[Bools | Floats], codes: Ints, groups: int) -> list[Table]:
    """Of each group, the paired counts of the student with each reference."""
    student, *others = [np.asarray(score, np.bool_) for score in scores]
    # Rows of no group, of code -1, are counted first and left aside.
    by_student = 4 * (codes + 1) + 3 - 2 * student
    cells = [np.bincount(by_student - other, minlength=4 * (groups + 1)) for other in others]
    counts = [tuple(map(_four, cell.reshape(-1, 4)[1:])) for cell in cells]
    return [
        Table(
            n11=n11,
            n10=n10,
            n01=n01,
            n00=n00,
            baseline=counts[1][group] if len(counts) > 1 else None,
        )
        for group, (n11, n10, n01, n00) in enumerate(counts[0])
    ]


def _four(cells: npt.NDArray[np.integer]) -> tuple[int, int, int, int]:
    n11, n10, n01, n00 = (int(n) for n in cells)
    return n11, n10, n01, n00


def _off(groups: _Groups, scores: list[Score], every: int = 0) -> Floats:
    """(S, G) how far a mean may be off: the range of the score times the share of unknown rows."""
    weight = groups.evidence.rows.weight
    if all(score.valid.all() for score in scores):
        return np.zeros((len(scores), max(len(groups.wheres), every)))
    mass = np.ones(len(groups.codes)) if weight is None else weight
    total = groups.totals(mass, every)
    unknown = [groups.totals(np.where(score.valid, 0.0, mass), every) for score in scores]
    reach = [[score.high - score.low] for score in scores]
    share: Floats = np.array(unknown) / np.where(total > 0, total, 1.0)
    return share * reach


def _means(joint: JointMeans | None, present: list[Score], rows: Rows) -> Means | NotMeasured:
    what = "rows" if rows.cluster is None else "clusters"
    if joint is None:
        return NotMeasured(f"fewer than two {what}; a spread needs two at least")
    unequal = rows.weight is not None or rows.cluster is not None
    if unequal and too_few(joint.effective):
        return NotMeasured(_too_few(joint, what))
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
        effective=joint.effective if unequal else None,
        largest=joint.largest if unequal else None,
        clustered=rows.cluster is not None,
    )


def _too_few(joint: JointMeans, what: str) -> str:
    if joint.clusters < FEWEST_CLUSTERS:
        return f"{joint.clusters} {what}; at least {FEWEST_CLUSTERS} are needed for an interval"
    return (
        f"{joint.clusters} {what} that say as much as {joint.effective:.1f} equal ones, since one "
        f"holds {joint.largest:.0%}; at least {FEWEST_CLUSTERS} are needed for an interval"
    )
