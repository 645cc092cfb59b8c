"""How suites see evidence: aligned rows, and the same kind for each subject."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Ints, Predictions, Timings
from kdaudit.results import Need, Where
from kdaudit.stats.random import stream

Role = Literal["student", "teacher", "baseline"]
ROLES: tuple[Role, ...] = ("student", "teacher", "baseline")
Kind = Predictions | Timings


@dataclass(frozen=True, slots=True, eq=False)
class Category:
    """A column of strings as codes.

    Attributes:
        codes: (N,) index into ``values``; -1 where the cell is empty.
        values: the distinct strings, sorted.
    """

    codes: Ints
    values: tuple[str, ...]

    def take(self, rows: Bools | Ints) -> "Category":
        """The same column on some of the rows; the values stay, so addresses stay."""
        return Category(self.codes[rows], self.values)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """The audited rows, sorted by id; every array is (N,).

    Attributes:
        ids: strings.
        label: index into ``classes``; -1 where the label is none of them.
        classes: names, the same order as in every `Predictions`.
        positive: indices of the favourable classes; empty where the audit file names none.
        weight: or None.
        cluster: codes, or None; rows of one cluster are not independent.
        attributes: by column, everything slices and fairness address.
        slices: groups of columns to cross, e.g. ``(("channel",), ("channel", "product"))``.
        sensitive: likewise for fairness.
        training_counts: rows per class in the transfer split, or None where there is none.
        rejecting: indices of classes that mean "none of these": answering one claims nothing.
    """

    ids: npt.NDArray[np.object_]
    label: Ints
    classes: tuple[str, ...]
    positive: tuple[int, ...] = ()
    weight: Floats | None = None
    cluster: Ints | None = None
    attributes: Mapping[str, Category] = field(default_factory=dict)
    slices: tuple[tuple[str, ...], ...] = ()
    sensitive: tuple[tuple[str, ...], ...] = ()
    training_counts: Ints | None = None
    rejecting: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Bools) -> "Rows":
        """Some of the rows, still aligned."""
        return replace(
            self,
            ids=self.ids[rows],
            label=self.label[rows],
            weight=None if self.weight is None else self.weight[rows],
            cluster=None if self.cluster is None else self.cluster[rows],
            attributes={name: column.take(rows) for name, column in self.attributes.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trio:
    """One kind of evidence of the three subjects, each there or absent with a reason."""

    student: Kind | NotMeasured
    teacher: Kind | NotMeasured
    baseline: Kind | NotMeasured

    def of(self, role: Role) -> Kind | NotMeasured:
        """The subject's evidence by role."""
        kind: Kind | NotMeasured = getattr(self, role)
        return kind


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What a suite is given.

    Attributes:
        rows: the rows in scope.
        level: two-sided level of every interval, 1 - 2 alpha.
        outside: the same view of the out-of-scope rows, or None without such rows.
        unlabelled: why findings that compare with labels cannot be had, or None.
    """

    rows: Rows
    level: float
    outside: "Evidence | None" = None
    unlabelled: NotMeasured | None = None
    kinds: Mapping[Need, Trio] = field(default_factory=dict)

    def __getitem__(self, need: Need) -> Trio:
        """Evidence of one kind; subjects without it are `NotMeasured`."""
        missing = NotMeasured(f"no {need.kind} were recorded on the {need.split} split")
        return self.kinds.get(need, Trio(student=missing, teacher=missing, baseline=missing))


@dataclass(frozen=True, slots=True)
class Streams:
    """Random streams keyed by finding: adding a suite or a slice changes no other draw."""

    seed: int

    def at(self, *names: str) -> np.random.Generator:
        """The stream of one address, e.g. ``streams.at("CAL004")``."""
        return stream(self.seed, *names)


def crossed(rows: Rows, columns: Sequence[str]) -> tuple[Ints, tuple[Where, ...]]:
    """Cross columns into groups.

    Args:
        rows: the rows.
        columns: column names; several cross.

    Returns:
        (N,) group codes, -1 where a cell is empty, and the address of each group found in the
        data, sorted.
    """
    parts = {name: rows.attributes[name] for name in sorted(columns)}
    empty = np.any([part.codes < 0 for part in parts.values()], axis=0)
    shape = tuple(max(len(part.values), 1) for part in parts.values())
    flat = np.ravel_multi_index([np.maximum(part.codes, 0) for part in parts.values()], shape)
    found = np.unique(flat[~empty])
    wheres = tuple(
        tuple(
            (name, part.values[i])
            for (name, part), i in zip(parts.items(), np.unravel_index(code, shape), strict=True)
        )
        for code in found
    )
    codes = np.where(empty, -1, np.searchsorted(found, flat))
    return codes.astype(np.int64), wheres
