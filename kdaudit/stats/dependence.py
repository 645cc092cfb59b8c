"""What dependent or unequal rows are worth: design effects that are not taken for granted.

A *unit* is what is independent: a cluster of rows, or a row. The rows of a cluster may agree
entirely, not at all, or somewhat; by how much is the intra-cluster correlation ρ. Over N rows of
variance σ², the mean has variance ``σ²/N`` times the design effect

    D(ρ) = N·((1 - ρ)·Σp² + ρ·ΣP²)

with p the shares of the rows in the mean, and P those of the units (Kish 1965). What the rows are
worth is ``N / D``: so many independent rows that weigh the same would say as much.

The sandwich variance v says what the design effect was: ``v·N/σ²``. Where few answers differ it
says little: five rows that happen to lie in five clusters look independent whatever ρ is, and a
test that believes it errs with chance 0.1 to 0.2. So the estimate is drawn towards D(ρ0) as if
further rows had been seen to differ, and it never falls below D(0).

* Of a difference between subjects these are `DRAWN` rows, and ρ0 is `USUAL`, or what the subjects'
  own scores show to be their correlation, whichever is more: where copies of one row stand for a
  cluster, the answers themselves say so.
* Of one subject's own score they are `DRAWN_OWN` rows, and ρ0 is 1. Nothing else tells how alike
  the rows of a cluster are: of 30 clusters that are right or wrong as wholes, one in twenty of them
  wrong, none is seen to be in one of five audits.

**What one large unit may still do.** Where answers differ mostly one way, the mean is skewed by the
unit that has not differed yet. By how much follows from the third moment of the row, γ in rows, and
the third moment of the shares: see `Worth.unseen`.

`benchmarks/operating_characteristics.py` holds what is said here against simulations: over 30 to
1,000 equal, Poisson or Zipf-sized clusters, tests at 0.05 err with chance 0.06 at most up to
ρ = 0.3, and where the scores themselves show a larger ρ up to 1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

# Chosen by simulation, together: fewer rows, or a lower correlation, and tests of rare differences
# in 30 clusters err too often; more, and frequent differences lose power for nothing.
DRAWN = 5.0
USUAL = 0.3
DRAWN_OWN = 2.0

Matrix = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependence:
    """How rows hang together: all that a design effect needs, for any contrast of S scores.

    Attributes:
        rows: N; of a contrast of two sides, half their harmonic mean.
        apart: Σp² of the rows, summed over the sides of a contrast.
        joined: ΣP² of the units, likewise; equal to ``apart`` where every row is a unit.
        cubes: ΣP³ of the units, likewise.
        spread: (S, S) covariance of one row's scores, such that ``spread / rows`` would be the
            covariance of the means, had all rows been independent and weighed the same.
        binary: whether all S scores are 0 or 1, so that their paired counts follow from the means
            and ``spread``.
        own_known: whether means and ``spread`` are those of the scores; else only differences
            between them are, and scores within a unit are taken to be entirely alike.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    rows: float
    apart: float
    joined: float
    cubes: float
    spread: tuple[tuple[float, ...], ...]
    binary: bool = False
    own_known: bool = True

    def effect(self, correlation: float) -> float:
        """D(ρ).

        >>> same = Dependence(rows=100, apart=0.01, joined=0.1, cubes=0.01, spread=((1.0,),))
        >>> same.effect(0), same.effect(1)
        (1.0, 10.0)
        """
        return self.rows * ((1 - correlation) * self.apart + correlation * self.joined)

    def correlation(self, effect: float) -> float:
        """ρ of a design effect, in [0, 1]; 0 where every row is a unit."""
        least, most = self.effect(0), self.effect(1)
        if most - least <= 1e-9 * most:
            return 0.0
        return min(max((effect - least) / (most - least), 0.0), 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What the rows of one contrast of scores are worth.

    Attributes:
        effect: the design effect, at least D(0).
        rows: independent rows of equal weight that would say as much, ``N / effect``.
        correlation: within clusters, in [0, 1]; 0 where every row is a unit.
        heavy: how much the mean moves where one unit that weighs as the units do on average, each
            by its share, differs as far as it is correlated; no less than one of ``rows`` does.
    """

    effect: float
    rows: float
    correlation: float
    heavy: float

    def unseen(self, skewness: float) -> float:
        """How far the mean may lie below what was seen, since a large unit has not differed yet.

        With h = ``heavy`` and γ = ``skewness``, the third central moment of one row over its
        variance, it is ``|γ|·(h - 1/rows)`` where γ < 0: where rows differ both ways alike nothing,
        where they differ one way only as much as one such unit more than the score tests of
        `kdaudit.stats.one_sided_table` allow for already. At α = 0.05 that is Edgeworth's first
        term for a mean over its estimated error, ``γ·h·(2z² + 1)/6`` (Hall 1992, section 2.6).

        Args:
            skewness: γ in units of the score, in [-1, 1] for 0/1 scores and their differences.
        """
        return max(-skewness, 0.0) * max(self.heavy - 1 / self.rows, 0.0)


def worth(
    dependence: Dependence,
    covariance: Matrix,
    coefficients: Sequence[float],
    *,
    span: float = 1.0,
    moved: float = 0.0,
    inflation: float = 1.0,
) -> Worth:
    """What the rows are worth for one weighted sum of the means.

    Args:
        dependence: of the rows.
        covariance: (S, S) of the means, a sandwich over units.
        coefficients: (S,) weights c.
        span: how far one row's answer can move the sum; a row that was not seen to differ is taken
            to differ by so much.
        moved: the most that scores put in the place of missing answers may have moved the sum.
            They may have made rows look less alike than they are, so that much is allowed for.
        inflation: how much the standard error can change per unit of ``moved``; see
            `kdaudit.stats.linear.combine`.

    >>> alike = Dependence(rows=100, apart=0.01, joined=0.1, cubes=0.01, spread=((0.25,),),
    ...                    binary=True)
    >>> round(worth(alike, [[0.025]], [1.0]).rows), round(worth(alike, [[0.0025]], [1.0]).rows)
    (10, 60)
    """
    n, spread = dependence.rows, dependence.spread
    used = [i for i, c in enumerate(coefficients) if c]
    variance = _form(covariance, coefficients, used)
    row = _form(spread, coefficients, used)
    if moved > 0:
        variance = (math.sqrt(variance) + inflation * moved) ** 2
        row = max(row - moved * (3 * span), 0.0)
    drawn, usual = _prior(dependence, covariance, used)
    seen, unseen = row * n, drawn * span * span
    effect = (variance * n * n + unseen * usual) / (seen + unseen) if seen + unseen > 0 else usual
    effect = max(effect, dependence.effect(0))
    correlation = dependence.correlation(effect)
    block = math.sqrt(correlation) * dependence.cubes / dependence.joined
    return Worth(
        effect=effect,
        rows=n / effect,
        correlation=correlation,
        heavy=max(block, effect / n),
    )


def _prior(dependence: Dependence, covariance: Matrix, used: Sequence[int]) -> tuple[float, float]:
    """Rows that are taken to have been seen to differ, and the design effect among them."""
    if len(used) == 1:
        return DRAWN_OWN, dependence.effect(1)
    if not dependence.own_known:
        return DRAWN, dependence.effect(1)
    own = max(_own_correlation(dependence, covariance, i) for i in used)
    return DRAWN, dependence.effect(max(USUAL, own))


def _own_correlation(dependence: Dependence, covariance: Matrix, index: int) -> float:
    """How alike the scores of one subject are within clusters; 0 where they never vary."""
    row = dependence.spread[index][index]
    if not row > 0:
        return 0.0
    return dependence.correlation(covariance[index][index] * dependence.rows / row)


def _form(matrix: Matrix, c: Sequence[float], used: Sequence[int]) -> float:
    # Without means of weight 0: a third subject may not move the last digit of a pair.
    return max(0.0, math.fsum(c[i] * matrix[i][j] * c[j] for i in used for j in used))
