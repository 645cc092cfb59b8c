"""The negative log-likelihood of single rows."""

import math

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.arrays import FloatArray
from kdaudit.stats.brier import labelled


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
    p, y = labelled(probabilities, labels)
    known = np.flatnonzero(y >= 0)
    scores = np.full(y.size, -math.log(clip))
    scores[known] = -np.log(np.clip(p[known, y[known]], clip, 1))
    return scores + 0.0  # -log(1) is a negative zero
