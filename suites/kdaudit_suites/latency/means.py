"""Means of what a request takes: seconds, money, joules."""

from collections.abc import Mapping

import numpy as np

from kdaudit.basis import ORDER, Subject, own
from kdaudit.estimate import Measurement, NotMeasured
from kdaudit.evidence.kinds import Floats
from kdaudit.measure import finding_of
from kdaudit.results import Endpoint, Finding, Fixed, Means
from kdaudit.score_bases import FEWEST_CLUSTERS, joint_basis, too_few
from kdaudit.scores import Score
from kdaudit.stats.means import joint_means
from kdaudit_suites.latency.served import Served


def mean_of_amounts(
    endpoint: Endpoint,
    served: Served,
    values: Mapping[Subject, Floats | NotMeasured],
    note: str = "",
) -> Finding:
    """The mean of an amount that has no scale and is never the same twice.

    Such a sample shows its spread, so its interval needs no term for what no row has shown, which
    over a few batches would be wider than everything that was seen.

    Args:
        endpoint: what is measured; lower is better.
        served: the requests.
        values: by role, (R,) amounts above 0, NaN without an answer: nothing is measured then of
            the student, and 0 is put in for the others.
        note: a sentence the reader must see.
    """
    scores = served.scores_of(values)
    absent = [one for who in ("student", "teacher") if isinstance(one := scores[who], NotMeasured)]
    if not absent:
        present = [(who, one) for who in ORDER if isinstance(one := scores[who], Score)]
        basis = _basis(served, [_filled(one) for _, one in present])
        found = finding_of(endpoint, served.requests(), basis, note=note)
        baseline = scores["baseline"]
        if isinstance(baseline, NotMeasured) and isinstance(basis, Means):
            return endpoint.finding(
                student=found.student,
                teacher=found.teacher,
                baseline=baseline,
                difference=found.difference,
                basis=basis,
                note=note,
            )
        return found
    alone: dict[Subject, Measurement] = {}
    for who in ORDER:
        score = scores[who]
        if isinstance(score, NotMeasured):
            alone[who] = score
            continue
        basis = _basis(served, [_filled(score)])
        alone[who] = (
            basis if isinstance(basis, NotMeasured) else own(basis, "student", served.level)
        )
    return endpoint.finding(
        student=alone["student"],
        teacher=alone["teacher"],
        baseline=alone["baseline"],
        difference=absent[0],
        basis=absent[0] if served.complete else Fixed(level=served.level, incomplete=True),
        note=note,
    )


Filled = tuple[Floats, float]  # (R,) amounts, and how far those that were put in moved their mean


def _filled(score: Score) -> Filled:
    lost = float(np.mean(~score.valid))
    return np.where(score.valid, score.values, score.low), lost * (score.high - score.low)


def _basis(served: Served, filled: list[Filled]) -> Means | NotMeasured:
    clusters = served.requests().rows.cluster
    joint = joint_means([values for values, _ in filled], clusters=clusters)
    if joint is None or (clusters is not None and too_few(joint.effective)):
        units = "requests" if clusters is None else "batches, blocks or different requests"
        count = 1 if joint is None else joint.clusters
        return NotMeasured(
            f"{count} {units}; at least {FEWEST_CLUSTERS} are needed for an interval"
        )
    moved = tuple(far for _, far in filled)
    grouped = clusters is not None
    return joint_basis(
        joint,
        span=0.0,
        unequal=grouped,
        clustered=grouped,
        filled=moved if any(moved) else (),
    )
