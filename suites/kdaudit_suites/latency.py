"""Latency: is the student faster, by how much, and what does it weigh?

Speed and size are why a student is made. Parameters do not tell: a smaller model of another shape
can be slower, and a mean can hide a tail that users feel. So the pair is timed on the same
requests, one at a time and interleaved, on the machine of the audit.

Findings
    LAT001  speed-up: geometric mean over requests of the teacher's time divided by the student's
            (higher is better)
    LAT002  latency percentile of one request in milliseconds, a finding per percentile (lower)
    LAT003  size on disk in bytes, everything needed to load the model (lower)
    LAT004  memory in bytes at the highest, of a process that loads the model and answers (lower)
    LAT006  number of weights (lower)

Options
    percentiles  which percentiles (default 50, 95, 99)
    replicates   bootstrap draws for the difference of percentiles (default 2000)

Source
    Kalibera and Jones 2013 (blocks as the unit, intervals of ratios); Conover 1999, §3.2 (intervals
    of percentiles from order statistics); numpy's ``inverted_cdf`` is the definition of a
    percentile.

Limits
    Closed loop, batch of one, one thread: it says nothing of throughput or of queues under load.
    Numbers hold for the machine that is named; gate on them only where that machine is yours. A
    noisy run (see `kdaudit.evidence.noise`) is shown and cannot be checked: LAT001 and LAT002 not
    where other work had the processor or the speed-up was unsteady, LAT002 also not where the
    latencies were. The interval of LAT002 takes requests as independent; its difference resamples
    blocks. LAT004 is one process read once, Python and its libraries included (they
    outweigh small models); launches differ by a fraction of a percent.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kdaudit.basis import ORDER, Subject, own
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.kinds import Floats, Ints, Timings
from kdaudit.evidence.noise import unsteady
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.measure import absence, counted, not_measured, result
from kdaudit.results import (
    Basis,
    Better,
    Endpoint,
    Figure,
    Finding,
    Fixed,
    Means,
    Need,
    SuiteResult,
    address,
)
from kdaudit.stats.bootstrap import block_bootstrap, percentile_bootstrap_interval
from kdaudit.stats.means import joint_means
from kdaudit.stats.order_statistics import percentile, percentile_interval

LAT001 = Endpoint(code="LAT001", metric="speed-up", unit="times faster", better=Better.HIGHER)
LAT002 = Endpoint(
    code="LAT002",
    metric="latency percentile",
    unit="milliseconds",
    better=Better.LOWER,
    keys=("percentile",),
)
LAT003 = Endpoint(code="LAT003", metric="size on disk", unit="bytes", better=Better.LOWER)
LAT004 = Endpoint(code="LAT004", metric="peak memory", unit="bytes", better=Better.LOWER)
LAT006 = Endpoint(code="LAT006", metric="parameters", unit="weights", better=Better.LOWER)

Noise = tuple[str, ...]

TIMINGS = Need(kind="timings")
OF_PAIR = NotMeasured("a speed-up is of the pair")
NOTHING_TO_LOAD = (
    "it takes a model to load, of the teacher and of the student; recorded answers have no size, "
    "memory or weights"
)
MOST_POINTS = 200
WEIGHTS = {
    LAT003: ("bytes", "bytes counted", ""),
    LAT004: (
        "peak_memory",
        "high-water mark of one process",
        "read once, in one process; launches differ by a fraction of a percent",
    ),
    LAT006: ("parameters", "weights counted", ""),
}


@dataclass(frozen=True, slots=True)
class Latency:
    """The suite and its options."""

    percentiles: tuple[float, ...] = (50, 95, 99)
    replicates: int = 2000

    name: ClassVar[str] = "latency"
    codes: ClassVar[tuple[Endpoint, ...]] = (LAT001, LAT002, LAT003, LAT004, LAT006)

    def __post_init__(self) -> None:
        if not self.percentiles or not all(0 < p < 100 for p in self.percentiles):
            raise ValueError(
                f"percentiles lie between 0 and 100, e.g. [50, 95]: {self.percentiles}"
            )
        if self.replicates < 100:
            raise ValueError(f"replicates must be at least 100, got {self.replicates}")

    def needs(self) -> tuple[Need, ...]:
        """Timings of the pair."""
        return (TIMINGS,)

    def run(self, evidence: Evidence, streams: Streams) -> SuiteResult:
        """Measure speed, and what each model weighs."""
        timings = evidence[TIMINGS].student
        if not isinstance(timings, Timings):
            reason = absence(timings).reason
            percentiles = [not_measured(LAT002, _where(p), reason) for p in self.percentiles]
            weights = [not_measured(code, (), NOTHING_TO_LOAD) for code in WEIGHTS]
            return result(self, [not_measured(LAT001, (), reason), *percentiles, *weights])
        noise = (*timings.noisy, *_unsteady(timings))
        found = [
            speed_up(timings, evidence.level),
            *(
                self._percentile(timings, p, evidence.level, streams, noise)
                for p in self.percentiles
            ),
            *(weight(timings, endpoint) for endpoint in WEIGHTS),
        ]
        return result(self, found, _figures(timings), _notes(timings, noise))

    def _percentile(
        self, timings: Timings, p: float, level: float, streams: Streams, noise: Noise
    ) -> Finding:
        rng = streams.at(address(LAT002.code, _where(p)))
        return LAT002.finding(
            where=_where(p),
            student=latency(timings.student, p / 100, level),
            teacher=latency(timings.teacher, p / 100, level),
            baseline=NotMeasured("only teacher and student are timed"),
            difference=_difference(timings, p / 100, level, self.replicates, rng),
            basis=_basis(Fixed(level=level), noise),
            note=_noisy(noise),
        )


def speed_up(timings: Timings, level: float) -> Finding:
    """Geometric mean of teacher's over student's time; blocks are clusters.

    Args:
        timings: of the pair, on the same requests.
        level: two-sided level of the interval.
    """
    ratio = np.log(timings.teacher / timings.student)
    joint = joint_means([ratio], clusters=timings.block)
    if joint is None:
        return not_measured(LAT001, (), "one block of requests; a spread needs two at least")
    basis = Means(
        mean=(float(joint.mean[0]),),
        covariance=((float(joint.covariance[0, 0]),),),
        df=joint.df,
        n=joint.n,
        clusters=joint.clusters,
        span=0.0,
        unknown=(0.0,),
        scale="log",
    )
    return LAT001.finding(
        student=own(basis, "student", level),
        teacher=OF_PAIR,
        baseline=OF_PAIR,
        difference=OF_PAIR,
        basis=_basis(basis, timings.noisy),
        note=_noisy(timings.noisy),
    )


def latency(seconds: Floats, p: float, level: float) -> Measurement:
    """A percentile in milliseconds.

    Args:
        seconds: (R,) latencies.
        p: share in (0, 1).
        level: two-sided level of the interval.
    """
    milliseconds = np.sort(seconds) * 1e3
    interval = percentile_interval(milliseconds, p, level)
    if interval is None:
        # Both ends exist once p^n and (1 - p)^n are at most the tail.
        needed = math.ceil(math.log((1 - level) / 2) / math.log(max(p, 1 - p)))
        return NotMeasured(f"{len(seconds)} requests were timed; its interval needs {needed}")
    return Estimate(
        value=percentile(milliseconds, p),
        low=interval.low,
        high=interval.high,
        n=len(seconds),
        level=level,
        method="order statistics",
    )


def weight(timings: Timings, endpoint: Endpoint) -> Finding:
    """What is counted, not estimated: bytes, memory, weights."""
    name, method, note = WEIGHTS[endpoint]
    values: dict[Subject, Measurement] = {}
    for role in ORDER:
        footprint = timings.footprints.get(role)
        value = None if footprint is None else getattr(footprint, name)
        values[role] = (
            NotMeasured(f"the {endpoint.metric} of the {role} is not known")
            if value is None
            else counted(float(value), 1, method)
        )
    student, teacher = values["student"], values["teacher"]
    return endpoint.finding(
        student=student,
        teacher=teacher,
        baseline=values["baseline"],
        difference=_minus(student, teacher, method),
        basis=student
        if isinstance(student, NotMeasured)
        else Fixed(level=1.0, baseline=_minus(student, values["baseline"], method)),
        note="" if isinstance(student, NotMeasured) else note,
    )


def _where(p: float) -> tuple[tuple[str, str], ...]:
    return (("percentile", f"p{p:g}"),)


def _unsteady(timings: Timings) -> Iterator[str]:
    for role in ("student", "teacher"):
        yield from unsteady(f"the {role}'s latency", getattr(timings, role), timings.block)


def _noisy(noise: Noise) -> str:
    return f"noisy run: {'; '.join(noise)}" if noise else ""


def _basis(basis: Basis, noise: Noise) -> Basis:
    """The basis, unless the run was noisy: then nothing may be decided by it."""
    return NotMeasured(f"{_noisy(noise)}; time again on a quiet machine") if noise else basis


def _difference(
    timings: Timings, p: float, level: float, replicates: int, rng: np.random.Generator
) -> Measurement:
    """Student's minus teacher's percentile in milliseconds, by resampling blocks."""
    blocks = int(timings.block.max()) + 1
    if blocks < 2:
        return NotMeasured("one block of requests; a spread needs two at least")
    student, teacher = (np.unique(s * 1e3, return_inverse=True) for s in _pair(timings))
    cells = [_counts(timings.block, which, len(values)) for values, which in (student, teacher)]

    def statistic(sums: Floats) -> Floats:
        parts = np.split(sums, [len(student[0])], axis=1)
        picked = [
            values[
                np.argmax(np.cumsum(part, axis=1) >= p * part.sum(axis=1)[:, None] - 1e-9, axis=1)
            ]
            for (values, _), part in zip((student, teacher), parts, strict=True)
        ]
        return np.asarray(picked[0] - picked[1], np.float64)

    draws = block_bootstrap(np.hstack(cells), statistic, replicates=replicates, rng=rng)
    low, high = percentile_bootstrap_interval(draws, level)
    return Estimate(
        value=percentile(timings.student * 1e3, p) - percentile(timings.teacher * 1e3, p),
        low=low,
        high=high,
        n=len(timings.student),
        level=level,
        method=f"percentile bootstrap, {blocks} blocks",
    )


def _pair(timings: Timings) -> tuple[Floats, Floats]:
    return timings.student, timings.teacher


def _counts(block: Ints, which: Ints, values: int) -> Floats:
    """(K, V) how often each value occurs in each block."""
    counts = np.zeros((int(block.max()) + 1, values))
    np.add.at(counts, (block, which), 1.0)
    return counts


def _minus(student: Measurement, other: Measurement, method: str) -> Measurement:
    if isinstance(student, NotMeasured):
        return student
    if isinstance(other, NotMeasured):
        return other
    return counted(student.value - other.value, 1, method)


def _figures(timings: Timings) -> Iterator[Figure]:
    rows: list[tuple[str, float, float]] = []
    for role, seconds in (("student", timings.student), ("teacher", timings.teacher)):
        n = len(seconds)
        kept = np.unique(np.linspace(0, n - 1, MOST_POINTS).round().astype(int))
        ordered = np.sort(seconds) * 1e3
        rows += [(role, float(ordered[i]), float((i + 1) / n)) for i in kept]
    yield Figure(
        name="latency",
        chart="ecdf",
        title="Share of requests answered within a time, one request at a time",
        columns=("subject", "milliseconds", "share"),
        rows=tuple(rows),
    )
    yield Figure(
        name="footprint",
        chart="table",
        title="What each model weighs",
        columns=("subject", "parameters", "bytes", "peak memory", "memory before loading"),
        rows=tuple(
            (role, found.parameters, found.bytes, found.peak_memory, found.base_memory)
            for role in ORDER
            if (found := timings.footprints.get(role)) is not None
        ),
    )


def _notes(timings: Timings, noise: Noise) -> Iterator[str]:
    facts = dict(timings.machine)
    processor, cores = (facts.get(name, "unknown") for name in ("processor", "cores"))
    yield (
        f"{len(timings.student)} requests, one at a time, each to both models in blocks of "
        f"{int(np.bincount(timings.block).max())}; processor: {processor}, cores: {cores}, threads "
        f"used: {facts.get('threads', 'unknown')}."
    )
    yield from (f"Noisy run: {reason}." for reason in noise)
