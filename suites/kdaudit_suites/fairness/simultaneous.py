"""One level for all intervals of the labels, so that with chance 1 - alpha all of them hold.

The family is every labelled contrast, of every rate and group, of teacher, student and their
difference. Its joint correlation is taken from block sums: what each block of rows contributes to
the error of each contrast. Clusters are blocks, or are joined to blocks; without clusters the
blocks are random. Luck's largest statistic is then drawn once (`kdaudit.stats.max_t`), and the tail
that it leaves is the tail of every single interval, which keeps its own standard error and degrees
of freedom.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kdaudit.basis import Subject
from kdaudit.evidence.kinds import Bools, Floats, Ints
from kdaudit.evidence.view import Evidence, Rows
from kdaudit.scores import Score
from kdaudit.stats.bootstrap import blocks
from kdaudit.stats.max_t import critical, family_from_covariance
from kdaudit_suites.fairness.contrasts import Contrast, Crossing
from kdaudit_suites.fairness.scores import Rate

Sides = tuple[int, int | None]  # a group, and what it is held against; None for the rest
DRAWS = 5000  # 5% then errs by 0.3 points; the cost grows with the square of the family
ROUNDED = 1e6  # matrix products differ in their last bits with the threads that make them


def simultaneous_level(
    contrasts: Sequence[Contrast], evidence: Evidence, alpha: float, rng: np.random.Generator
) -> float:
    """Level of a single two-sided interval at which all hold together with chance 1 - alpha.

    Args:
        contrasts: the family; of each its teacher's, its student's and their difference.
        evidence: the rows they were measured on.
        alpha: chance in (0, 0.5] that any interval is wrong.
        rng: of the blocks and of the draws.

    Returns:
        A level between 1 - alpha and 1 - alpha / (members of the family).
    """
    from scipy.special import ndtr

    if not contrasts:
        return 1 - alpha
    rows = evidence.rows
    unit = blocks(len(rows), rows.cluster, rng)
    members = np.concatenate(list(_influences(contrasts, rows, unit)))
    length = np.sqrt(np.einsum("ku,ku->k", members, members))
    scaled = members / np.where(length > 0, length, 1)[:, None]
    correlation = scaled @ scaled.T
    np.fill_diagonal(correlation, length > 0)
    family = family_from_covariance(
        np.zeros(len(members)),
        correlation,
        se=np.ones(len(members)),
        df=np.inf,
        rng=rng,
        draws=DRAWS,
    )
    reach = float(critical(family, alpha, two_sided=True)[0])
    return 1 - 2 * float(ndtr(-math.ceil(reach * ROUNDED) / ROUNDED))


@dataclass(frozen=True, slots=True, eq=False)
class _States:
    """Rows that count alike: the same answers, on the same side of every denominator.

    Attributes:
        of: (N,) the state of each row.
        row: (Z,) one row of each state.
        continuous: scores that differ within a state.
    """

    of: Ints
    row: Ints
    continuous: tuple[Score, ...]


def _influences(contrasts: Sequence[Contrast], rows: Rows, unit: Ints) -> Iterator[Floats]:
    """Influences of the blocks on the contrasts of one crossing and rate after another."""
    wanted: dict[int, tuple[Crossing, dict[int, tuple[Rate, list[Sides]]]]] = {}
    for contrast in contrasts:
        assert contrast.group is not None  # groups taken together are in no family
        _, rates = wanted.setdefault(id(contrast.crossing), (contrast.crossing, {}))
        _, groups = rates.setdefault(id(contrast.rate), (contrast.rate, []))
        groups.append((contrast.group, contrast.other))
    states = _states([rate for _, rates in wanted.values() for rate, _ in rates.values()])
    for crossing, rates in wanted.values():
        sums = _Sums.of(crossing, states, rows, unit)
        for rate, groups in rates.values():
            # Of two groups each is the other's rest: the same contrast with another sign.
            kept = groups[:1] if len(crossing.wheres) == 2 else groups
            yield _of_rate(rate, sums, kept)


def _states(rates: Sequence[Rate]) -> _States:
    different: dict[int, Bools] = {}
    continuous: dict[int, Score] = {}
    for rate in rates:
        different[id(rate.counts)] = rate.counts
        for who in _compared(rate):
            score = _score(rate, who)
            different[id(score.valid)] = score.valid
            if score.values.dtype == np.bool_:
                different[id(score.values)] = score.values.astype(np.bool_, copy=False)
            else:
                continuous[id(score)] = score
    code = np.zeros(len(rates[0].counts), dtype=np.int64)
    for flag in different.values():
        if not flag.all():
            code = code * 2 + flag
    # Sorting a million rows takes longer than counting them, and there are few codes.
    number = np.cumsum(np.bincount(code) > 0) - 1
    state = number[code]
    row = np.empty(int(number[-1]) + 1, dtype=np.int64)
    row[state] = np.arange(len(state))
    return _States(state, row, tuple(continuous.values()))


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Weights by block, group and state, and sums of the continuous scores in that resolution."""

    states: _States
    mass: Floats  # (B, G, Z)
    scored: Mapping[int, Floats]  # (B, G, Z) by id of the score

    @classmethod
    def of(cls, crossing: Crossing, states: _States, rows: Rows, unit: Ints) -> "_Sums":
        inside = crossing.codes >= 0
        shape = (int(unit.max()) + 1, len(crossing.wheres), len(states.row))
        cell = ((unit * shape[1] + crossing.codes) * shape[2] + states.of)[inside]

        def summed(values: Floats | None) -> Floats:
            flat = np.bincount(cell, values, minlength=math.prod(shape))
            return flat.astype(np.float64, copy=False).reshape(shape)

        weight = None if rows.weight is None else rows.weight[inside]
        scored = {}
        for score in states.continuous:
            filled = np.where(score.valid, score.values, 0.0)[inside]
            scored[id(score)] = summed(filled if weight is None else filled * weight)
        return cls(states, summed(weight), scored)

    def over(self, states: Floats) -> Floats:
        """(G, B) weights times a score of each state."""
        return np.asarray((self.mass @ states).T, np.float64)


def _compared(rate: Rate) -> tuple[Subject, ...]:
    return ("student",) if rate.of_pair else ("student", "teacher")


def _score(rate: Rate, who: Subject) -> Score:
    score = rate.scores[who]
    assert isinstance(score, Score)  # its contrast was measured
    return score


def _of_rate(rate: Rate, sums: _Sums, groups: Sequence[Sides]) -> Floats:
    """(members, B) influences of B blocks on some contrasts."""
    row = sums.states.row
    counts = rate.counts[row].astype(np.float64)
    held = sums.over(counts)
    parts = []
    for who in _compared(rate):
        score = _score(rate, who)
        centre, valid = (score.low + score.high) / 2, score.valid[row]
        if id(score) in sums.scored:
            scored = np.asarray((sums.scored[id(score)] @ counts).T, np.float64)
            scored += sums.over(counts * np.where(valid, 0.0, centre))
        else:
            scored = sums.over(counts * np.where(valid, score.values[row], centre))
        parts.append(_contrast_influence(scored, held, groups))
    if len(parts) == 2:
        parts.append(parts[0] - parts[1])
    return np.concatenate(parts)


def _contrast_influence(scored: Floats, held: Floats, groups: Sequence[Sides]) -> Floats:
    """(K, B) influences on K contrasts, from (G, B) sums of scores and of weights."""

    def side(total: Floats, weight: Floats) -> Floats:
        whole = weight.sum(axis=1, keepdims=True)
        mean = total.sum(axis=1, keepdims=True) / whole
        influence: Floats = (total - mean * weight) / whole
        return influence

    def others(total: Floats) -> Floats:
        every = total.sum(axis=0)
        return np.stack(
            [every - total[g] if other is None else total[other] for g, other in groups]
        )

    group = [g for g, _ in groups]
    return side(scored[group], held[group]) - side(others(scored), others(held))
