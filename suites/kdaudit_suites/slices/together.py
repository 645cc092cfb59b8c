"""Differences of all slices of a kind, with intervals that hold together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kdaudit.evidence.kinds import Floats, Ints
from kdaudit.evidence.view import Streams
from kdaudit.results import Endpoint, Figure, Where
from kdaudit.score_bases import too_few
from kdaudit.stats import linear, max_t
from kdaudit.stats.bootstrap import blocks
from kdaudit.stats.grouped_means import grouped_means
from kdaudit.stats.interval import normal_quantile, tail
from kdaudit_suites.slices.harm import Harm

FEWEST = 50  # rows of a slice: of smaller ones the worst that can be said is always the worst
MOST = 1000  # slices whose covariance is worth its cost
TINY = 1e-300  # stands for the mass of a slice without rows

Groups = Sequence[tuple[Ints, Sequence[Where]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """K slices.

    Attributes:
        where: their addresses.
        n: rows of each.
        value: student minus teacher of each.
        low: lower ends of two-sided intervals that hold together.
        high: upper ends.
        bound: one-sided lower bounds that hold together.
        left_out: slices that are too small to be among them.
        level: of the two-sided intervals.
    """

    where: tuple[Where, ...]
    n: tuple[int, ...]
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    bound: tuple[float, ...]
    left_out: int
    level: float


def together(
    endpoint: Endpoint, harm: Harm, groups: Groups, streams: Streams, level: float
) -> Together | None:
    """Intervals of every slice with 50 rows, and 8 clusters, that all hold at once (max-T).

    Args:
        endpoint: whose slices they are.
        harm: of N rows.
        groups: (N,) codes, -1 for none, and the address of each; the slices of one group are
            disjoint, those of two may overlap.
        streams: for the draws.
        level: two-sided.

    Returns:
        None where there are no slices of that size, or more than a thousand.
    """
    alpha = tail(level)
    rng = streams.at("together", endpoint.code)
    slices = list(_slices(harm, groups, normal_quantile(alpha)))
    chosen = [k for k, one in enumerate(slices) if isinstance(one, _Mean)]
    means = [one for one in slices if isinstance(one, _Mean)]
    if not 0 < len(means) <= MOST:
        return None
    shared = _by_block(harm, groups, rng)[:, chosen]
    family = max_t.family_from_covariance(
        [one.value for one in means],
        # Not `@`: the order in which BLAS adds depends on its threads.
        np.einsum("bk,bl->kl", shared, shared),
        df=[one.df for one in means],
        se=[one.se for one in means],
        rng=rng,
    )
    intervals = max_t.intervals(family, level)
    addresses = [where for _, wheres in groups for where in wheres]
    return Together(
        where=tuple(addresses[k] for k in chosen),
        n=tuple(one.n for one in means),
        value=tuple(one.value for one in means),
        low=tuple(max(-1.0, one.low) for one in intervals),
        high=tuple(min(1.0, one.high) for one in intervals),
        bound=tuple(np.maximum(-1.0, max_t.lower(family, alpha)).tolist()),
        left_out=sum(one == TOO_SMALL for one in slices),
        level=level,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mean:
    """Student minus teacher in one slice, with the error that its own interval has."""

    value: float
    se: float
    df: float
    n: int


NO_ROWS, TOO_SMALL = "no rows", "too small"


def _slices(harm: Harm, groups: Groups, z: float) -> Iterator[_Mean | str]:
    """Each slice of each group, or why it is not among them."""
    unequal = harm.cluster is not None or harm.weight is not None
    for codes, wheres in groups:
        size = len(wheres)
        rows = np.bincount(codes[codes >= 0], minlength=size).tolist()
        found = grouped_means(
            [harm.change], codes, size, clusters=harm.cluster, weights=harm.weight
        )
        for n, one in zip(rows, found, strict=True):
            if (
                one is None
                or n < FEWEST
                or (too_few(one.effective) if unequal else one.effective < 2)
            ):
                yield TOO_SMALL if n else NO_ROWS
                continue
            mean = linear.combine(
                one.mean,
                one.covariance,
                one.df,
                [1.0],
                effective=one.effective,
                largest=one.largest,
                span=1.0,
                unknown=[0.0],
                z=z,
            )
            yield _Mean(value=mean.value, se=mean.se, df=mean.df, n=n)


def _by_block(harm: Harm, groups: Groups, rng: np.random.Generator) -> Floats:
    """(B, K) what each block of rows, or of clusters, adds to the error of each slice's mean.

    By these slices are correlated; their errors are those of rows or clusters.
    """
    block = blocks(len(harm), harm.cluster, rng)
    slices = sum(len(wheres) for _, wheres in groups)
    shape = (int(block.max()) + 1, slices)
    spread, offset = np.zeros(shape[0] * slices), 0
    for codes, wheres in groups:
        inside = np.flatnonzero(codes >= 0)
        code, change = codes[inside], harm.change[inside]
        weight = np.ones(len(inside)) if harm.weight is None else harm.weight[inside]
        mass = np.maximum(np.bincount(code, weight, minlength=len(wheres)), TINY)
        mean = np.bincount(code, weight * change, minlength=len(wheres)) / mass
        off = weight * (change - mean[code]) / mass[code]
        place = block[inside] * slices + offset + code
        spread += np.bincount(place, off, minlength=len(spread))
        offset += len(wheres)
    return spread.reshape(shape)


def figure(found: Together, endpoint: Endpoint) -> Figure:
    """The slices, the worst bound first."""
    order = sorted(range(len(found.where)), key=lambda k: (found.bound[k], found.where[k]))
    return Figure(
        name=f"{endpoint.code} together",
        chart="table",
        title=f"{endpoint.metric.capitalize()}, student minus teacher: intervals that hold all at "
        f"once at {found.level:.0%} (max-T)",
        columns=("slice", "n", "difference", "low", "high", "one-sided bound"),
        rows=tuple(
            (
                place(found.where[k]),
                found.n[k],
                found.value[k],
                found.low[k],
                found.high[k],
                found.bound[k],
            )
            for k in order
        ),
    )


def note(found: Together, endpoint: Endpoint) -> str:
    """The worst that can be said of any slice: not the lowest value, which luck has chosen."""
    worst = min(range(len(found.where)), key=lambda k: (found.bound[k], found.where[k]))
    small = f"; {found.left_out:,} smaller ones are not among them" if found.left_out else ""
    return (
        f"{endpoint.metric.capitalize()}: with confidence {(1 + found.level) / 2:.3g} the student "
        f"loses at most {max(0.0, -found.bound[worst]):.3g} in each of the {len(found.where):,} "
        f"groups of at least {FEWEST} rows (max-T); the bound is that of "
        f"{place(found.where[worst])}{small}"
    )


def place(where: Where) -> str:
    """An address in words."""
    return ", ".join(f"{column} = {value}" for column, value in where)
