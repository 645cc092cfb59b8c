"""The table a rule on impact ratios asks for, with both choices of what a group is held against.

Each subject's groups are held against the group which that subject selects most, and against the
rest. The intervals hold whichever group truly is the most selected (`kdaudit.stats.least_ratio`).
"""

import math

import numpy as np

from kdaudit.estimate import NotMeasured
from kdaudit.results import Figure
from kdaudit.stats import least_ratio
from kdaudit.stats.clusters import correction
from kdaudit.stats.interval import tail
from kdaudit.stats.least_ratio import Ratios
from kdaudit.stats.proportions import wilson
from kdaudit_suites.fairness.contrasts import Crossing
from kdaudit_suites.fairness.impact import most_selected, says_nothing
from kdaudit_suites.fairness.packs import Pack
from kdaudit_suites.fairness.ratios import Sides, own_ratios, ratio_to
from kdaudit_suites.fairness.selections import LogRates, Selections

Ends = tuple[float | None, float | None, float | None]
NONE: Ends = (None, None, None)


def impact_table(sums: Selections, crossing: Crossing, level: float, pack: Pack) -> Figure:
    """Selection rates and impact ratios of every group and subject.

    Args:
        sums: of the crossing.
        crossing: its groups.
        level: two-sided level of each interval, 1 - 2 alpha.
        pack: the rule whose definitions are followed; groups smaller than it lets be left out are
            marked, none is left out.
    """
    sides = Sides.of(sums, clustered=bool(sums.units))
    share = sums.rows[: sums.groups] / max(int(sums.rows[: sums.groups].sum()), 1)
    rows = []
    for group, name in enumerate(crossing.names):
        few = share[group] < pack.may_leave_out
        told = f"{name} (under {pack.may_leave_out:.0%} of the rows)" if few else name
        for k, who in enumerate(sums.subjects):
            rate = _rate(sums, sides.above, k, group, level)
            ratio = NONE
            if isinstance(most_selected(sums, who), int):
                ratio = _ends(own_ratios(sides, k, group), level)
            rest = _ends(ratio_to(sides, k, group, group + sums.groups), level)
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


def _ends(ratios: Ratios | NotMeasured, level: float) -> Ends:
    """The least of some ratios and its interval; nothing where any ratio is possible."""
    if isinstance(ratios, NotMeasured) or says_nothing(ratios):
        return NONE
    low, high = least_ratio.interval(ratios, tail(level))
    return least_ratio.value(ratios), low, high
