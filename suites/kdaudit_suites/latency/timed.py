"""Speed-up and latency of a pair that is timed on the same requests, one at a time."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from kdaudit.basis import own
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.kinds import Floats, Ints, Timings
from kdaudit.evidence.noise import unsteady
from kdaudit.evidence.view import Streams
from kdaudit.measure import not_measured
from kdaudit.results import Basis, Figure, Finding, Fixed, Where, address
from kdaudit.score_bases import joint_basis
from kdaudit.stats.means import joint_means
from kdaudit.stats.order_statistics import percentile, percentile_interval
from kdaudit.stats.percentile_difference import InBlocks, percentile_difference
from kdaudit_suites.latency.endpoints import LAT001, LAT002

Noise = tuple[str, ...]
OF_PAIR = NotMeasured("a speed-up is of the pair")
NEVER = 1e300  # milliseconds: a request without an answer is later than every other
MOST_POINTS = 200


def noise_of(timings: Timings) -> Noise:
    """Why latencies cannot be trusted."""
    each = (
        unsteady(f"the {role}'s latency", getattr(timings, role), timings.block)
        for role in ("student", "teacher")
    )
    return (*timings.noisy, *(said for one in each for said in one))


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
    plain = joint_basis(joint, span=0.0, unequal=False, clustered=False)
    basis = replace(plain, scale="log")
    return LAT001.finding(
        student=own(basis, "student", level),
        teacher=OF_PAIR,
        baseline=OF_PAIR,
        difference=OF_PAIR,
        basis=unless_noisy(basis, timings.noisy),
        note=noise_note(timings.noisy),
    )


def percentiles(
    timings: Timings,
    shares: Sequence[float],
    level: float,
    streams: Streams,
    replicates: int,
) -> Iterator[Finding]:
    """LAT002, a finding per percentile."""
    noise = noise_of(timings)
    for p in shares:
        where = place(p)
        rng = streams.at(address(LAT002.code, where))
        pair = [InBlocks(s * 1e3, timings.block) for s in (timings.student, timings.teacher)]
        yield LAT002.finding(
            where=where,
            student=latency(timings.student, p / 100, level),
            teacher=latency(timings.teacher, p / 100, level),
            baseline=NotMeasured("only teacher and student are timed"),
            difference=difference(pair[0], pair[1], p / 100, level, replicates, rng),
            basis=unless_noisy(fixed(level, timings.block, replicates), noise),
            note=noise_note(noise),
        )


def latency(seconds: Floats, p: float, level: float) -> Measurement:
    """A percentile in milliseconds.

    Args:
        seconds: (R,) latencies; infinite where there was no answer.
        p: share in (0, 1).
        level: two-sided level of the interval.
    """
    milliseconds = np.minimum(np.sort(seconds) * 1e3, NEVER)
    interval = percentile_interval(milliseconds, p, level)
    if interval is None:
        return NotMeasured(_few(len(seconds), p, level))
    if interval.high >= NEVER:
        lost = int(np.count_nonzero(milliseconds >= NEVER))
        return NotMeasured(
            f"{lost} of {len(seconds)} requests have no answer, so its interval has no upper end"
        )
    return Estimate(
        value=percentile(milliseconds, p),
        low=interval.low,
        high=interval.high,
        n=len(seconds),
        level=level,
        method="order statistics",
    )


def _few(requests: int, p: float, level: float) -> str:
    # Both ends exist once p^n and (1 - p)^n are at most the tail.
    needed = math.ceil(math.log((1 - level) / 2) / math.log(max(p, 1 - p)))
    return f"{requests} requests were timed; its interval needs {needed}"


def fixed(level: float, block: Ints, replicates: int) -> Fixed:
    """The basis of percentiles: intervals at one level, tails by as many blocks and draws.

    Args:
        level: two-sided.
        block: (R,) codes.
        replicates: bootstrap draws.
    """
    units = len(np.unique(block))
    return Fixed(level=level, df=float(max(units - 1, 1)), least_p=1 / (replicates + 1))


def difference(
    student: InBlocks,
    other: InBlocks,
    p: float,
    level: float,
    replicates: int,
    rng: np.random.Generator,
) -> Measurement:
    """Student's minus another's percentile in milliseconds, by resampling blocks."""
    found = percentile_difference(student, other, p, level, replicates=replicates, rng=rng)
    if found is None:
        if min(len(np.unique(side.block)) for side in (student, other)) > 1:
            return NotMeasured(_few(min(len(student.values), len(other.values)), p, level))
        return NotMeasured("one block of requests; a spread needs two at least")
    value = percentile(student.values, p) - percentile(other.values, p)
    if max(abs(value), abs(found.low), abs(found.high)) >= NEVER / 2:
        return NotMeasured("too many requests have no answer")
    blocks = len(np.union1d(student.block, other.block))
    return Estimate(
        value=value,
        low=found.low,
        high=found.high,
        n=len(student.values),
        level=level,
        method=f"percentile bootstrap, {blocks} blocks",
    )


def place(p: float) -> Where:
    """The address of a percentile."""
    return (("percentile", f"p{p:g}"),)


def noise_note(noise: Noise) -> str:
    """What a reader of a noisy number must see."""
    return f"noisy run: {'; '.join(noise)}" if noise else ""


def unless_noisy(basis: Basis, noise: Noise) -> Basis:
    """The basis, unless the run was noisy: then nothing may be decided by it."""
    return NotMeasured(f"{noise_note(noise)}; time again on a quiet machine") if noise else basis


def curve(name: str, title: str, seconds: dict[str, Floats]) -> Figure:
    """Shares of requests answered within a time, for each subject."""
    rows: list[tuple[str, float, float]] = []
    for role, values in seconds.items():
        n = len(values)
        kept = np.unique(np.linspace(0, n - 1, MOST_POINTS).round().astype(int))
        ordered = np.sort(values) * 1e3
        rows += [(role, float(ordered[i]), float((i + 1) / n)) for i in kept]
    return Figure(
        name=name,
        chart="ecdf",
        title=title,
        columns=("subject", "milliseconds", "share"),
        rows=tuple(rows),
    )


def notes(timings: Timings) -> Iterator[str]:
    """How the pair was timed, and what disturbed it."""
    facts = dict(timings.machine)
    processor, cores = (facts.get(name, "unknown") for name in ("processor", "cores"))
    yield (
        f"{len(timings.student)} requests, one at a time, each to both models in blocks of "
        f"{int(np.bincount(timings.block).max())}; processor: {processor}, cores: {cores}, threads "
        f"used: {facts.get('threads', 'unknown')}."
    )
    yield from (f"Noisy run: {reason}." for reason in noise_of(timings))
