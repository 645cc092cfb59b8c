"""Means of what people would say, from many machine grades and a few people's labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.arrays import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corrected:
    """Prediction-powered means of S scores.

    Attributes:
        mean: (S,) the corrected means.
        covariance: (S, S) of those means.
        weight: of the machine's grades, in [0, 1]; 0 leaves people's labels alone.
        n: all rows, n + N.
    """

    mean: FloatArray
    covariance: FloatArray
    weight: float
    n: int


def prediction_powered(
    human: ArrayLike,
    graded: ArrayLike,
    rest: ArrayLike,
    *,
    contrast: ArrayLike,
    weight: float | None = None,
) -> Corrected:
    """Correct machine grades by people's labels on a random part of the rows.

    With labels Y and grades f on n rows and grades alone on the N others,

        mean = λ·mean_N(f) + mean_n(Y - λ·f),   Σ = λ²·cov_N(f)/N + cov_n(Y - λ·f)/n,

    which is unbiased for every λ, however bad the grades (Angelopoulos et al. 2023, Science
    382:669). λ = 1 is the original estimator; by default λ makes the variance of one contrast of
    the means least (PPI++, Angelopoulos, Duchi and Zrnic 2023, arXiv 2311.01453):

        λ = cov_n(c'Y, c'f) / ((1 + n/N)·var_{n+N}(c'f)),  kept in [0, 1].

    One λ for all scores, so that a difference of the means is the estimate of the difference.

    Args:
        human: (S, n) people's scores.
        graded: (S, n) the machine's scores of the same rows.
        rest: (S, N) the machine's scores of the other rows.
        contrast: (S,) weights c of the contrast that matters, e.g. (1, -1) for a difference.
        weight: λ, where it is fixed; None tunes it.

    Raises:
        ValueError: for fewer than two labelled rows or one other, or shapes that do not fit.

    >>> y, f, u = [[1, 1, 0, 0]], [[1, 1, 1, 0]], [[1, 1, 1, 0, 1, 0, 1, 1]]
    >>> one = prediction_powered(y, f, u, contrast=[1], weight=1)
    >>> float(one.mean[0]), float(one.covariance[0, 0])  # 0.75 - 0.25; 0.1875/8 + 0.1875/4
    (0.5, 0.0703125)
    """
    y, f, u = (np.asarray(scores, np.float64) for scores in (human, graded, rest))
    c = np.asarray(contrast, np.float64)
    if not (y.ndim == u.ndim == 2 and y.shape == f.shape and len(u) == len(y) == len(c)):
        raise ValueError(f"shapes do not fit: {y.shape}, {f.shape}, {u.shape}, {c.shape}")
    n, more = y.shape[1], u.shape[1]
    if n < 2 or more < 1:
        raise ValueError(f"needs two labelled rows and one other, got {n} and {more}")
    tuned = _tuned(c @ y, c @ f, c @ u) if weight is None else weight
    missed = y - tuned * f
    return Corrected(
        mean=tuned * u.mean(axis=1) + missed.mean(axis=1),
        covariance=tuned**2 * _covariance(u) / more + _covariance(missed) / n,
        weight=tuned,
        n=n + more,
    )


def _tuned(y: FloatArray, f: FloatArray, u: FloatArray) -> float:
    spread = float(np.concatenate([f, u]).var(ddof=1))
    if spread == 0:
        return 0.0
    together = float(np.mean((y - y.mean()) * (f - f.mean())))
    return min(1.0, max(0.0, together / ((1 + len(f) / len(u)) * spread)))


def _covariance(scores: FloatArray) -> FloatArray:
    centred = scores - scores.mean(axis=1, keepdims=True)
    # Not `@`: the order in which BLAS adds depends on its threads, and verdicts may not.
    covariance: FloatArray = np.einsum("su,tu->st", centred, centred) / scores.shape[1]
    return covariance
