"""The table a rule on impact ratios asks for, with both choices of what a group is held against.

Each subject's groups are held against the group which that subject selects most, and against the
rest. Which group truly is the most selected is not known: its rate was the highest of several drawn
ones. The true ratio is the least of the ratios to all groups, so its lower end is the least of
their lower ends, and no correction is needed: whichever group it truly is, that end holds. The
upper end is that of the ratio to the group found, with Bonferroni over the groups it might have
been.
"""

import math
from dataclasses import dataclass

import numpy as np

from kdaudit.evidence.kinds import Floats, Ints
from kdaudit.results import Figure
from kdaudit.stats.clusters import correction, degrees_of_freedom
from kdaudit.stats.interval import normal_quantile, tail
from kdaudit.stats.proportions import wilson
from kdaudit_suites.fairness.contrasts import Crossing
from kdaudit_suites.fairness.impact import best_and_worst, most_selected
from kdaudit_suites.fairness.packs import Pack
from kdaudit_suites.fairness.selections import LogRates, Selections

Ends = tuple[float | None, float | None, float | None]
NONE: Ends = (None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pairs:
    """Log ratios of G groups, as numerators, to groups or rests, as denominators."""

    log: Floats  # (G, H)
    se: Floats
    floor: Floats  # standard error for each z, where hardly any answer differs
    shift: Floats
    slack: Floats  # for missing answers
    df: Floats

    def end(self, side: float, alpha: float) -> Floats:
        """(G, H) one-sided bounds of the ratios, ``side`` -1 or 1."""
        from scipy.special import stdtrit

        z = normal_quantile(alpha)
        se = z * self.shift + np.hypot(self.se, z * self.floor) + self.slack
        return np.exp(self.log - side * stdtrit(self.df, alpha) * se)


def impact_table(sums: Selections, crossing: Crossing, level: float, pack: Pack) -> Figure:
    """Selection rates and impact ratios of every group and subject.

    Args:
        sums: of the crossing.
        crossing: its groups.
        level: two-sided level of each interval, 1 - 2 alpha.
        pack: the rule whose definitions are followed; groups smaller than it lets be left out are
            marked, none is left out.
    """
    above, below = best_and_worst(sums)
    share = sums.rows[: sums.groups] / max(int(sums.rows[: sums.groups].sum()), 1)
    rows = []
    for group, name in enumerate(crossing.names):
        few = share[group] < pack.may_leave_out
        told = f"{name} (under {pack.may_leave_out:.0%} of the rows)" if few else name
        for k, who in enumerate(sums.subjects):
            rate = _rate(sums, above, k, group, level)
            most = most_selected(sums, who)
            ratio = NONE
            if isinstance(most, int):
                ratio = _to_most(sums, above, below, k, group, most, level)
            rest = _to_rest(sums, above, below, k, group, level)
            rows.append((told, who, int(sums.rows[group]), *rate, *ratio, *rest))
    ends = ("", "_low", "_high")
    return Figure(
        name="impact-" + "-".join(crossing.columns),
        chart="table",
        title=f"Impact ratios by {crossing.title}, as {pack.name} defines them "
        f"(rules of {pack.dated})",
        columns=(
            " × ".join(crossing.columns),
            "subject",
            "rows",
            *(f"{what}{end}" for what in ("rate", "to_most", "to_rest") for end in ends),
        ),
        rows=tuple(rows),
    )


def _rate(sums: Selections, rates: LogRates, k: int, group: int, level: float) -> Ends:
    """A selection rate, Wilson at the number of rows that would say as much."""
    units = float(sums.effective[group])
    if not units > 0:
        return NONE
    none = rates.extra[k, group] > 0
    rate = 0.0 if none else math.exp(rates.log[k, group])
    variance = 0.0 if none else rate**2 * _variance(sums, rates, k, group)
    worth = rate * (1 - rate) / variance if variance > 0 else units
    low, high = wilson(min(rate, 1.0) * worth, worth, level)
    return rate, low, high


def _variance(sums: Selections, rates: LogRates, k: int, side: int) -> float:
    if rates.covariance is not None:
        return float(rates.covariance[side, k, k])
    assert rates.influence is not None
    parts = rates.influence[k, :, side]
    correct = correction(max(sums.effective[side], 1), min(sums.largest[side], 0.999))
    return float(np.einsum("u,u->", parts, parts)) * float(correct)


def _pairs(
    sums: Selections, above: LogRates, below: LogRates, k: int, group: int, sides: Ints
) -> _Pairs:
    """(H,) ratios of a group to some sides."""
    effective = np.maximum(np.minimum(sums.effective[group], sums.effective[sides]), 1.0)
    largest = np.maximum(sums.largest[group], sums.largest[sides])
    correct = correction(effective, np.minimum(largest, 0.999))
    if above.covariance is not None and below.covariance is not None:
        variance = above.covariance[group, k, k] + below.covariance[sides, k, k]
        span = np.ones(len(sides))
    else:
        assert above.influence is not None
        assert below.influence is not None
        apart = above.influence[k, :, group][:, None] - below.influence[k][:, sides]
        variance = np.einsum("uh,uh->h", apart, apart) * correct
        span = 1 / np.minimum(above.least[k, group], below.least[k, sides])
    variance = variance + above.extra[k, group] + below.extra[k, sides]
    return _Pairs(
        log=above.log[k, group] - below.log[k, sides],
        se=np.sqrt(variance),
        # As in `kdaudit.stats.linear.combine`.
        floor=span / (2 * effective),
        shift=span / 2 * np.sqrt(largest / effective),
        slack=above.slack[k, group] + below.slack[k, sides],
        df=np.where(effective >= 2, degrees_of_freedom(effective), np.nan),
    )


def _to_most(
    sums: Selections,
    above: LogRates,
    below: LogRates,
    k: int,
    group: int,
    most: int,
    level: float,
) -> Ends:
    others = np.flatnonzero((np.arange(sums.groups) != group) & (sums.rows[: sums.groups] > 0))
    if not others.size:
        return NONE
    pairs = _pairs(sums, above, below, k, group, others)
    alpha = tail(level)
    low = float(np.min(pairs.end(-1, alpha)))
    if group == most:
        return (1.0, min(low, 1.0), 1.0) if math.isfinite(low) else NONE
    found = int(np.flatnonzero(others == most)[0])
    value = math.exp(pairs.log[found])
    high = min(1.0, float(pairs.end(1, alpha / len(others))[found]))
    if not (math.isfinite(low) and math.isfinite(high)):
        return NONE
    return value, min(low, value), max(high, value)


def _to_rest(
    sums: Selections, above: LogRates, below: LogRates, k: int, group: int, level: float
) -> Ends:
    side = group + sums.groups
    if not sums.rows[side] > 0:
        return NONE
    pairs = _pairs(sums, above, below, k, group, np.array([side]))
    low, high = (float(pairs.end(end, tail(level))[0]) for end in (-1, 1))
    if not (math.isfinite(low) and math.isfinite(high)):
        return NONE
    return math.exp(float(pairs.log[0])), low, high
