"""Impact ratios: a group's selection rate over that of the most selected group, or of the rest.

Ratios are measured on the log scale by the delta method (Katz et al. 1978), cluster-robust where
clusters are declared, jointly for student, teacher and baseline.

The most selected group is itself drawn by luck. The findings take the one that the teacher selects
most, for every subject, and hold it fixed: the student's ratio may then exceed 1. The tables of a
regulation take each subject's own, and their intervals hold whichever group it truly is.

A missing answer scores worst for the student (not selected in the group, selected in what it is
held against) and best for its references; what it may have hidden of the spread is added to the
standard error (`kdaudit_suites.fairness.selections`).
"""

import math
from dataclasses import replace

import numpy as np

from kdaudit.basis import ORDER, Subject, difference, own
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.view import Evidence
from kdaudit.measure import finding_of, not_measured
from kdaudit.results import Endpoint, Finding, Means
from kdaudit.score_bases import FEWEST_CLUSTERS, too_few
from kdaudit.scores import Scores
from kdaudit.stats.clusters import correction, degrees_of_freedom
from kdaudit_suites.fairness.contrasts import Crossing
from kdaudit_suites.fairness.endpoints import FAI009, FAI011
from kdaudit_suites.fairness.scores import NO_FAVOURABLE
from kdaudit_suites.fairness.selections import LogRates, Selections, inflation, log_rates

NO_ONE_ELSE = "there is no one else to compare the group with"


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
    if reason is not None:
        return [
            _alone(endpoint, evidence, crossing, scores, sums, group, reason)
            for endpoint in (FAI009, FAI011)
            for group in range(len(crossing.wheres))
        ]
    as_group, as_reference = best_and_worst(sums)
    most = most_selected(sums, "teacher")
    clustered = evidence.rows.cluster is not None
    findings = []
    for group, where in enumerate(crossing.wheres):
        if isinstance(most, NotMeasured):
            findings.append(not_measured(FAI009, where, most.reason))
        elif group == most:
            findings.append(_itself(evidence, crossing, sums, group))
        else:
            basis = _counted(
                ratio_basis(sums, (as_group, group), (as_reference, most), clustered=clustered),
                sums,
                group,
            )
            note = f"held against {crossing.names[most]}, which the teacher selects most"
            findings.append(_finding(FAI009, evidence, crossing, group, basis, scores, note))
        rest = group + len(crossing.wheres)
        basis = ratio_basis(sums, (as_group, group), (as_reference, rest), clustered=clustered)
        findings.append(_finding(FAI011, evidence, crossing, group, basis, scores, ""))
    return findings


def best_and_worst(sums: Selections) -> tuple[LogRates, LogRates]:
    """Rates of a group, and of what it is held against, at the worst for the student."""
    worst = [0.0 if who == "student" else 1.0 for who in sums.subjects]
    return log_rates(sums, worst), log_rates(sums, [1 - x for x in worst])


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
    endpoint: Endpoint,
    evidence: Evidence,
    crossing: Crossing,
    scores: Scores,
    sums: Selections,
    group: int,
    reason: str,
) -> Finding:
    """What can be said of the subjects that are there, where they cannot be compared."""
    where = crossing.wheres[group]
    nothing = not_measured(endpoint, where, reason)
    if not evidence.rows.positive or len(crossing.wheres) < 2:
        return nothing
    clustered = evidence.rows.cluster is not None
    above, below = best_and_worst(sums)
    values: dict[Subject, Measurement] = {}
    for who in ORDER:
        absent = scores[who]
        if isinstance(absent, NotMeasured):
            values[who] = absent
            continue
        most = most_selected(sums, who) if endpoint is FAI009 else group + len(crossing.wheres)
        if isinstance(most, NotMeasured):
            values[who] = most
            continue
        basis = ratio_basis(sums, (above, group), (below, most), clustered=clustered)
        if isinstance(basis, NotMeasured):
            values[who] = basis
        elif group == most:
            values[who] = own(_certain(sums, group), "student", evidence.level)
        else:
            values[who] = own(_only(basis, sums.subjects.index(who)), "student", evidence.level)
    return replace(
        nothing,
        student=values["student"],
        teacher=values["teacher"],
        baseline=values["baseline"],
    )


def _counted(basis: Means | NotMeasured, sums: Selections, group: int) -> Means | NotMeasured:
    """The basis; where there is none, with the rows of the group."""
    return replace(basis, n=int(sums.rows[group])) if isinstance(basis, NotMeasured) else basis


def _only(basis: Means, index: int) -> Means:
    """The basis of one of its subjects."""
    return replace(
        basis,
        mean=(basis.mean[index],),
        covariance=((basis.covariance[index][index],),),
        unknown=(0.0,),
        filled=basis.filled[index : index + 1],
    )


def _certain(sums: Selections, group: int) -> Means:
    """A group held against itself: 1, whatever is drawn."""
    k = len(sums.subjects)
    return Means(
        mean=(0.0,) * k,
        covariance=((0.0,) * k,) * k,
        df=1.0,
        n=max(int(sums.rows[group]), 1),
        clusters=max(int(sums.clusters[group]), 2),
        span=0.0,
        unknown=(0.0,) * k,
        scale="log",
    )


def _itself(evidence: Evidence, crossing: Crossing, sums: Selections, group: int) -> Finding:
    note = "the group that the teacher selects most: 1 by definition"
    finding = finding_of(FAI009, evidence, _certain(sums, group), crossing.wheres[group], note)
    zero = Estimate(
        value=0.0,
        low=0.0,
        high=0.0,
        n=max(int(sums.rows[group]), 1),
        level=1.0,
        method="by definition",
    )
    one = replace(zero, value=1.0, low=1.0, high=1.0)
    here = dict.fromkeys(sums.subjects, one)
    return replace(
        finding,
        student=one,
        teacher=one,
        baseline=here.get("baseline", finding.baseline),
        difference=zero,
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
