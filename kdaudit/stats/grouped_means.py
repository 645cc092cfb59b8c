"""Means of several scores in many groups at once, and each group against all the others.

A pass over the rows costs the same for one group and for a thousand: what `joint_means` and
`joint_contrast` say of a group follows from sums over its rows, or over its clusters.
"""

from itertools import islice

from numpy.typing import ArrayLike

from kdaudit.stats.arrays import IntArray
from kdaudit.stats.clusters import degrees_of_freedom
from kdaudit.stats.group_entries import Entries
from kdaudit.stats.group_sums import Part, Rows, Scores, by_pattern, group_parts, others, unweighted
from kdaudit.stats.means import JointMeans, contrasted


def grouped_means(
    scores: Scores,
    codes: ArrayLike,
    groups: int,
    *,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> list[JointMeans | None]:
    """Means of S score series in each group: `joint_means` of the rows of every group.

    Args:
        scores: (S, N) finite scores; bool and float32 are computed in float64.
        codes: (N,) the group of each row; rows of a code below 0, or of ``groups`` and more, are
            in none.
        groups: how many groups.
        clusters: (N,) codes counted from 0.
        weights: (N,) finite weights, at least 0; a row of weight 0 is no row.

    Returns:
        One per group, in the order of their codes; None where a spread cannot be estimated.

    Raises:
        ValueError: for shapes that do not fit, scores that are not finite, or bad weights.

    >>> found = grouped_means([[1, 0, 1, 1]], [0, 0, 1, 1], 2)
    >>> [one.mean.tolist() for one in found]
    [[0.5], [1.0]]
    """
    rows = Rows.of(scores, codes, clusters, weights, most=groups)
    if rows.cluster is None:
        return [_mean(part) for part in group_parts(rows, groups)]
    entries = Entries.of(rows)
    return [entries.mean(some) for some in entries.of_groups(groups)]


def grouped_contrasts(
    scores: Scores,
    codes: ArrayLike,
    groups: int,
    *,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> list[JointMeans | None]:
    """Each group against all others: `joint_contrast` of every group and the rest.

    Args:
        scores: (S, N) finite scores; bool and float32 are computed in float64.
        codes: (N,) the group of each row; rows of a code below 0 are in none, rows of ``groups``
            and more only among the rest.
        groups: how many groups to contrast.
        clusters: (N,) codes counted from 0; a cluster may have rows in several groups.
        weights: (N,) finite weights, at least 0; a row of weight 0 is no row.

    Returns:
        One per group, in the order of their codes; None where a spread cannot be estimated.

    Raises:
        ValueError: for shapes that do not fit, scores that are not finite, or bad weights.

    >>> found = grouped_contrasts([[1, 0, 1, 1, 0, 1]], [0, 0, 1, 1, 2, 2], 3)
    >>> [round(float(one.mean[0]), 2) for one in found]
    [-0.25, 0.5, -0.25]
    """
    rows = Rows.of(scores, codes, clusters, weights)
    if rows.cluster is None:
        parts = group_parts(rows, max(groups, int(rows.code.max(initial=-1)) + 1))
        pairs = zip(parts, others(parts), strict=True)
        return [_contrast(part, rest) for part, rest in islice(pairs, groups)]
    return Entries.of(rows).contrasts(groups)


class CellSums:
    """Sums over the rows of cells, from which the means of any groups of cells follow.

    A pass over the rows, and any number of groupings of them: what `grouped_means` and
    `grouped_contrasts` say of independent rows that weigh the same.

    >>> import numpy as np
    >>> sums = CellSums([[1, 0, 1, 1, 0, 1]], [0, 0, 1, 1, 2, 2], 3)
    >>> [round(float(one.mean[0]), 2) for one in sums.contrasts(np.array([0, 1, 1]), 2)]
    [-0.25, 0.25]
    """

    def __init__(self, scores: Scores, cells: ArrayLike, size: int) -> None:
        """Add up.

        Args:
            scores: (S, N) finite scores.
            cells: (N,) the cell of each row, below ``size``; rows below 0 are in none.
            size: K, how many cells.

        Raises:
            ValueError: for shapes that do not fit, or scores that are not finite.
        """
        rows = Rows.of(scores, cells, None, None)
        code, values, n = by_pattern(rows)
        # 0/1 scores stay counts: whatever is made of them is exact.
        self._counted = None if n is None else (code, values, n)
        self._sums = None if n is not None else unweighted(code, values, n, size)

    def _of(self, group: IntArray, groups: int) -> list[Part]:
        if self._sums is not None:
            return self._sums.gathered(group, groups).parts()
        assert self._counted is not None
        code, values, n = self._counted
        to = group[code]
        inside = to >= 0
        return unweighted(to[inside], values[:, inside], n[inside], groups).parts()

    def means(self, group: IntArray, groups: int) -> list[JointMeans | None]:
        """As `grouped_means`, of the groups that cells belong to.

        Args:
            group: (K,) the group of each cell, below ``groups``; -1 for none.
            groups: how many.
        """
        return [_mean(part) for part in self._of(group, groups)]

    def contrasts(self, group: IntArray, groups: int) -> list[JointMeans | None]:
        """As `grouped_contrasts`: each group against the cells of all others."""
        parts = self._of(group, groups)
        return [_contrast(part, rest) for part, rest in zip(parts, others(parts), strict=True)]


def _mean(part: Part) -> JointMeans | None:
    if part.n < 2:
        return None
    return JointMeans(
        mean=part.mean,
        covariance=part.covariance,
        df=float(degrees_of_freedom(part.effective)),
        n=part.n,
        clusters=part.n,
        effective=part.effective,
        largest=part.largest,
        dependence=part.dependence,
    )


def _contrast(one: Part, rest: Part) -> JointMeans | None:
    if one.n < 2 or rest.n < 2:
        return None
    effective = min(one.effective, rest.effective)
    return JointMeans(
        mean=one.mean - rest.mean,
        covariance=one.covariance + rest.covariance,
        df=float(degrees_of_freedom(effective)),
        n=min(one.n, rest.n),
        clusters=min(one.n, rest.n),
        effective=effective,
        largest=max(one.largest, rest.largest),
        dependence=None
        if one.dependence is None or rest.dependence is None
        else contrasted(one.dependence, rest.dependence),
    )
