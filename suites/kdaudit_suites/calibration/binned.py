"""The debiased squared error over equal-mass bins, and its bootstrap (CAL004, CAL006)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kdaudit.basis import Subject
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.kinds import Floats, Ints
from kdaudit.evidence.view import Evidence, Rows
from kdaudit.measure import not_measured
from kdaudit.results import Endpoint, Finding, Fixed
from kdaudit.score_bases import FEWEST_CLUSTERS, too_few
from kdaudit.scores import absence
from kdaudit.stats.bootstrap import block_bootstrap, blocks, percentile_bootstrap_interval
from kdaudit.stats.calibration_error import (
    bins_are_values,
    debiased_squared_error,
    debiased_squared_error_of_clusters,
    equal_mass_bins,
)
from kdaudit.stats.clusters import Design, correction, degrees_of_freedom, design
from kdaudit.stats.interval import normal_quantile, tail
from kdaudit_suites.calibration.answers import Claims

FEW_LOST = 0.001  # share of missing answers up to which what they could add is allowed for
FEW_IN_A_BIN = 10  # units below which what no draw shows widens the interval more than it need be


@dataclass(frozen=True, slots=True, kw_only=True)
class Binning:
    """How the error is computed: bins, and bootstrap draws for its interval."""

    bins: int
    replicates: int


def debiased_finding(
    endpoint: Endpoint,
    evidence: Evidence,
    claims: Mapping[Subject, Claims | NotMeasured],
    how: Binning,
    rng: np.random.Generator,
) -> Finding:
    """The error of every subject and their differences, from one set of bootstrap draws.

    Args:
        endpoint: what is measured.
        evidence: for clusters and level.
        claims: by subject.
        how: bins and draws.
        rng: the stream of this finding.
    """
    reason = _why_not(claims, evidence.rows, how.bins)
    if reason is not None:
        return not_measured(endpoint, (), reason)
    present = {who: one for who, one in claims.items() if isinstance(one, Claims)}
    sample = _sampled(present, evidence, how, rng)

    def own(who: Subject) -> Measurement:
        if who not in sample.names:
            return absence(claims[who])
        return sample.own(who)

    return endpoint.finding(
        student=own("student"),
        teacher=own("teacher"),
        baseline=own("baseline"),
        difference=sample.minus("teacher"),
        basis=Fixed(
            level=evidence.level,
            baseline=sample.minus("baseline") if "baseline" in sample.names else None,
            incomplete=any(sample.lost),
            df=float(degrees_of_freedom(sample.units.effective[0])),
            least_p=1 / (how.replicates + 1),
        ),
        note=sample.note,
    )


def _why_not(claims: Mapping[Subject, Claims | NotMeasured], rows: Rows, bins: int) -> str | None:
    for who in ("student", "teacher"):
        subject = claims[who]
        if isinstance(subject, NotMeasured):
            return subject.reason
    if rows.weight is not None:
        return "not defined for weighted rows; CAL001 and CAL003 are"
    lost = max(int((~c.valid).sum()) for c in claims.values() if isinstance(c, Claims))
    if lost > FEW_LOST * len(rows):
        return (
            f"{lost} answers are missing or invalid, more than one in {1 / FEW_LOST:,.0f}; the "
            "worst that could stand for them says nothing"
        )
    if len(rows) < 2 * bins:
        return f"{len(rows)} rows; {bins} bins need {2 * bins} at least"
    return None if rows.cluster is None else _too_few(_units(rows))


def _too_few(units: Design) -> str | None:
    effective, clusters = float(units.effective[0]), int(units.units[0])
    if not too_few(effective):
        return None
    alike = "" if clusters < FEWEST_CLUSTERS else f" that say as much as {effective:.1f} equal ones"
    return f"{clusters} clusters{alike}; at least {FEWEST_CLUSTERS} are needed for an interval"


def _units(rows: Rows) -> Design:
    """What the sizes of the clusters, or equal rows, say."""
    return design(np.ones(len(rows)) if rows.cluster is None else np.bincount(rows.cluster))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sample:
    """Errors of S subjects as measured, and as drawn again."""

    names: tuple[Subject, ...]
    point: Floats  # (S,)
    draws: Floats  # (replicates, S)
    blocks: int
    rows: int
    units: Design
    bins: int
    level: float
    note: str
    lost: tuple[float, ...]  # share of rows without an answer, of each

    def own(self, who: Subject) -> Estimate:
        """One subject's error."""
        i = self.names.index(who)
        return self._estimate(self.point[i], self.draws[:, i], self.point[i], self._unknown(i))

    def minus(self, who: Subject) -> Estimate:
        """The student's error less a reference's."""
        i = self.names.index(who)
        gap, draws = self.point[0] - self.point[i], self.draws[:, 0] - self.draws[:, i]
        unknown = self._unknown(0) + self._unknown(i)
        return self._estimate(gap, draws, max(self.point[0], self.point[i]), unknown)

    def _unknown(self, index: int) -> float:
        """How far the error may lie off for the answers that are missing.

        A share f of all rows, of any confidence, right or wrong, at worst all in one bin, moves the
        sum of its gaps by f of the rows: the squared error by 2·f·gap + bins·f², no gap being more
        than 1, nor than all the squared error in one bin makes it.
        """
        share = self.lost[index]
        gap = min(1.0, math.sqrt(max(float(self.point[index]), 0.0) * self.bins) + share)
        return 2 * share * gap + self.bins * share * share

    def _estimate(self, value: float, draws: Floats, error: float, unknown: float) -> Estimate:
        # A resample adds noise that debiasing takes out once only: its draws lie too high.
        low, high = percentile_bootstrap_interval(draws - draws.mean(), self.level)
        wider, unseen = self._few(), _unseen(error, self.units, self.bins, self.level)
        few = float(self.units.effective[0]) < FEW_IN_A_BIN * self.bins
        return Estimate(
            value=float(value),
            low=float(value) - math.hypot(wider * max(-low, 0.0), unseen) - unknown,
            high=float(value) + math.hypot(wider * max(high, 0.0), unseen) + unknown,
            n=self.rows,
            level=self.level,
            method=f"centred percentile bootstrap, {self.blocks} blocks"
            + (", conservative" if few else ""),
        )

    def _few(self) -> float:
        """By how much draws from few units spread too little: as for a mean of those units.

        Its variance is drawn too small by the sandwich's correction, and its quantiles are those of
        a normal where Student's t would be right.
        """
        from scipy.special import stdtrit

        alpha, effective = tail(self.level), self.units.effective[0]
        too_little = math.sqrt(float(correction(effective, self.units.largest[0])))
        reach = -float(stdtrit(degrees_of_freedom(effective), alpha))
        return too_little * reach / normal_quantile(alpha)


def _unseen(error: float, units: Design, bins: int, level: float) -> float:
    """How far a squared error may lie off although no draw shows it.

    When no row differs, every draw is the same; yet a share z²/(n + z²) of the population may
    answer otherwise (Tango's bound), at worst all in one bin. That moves the bin's gap, of
    root mean square √error, by bins·share.
    """
    z = normal_quantile(tail(level))
    share = z * z / (float(units.effective[0]) + z * z)
    return 2 * share * math.sqrt(max(error, 0.0)) + bins * share * share


def _sampled(
    present: Mapping[Subject, Claims], evidence: Evidence, how: Binning, rng: np.random.Generator
) -> _Sample:
    rows = evidence.rows
    unit = blocks(len(rows), rows.cluster, rng)
    codes = {who: _bins(one, how.bins) for who, one in present.items()}
    formula: Callable[..., Floats]
    if rows.cluster is None:
        formula, pieces = debiased_squared_error, 3
        sums = [_block_sums(one, codes[who], unit) for who, one in present.items()]
    else:
        formula, pieces = debiased_squared_error_of_clusters, 6
        sums = [_cluster_sums(one, codes[who], unit, rows.cluster) for who, one in present.items()]
    edges = np.concatenate([[0], np.cumsum([part.shape[1] for part in sums])])

    def errors(totals: Floats) -> Floats:
        """(B, S) from (B, all sums of all bins)."""
        per_subject = [
            formula(*np.split(totals[:, a:b], pieces, axis=1)) for a, b in pairwise(edges)
        ]
        return np.stack(per_subject, axis=1)

    by_block = np.hstack(sums)
    return _Sample(
        names=tuple(present),
        point=errors(by_block.sum(axis=0, keepdims=True))[0],
        draws=block_bootstrap(by_block, errors, replicates=how.replicates, rng=rng),
        blocks=len(by_block),
        rows=len(rows),
        units=_units(rows),
        bins=how.bins,
        level=evidence.level,
        note=_note(present, codes),
        lost=tuple(float(np.mean(~one.valid)) for one in present.values()),
    )


def _bins(claims: Claims, bins: int) -> Ints:
    """(N,) the bin of each claim; -1 where there is none."""
    codes = np.full(len(claims.claimed), -1, dtype=np.int64)
    codes[claims.valid] = equal_mass_bins(claims.claimed[claims.valid], bins)
    return codes


def _block_sums(claims: Claims, codes: Ints, unit: Ints) -> Floats:
    """(blocks, 3 · bins) rows, sum of claims and of outcomes, by block and bin."""
    bins, size, known = int(codes.max()) + 1, int(unit.max()) + 1, codes >= 0
    cell = (unit * bins + codes)[known]
    columns = [
        np.bincount(cell, None if column is None else column[known], minlength=size * bins).reshape(
            size, bins
        )
        for column in (None, claims.claimed, claims.happened)
    ]
    return np.hstack(columns).astype(np.float64)


def _cluster_sums(claims: Claims, codes: Ints, unit: Ints, cluster: Ints) -> Floats:
    """(blocks, 6 · bins) what clusters add to each bin, by block and bin."""
    bins, size, known = int(codes.max()) + 1, int(unit.max()) + 1, codes >= 0
    parts, which = np.unique((cluster * bins + codes)[known], return_inverse=True)
    count = np.bincount(which)
    gap = np.bincount(which, (claims.claimed - claims.happened)[known])
    # A cluster lies in one block, so that of any of its rows is that of the part.
    block = np.zeros(len(parts), dtype=np.int64)
    block[which] = unit[known]
    cell = block * bins + parts % bins
    columns = [
        np.bincount(cell, column, minlength=size * bins).reshape(size, bins)
        for column in (None, count, gap, gap * gap, gap * count, count * count)
    ]
    return np.hstack(columns).astype(np.float64)


def _note(present: Mapping[Subject, Claims], codes: Mapping[Subject, Ints]) -> str:
    few = [
        f"the {who}'s {int(codes[who].max()) + 1}"
        for who, one in present.items()
        if bins_are_values(one.claimed[one.valid], codes[who][one.valid])
    ]
    if not few:
        return ""
    return f"few distinct probabilities: {' and '.join(few)} are the bins, one each"
