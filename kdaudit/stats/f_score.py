"""The F-score of answering: right of all rows, and right of what is attempted, in one number."""

from numpy.typing import ArrayLike

from kdaudit.stats.association import Measured
from kdaudit.stats.delta import delta_interval
from kdaudit.stats.interval import Interval


def f_score(
    correct: float, attempted: float, covariance: ArrayLike, df: float, level: float
) -> Measured | None:
    """Harmonic mean of the share of right answers and the share of them among attempts.

    With shares c and a it is 2c / (1 + a), as SimpleQA (Wei et al. 2024) ranks models.

    Args:
        correct: c, share of rows answered rightly.
        attempted: a, share of rows answered at all.
        covariance: (2, 2) of (correct, attempted).
        df: degrees of freedom of Student's t.
        level: two-sided coverage in (0, 1).

    Returns:
        The score in [0, 1] with its delta interval; None where nothing is attempted.

    >>> found = f_score(0.4, 0.7, [[0, 0], [0, 0]], 99, 0.95)
    >>> f"{found.value:.4f}"
    '0.4706'
    """
    if not attempted > 0:
        return None
    value = 2 * correct / (1 + attempted)
    gradient = [2 / (1 + attempted), -2 * correct / (1 + attempted) ** 2]
    found = delta_interval(value, gradient, covariance, df, level)
    return Measured(value, Interval(max(found.low, 0.0), min(found.high, 1.0)))
