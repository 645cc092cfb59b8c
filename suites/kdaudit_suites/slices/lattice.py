"""Every slice of up to three columns, scored from counts alone.

The score of a slice is how much more of its rows the student loses than of all others, in standard
errors: a slice of few rows with a large loss ranks beside a large one with a small loss. Scores
that trade size for effect by a weight (SliceLine, Sagadeeva and Boehm 2021) lose one or the other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from kdaudit.evidence.kinds import Floats, Ints
from kdaudit_suites.slices.harm import Harm, Signs

WIDEST = 12  # columns that are crossed three at a time; of more, those that show most
FEWEST = 30  # rows of the searched half
SMALLEST = 3e-4  # or this share of them, whichever is more
NOTABLE = 2.0  # standard errors; less is not worth a second look
KEPT = 100  # best slices that are looked at again

Predicate = tuple[int, int]  # column, value


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A conjunction of column = value, by position, and its score."""

    predicates: tuple[Predicate, ...]
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What the search saw.

    Attributes:
        best: at most `KEPT` slices, best first.
        slices: how many had rows enough to be scored.
    """

    best: tuple[Slice, ...]
    slices: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """Sums over the rows of slices; every array has the shape of the slices.

    Attributes:
        mass: of weights.
        change: of weighted changes.
        square: of weighted squared changes.
        units: rows of equal weight that would say as much (Kish).
    """

    mass: Floats
    change: Floats
    square: Floats
    units: Floats


def score(part: Sums, whole: Sums) -> Floats:
    """How much more is lost in each slice than in the rest, in standard errors.

    The variance is smoothed by one row that differs, so that slices in which all rows agree by luck
    do not lead the list. A slice that loses nothing, or holds everything, scores 0.
    """
    rest = Sums(
        mass=whole.mass - part.mass,
        change=whole.change - part.change,
        square=whole.square - part.square,
        units=whole.units - part.units,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = rest.change / rest.mass - part.change / part.mass
        t = gap / np.sqrt(_variance(part) + _variance(rest))
    usable = (part.change < 0) & (rest.units > 1) & np.isfinite(t)
    return np.where(usable, t, 0.0)


def _variance(sums: Sums) -> Floats:
    """Of the mean change."""
    mean, second = sums.change / sums.mass, sums.square / sums.mass
    return ((second * sums.units + 1) / (sums.units + 2) - mean**2) / sums.units


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Block:
    """All slices of the same columns that have rows enough.

    Attributes:
        columns: D positions.
        values: (S, D) the value in each column.
        scores: (S,).
    """

    columns: tuple[int, ...]
    values: Ints
    scores: Floats

    def best(self) -> list[Slice]:
        """The notable slices, of many the best."""
        leading = np.argsort(-self.scores, kind="stable")[:KEPT]
        return [
            Slice(
                predicates=tuple(zip(self.columns, self.values[at].tolist(), strict=True)),
                score=float(self.scores[at]),
            )
            for at in leading.tolist()
            if self.scores[at] >= NOTABLE
        ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Counter:
    """Counts rows, or weights, of N rows by code."""

    change: Signs
    weight: Floats | None

    def take(self, rows: Ints) -> "_Counter":
        weight = None if self.weight is None else self.weight[rows]
        return _Counter(change=self.change[rows], weight=weight)

    def count(self, codes: Ints, size: int) -> Sums:
        """Sums of each code below ``size``."""
        if self.weight is None:
            table = np.bincount(codes * 3 + self.change + 1, minlength=3 * size)
            lost, same, won = table.reshape(size, 3).T.astype(np.float64)
            n = lost + same + won
            return Sums(mass=n, change=won - lost, square=won + lost, units=n)
        w = self.weight
        mass, change, square, norm = (
            np.bincount(codes, by, minlength=size).astype(np.float64)
            for by in (w, w * self.change, w * self.change**2, w**2)
        )
        return Sums(
            mass=mass,
            change=change,
            square=square,
            units=np.divide(mass**2, norm, out=np.zeros(size), where=norm > 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Column:
    """The values of a column that have rows enough.

    Attributes:
        codes: (N,) from 1; 0 for all other values and for none.
        values: (V,) the value of each code, less 1.
    """

    codes: Ints
    values: Ints


def search(harm: Harm, columns: Sequence[Ints]) -> Searched:
    """Score every slice of the searched rows that has rows enough.

    Args:
        harm: of the N searched rows.
        columns: (N,) codes of each column, -1 for no value.
    """
    lattice = _Lattice.of(harm, columns)
    shallow = [*lattice.singles(), *lattice.pairs()]
    blocks = [*shallow, *lattice.triples(shallow)]
    ranked = sorted(
        (one for block in blocks for one in block.best()),
        key=lambda one: (-one.score, len(one.predicates), one.predicates),
    )
    return Searched(best=tuple(ranked[:KEPT]), slices=sum(len(block.scores) for block in blocks))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Lattice:
    counter: _Counter
    whole: Sums
    columns: dict[int, _Column]
    fewest: float

    @classmethod
    def of(cls, harm: Harm, columns: Sequence[Ints]) -> "_Lattice":
        counter = _Counter(change=harm.change, weight=harm.weight)
        whole = counter.count(np.zeros(len(harm), np.int64), 1)
        fewest = max(FEWEST, SMALLEST * len(harm))
        frequent = {}
        for position, codes in enumerate(columns):
            size = int(codes.max(initial=-1)) + 1
            units = counter.count(codes + 1, size + 1).units[1:]
            values = np.flatnonzero(units >= fewest)
            if len(values):
                places = np.zeros(size + 1, np.int64)
                places[values + 1] = np.arange(1, len(values) + 1)
                frequent[position] = _Column(codes=places[codes + 1], values=values)
        return cls(counter=counter, whole=whole, columns=frequent, fewest=fewest)

    def singles(self) -> Iterator[_Block]:
        for position, column in self.columns.items():
            sums = self.counter.count(column.codes, len(column.values) + 1)
            yield self._block((position,), column.values[:, None], sums)

    def pairs(self) -> Iterator[_Block]:
        for a, b in combinations(self.columns, 2):
            one, other = self.columns[a], self.columns[b]
            width = len(other.values)
            crossed = np.where(
                (one.codes > 0) & (other.codes > 0), (one.codes - 1) * width + other.codes, 0
            )
            sums = self.counter.count(crossed, len(one.values) * width + 1)
            values = np.stack(
                [np.repeat(one.values, width), np.tile(other.values, len(one.values))], axis=1
            )
            yield self._block((a, b), values, sums)

    def triples(self, shallow: Sequence[_Block]) -> Iterator[_Block]:
        """Pairs that have rows enough, crossed with every later column."""
        deep = self._promising(shallow)
        for block in shallow:
            if len(block.columns) < 2 or not set(block.columns) <= deep or not len(block.values):
                continue
            later = [c for c in self.columns if c > block.columns[1] and c in deep]
            if not later:
                continue
            pair = self._codes_of(block)
            rows = np.flatnonzero(pair)
            part, counter = pair[rows], self.counter.take(rows)
            for c in later:
                third = self.columns[c]
                width = len(third.values) + 1
                sums = counter.count(
                    part * width + third.codes[rows], (len(block.values) + 1) * width
                )
                values = np.column_stack(
                    [
                        np.repeat(block.values, width, axis=0),
                        np.tile(np.append(-1, third.values), len(block.values)),
                    ]
                )
                yield self._block((*block.columns, c), values, sums, skip=width)

    def _promising(self, shallow: Sequence[_Block]) -> set[int]:
        promise = dict.fromkeys(self.columns, 0.0)
        for block in shallow:
            for column in block.columns:
                promise[column] = max(promise[column], float(block.scores.max(initial=0.0)))
        return set(sorted(promise, key=lambda c: (-promise[c], c))[:WIDEST])

    def _codes_of(self, block: _Block) -> Ints:
        """(N,) which slice of a block of pairs each row is in, from 1; 0 for none."""
        one, other = (self.columns[c] for c in block.columns)
        places = np.zeros((len(one.values) + 1, len(other.values) + 1), np.int64)
        first = np.searchsorted(one.values, block.values[:, 0]) + 1
        second = np.searchsorted(other.values, block.values[:, 1]) + 1
        places[first, second] = np.arange(1, len(block.values) + 1)
        return places[one.codes, other.codes]

    def _block(
        self, columns: tuple[int, ...], values: Ints, sums: Sums, *, skip: int = 1
    ) -> _Block:
        """Slices of which the first ``skip`` sums, those of no slice, are left out."""
        mass, change, square, units = (
            part[skip:] for part in (sums.mass, sums.change, sums.square, sums.units)
        )
        enough = (units >= self.fewest) & (values[:, -1] >= 0)
        kept = Sums(
            mass=mass[enough], change=change[enough], square=square[enough], units=units[enough]
        )
        return _Block(columns=columns, values=values[enough], scores=score(kept, self.whole))
