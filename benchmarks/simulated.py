"""Data sets whose truth is known: designs of rows, families of scores, and how often a thing was.

Shared by the cells of `operating_characteristics.py`.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.view import Evidence, Rows
from kdaudit.measure import contrast_finding, mean_findings
from kdaudit.results import Better, Endpoint, Finding, Limit, Where
from kdaudit.scores import Score

Array = npt.NDArray[Any]
ALPHA = 0.05
LEVEL = 0.95
BAR_FALSE_PASS, BAR_FALSE_FAIL = 0.06, 0.05
ROWS_AT_ONCE = 500_000
EVALUABLE = 0.1  # of the replicates; with fewer a cell says nothing


# ---------------------------------------------------------------------------------------- designs


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """How the rows of one data set depend on each other, and weigh.

    Attributes:
        rows: rows of one data set.
        sizes: ``independent``, ``weighted`` (independent, log-normal weights), ``equal``,
            ``poisson`` or ``zipf`` clusters.
        clusters: how many clusters.
        alike: intra-cluster correlation; with 1 whole clusters have one outcome.
        exponent: of Zipf's law.
        spread: of the logarithm of the weights.
    """

    rows: int
    sizes: str = "independent"
    clusters: int = 0
    alike: float = 0.0
    exponent: float = 1.0
    spread: float = 1.0

    def __str__(self) -> str:
        """One cell of a table."""
        if not self.clusters:
            return f"{self.rows} {self.sizes}"
        law = f"zipf^{self.exponent:g}" if self.sizes == "zipf" else self.sizes
        return f"{self.rows} in {self.clusters} {law}, icc {self.alike:g}"

    def members(self) -> Array:
        """(N,) cluster of each row."""
        if self.sizes == "poisson":
            drawn = np.random.default_rng(self.clusters).poisson(
                self.rows / self.clusters - 1, self.clusters
            )
            return np.repeat(np.arange(self.clusters), 1 + drawn)
        rank = np.arange(1, self.clusters + 1)
        mass = np.ones(self.clusters) if self.sizes == "equal" else rank**-self.exponent
        size = np.maximum(1, np.round(self.rows * mass / mass.sum())).astype(int)
        return np.repeat(np.arange(self.clusters), size)

    def length(self) -> int:
        """Rows of one data set; rounding the sizes of clusters may move it a little."""
        return len(self.members()) if self.clusters else self.rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Data:
    """Some data sets of one design, one after the other.

    Attributes:
        uniform: (4, N) uniform numbers, alike within clusters.
        set_: (N,) the data set of each row.
        evidence: ids, weights and clusters of the rows.
    """

    uniform: Array
    set_: Array
    evidence: Evidence


def draw(design: Design, sets: int, rng: np.random.Generator) -> Data:
    """Draw data sets."""
    n = design.length()
    set_ = np.repeat(np.arange(sets), n)
    uniform = rng.random((4, sets * n))
    cluster = weight = None
    if design.clusters:
        cluster = (np.arange(sets)[:, None] * design.clusters + design.members()).ravel()
        shared = rng.random((4, sets * design.clusters))[:, cluster]
        # Each row takes its cluster's number with chance √icc, so two of them agree with icc.
        copied = rng.random((4, sets * n)) < math.sqrt(design.alike)
        uniform = np.where(copied, shared, uniform)
    if design.sizes == "weighted":
        weight = rng.lognormal(0, design.spread, sets * n)
    rows = Rows(
        ids=np.zeros(sets * n, object),  # nothing here looks at them
        label=np.zeros(sets * n, np.int64),
        classes=("a", "b"),
        weight=weight,
        cluster=cluster,
    )
    evidence = Evidence(rows=rows, level=LEVEL, outside=None, unlabelled=None, kinds={})
    return Data(uniform=uniform, set_=set_, evidence=evidence)


# --------------------------------------------------------------------------------------- families


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A student exactly at its limit.

    Attributes:
        name: endpoint and kind of limit.
        better: direction of the endpoint.
        limit: kind of limit.
        value: the limit, which is the truth.
        truth: student minus teacher, or of a contrast those of both.
        scores: student and teacher of each row, from four uniform numbers.
        low: least score.
        high: greatest score.
        group: share of rows in the group, of a contrast; 0 for a mean.
        slice_: share of rows that a mean is taken over.
    """

    name: str
    better: Better
    limit: Limit
    value: float
    truth: float
    scores: Callable[[Array], tuple[Array, Array]]
    low: float = 0.0
    high: float = 1.0
    group: float = 0.0
    slice_: float = 1.0


def losses_and_gains(lost: float, won: float, base: float = 0.8) -> Callable[[Array], Any]:
    """Whether student and teacher are right, on rows some of which only one gets right."""

    def scores(u: Array) -> tuple[Array, Array]:
        loss, gain, both = u[0] < lost, u[0] > 1 - won, u[1] < base
        return gain | (both & ~loss), loss | (both & ~gain)

    return scores


def margin(harm: float, won: float) -> Family:
    """ACC001, SLC002: right less often than the teacher, by the margin."""
    return Family(
        name=f"ACC001 margin {harm:g}, gains {won:g}",
        better=Better.HIGHER,
        limit=Limit.MARGIN,
        value=harm,
        truth=-harm,
        scores=losses_and_gains(harm + won, won),
    )


def sliced(harm: float, won: float, share: float) -> Family:
    """SLC001: the same in some of the rows."""
    name = f"SLC001 margin {harm:g}, gains {won:g}, {share:g} of rows"
    return replace(margin(harm, won), name=name, slice_=share)


def incorrect(harm: float, won: float) -> Family:
    """HAL001: wrong more often than the teacher, by the margin."""
    right = losses_and_gains(harm + won, won)
    return replace(
        margin(harm, won),
        name=f"HAL001 margin {harm:g}, gains {won:g}",
        better=Better.LOWER,
        truth=harm,
        scores=lambda u: tuple(~one for one in right(u)),
    )


def keep(lost: float, won: float) -> Family:
    """ACC001 keep."""
    teacher, student = 0.8 * (1 - won) + lost * 0.2, 0.8 * (1 - lost) + won * 0.2
    return Family(
        name=f"ACC001 keep, losses {lost:g}, gains {won:g}",
        better=Better.HIGHER,
        limit=Limit.KEEP,
        value=student / teacher,
        truth=student - teacher,
        scores=losses_and_gains(lost, won),
    )


def own(share: float, better: Better) -> Family:
    """ACC002, HAL001 at_most; ACC001, SLC002 at_least."""
    rare = better is Better.LOWER

    def scores(u: Array) -> tuple[Array, Array]:
        return (u[0] < share if rare else u[0] < 1 - share), np.zeros(u.shape[1], np.bool_)

    return Family(
        name=f"{'ACC002 at_most' if rare else 'SLC002 at_least'} {share if rare else 1 - share:g}",
        better=better,
        limit=Limit.AT_MOST if rare else Limit.AT_LEAST,
        value=share if rare else 1 - share,
        truth=share if rare else 1 - share,
        scores=scores,
    )


def brier(rare: float) -> Family:
    """CAL001: much is lost on a few rows, and all others differ a little."""

    def scores(u: Array) -> tuple[Array, Array]:
        teacher = 0.1 + 0.3 * u[1]
        return teacher + np.where(u[0] < rare, 1.5, 0.0) + 0.1 * (u[2] - 0.5), teacher

    return Family(
        name=f"CAL001 margin, rare {rare:g}",
        better=Better.LOWER,
        limit=Limit.MARGIN,
        value=1.5 * rare,
        truth=1.5 * rare,
        scores=scores,
        high=2.0,
    )


def gap(harm: float) -> Family:
    """CAL003: a calibrated teacher, an over-confident student."""

    def scores(u: Array) -> tuple[Array, Array]:
        return 0.9 - (u[0] >= 0.1 + harm), 0.9 - (u[0] >= 0.1)

    return Family(
        name=f"CAL003 margin {harm:g}",
        better=Better.ZERO,
        limit=Limit.MARGIN,
        value=harm,
        truth=harm,
        scores=scores,
        low=-1.0,
    )


def contrast(teacher: float, student: float, share: float) -> Family:
    """FAI001-FAI005: rates in a group less those outside, which are 0.3."""

    def scores(u: Array) -> tuple[Array, Array]:
        group = u[2] < share
        us, ut = np.where(u[3] < 0.2, u[1], u[0]), u[0]  # mostly the same rows
        return us < 0.3 + student * group, ut < 0.3 + teacher * group

    kind = "introduced" if not teacher else "reversed" if student * teacher < 0 else "amplified"
    return Family(
        name=f"FAI {kind} {teacher:g} to {student:g}, group {share:g}",
        better=Better.ZERO,
        limit=Limit.MARGIN,
        value=abs(student) - abs(teacher),
        truth=student - teacher,
        scores=scores,
        group=share,
    )


def findings(family: Family, data: Data, sets: int) -> Iterator[Finding]:
    """What an audit finds in each data set."""
    student, teacher = family.scores(data.uniform)
    valid = np.ones(len(student), np.bool_)
    scores: Any = {
        who: Score(values=values, valid=valid, low=family.low, high=family.high)
        for who, values in (("student", student), ("teacher", teacher))
    } | {"baseline": NotMeasured("none")}
    endpoint = Endpoint(code="X001", metric="metric", unit="unit", better=family.better)
    if not family.group:
        wheres: list[Where] = [(("set", str(number)),) for number in range(sets)]
        codes = np.where(data.uniform[2] < family.slice_, data.set_, -1)
        yield from mean_findings(endpoint, data.evidence, scores, codes=codes, wheres=wheres)
        return
    inside = data.uniform[2] < family.group
    yield contrast_finding(endpoint, data.evidence, scores, group=inside, rest=~inside, where=())


# ------------------------------------------------------------------------------------------ rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often something happened.

    Attributes:
        hits: how often.
        of: in how many evaluable data sets.
        sets: data sets in all.
    """

    hits: int
    of: int
    sets: int

    @property
    def share(self) -> float:
        """Of those that were evaluable."""
        return self.hits / self.of if self.of else 0.0

    @property
    def evaluable(self) -> bool:
        """Whether enough of the data sets were."""
        return self.of >= EVALUABLE * self.sets

    def above(self, bar: float) -> bool:
        """Whether the bar is missed by more than two Monte-Carlo errors."""
        return self.evaluable and self.share > bar + 2 * math.sqrt(bar * (1 - bar) / self.of)

    def below(self, bar: float) -> bool:
        """Whether it is missed from below."""
        return self.evaluable and self.share < bar - 2 * math.sqrt(bar * (1 - bar) / self.of)
