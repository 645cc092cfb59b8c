"""Selection rates of groups and of all others, on the log scale, from sums over the rows.

A missing answer is scored as the caller says; what it may have hidden of the spread is bounded. Let
a side have rate p, ``p0`` and ``p1`` with all missing answers 0 or 1, and residuals ψ of norm ‖ψ‖
on the scale of the rate. No completion moves the influence ψ/p on log p by more than
``(i·(p1 - p0) + ‖ψ‖·(p1 - p0)/p1) / p0`` in norm, i being the inflation of
`kdaudit.stats.linear.combine`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.evidence.kinds import Bools, Floats, Ints
from kdaudit.evidence.view import Evidence
from kdaudit.scores import Score, Scores
from kdaudit.stats.bootstrap import blocks
from kdaudit.stats.clusters import correction
from kdaudit_suites.fairness.contrasts import Crossing

TINY = 1e-300  # of nothing, to divide by
STATES = 3  # not selected, selected, missing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Selections:
    """Sums of a crossing's rows by what the subjects answered: all that ratios need.

    Sides are the G groups and then, for each group, the rest of the rows that have one. No sum of
    two subjects depends on whether there is a third.

    Attributes:
        subjects: the K present, the student first.
        rows: (2G,) rows of each side.
        mass: (K, 2G, 3) weights by each subject's answer.
        squares: by pair of subjects: (2G, 3, 3) squared weights by both answers; empty with
            clusters.
        units: by subject (U, 2G, 3) weights by cluster, or by block of clusters; empty without.
        clusters: (2G,) independent units of each side.
        effective: (2G,) of them, as many of equal weight as would say as much (Kish).
        largest: (2G,) share of the heaviest unit.
        lightest: least weight of a row.
    """

    subjects: tuple[Subject, ...]
    rows: Ints
    mass: Floats
    squares: dict[tuple[int, int], Floats]
    units: tuple[Floats, ...]
    clusters: Ints
    effective: Floats
    largest: Floats
    lightest: float

    @property
    def groups(self) -> int:
        """G."""
        return len(self.rows) // 2

    @property
    def total(self) -> Floats:
        """(2G,) weight of each side; above zero, to divide by."""
        return np.asarray(np.maximum(self.mass[0].sum(axis=-1), TINY), np.float64)

    def rate(self, missing: Sequence[float]) -> Floats:
        """(K, 2G) share selected, given each subject's score of a missing answer."""
        chosen = np.einsum("ksa,ka->ks", self.mass, scored(missing))
        return np.asarray(chosen / self.total, np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogRates:
    """Logarithms of the K subjects' selection rates on each side.

    Attributes:
        log: (K, 2G).
        covariance: (2G, K, K) of each side; None of clusters, which sides may share.
        influence: (K, U, 2G) of clusters; None without.
        extra: (K, 2G) variance where nobody is selected: half a row is put in its place.
        slack: (K, 2G) the most that missing answers could add to the standard error.
        least: (K, 2G) the rates with all missing answers 0.
    """

    log: Floats
    covariance: Floats | None
    influence: Floats | None
    extra: Floats
    slack: Floats
    least: Floats


def selections(
    evidence: Evidence, crossing: Crossing, scores: Scores, rng: np.random.Generator
) -> Selections:
    """Count a crossing's rows by side and by what the subjects answered."""
    rows, groups = evidence.rows, len(crossing.wheres)
    inside = crossing.codes >= 0
    codes = crossing.codes[inside]
    weight = None if rows.weight is None else rows.weight[inside]
    subjects = tuple(who for who in ORDER if isinstance(scores[who], Score))
    answers = [_answers(scores, who, inside) for who in subjects]

    def sums(cells: Ints, shape: tuple[int, ...], values: Floats | None) -> Floats:
        flat = np.bincount(cells, values, minlength=int(np.prod(shape)))
        return flat.astype(np.float64).reshape(shape)

    def marginal(answer: Ints) -> Floats:
        return _with_rest(sums(codes * STATES + answer, (groups, STATES), weight), axis=0)

    count = _with_rest(sums(codes, (groups,), None), axis=0)
    mass = np.array([marginal(answer) for answer in answers]).reshape(-1, 2 * groups, STATES)
    total = _with_rest(sums(codes, (groups,), weight), axis=0)
    lightest = 1.0 if weight is None else float(weight.min(initial=np.inf))
    if rows.cluster is None:
        squared = None if weight is None else weight**2
        square = _with_rest(sums(codes, (groups,), squared), axis=0)
        heaviest = np.ones(2 * groups) if weight is None else _heaviest(codes, weight, groups)
        return Selections(
            subjects=subjects,
            rows=count.astype(np.int64),
            mass=mass,
            squares={
                (k, m): _with_rest(
                    sums((codes * STATES + answers[k]) * STATES + answers[m], shape, squared),
                    axis=0,
                )
                for shape in [(groups, STATES, STATES)]
                for k, m in _pairs(len(subjects))
            },
            units=(),
            clusters=count.astype(np.int64),
            effective=total**2 / np.maximum(square, TINY),
            largest=heaviest / np.maximum(total, TINY),
            lightest=lightest,
        )
    unit = blocks(len(rows), rows.cluster, rng)[inside]
    many = int(unit.max(initial=0)) + 1
    cell = unit * groups + codes
    held = _with_rest(sums(cell, (many, groups), weight), axis=1)
    return Selections(
        subjects=subjects,
        rows=count.astype(np.int64),
        mass=mass,
        squares={},
        units=tuple(
            _with_rest(sums(cell * STATES + answer, (many, groups, STATES), weight), axis=1)
            for answer in answers
        ),
        clusters=np.count_nonzero(held, axis=0).astype(np.int64),
        effective=total**2 / np.maximum((held**2).sum(axis=0), TINY),
        largest=held.max(axis=0) / np.maximum(total, TINY),
        lightest=lightest,
    )


def log_rates(sums: Selections, missing: Sequence[float]) -> LogRates:
    """Logarithms of the rates of all sides, with missing answers scored as given, per subject."""
    rate, low, high = (
        sums.rate(one) for one in (missing, [0.0] * len(missing), [1.0] * len(missing))
    )
    total = sums.total
    half = np.broadcast_to(sums.lightest / (2 * total + sums.lightest), rate.shape)
    p, floor = np.where(rate > 0, rate, half), np.where(low > 0, low, half)
    apart = scored(missing)[:, None, :] - rate[:, :, None]  # (K, 2G, 3)
    effective, largest = np.maximum(sums.effective, 1), np.minimum(sums.largest, 0.999)
    correct = correction(effective, largest)
    covariance = influence = None
    if sums.units:
        residual = np.array(
            [np.einsum("usa,sa->us", u, x) / total for u, x in zip(sums.units, apart, strict=True)]
        )
        norm = np.sqrt((residual**2).sum(axis=1) * correct)
        influence = residual / p[:, None, :]
    else:
        spread = _spread(sums, apart) * (correct / total**2)[:, None, None]
        norm = np.sqrt(np.einsum("skk->ks", spread))
        covariance = spread / (p.T[:, :, None] * p.T[:, None, :])
    open_ = np.maximum(high - low, 0)
    grown = inflation(effective, largest) * open_ + norm * open_ / np.maximum(high, floor)
    return LogRates(
        log=np.log(p),
        covariance=covariance,
        influence=influence,
        extra=np.where(rate > 0, 0.0, (1 - p) / np.maximum(sums.effective * p, TINY)),
        slack=grown / floor,
        least=floor,
    )


def scored(missing: Sequence[float]) -> Floats:
    """(K, 3) score of each answer, given each subject's score of a missing one.

    >>> scored([0, 1]).tolist()
    [[0.0, 1.0, 0.0], [0.0, 1.0, 1.0]]
    """
    return np.array([[0.0, 1.0, score] for score in missing]).reshape(-1, STATES)


def inflation(effective: Floats, largest: Floats) -> Floats:
    """The inflation of `kdaudit.stats.linear.combine`."""
    return np.asarray(np.sqrt(1 + 1 / effective) / (1 - largest), np.float64)


def _answers(scores: Scores, who: Subject, inside: Bools) -> Ints:
    score = scores[who]
    assert isinstance(score, Score)
    return np.where(score.valid, score.values, 2)[inside].astype(np.int64)


def _pairs(subjects: int) -> list[tuple[int, int]]:
    return [(k, k) for k in range(subjects)] + list(combinations(range(subjects), 2))


def _spread(sums: Selections, apart: Floats) -> Floats:
    """(2G, K, K) sums of squared weights times products of residuals."""
    k = len(sums.subjects)
    spread = np.zeros((2 * sums.groups, k, k))
    for (one, other), squares in sums.squares.items():
        products = np.einsum("sab,sa,sb->s", squares, apart[one], apart[other])
        spread[:, one, other] = spread[:, other, one] = products
    return spread


def _heaviest(codes: Ints, weight: Floats, groups: int) -> Floats:
    """(2G,) the heaviest row of each group and of all others."""
    here = np.zeros(groups)
    np.maximum.at(here, codes, weight)
    rest = [np.delete(here, group).max(initial=0.0) for group in range(groups)]
    return np.concatenate([here, rest])


def _with_rest(groups: Floats, axis: int) -> Floats:
    """Sums of G groups, then those of all others, along an axis."""
    rest = groups.sum(axis=axis, keepdims=True) - groups
    return np.concatenate([groups, np.maximum(rest, 0)], axis=axis)
