"""The Brier score, and what it is made of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.arrays import FloatArray, IntArray
from kdaudit.stats.calibration_error import equal_width_bins


def brier(probabilities: ArrayLike, labels: ArrayLike) -> FloatArray:
    """Squared distance of each row's probabilities from its label, summed over classes.

    Brier (1950), the original sum over classes; for two classes it is twice the one-column form.

    Args:
        probabilities: (N, C) probabilities.
        labels: (N,) class positions; -1 says that the label is not among the classes.

    Returns:
        (N,) scores in [0, 2]; lower is better. ``1 + Σp²`` for a label not among the classes.

    Raises:
        ValueError: for shapes that do not fit or a label outside [-1, C).

    >>> brier([[0.75, 0.25], [0.75, 0.25]], [0, -1]).tolist()
    [0.125, 1.625]
    """
    p, y = labelled(probabilities, labels)
    # Σ(p - 1[y])² = Σp² + (1 - p_y)² - p_y², without a copy of all probabilities.
    scores: FloatArray = np.einsum("nc,nc->n", p, p)
    known = np.flatnonzero(y >= 0)
    own = p[known, y[known]]
    scores[known] += (1 - own) ** 2 - own**2
    scores[y < 0] += 1
    return np.maximum(scores, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrierDecomposition:
    """Five terms of a mean Brier score.

    ``total = reliability - resolution + uncertainty + within_variance - within_covariance``.

    Attributes:
        reliability: squared gap between what a bin claims and what happens there; 0 is calibrated.
        resolution: how far apart the bins' outcomes lie; more is sharper.
        uncertainty: the variance of the outcomes, which no model changes.
        within_variance: spread of claims inside bins.
        within_covariance: twice the covariance of claims and outcomes inside bins: resolution that
            the bins do not see.
    """

    reliability: float
    resolution: float
    uncertainty: float
    within_variance: float
    within_covariance: float

    @property
    def total(self) -> float:
        """The mean Brier score itself."""
        return (
            self.reliability
            - self.resolution
            + self.uncertainty
            + self.within_variance
            - self.within_covariance
        )


def brier_decomposition(
    claimed: ArrayLike, happened: ArrayLike, codes: IntArray, weights: ArrayLike | None = None
) -> BrierDecomposition:
    """Five-term decomposition of mean (p - y)² over bins (Stephenson, Coelho and Jolliffe 2008).

    The usual three terms are exact only where all claims of a bin are equal; with the two terms
    within bins the sum is the score itself, whatever the bins.

    Args:
        claimed: (N,) probabilities, N >= 1.
        happened: (N,) 0 or 1.
        codes: (N,) bin of each row, from 0.
        weights: (N,) of the rows, at least 0; None for equal ones.

    Raises:
        ValueError: without rows or weight.

    >>> parts = brier_decomposition([0.6, 0.8, 0.2], [1, 0, 0], np.array([1, 1, 0]))
    >>> f"{parts.reliability:.4f} {parts.total:.4f} {(0.16 + 0.64 + 0.04) / 3:.4f}"
    '0.0400 0.2800 0.2800'
    """
    p, y = np.asarray(claimed, np.float64), np.asarray(happened, np.float64)
    weight = np.ones(p.size) if weights is None else np.asarray(weights, np.float64)
    if not weight.sum() > 0:
        raise ValueError("no rows, so no Brier score")
    share = weight / weight.sum()
    part = np.bincount(codes, share)
    filled = np.where(part > 0, part, 1)
    said = np.bincount(codes, share * p) / filled
    was = np.bincount(codes, share * y) / filled
    rate = float((share * y).sum())
    # Not `@`: the order in which BLAS adds depends on its threads, and results may not.
    return BrierDecomposition(
        reliability=float((part * (said - was) ** 2).sum()),
        resolution=float((part * (was - rate) ** 2).sum()),
        uncertainty=rate * (1 - rate),
        within_variance=float((share * p * p).sum() - (part * said**2).sum()),
        within_covariance=2 * float((share * p * y).sum() - (part * said * was).sum()),
    )


def multiclass_brier_decomposition(
    probabilities: ArrayLike, labels: ArrayLike, bins: int, weights: ArrayLike | None = None
) -> BrierDecomposition:
    """Decompose the mean of `brier`, the sum over classes, each in bins of equal width.

    Args:
        probabilities: (N, C) probabilities, N >= 1.
        labels: (N,) class positions; -1 says that the label is not among the classes.
        bins: bins per class, at least 1.
        weights: (N,) of the rows, at least 0; None for equal ones.

    Raises:
        ValueError: for shapes that do not fit, a label outside [-1, C), or no rows.

    >>> parts = multiclass_brier_decomposition([[0.75, 0.25], [0.5, 0.5]], [0, 0], 4)
    >>> parts.total, float(brier([[0.75, 0.25], [0.5, 0.5]], [0, 0]).mean())
    (0.3125, 0.3125)
    """
    p, y = labelled(probabilities, labels)
    parts = [
        brier_decomposition(column, y == k, equal_width_bins(column, bins), weights)
        for k, column in enumerate(p.T)
    ]
    if (y < 0).any():  # a class to which every model gives nothing
        nothing = np.zeros(y.size)
        parts.append(brier_decomposition(nothing, y < 0, nothing.astype(np.int64), weights))
    return BrierDecomposition(
        reliability=sum(part.reliability for part in parts),
        resolution=sum(part.resolution for part in parts),
        uncertainty=sum(part.uncertainty for part in parts),
        within_variance=sum(part.within_variance for part in parts),
        within_covariance=sum(part.within_covariance for part in parts),
    )


def labelled(probabilities: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, IntArray]:
    """Probabilities and labels as arrays that fit each other.

    Raises:
        ValueError: for shapes that do not fit or a label outside [-1, C).
    """
    p, y = np.asarray(probabilities, np.float64), np.asarray(labels)
    if p.ndim != 2 or y.shape != p.shape[:1]:
        raise ValueError(f"needs (rows, classes) and (rows,), got {p.shape} and {y.shape}")
    if not ((y >= -1) & (y < p.shape[1])).all():
        raise ValueError(f"labels are -1 or one of {p.shape[1]} class positions")
    return p, y.astype(np.int64)
