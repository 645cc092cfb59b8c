"""Ratios of a group's selection rate to each other group's, as `kdaudit.stats.least_ratio` reads.

A group of fewer than `SMALL` rows is held against others, but others are not held against it: its
rate would be the highest by luck alone.
"""

import math
from dataclasses import dataclass

import numpy as np

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Floats
from kdaudit.score_bases import FEWEST_CLUSTERS, too_few
from kdaudit.stats.clusters import correction, degrees_of_freedom
from kdaudit.stats.least_ratio import Ratios
from kdaudit_suites.fairness.selections import LogRates, Selections, log_rates

SMALL = 50  # rows of a group that others are held against


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sides:
    """Rates of a crossing's groups and rests, at the worst for the student.

    Attributes:
        sums: what they follow from.
        above: rates of a group that is held against others.
        below: rates of what it is held against.
        clustered: whether rows have clusters.
    """

    sums: Selections
    above: LogRates
    below: LogRates
    clustered: bool

    @classmethod
    def of(cls, sums: Selections, *, clustered: bool) -> "Sides":
        """A missing answer counts against the student and for its references."""
        worst = [0.0 if who == "student" else 1.0 for who in sums.subjects]
        return cls(
            sums=sums,
            above=log_rates(sums, worst),
            below=log_rates(sums, [1 - x for x in worst]),
            clustered=clustered,
        )

    def candidates(self, group: int) -> list[int]:
        """The groups that ``group`` is held against: all others that are large enough."""
        rows = self.sums.rows[: self.sums.groups]
        return [k for k in range(self.sums.groups) if k != group and rows[k] >= SMALL]


Term = tuple[float, int, int]  # coefficient, subject, side
Terms = dict[int, list[Term]]  # of each ratio, by what the group is held against


def own_ratios(sides: Sides, subject: int, group: int) -> Ratios | NotMeasured:
    """One subject's ratios of a group to every other one."""
    terms: Terms = {h: [(1.0, subject, group), (-1.0, subject, h)] for h in sides.candidates(group)}
    return _ratios(sides, group, terms, pair=False, most=1.0)


def ratio_to(sides: Sides, subject: int, group: int, side: int) -> Ratios | NotMeasured:
    """One subject's ratio of a group to one side, another group or a rest."""
    if not (sides.sums.rows[group] and sides.sums.rows[side]):
        return NotMeasured("no rows", 0)
    terms: Terms = {side: [(1.0, subject, group), (-1.0, subject, side)]}
    return _ratios(sides, group, terms, pair=False)


def ratios_versus(
    sides: Sides, subject: int, reference: int, group: int, most: int
) -> Ratios | NotMeasured:
    """The student's ratios over the reference's to the one group that this one selects most."""
    terms: Terms = {h: [(1.0, subject, group), (-1.0, subject, h)] for h in sides.candidates(group)}
    if group == most:
        return _ratios(sides, group, terms, pair=True, most=1.0)
    held: list[Term] = [(-1.0, reference, group), (1.0, reference, most)]
    over = {h: [*some, *held] for h, some in terms.items()}
    # The group may be the student's most selected one itself: 1 over the reference's ratio.
    return _ratios(sides, group, {**over, group: held}, pair=True)


def _ratios(
    sides: Sides, group: int, terms: Terms, *, pair: bool, most: float | None = None
) -> Ratios | NotMeasured:
    if not terms:
        return NotMeasured(f"no other group has {SMALL} rows to be held against")
    found = [_one(sides, group, some, pair=pair) for some in terms.values()]
    absent = next((one for one in found if isinstance(one, NotMeasured)), None)
    if absent is not None:
        return absent
    numbers = [one for one in found if not isinstance(one, NotMeasured)]
    log, se, df, shift, floor, slack = zip(*numbers, strict=True)
    return Ratios(
        log=log,
        se=se,
        df=df,
        shift=shift,
        floor=floor,
        slack=slack,
        n=int(sides.sums.rows[group]),
        most=most,
    )


Numbers = tuple[float, float, float, float, float, float]


def _one(sides: Sides, group: int, terms: list[Term], *, pair: bool) -> Numbers | NotMeasured:
    sums = sides.sums
    used = sorted({side for _, _, side in terms})
    what = "clusters" if sides.clustered else "rows"
    fewest = int(sums.clusters[used].min())
    effective, largest = float(sums.effective[used].min()), float(sums.largest[used].max())
    if fewest < 2:
        return NotMeasured(f"fewer than two {what} on one side; a spread needs two at least", 0)
    unequal = sides.clustered or bool((sums.effective[used] < sums.clusters[used] - 1e-9).any())
    if unequal and too_few(effective):
        return NotMeasured(
            f"{fewest} {what} that say as much as {effective:.1f} equal ones; at least "
            f"{FEWEST_CLUSTERS} are needed for an interval"
        )

    def at(side: int) -> LogRates:
        return sides.above if side == group else sides.below

    log = math.fsum(c * float(at(side).log[k, side]) for c, k, side in terms)
    extra = math.fsum(c * c * float(at(side).extra[k, side]) for c, k, side in terms)
    slack = math.fsum(abs(c) * float(at(side).slack[k, side]) for c, k, side in terms)
    least = min(float(at(side).least[k, side]) for _, k, side in terms)
    variance = _variance(sides, group, terms, effective, largest) + extra
    # Two subjects that agree show no spread whatever the rate is; one answer moves log p by 1/p.
    span = 1 / least if pair or sides.clustered else 1.0
    return (
        log,
        math.sqrt(max(variance, 0.0)),
        float(degrees_of_freedom(effective)),
        span / 2 * math.sqrt(largest / effective),
        span / (2 * effective),
        slack,
    )


def _variance(
    sides: Sides, group: int, terms: list[Term], effective: float, largest: float
) -> float:
    if sides.clustered:
        total: Floats | None = None
        for c, k, side in terms:
            influence = (sides.above if side == group else sides.below).influence
            assert influence is not None
            part = c * influence[k, :, side]
            total = part if total is None else total + part
        assert total is not None
        return float(np.einsum("u,u->", total, total)) * float(correction(effective, largest))
    variance = 0.0
    for here in sorted({side for _, _, side in terms}):
        covariance = (sides.above if here == group else sides.below).covariance
        assert covariance is not None
        some = [(c, k) for c, k, side in terms if side == here]
        variance += math.fsum(
            a * b * float(covariance[here, i, j]) for a, i in some for b, j in some
        )
    return variance
