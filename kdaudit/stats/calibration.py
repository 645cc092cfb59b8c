"""Calibration: bins of confidence, errors over bins, and proper scores of single rows."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.arrays import FloatArray, IntArray


def equal_width_bins(confidence: ArrayLike, bins: int) -> IntArray:
    """Code each confidence by its bin [k/bins, (k+1)/bins); the last bin holds 1 too.

    Args:
        confidence: (N,) numbers in [0, 1].
        bins: how many bins, at least 1.

    Returns:
        (N,) codes in [0, bins); bins may be empty.

    Raises:
        ValueError: for a confidence outside [0, 1], or no bins.

    >>> equal_width_bins([0.0, 0.2, 0.29, 1.0], 5).tolist()
    [0, 1, 1, 4]
    """
    values = _confidence(confidence, bins)
    # Compared with the edges, not multiplied by their number: 0.29 * 100 is below 29.
    edges = np.arange(1, bins) / bins
    return np.searchsorted(edges, values, side="right").astype(np.int64)


def equal_mass_bins(confidence: ArrayLike, bins: int) -> IntArray:
    """Code each confidence by bins that hold equally many rows, as far as ties allow.

    Edges are the largest values of ``bins`` runs of equal length, to within a row, of the sorted
    confidences. Equal confidences always share a bin; bins that ties leave empty are dropped.

    Args:
        confidence: (N,) numbers in [0, 1].
        bins: most bins, at least 1.

    Returns:
        (N,) codes from 0 in rising order of confidence, all in use.

    Raises:
        ValueError: for a confidence outside [0, 1], or no bins.

    >>> equal_mass_bins([0.9, 0.1, 0.4, 0.8, 0.8, 0.8], 3).tolist()
    [2, 0, 0, 1, 1, 1]
    """
    values = _confidence(confidence, bins)
    if values.size == 0:
        return np.zeros(0, np.int64)
    run, longer = divmod(values.size, bins)
    cuts = np.arange(1, bins)
    last = run * cuts + np.minimum(cuts, longer) - 1
    codes = np.searchsorted(np.sort(values)[last], values, side="left")
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def _confidence(confidence: ArrayLike, bins: int) -> FloatArray:
    values = np.asarray(confidence, np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("confidence is one row of numbers in [0, 1]")
    if bins < 1:
        raise ValueError(f"at least one bin is needed, got {bins}")
    return values


# Arrays have no single truth value, so a generated __eq__ would only raise.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reliability:
    """What was claimed and what was so, per bin that holds rows.

    Attributes:
        count: (M,) rows, at least 1.
        confidence: (M,) mean confidence.
        accuracy: (M,) share correct.
    """

    count: IntArray
    confidence: FloatArray
    accuracy: FloatArray


def reliability(confidence: ArrayLike, correct: ArrayLike, codes: IntArray) -> Reliability:
    """Average confidence and correctness over bins; empty bins are dropped.

    Args:
        confidence: (N,) numbers in [0, 1].
        correct: (N,) 0 or 1, or anything between.
        codes: (N,) bin of each row, from 0.

    Raises:
        ValueError: for lengths that differ.

    >>> reliability([0.6, 0.8, 0.9], [1, 0, 1], np.array([3, 3, 4])).confidence.round(3).tolist()
    [0.7, 0.9]
    """
    count = np.bincount(codes).astype(np.int64)
    claimed = np.bincount(codes, np.asarray(confidence, np.float64))
    right = np.bincount(codes, np.asarray(correct, np.float64))
    held = count > 0
    count = count[held]
    return Reliability(count=count, confidence=claimed[held] / count, accuracy=right[held] / count)


def expected_calibration_error(diagram: Reliability) -> float:
    """Mean over rows of their bin's |accuracy - confidence| (Naeini et al. 2015); in [0, 1].

    For display: with few rows per bin it is far from 0 even for a calibrated model.

    Raises:
        ValueError: without rows.

    >>> expected_calibration_error(reliability([0.5, 0.5, 1], [1, 1, 1], np.array([0, 0, 1])))
    0.3333333333333333
    """
    rows = diagram.count.sum()
    if rows == 0:
        raise ValueError("no rows, so no calibration error")
    gaps = np.abs(diagram.accuracy - diagram.confidence)
    return float((diagram.count * gaps).sum() / rows)


def debiased_squared_error(
    count: ArrayLike, sum_confidence: ArrayLike, sum_correct: ArrayLike
) -> FloatArray:
    """Squared calibration error without the bias of small bins.

    Each bin's squared gap less its sampling variance a (1 - a) / (n - 1), weighted by rows
    (Bröcker 2012; Kumar, Liang and Ma 2019). Bins with fewer than two rows add 0. Never clipped
    at 0: clipped values would bias differences between models.

    Args:
        count: (..., M) rows per bin; each table holds at least one row.
        sum_confidence: (..., M) sum of confidences per bin.
        sum_correct: (..., M) correct rows per bin.

    Returns:
        (...) estimates; may be negative.

    >>> f"{debiased_squared_error([4, 1], [2.0, 0.9], [3.0, 1.0]):.4f}"
    '0.0000'
    """
    n = np.asarray(count, np.float64)
    filled = np.maximum(n, 1)
    accuracy = np.asarray(sum_correct, np.float64) / filled
    gap = np.asarray(sum_confidence, np.float64) / filled - accuracy
    noise = accuracy * (1 - accuracy) / np.maximum(n - 1, 1)
    share = n / n.sum(axis=-1, keepdims=True)
    return np.asarray((share * np.where(n > 1, gap * gap - noise, 0)).sum(axis=-1), np.float64)


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
    p, y = _labelled(probabilities, labels)
    known = np.flatnonzero(y >= 0)
    error = p.copy()
    error[known, y[known]] -= 1
    scores: FloatArray = np.einsum("nc,nc->n", error, error)
    scores[y < 0] += 1
    return scores


def negative_log_likelihood(probabilities: ArrayLike, labels: ArrayLike, clip: float) -> FloatArray:
    """Natural -log of the probability each row gives its label.

    Args:
        probabilities: (N, C) probabilities.
        labels: (N,) class positions; -1 says that the label is not among the classes.
        clip: smallest probability told apart from 0, in (0, 1).

    Returns:
        (N,) scores in [0, -log(clip)]; lower is better. ``-log(clip)`` for a label not among the
        classes.

    Raises:
        ValueError: for shapes that do not fit, a label outside [-1, C), or a clip outside (0, 1).

    >>> negative_log_likelihood([[1.0, 0.0], [1.0, 0.0]], [0, 1], 1e-6).round(4).tolist()
    [0.0, 13.8155]
    """
    if not 0 < clip < 1:
        raise ValueError(f"clip is a probability strictly between 0 and 1, got {clip}")
    p, y = _labelled(probabilities, labels)
    known = np.flatnonzero(y >= 0)
    scores = np.full(y.size, -math.log(clip))
    scores[known] = -np.log(np.clip(p[known, y[known]], clip, 1))
    return scores + 0.0  # -log(1) is a negative zero


def _labelled(probabilities: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, IntArray]:
    p, y = np.asarray(probabilities, np.float64), np.asarray(labels)
    if p.ndim != 2 or y.shape != p.shape[:1]:
        raise ValueError(f"needs (rows, classes) and (rows,), got {p.shape} and {y.shape}")
    if not ((y >= -1) & (y < p.shape[1])).all():
        raise ValueError(f"labels are -1 or one of {p.shape[1]} class positions")
    return p, y.astype(np.int64)
