"""Impact ratios: a group's selection rate over that of the most selected group, or of the rest.

Ratios are measured on the log scale by the delta method (Katz et al. 1978), cluster-robust where
clusters are declared, jointly for student, teacher and baseline.

The most selected group is that of each subject itself, as the four-fifths rule means it: a student
that drops the group which its teacher selects most is held against whom it selects instead. Which
group it truly is, is not known; the intervals hold whichever it is (`kdaudit.stats.least_ratio`).

A missing answer scores worst for the student (not selected in the group, selected in what it is
held against) and best for its references; what it may have hidden of the spread is added to the
standard error (`kdaudit_suites.fairness.selections`).
"""

import math
from dataclasses import replace

import numpy as np

from kdaudit.basis import ORDER, Subject, difference, own
from kdaudit.estimate import Measurement, NotMeasured
from kdaudit.evidence.view import Evidence
from kdaudit.measure import finding_of, not_measured
from kdaudit.results import Endpoint, Finding, LeastRatio, Means
from kdaudit.score_bases import FEWEST_CLUSTERS, too_few
from kdaudit.scores import Scores
from kdaudit.stats.clusters import correction, degrees_of_freedom
from kdaudit.stats.least_ratio import Ratios
from kdaudit_suites.fairness.contrasts import Crossing
from kdaudit_suites.fairness.endpoints import FAI009, FAI011
from kdaudit_suites.fairness.ratios import SMALL, Sides, own_ratios, ratios_versus
from kdaudit_suites.fairness.scores import NO_FAVOURABLE
from kdaudit_suites.fairness.selections import LogRates, Selections, inflation

NO_ONE_ELSE = "there is no one else to compare the group with"
WIDEST = 1e4  # an interval that spans more says nothing, and is printed as what it is


def ratio_basis(
    sums: Selections, above: tuple[LogRates, int], below: tuple[LogRates, int], *, clustered: bool
) -> Means | NotMeasured:
    """The log ratio of the rates of two sides, jointly over the subjects."""
    (one, i), (other, j) = above, below
    sides = [i, j]
    what = "clusters" if clustered else "rows"
    fewer = int(sums.clusters[sides].min())
    effective = float(sums.effective[sides].min())
    largest = float(sums.largest[sides].max())
    if fewer < 2:
        return NotMeasured(f"fewer than two {what} on one side; a spread needs two at least")
    unequal = clustered or bool((sums.effective[sides] < sums.clusters[sides] - 1e-9).any())
    if unequal and too_few(effective):
        return NotMeasured(
            f"{fewer} {what} that say as much as {effective:.1f} equal ones; at least "
            f"{FEWEST_CLUSTERS} are needed for an interval"
        )
    if one.covariance is not None and other.covariance is not None:
        covariance = one.covariance[i] + other.covariance[j]
    else:
        assert one.influence is not None
        assert other.influence is not None
        apart = one.influence[:, :, i] - other.influence[:, :, j]
        # One product at a time: a third subject changes no bit of the other two.
        covariance = np.array([[np.einsum("u,u->", x, y) for x in apart] for y in apart])
        covariance *= float(correction(effective, largest))
    covariance = covariance + np.diag(one.extra[:, i] + other.extra[:, j])
    slack = one.slack[:, i] + other.slack[:, j]
    grown = float(inflation(np.asarray(effective), np.asarray(largest)))
    least = min(float(one.least[:2, i].min()), float(other.least[:2, j].min()))
    return Means(
        mean=tuple((one.log[:, i] - other.log[:, j]).tolist()),
        covariance=tuple(tuple(row) for row in covariance.tolist()),
        df=float(degrees_of_freedom(effective)),
        n=int(sums.rows[i]),
        clusters=fewer,
        span=1 / least,  # one answer moves a logarithm by 1/p
        unknown=(0.0,) * len(sums.subjects),
        filled=tuple((slack / grown).tolist()) if slack.any() else (),
        effective=effective if unequal else None,
        largest=largest if unequal else None,
        scale="log",
        clustered=clustered,
    )


def impact_ratios(
    evidence: Evidence, crossing: Crossing, scores: Scores, sums: Selections
) -> list[Finding]:
    """FAI009 and FAI011 of every group of a crossing."""
    reason = _why_not(evidence, scores, crossing)
    if not evidence.rows.positive or len(crossing.wheres) < 2:
        assert reason is not None
        return [
            not_measured(endpoint, where, reason)
            for endpoint in (FAI009, FAI011)
            for where in crossing.wheres
        ]
    sides = Sides.of(sums, clustered=evidence.rows.cluster is not None)
    return [
        finding
        for group in range(len(crossing.wheres))
        for finding in (
            _to_most(evidence, crossing, scores, sides, group),
            _to_rest(evidence, crossing, scores, sides, group),
        )
    ]


def _to_most(
    evidence: Evidence, crossing: Crossing, scores: Scores, sides: Sides, group: int
) -> Finding:
    """FAI009: each subject's ratio to its own most selected group."""
    sums, where = sides.sums, crossing.wheres[group]
    if not sums.rows[group]:
        return finding_of(FAI009, evidence, NotMeasured("no rows", 0), where)
    ratios = {who: _own(sides, who, group) for who in ORDER}
    for who in ORDER:
        absent = scores[who]
        if isinstance(absent, NotMeasured):
            ratios[who] = absent
    most = {who: most_selected(sums, who) for who in sums.subjects}
    basis = LeastRatio(
        student=ratios["student"],
        teacher=ratios["teacher"],
        baseline=ratios["baseline"],
        versus_teacher=_versus(sides, "teacher", group, most, scores),
        versus_baseline=_versus(sides, "baseline", group, most, scores),
    )
    values = {who: own(basis, who, evidence.level) for who in ORDER}
    student = values["student"]
    return FAI009.finding(
        where=where,
        student=student,
        teacher=values["teacher"],
        baseline=values["baseline"],
        difference=_between(student, values["teacher"]),
        basis=student if isinstance(student, NotMeasured) else basis,
        note=_against(crossing, group, most),
    )


Most = dict[Subject, int | NotMeasured]


def _own(sides: Sides, who: Subject, group: int) -> Ratios | NotMeasured:
    if who not in sides.sums.subjects:
        return NotMeasured("the audit has no baseline")
    k = sides.sums.subjects.index(who)
    if not sides.sums.mass[k, : sides.sums.groups, 1].any():
        return NotMeasured(f"the {who} selects nobody")
    found = own_ratios(sides, k, group)
    if isinstance(found, Ratios) and says_nothing(found):
        return NotMeasured(
            f"{found.n} rows, of whom so few are selected that any ratio is possible", found.n
        )
    return found


def says_nothing(ratios: Ratios) -> bool:
    """Whether so few are selected that any ratio is possible."""
    return max(ratios.se[k] + ratios.slack[k] for k in range(len(ratios.log))) > math.log(WIDEST)


def _versus(
    sides: Sides, who: Subject, group: int, most: Most, scores: Scores
) -> Ratios | NotMeasured:
    absent = scores[who]
    if isinstance(absent, NotMeasured):
        return absent
    if who not in most or "student" not in most:
        return NotMeasured("the pair is not complete")
    found = most[who]
    if isinstance(found, NotMeasured):
        return found
    if group != found and not _large(sides, found):
        return NotMeasured(f"the group that the {who} selects most has fewer than {SMALL} rows")
    subjects = sides.sums.subjects
    return ratios_versus(sides, subjects.index("student"), subjects.index(who), group, found)


def _large(sides: Sides, group: int) -> bool:
    return bool(sides.sums.rows[group] >= SMALL)


def _between(student: Measurement, teacher: Measurement) -> Measurement:
    """Student's ratio minus the teacher's, each to its own group."""
    if isinstance(student, NotMeasured) or isinstance(teacher, NotMeasured):
        return student if isinstance(student, NotMeasured) else teacher
    # What can be said without their covariance: as far apart as both intervals allow.
    return replace(
        student,
        value=student.value - teacher.value,
        low=student.low - teacher.high,
        high=student.high - teacher.low,
        method="both intervals, conservative",
    )


def _against(crossing: Crossing, group: int, most: Most) -> str:
    told = [
        f"the {who} selects {'this group' if found == group else crossing.names[found]} most"
        for who, found in most.items()
        if isinstance(found, int)
    ]
    return f"each held against its own most selected group: {', '.join(told)}" if told else ""


def _to_rest(
    evidence: Evidence, crossing: Crossing, scores: Scores, sides: Sides, group: int
) -> Finding:
    """FAI011: the ratio to all other groups together."""
    rest = group + len(crossing.wheres)
    reason = _why_not(evidence, scores, crossing)
    basis = ratio_basis(
        sides.sums, (sides.above, group), (sides.below, rest), clustered=sides.clustered
    )
    if reason is not None:
        return _alone(evidence, crossing, scores, sides, group, basis)
    if isinstance(basis, Means) and _too_wide(basis):
        n = int(sides.sums.rows[group])
        basis = NotMeasured(f"{n} rows, of whom so few are selected that any ratio is possible", n)
    return _finding(FAI011, evidence, crossing, group, basis, scores, "")


def _too_wide(basis: Means) -> bool:
    return math.sqrt(max(basis.covariance[0][0], 0.0)) > math.log(WIDEST)


def most_selected(sums: Selections, subject: Subject) -> int | NotMeasured:
    """The group a subject selects most, if no answer that is missing could make it another."""
    k, groups = sums.subjects.index(subject), sums.groups
    least, most = (sums.rate([end] * len(sums.subjects))[k, :groups] for end in (0.0, 1.0))
    first = int(np.argmax(least))
    if not least[first] > 0:
        return NotMeasured(f"the {subject} selects nobody")
    others = np.delete(most, first)
    if others.size and (most > least).any() and others.max() > least[first]:
        return NotMeasured(f"which group the {subject} selects most depends on its missing answers")
    return first


def _why_not(evidence: Evidence, scores: Scores, crossing: Crossing) -> str | None:
    if not evidence.rows.positive:
        return NO_FAVOURABLE
    if len(crossing.wheres) < 2:
        return NO_ONE_ELSE
    for who in ("student", "teacher"):
        absent = scores[who]
        if isinstance(absent, NotMeasured):
            return absent.reason
    return None


def _alone(
    evidence: Evidence,
    crossing: Crossing,
    scores: Scores,
    sides: Sides,
    group: int,
    basis: Means | NotMeasured,
) -> Finding:
    """What can be said of the subjects that are there, where they cannot be compared."""
    reason = _why_not(evidence, scores, crossing)
    assert reason is not None
    values: dict[Subject, Measurement] = {}
    for who in ORDER:
        absent = scores[who]
        if isinstance(absent, NotMeasured):
            values[who] = absent
        elif isinstance(basis, NotMeasured):
            values[who] = basis
        else:
            index = sides.sums.subjects.index(who)
            values[who] = own(_only(basis, index), "student", evidence.level)
    return replace(
        not_measured(FAI011, crossing.wheres[group], reason),
        student=values["student"],
        teacher=values["teacher"],
        baseline=values["baseline"],
    )


def _only(basis: Means, index: int) -> Means:
    """The basis of one of its subjects."""
    return replace(
        basis,
        mean=(basis.mean[index],),
        covariance=((basis.covariance[index][index],),),
        unknown=(0.0,),
        filled=basis.filled[index : index + 1],
    )


def _finding(
    endpoint: Endpoint,
    evidence: Evidence,
    crossing: Crossing,
    group: int,
    basis: Means | NotMeasured,
    scores: Scores,
    note: str,
) -> Finding:
    where = crossing.wheres[group]
    if isinstance(basis, NotMeasured):
        return finding_of(endpoint, evidence, basis, where, note)
    finding = finding_of(endpoint, evidence, basis, where, note)
    baseline = scores["baseline"]
    return replace(
        finding,
        baseline=baseline if isinstance(baseline, NotMeasured) else finding.baseline,
        difference=_change(basis, evidence.level),
    )


def _change(basis: Means, level: float) -> Measurement:
    """Student's ratio minus the teacher's, paired, by the delta method."""
    ratios = [math.exp(x) for x in basis.mean]
    linear = replace(
        basis,
        mean=tuple(ratios),
        covariance=tuple(
            tuple(r * c * q for c, q in zip(row, ratios, strict=True))
            for r, row in zip(ratios, basis.covariance, strict=True)
        ),
        span=basis.span * max(ratios[:2]),
        filled=tuple(r * f for r, f in zip(ratios, basis.filled, strict=False)),
        scale="identity",
    )
    return difference(linear, "teacher", level)
