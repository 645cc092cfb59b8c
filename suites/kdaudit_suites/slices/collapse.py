"""Of slices that repeat each other, the most general that explains the loss."""

from collections.abc import Iterator, Sequence

import numpy as np

from kdaudit.evidence.kinds import Bools, Ints
from kdaudit_suites.slices.harm import Harm, excess
from kdaudit_suites.slices.lattice import FEWEST, KEPT, NOTABLE, Predicate, Slice, search

ROUNDS = 3  # searches: each one more takes as long as the first


def members(predicates: Sequence[Predicate], columns: Sequence[Ints]) -> Bools:
    """(N,) rows of a slice."""
    inside = np.ones(len(columns[0]), dtype=np.bool_)
    for column, value in predicates:
        inside &= columns[column] == value
    return inside


def candidates(harm: Harm, columns: Sequence[Ints], most: int) -> tuple[tuple[Slice, ...], int]:
    """Search for slices, none of which repeats another: at most ``most``, and how many were scored.

    The parts and neighbours of one bad slice can fill the whole list of the best; so the rows of
    what was found are taken out, and the rest is searched again.
    """
    kept: tuple[Slice, ...] = ()
    scored = 0
    for _ in range(ROUNDS):
        open_rows = ~covered(kept, columns)
        seen = search(harm.take(open_rows), [codes[open_rows] for codes in columns])
        scored = scored or seen.slices
        before, kept = kept, collapse(seen.best, harm, columns, most, kept)
        if len(kept) in (len(before), most) or len(seen.best) < KEPT:
            break
    return kept, scored


def covered(slices: Sequence[Slice], columns: Sequence[Ints]) -> Bools:
    """(N,) rows of any of the slices."""
    inside = np.zeros(len(columns[0]), dtype=np.bool_)
    for one in slices:
        inside |= members(one.predicates, columns)
    return inside


def collapse(
    slices: Sequence[Slice],
    harm: Harm,
    columns: Sequence[Ints],
    most: int,
    kept: Sequence[Slice] = (),
) -> tuple[Slice, ...]:
    """Keep at most ``most`` slices, none of which repeats another.

    A slice gives way to a more general one that it is part of, unless it loses notably more than
    the rest of that one. And a slice is left out if what it adds to the rows of better ones loses
    no more than all other rows do.

    Args:
        slices: the best first.
        harm: of the searched rows.
        columns: (N,) codes of each column.
        most: how many to keep.
        kept: those that are kept already.
    """
    taken = covered(kept, columns)
    chosen = list(kept)

    def adds(rows: Bools) -> bool:
        new = rows & ~taken
        if np.count_nonzero(new) < FEWEST:
            return False
        return excess(harm.over(new), harm.over(~(rows | taken))) >= NOTABLE

    for candidate in slices:
        if len(chosen) == most:
            break
        # The cheap question first: most slices repeat a better one.
        if not adds(members(candidate.predicates, columns)):
            continue
        one = _most_general(candidate, harm, columns)
        rows = members(one.predicates, columns)
        if one is candidate or adds(rows):
            chosen.append(one)
            taken |= rows
    return tuple(chosen)


def _most_general(candidate: Slice, harm: Harm, columns: Sequence[Ints]) -> Slice:
    """Drop conditions, one after the other, for as long as the wider slice explains the loss.

    The rest of a wider slice either loses as much as the narrow one, and then the wider one is at
    fault, or nothing beyond the average, and then the narrow one is. What the data contradict less
    is taken; as the narrow one was the worst of many, it must be ahead by one standard error.
    """
    inside = members(candidate.predicates, columns)
    here = harm.over(inside)
    wider = []
    for parent in _parents(candidate.predicates):
        rows = members(parent, columns)
        rest, outside = harm.over(rows & ~inside), harm.over(~rows)
        if rest is None or excess(here, rest) < excess(rest, outside) + 1:
            wider.append(Slice(predicates=parent, score=excess(harm.over(rows), outside)))
    best = max(wider, key=lambda one: one.score, default=None)
    if best is None or best.score < NOTABLE:
        return candidate
    return _most_general(best, harm, columns)


def _parents(predicates: tuple[Predicate, ...]) -> Iterator[tuple[Predicate, ...]]:
    if len(predicates) > 1:
        for left_out in range(len(predicates)):
            yield predicates[:left_out] + predicates[left_out + 1 :]
