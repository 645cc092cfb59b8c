"""How suites see evidence: aligned rows, and the same kind for each subject."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.benchmark_tasks import Benchmarks
from kdaudit.evidence.kinds import (
    Bools,
    Floats,
    Generations,
    Grades,
    Ints,
    Likelihoods,
    Predictions,
    RowScores,
    Strings,
    Timings,
)
from kdaudit.evidence.prices import Prices
from kdaudit.evidence.serving import Serving
from kdaudit.results import Endpoint, Need, Where
from kdaudit.stats.random import stream

Role = Literal["student", "teacher", "baseline"]
ROLES: tuple[Role, ...] = ("student", "teacher", "baseline")
Kind = Predictions | RowScores | Timings | Generations | Grades | Likelihoods | Serving
PREDICTIONS = Need(kind="predictions")  # on the audited rows, as they are
SCORES = Need(kind="scores")
GENERATIONS = Need(kind="generations")
GRADES = Need(kind="grades")
LIKELIHOODS = Need(kind="likelihoods")
REFUSALS = Need(kind="refusals")  # grades whose codes are those of `kdaudit.grading.refusal`
SERVING = Need(kind="serving")


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """How a column was made of another one.

    Attributes:
        kind: of what: bands of a number, properties of words, periods of a time.
        how: in a few words, for the auditor.
        edges: where bands begin, rising.
    """

    kind: Literal["bands", "words", "periods"]
    how: str
    edges: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Category:
    """A column of strings as codes.

    Attributes:
        codes: (N,) index into ``values``; -1 where the cell is empty.
        values: the distinct strings, sorted; bands and periods in their own order.
        derived: how it was made, where the data do not hold it as it is.
    """

    codes: Ints
    values: tuple[str, ...]
    derived: Derived | None = None

    def take(self, rows: Bools | Ints) -> "Category":
        """The same column on some of the rows; the values stay, so addresses stay."""
        return replace(self, codes=self.codes[rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What a score per row means: which way is better, its least and its greatest value."""

    better: Literal["higher", "lower"]
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Questions:
    """What language models were asked; every array is (N,).

    Attributes:
        prompt: the text inputs of each row; empty where none is declared.
        answers: tuples of every way to say the truth; empty where nothing true can be said, and
            the right thing is to decline. None where no column of answers is declared.
        source: the text that an answer must rest on, None where a row has none; or None.
        choices: tuples of texts whose likelihood the models are asked for, or None.
        stereotyped: the choice that a stereotype would make, None where a row has none; or None.
        unknown: the choice that says it cannot be told, likewise.
    """

    prompt: Strings
    answers: Strings | None
    source: Strings | None
    choices: Strings | None = None
    stereotyped: Strings | None = None
    unknown: Strings | None = None

    def take(self, rows: Bools | Ints) -> "Questions":
        """The same on some of the rows."""
        return Questions(
            prompt=self.prompt[rows],
            answers=None if self.answers is None else self.answers[rows],
            source=None if self.source is None else self.source[rows],
            choices=None if self.choices is None else self.choices[rows],
            stereotyped=None if self.stereotyped is None else self.stereotyped[rows],
            unknown=None if self.unknown is None else self.unknown[rows],
        )

    def choices_in(self, named: Strings) -> Bools:
        """(K,) of all choices laid end to end, whether each is one of the texts of its row.

        Args:
            named: (N,) tuples of texts.
        """
        assert self.choices is not None
        rows = zip(self.choices, named, strict=True)
        return np.array([text in some for row, some in rows for text in row], dtype=np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """The audited rows, sorted by id; every array is (N,).

    Attributes:
        ids: strings.
        label: index into ``classes``; -1 where the label is none of them, or not known.
        classes: names, the same order as in every `Predictions`.
        positive: indices of the favourable classes; empty where the audit file names none.
        weight: or None.
        cluster: codes, or None; rows of one cluster are not independent.
        attributes: by column, everything slices and fairness address.
        slices: groups of columns to cross, e.g. ``(("channel",), ("channel", "product"))``.
        sensitive: likewise for fairness.
        training_counts: rows per class in the transfer split, or None where there is none.
        rejecting: indices of classes that mean "none of these": answering one claims nothing.
        scores: by name, the scale of every declared score.
        benchmarks: the tasks of the rows, where subjects are earlier runs of benchmarks.
        questions: what language models were asked, or None where none was.
        pools: by code and columns, the ``min_n`` of checks that have a member for each group: the
            groups with fewer rows are measured together as well.
        pairs: sensitive columns of which each group is contrasted with each other one as well.
        labelled: whether the label is known; None where all are.
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
    scores: Mapping[str, Scale] = field(default_factory=dict)
    benchmarks: Benchmarks | None = None
    questions: Questions | None = None
    pools: Mapping[str, Mapping[tuple[str, ...], tuple[int, ...]]] = field(default_factory=dict)
    pairs: tuple[str, ...] = ()
    labelled: Bools | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def column(self, name: str) -> Category:
        """An attribute; ``label`` is the class of each row where no attribute has that name."""
        if name == "label" and name not in self.attributes:
            return Category(self.label, self.classes)
        return self.attributes[name]

    def take(self, rows: Bools) -> "Rows":
        """Some of the rows, still aligned; all of them are not copied."""
        if rows.all():
            return self
        return replace(
            self,
            ids=self.ids[rows],
            label=self.label[rows],
            weight=None if self.weight is None else self.weight[rows],
            cluster=None if self.cluster is None else self.cluster[rows],
            attributes={name: column.take(rows) for name, column in self.attributes.items()},
            benchmarks=None if self.benchmarks is None else self.benchmarks.take(rows),
            questions=None if self.questions is None else self.questions.take(rows),
            labelled=None if self.labelled is None else self.labelled[rows],
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

    def take(self, rows: Bools) -> "Trio":
        """The same on some of the rows; timings and servings are of requests, not of rows."""
        if rows.all():
            return self
        parts = {
            role: kind
            if isinstance(kind := self.of(role), NotMeasured | Timings | Serving)
            else kind.take(rows)
            for role in ROLES
        }
        return Trio(**parts)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What a suite is given.

    Attributes:
        rows: the rows in scope.
        level: two-sided level of every interval, 1 - 2 alpha.
        outside: the same view of the out-of-scope rows, or None without such rows.
        unlabelled: why findings that compare with labels cannot be had, or None. Where some rows
            are labelled, differences still can that no label changes where all answer alike.
        sampled: where some rows are labelled, these alone, weighted so that they stand for all; or
            why they do not. None where all rows are labelled.
        open: rows without a label on which the subjects do not answer alike.
        independent: whether people or outcomes are declared to have given the labels.
        validation: the validation split in scope, with predictions where a suite asked for them;
            None without such rows. What is fitted is fitted there.
        control: which control of the student's recipe the baseline is, or None.
        changes: by variant, (N,) rows that it shows otherwise.
        asked: codes that someone waits for, or None for all; a suite may leave out the others,
            and with them every figure and note.
        prices: what serving costs, or None where the audit file does not say.
        protected: the texts of ``[data.protected]`` and what models made of them, or None.
    """

    rows: Rows
    level: float
    outside: "Evidence | None" = None
    unlabelled: NotMeasured | None = None
    sampled: "Evidence | NotMeasured | None" = None
    open: int = 0
    independent: bool = False
    validation: "Evidence | None" = None
    control: str | None = None
    changes: Mapping[str, Bools] = field(default_factory=dict)
    kinds: Mapping[Need, Trio] = field(default_factory=dict)
    asked: frozenset[str] | None = None
    prices: Prices | None = None
    protected: "Evidence | None" = None

    def wants(self, *endpoints: Endpoint) -> bool:
        """Whether someone waits for one of the endpoints."""
        return self.asked is None or any(one.code in self.asked for one in endpoints)

    def __getitem__(self, need: Need) -> Trio:
        """Evidence of one kind; subjects without it are `NotMeasured`."""
        changed = "" if need.variant == "as-is" else f", {need.variant}"
        missing = NotMeasured(f"no {need.kind} were recorded on the {need.split} split{changed}")
        need = replace(need, optional=False)
        return self.kinds.get(need, Trio(student=missing, teacher=missing, baseline=missing))

    def changed(self, variant: str) -> Bools:
        """(N,) rows that a variant shows otherwise; none where it was not declared."""
        return self.changes.get(variant, np.zeros(len(self.rows), dtype=np.bool_))


FEWER = 20  # rows to a cell, on average, from which cells are worth counting


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
        columns: names of attributes, or ``label``; several cross.

    Returns:
        (N,) group codes, -1 where a cell is empty, and the address of each group found in the
        data, sorted.
    """
    parts = {name: rows.column(name) for name in sorted(columns)}
    shape = tuple(max(len(part.values), 1) for part in parts.values())
    flat = _flat([part.codes for part in parts.values()], shape)
    found, codes = _renumbered(flat, math.prod(shape))
    wheres = tuple(
        tuple(
            (name, part.values[i])
            for (name, part), i in zip(parts.items(), np.unravel_index(code, shape), strict=True)
        )
        for code in found
    )
    return codes, wheres


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Rows that belong to the same groups of several columns, whatever is crossed.

    Attributes:
        code: (N,) the cell of each row.
        row: (K,) one row of each cell.
    """

    code: Ints
    row: Ints


def cells(rows: Rows, columns: Iterable[str]) -> Cells | None:
    """The finest groups that columns make; None where they are not far fewer than the rows."""
    parts = [rows.column(name) for name in sorted(set(columns))]
    shape = [len(part.values) + 1 for part in parts]
    if not parts or math.prod(shape) * FEWER > len(rows):
        return None
    # An empty cell is a value of its own here.
    found, code = _renumbered(_flat([part.codes + 1 for part in parts], shape), math.prod(shape))
    row = np.empty(len(found), dtype=np.int64)
    row[code] = np.arange(len(code))
    return Cells(code, row)


def _flat(codes: Sequence[Ints], shape: Sequence[int]) -> Ints:
    """(N,) one number for the codes of several columns; -1 where one of them is empty."""
    flat = codes[0]
    for column, size in zip(codes[1:], shape[1:], strict=True):
        flat = flat * size + column
    empty = [column < 0 for column in codes if column.min(initial=0) < 0]
    return np.where(np.any(empty, axis=0), -1, flat) if empty else flat


def _renumbered(codes: Ints, size: int) -> tuple[Ints, Ints]:
    """The codes below ``size`` in use, sorted, and each code's position among them; -1 stays."""
    if size > 2 * len(codes):
        found, position = np.unique(codes, return_inverse=True)
        absent = np.count_nonzero(found < 0)
        return found[absent:], position.astype(np.int64) - absent
    # Counting takes a tenth of the time of sorting, where there is room for the counts.
    found = np.flatnonzero(np.bincount(codes + 1, minlength=size + 1)[1:])
    if len(found) == size:
        return found, codes
    number = np.full(size + 1, -1, dtype=np.int64)
    number[found] = np.arange(len(found))
    return found, number[codes]
