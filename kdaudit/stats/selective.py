"""Selective prediction: what is left wrong when the least confident answers are withheld.

All functions read `Levels` of (confidence, correct); only the order of the confidences matters.
"""

from dataclasses import dataclass

import numpy as np

from kdaudit.stats.arrays import FloatArray
from kdaudit.stats.levels import Levels


# Arrays have no single truth value, so a generated __eq__ would only raise.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RiskCoverage:
    """Risk at each distinct confidence, from the most confident answers down to all of them.

    Attributes:
        coverage: (G,) share of rows answered, rising to 1.
        risk: (G,) share of those that are wrong.
    """

    coverage: FloatArray
    risk: FloatArray


def risk_coverage(correct: Levels) -> RiskCoverage:
    """Risk-coverage curve (El-Yaniv and Wiener 2010); rows of equal confidence come in together.

    >>> from kdaudit.stats.levels import levels
    >>> curve = risk_coverage(levels([0.9, 0.8, 0.8, 0.6], [1, 0, 1, 0]))
    >>> curve.coverage.tolist(), curve.risk.round(2).tolist()
    ([0.25, 0.75, 1.0], [0.0, 0.33, 0.5])
    """
    kept, wrong = np.cumsum(correct.mass[::-1]), np.cumsum(_wrong(correct)[::-1])
    held = kept > 0  # the most confident rows may have no weight
    return RiskCoverage(coverage=kept[held] / kept[-1], risk=wrong[held] / kept[held])


def area_under_risk_coverage(curve: RiskCoverage) -> float:
    """AURC: mean risk over all coverages (Geifman and El-Yaniv 2017); lower is better, in [0, 1].

    For display: it weighs the few most confident rows far above all others.

    >>> from kdaudit.stats.levels import levels
    >>> curve = risk_coverage(levels([0.9, 0.8, 0.7], [1, 1, 0]))
    >>> round(area_under_risk_coverage(curve), 4)  # a third of the way, at a risk of a third
    0.1111
    """
    return float((np.diff(curve.coverage, prepend=0.0) * curve.risk).sum())


def generalized_risk(correct: Levels) -> float:
    """AUGRC: mean share of rows answered and wrong over all thresholds (Traub et al. 2024).

    The chance that of two rows drawn at random the first is wrong and more confident than the
    second, ties counted half. In terms of accuracy a and the AUROC of confidence for being right it
    is ``(1 - AUROC) · a · (1 - a) + (1 - a)² / 2``. Unlike AURC it weighs all rows alike, so it
    compares models of different accuracy. Lower is better, in [0, 0.5].

    >>> from kdaudit.stats.levels import levels
    >>> generalized_risk(levels([0.9, 0.8, 0.7, 0.6], [1, 1, 1, 0]))  # a = 3/4, AUROC = 1: 1/32
    0.03125
    """
    return float((_wrong(correct) * _less_confident(correct)).sum() / correct.mass.sum())


def generalized_risk_influence(correct: Levels, right: FloatArray) -> FloatArray:
    """Give each row's share in the AUGRC: their mean is the AUGRC, their spread its error.

    The AUGRC is a mean over pairs, θ = E[h(i, j)] with h = 1 where i is wrong and more confident.
    Row i enters as first and as second of a pair, so to first order (Hoeffding 1948)

        ψ_i = wrong_i · P(less confident than i) + P(wrong and more confident than i) - θ,

    ties counted half. The (weighted) mean of ψ is θ exactly, and the variance of that mean is the
    variance of the estimate up to O(1/n²). One row changed moves θ by at most its share of rows.

    Args:
        correct: the rows' confidences and outcomes.
        right: (N,) 0 or 1, the same outcomes by row.

    Returns:
        (N,) values in [-0.5, 1].

    >>> from kdaudit.stats.levels import levels
    >>> right = np.array([1.0, 1, 1, 0])
    >>> generalized_risk_influence(levels([0.9, 0.8, 0.7, 0.6], right), right).tolist()
    [-0.03125, -0.03125, -0.03125, 0.21875]
    """
    wrong = _wrong(correct) / correct.mass.sum()
    below = np.cumsum(wrong)
    more_confident_and_wrong = below[-1] - below + wrong / 2
    own = correct.by_row(_less_confident(correct)) * (1 - np.asarray(right, np.float64))
    return own + correct.by_row(more_confident_and_wrong - generalized_risk(correct))


def _less_confident(correct: Levels) -> FloatArray:
    """(G,) share of rows below each level, its own counted half."""
    below = np.cumsum(correct.mass)
    return np.asarray((below - correct.mass / 2) / below[-1], np.float64)


def _wrong(correct: Levels) -> FloatArray:
    return np.maximum(correct.mass - correct.happened, 0)
