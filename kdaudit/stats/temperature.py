"""Temperature scaling: the one number by which logits are divided to repair their confidence."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.arrays import FloatArray, IntArray
from kdaudit.stats.brier import labelled
from kdaudit.stats.interval import Interval, tail
from kdaudit.stats.means import joint_means

LOG_BOUND = 3.0
STEPS = 60
PRECISION = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperature:
    """A fitted temperature.

    Attributes:
        value: what logits are divided by; above 1 repairs over-confidence.
        log_error: standard error of its logarithm (sandwich; cluster-robust where clusters were
            given); None at a bound, or where no spread could be estimated.
        df: degrees of freedom of that error.
        n: rows it was fitted on.
        at_bound: whether the search ended at e³ or e⁻³: no temperature inside repairs the model,
            as where all answers are right, or none is.
    """

    value: float
    log_error: float | None
    df: float
    n: int
    at_bound: bool


def fit_temperature(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> Temperature:
    """Temperature that minimises the mean negative log-likelihood of ``softmax(logits / T)``.

    Guo et al. (2017). The loss is convex in 1/T, so its slope has one root at most; it is sought
    on log T in [-3, 3]. Never fit on the rows that are audited.

    Args:
        logits: (N, C) finite logits; logarithms of probabilities serve as well.
        labels: (N,) class positions; rows whose label is -1, not among the classes, say nothing of
            a temperature and are left out.
        weights: (N,) of the rows, at least 0; None for equal ones.
        clusters: (N,) codes from 0; rows of one code may depend on each other.

    Raises:
        ValueError: for shapes that do not fit, logits that are not finite, or no rows.

    >>> sure = np.log([[0.9, 0.1]] * 10)  # says 90%, is right in 7 of 10: 9^(1/T) = 7/3
    >>> fitted = fit_temperature(sure, [0] * 7 + [1] * 3)
    >>> f"{fitted.value:.4f} {math.log(9) / math.log(7 / 3):.4f}"
    '2.5932 2.5932'
    """
    values, y = labelled(logits, labels)
    if not np.isfinite(values).all():
        raise ValueError("logits are finite; probabilities of 0 are the caller's to clip")
    known = y >= 0
    part = None if weights is None else np.asarray(weights, np.float64)[known]
    codes = None if clusters is None else np.asarray(clusters)[known]
    lead = _lead(values[known], y[known])
    if not (len(lead) if part is None else part.sum()) > 0:
        raise ValueError("no rows, so no temperature")

    log_value, at_bound = _minimum(lead, part)
    joint, bend = None, 0.0
    if not at_bound:
        gradient, curvature = _derivatives(lead, math.exp(-log_value))
        bend = float(np.average(curvature, weights=part)) * math.exp(-log_value)
        joint = joint_means(gradient[None], clusters=codes, weights=part) if bend > 0 else None
    return Temperature(
        value=math.exp(log_value),
        log_error=None if joint is None else math.sqrt(float(joint.covariance[0, 0])) / bend,
        df=1.0 if joint is None else joint.df,
        n=len(lead),
        at_bound=at_bound,
    )


def temperature_interval(fitted: Temperature, level: float) -> Interval:
    """Interval of a temperature: Student's t on its logarithm.

    Args:
        fitted: the temperature.
        level: two-sided coverage in (0, 1).

    Returns:
        The interval; from 0 or to infinity where the search met its bound, and both where no
        spread could be estimated.

    Raises:
        ValueError: for a level outside (0, 1).

    >>> low, high = temperature_interval(
    ...     Temperature(value=1.5, log_error=0.1, df=99, n=100, at_bound=False), 0.9
    ... )
    >>> f"{low:.3f} {high:.3f}"
    '1.271 1.771'
    """
    from scipy.special import stdtrit

    alpha = tail(level)
    if fitted.log_error is None:
        above = fitted.at_bound and fitted.value > 1
        below = fitted.at_bound and fitted.value < 1
        return Interval(fitted.value if above else 0.0, fitted.value if below else math.inf)
    reach = math.exp(-float(stdtrit(fitted.df, alpha)) * fitted.log_error)
    return Interval(fitted.value / reach, fitted.value * reach)


def rescaled(logits: ArrayLike, temperature: float) -> FloatArray:
    """Probabilities ``softmax(logits / temperature)``.

    Args:
        logits: (N, C) finite logits, or logarithms of probabilities.
        temperature: above 0.

    Raises:
        ValueError: for a temperature that is not above 0.

    >>> rescaled(np.log([[0.9, 0.1]]), 2.0).round(2).tolist()
    [[0.75, 0.25]]
    """
    if not temperature > 0:
        raise ValueError(f"a temperature is above 0, got {temperature}")
    scaled = np.asarray(logits, np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    odds = np.exp(scaled)
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float64)


def log_probabilities(probabilities: ArrayLike, smallest: float) -> FloatArray:
    """Logarithms that stand for logits: softmax of them gives the probabilities back.

    Args:
        probabilities: (N, C) probabilities.
        smallest: in (0, 1); a probability below it counts as it, since softmax in float32 gives
            exact zeros, whose logarithm no temperature could repair.

    Raises:
        ValueError: for a ``smallest`` outside (0, 1).

    >>> log_probabilities([[1.0, 0.0]], 1e-6).round(2).tolist()
    [[0.0, -13.82]]
    """
    if not 0 < smallest < 1:
        raise ValueError(f"smallest is a probability strictly between 0 and 1, got {smallest}")
    return np.log(np.maximum(np.asarray(probabilities, np.float64), smallest))


def _minimum(lead: FloatArray, weights: FloatArray | None) -> tuple[float, bool]:
    """Log T where the slope of the loss crosses 0, or the bound it ends at, and whether it does.

    The slope falls in 1/T, so Newton's steps within a bracket that halves find its one root.
    """

    def slope(log_value: float) -> tuple[float, float]:
        """By 1/T, and by how much it changes with log T."""
        inverse = math.exp(-log_value)
        gradient, curvature = _derivatives(lead, inverse)
        bend = float(np.average(curvature, weights=weights))
        return float(np.average(gradient, weights=weights)), -inverse * bend

    if not lead.any():  # all classes alike in every row: no temperature changes that
        return 0.0, False
    low, high = -LOG_BOUND, LOG_BOUND
    if not slope(low)[0] > 0:
        return low, True
    if not slope(high)[0] < 0:
        return high, True
    middle = 0.0
    for _ in range(STEPS):
        value, change = slope(middle)
        low, high = (middle, high) if value > 0 else (low, middle)
        step = middle - value / change if change < 0 else low
        inside = low < step < high
        last, middle = middle, step if inside else (low + high) / 2
        if abs(middle - last) < PRECISION:
            break
    return middle, False


def _lead(logits: FloatArray, labels: IntArray) -> FloatArray:
    """(N, C - 1) by how much each other class leads the label: all that the loss depends on."""
    rows = np.arange(len(labels))
    others = np.ones(logits.shape, dtype=np.bool_)
    others[rows, labels] = False
    rest = logits[others].reshape(len(labels), logits.shape[1] - 1)
    return rest - logits[rows, labels][:, None]


def _weighed(lead: FloatArray, inverse: float) -> FloatArray:
    """(N, C - 1) probabilities of the other classes at an inverse temperature."""
    from scipy.special import expit

    scaled = lead * inverse
    if lead.shape[1] == 1:
        return np.asarray(expit(scaled), np.float64)
    top = np.maximum(scaled.max(axis=1, initial=0.0), 0)[:, None]
    odds = np.exp(scaled - top)
    return np.asarray(odds / (np.exp(-top) + odds.sum(axis=1, keepdims=True)), np.float64)


def _derivatives(lead: FloatArray, inverse: float) -> tuple[FloatArray, FloatArray]:
    """(N,) first and second derivatives of each row's loss by 1/T: mean and variance of leads."""
    p = _weighed(lead, inverse)
    p *= lead
    first = p.sum(axis=1)
    p *= lead
    return np.asarray(first, np.float64), np.asarray(p.sum(axis=1) - first * first, np.float64)
