"""A method against another, over seeds and rows: both are samples, and both are random."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.interval import Interval, tail


class Crossed(NamedTuple):
    """A mean over seeds and rows.

    Attributes:
        mean: of all differences.
        se: its standard error.
        df: degrees of freedom: seeds less one, since they are the fewer.
    """

    mean: float
    se: float
    df: int

    def interval(self, level: float, reach: float = 1.0) -> Interval:
        """By Student's t, two-sided.

        Args:
            level: in (0, 1).
            reach: the most that two scores can differ; 1 for scores in [0, 1].
        """
        from scipy.special import stdtrit

        half = float(stdtrit(self.df, 1 - tail(level))) * self.se
        return Interval(max(-reach, self.mean - half), min(reach, self.mean + half))


def crossed_mean(differences: ArrayLike) -> Crossed | None:
    """Mean of a difference that was taken for every seed on every row, with both kinds of noise.

    Each seed trains one model of each method, and all models are asked the same rows. A t test over
    seeds alone would speak of these rows only, and take a row that all seeds share for many. The
    variance of the mean is that of a two-way random layout: between seeds plus between rows, less
    what both count twice (Cameron, Gelbach and Miller 2011, J. Business & Economic Statistics
    29:238, for a mean), and never less than between seeds alone, nor between rows alone.

    Args:
        differences: (S, N) score of the one less score of the other: 1, 0 or -1 for right answers.

    Returns:
        The mean; None with fewer than two seeds or two rows.

    >>> found = crossed_mean([[1, 0, 0, 1], [1, 0, 0, 0], [1, 0, 1, 0]])
    >>> round(found.mean, 4), round(found.se, 4), found.df
    (0.4167, 0.2097, 2)
    """
    scores = np.asarray(differences, np.float64)
    seeds, rows = scores.shape
    if seeds < 2 or rows < 2:
        return None
    mean = float(scores.mean())
    between_seeds = float(scores.mean(axis=1).var(ddof=1)) / seeds
    between_rows = float(scores.mean(axis=0).var(ddof=1)) / rows
    both = float(scores.var(ddof=1)) / (seeds * rows)
    variance = max(between_seeds, between_rows, between_seeds + between_rows - both)
    return Crossed(mean, math.sqrt(variance), seeds - 1)
