"""Latency: is the student faster, by how much, what does it weigh, and what does serving it cost?

Speed and size are why a student is made. Parameters do not tell: a smaller model of another shape
can be slower, and a mean can hide a tail that users feel. So the pair is timed on the same
requests, one at a time and interleaved, on the machine of the audit. Language models are timed
as they write, one request at a time, under load and in batches; for models that ran elsewhere a
file tells.

Findings
    LAT001  speed-up: geometric mean over requests of the teacher's time divided by the student's
            (higher is better)
    LAT002  latency percentile of one request in milliseconds, a finding per percentile (lower)
    LAT003  size on disk in bytes, everything needed to load the model (lower)
    LAT004  memory in bytes at the highest, of a process that loads the model and answers (lower)
    LAT006  number of weights (lower)
Findings of requests that were served, with ``[serving]`` or ``timings``
    LAT005  cost of 1,000 requests at the prices of ``[cost]`` (lower)
    LAT007  time to the first token since the request was due, per percentile and scenario (lower)
    LAT008  time per output token after the first, likewise (lower)
    LAT009  time to the whole answer since the request was due, likewise (lower)
    LAT010  goodput: requests that meet every limit of the option ``limits``, per scenario (higher)
    LAT011  throughput: requests a second of a busy machine, per scenario (higher)
    LAT012  time to the whole answer per byte of it, per percentile and scenario (lower)
    LAT013  tokens written per request (lower)
    LAT014  bytes written per request (lower)
    LAT015  break-even: requests until savings have paid for distillation (lower)
    LAT016  energy per request in joules, where the machine counts it (lower)

Figures
    latency    share of requests answered within a time, one at a time
    footprint  what each model weighs
    server     share of requests answered within a time since they were due, under load
    serving    requests, tokens and bytes a second, and bytes per token
    cost       of a million tokens, and of a thousand correct answers

Options
    percentiles  which percentiles (default 50, 95, 99)
    replicates   bootstrap draws for the difference of percentiles (default 2000)
    limits       milliseconds that a request may take to count as served well: ``first_token``,
                 ``per_token``, ``answer``; any of them (default: none, and no LAT010)

Source
    Kalibera and Jones 2013 (blocks as the unit, intervals of ratios); Conover 1999, §3.2 (intervals
    of percentiles from order statistics); numpy's ``inverted_cdf`` is the definition of a
    percentile. Scenarios and the time per output token: Reddi et al. 2020 (MLPerf Inference); its
    rule of early stopping is the exact test that LAT010 of requests one after the other passes with
    ``at_least = 0.99``, and a percentile with ``at_most``. Ratios: Fieller 1954.

Limits
    LAT001 and LAT002 are a closed loop, a batch of one, one thread: they say nothing of throughput
    or of queues under load. Numbers hold for the machine that is named; gate on them only where
    that machine is yours. Models on different hardware are shown side by side and not compared. A
    noisy run (see `kdaudit.evidence.noise`) is shown and cannot be checked: LAT001 and LAT002 not
    where other work had the processor or the speed-up was unsteady, LAT002 also not where the
    latencies were. Intervals of percentiles take requests as independent, which those in one queue
    are not; differences resample blocks. LAT004 is one process read once, Python and its libraries
    included (they outweigh small models); launches differ by a fraction of a percent. LAT008 has no
    value for answers of one token, and is not compared where tokenizers differ. LAT016 is of the
    whole machine, whoever used it. Amounts (LAT005, LAT011, LAT013 to LAT016) have no greatest
    value: one request without an answer of the student leaves them not measured.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from kdaudit.errors import unknown
from kdaudit.evidence.kinds import Timings
from kdaudit.evidence.serving import OFFLINE, SERVER
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.measure import not_measured, result
from kdaudit.results import Endpoint, Figure, Finding, Need, SuiteResult
from kdaudit.scores import absence
from kdaudit_suites.latency import figures
from kdaudit_suites.latency.cost import costs
from kdaudit_suites.latency.endpoints import LAT001, LAT002, OF_PAIR, SERVED, WEIGHED
from kdaudit_suites.latency.served import Served, scenarios
from kdaudit_suites.latency.service import LIMITS, energy, goodput, lengths, throughput
from kdaudit_suites.latency.timed import curve, latency, notes, percentiles, place, speed_up
from kdaudit_suites.latency.waiting import waits
from kdaudit_suites.latency.weights import footprint_table, weights

__all__ = ["Latency", "latency"]

TIMINGS = Need(kind="timings")


@dataclass(frozen=True, slots=True)
class Latency:
    """The suite and its options."""

    percentiles: tuple[float, ...] = (50, 95, 99)
    replicates: int = 2000
    limits: Mapping[str, float] = field(default_factory=dict)

    name: ClassVar[str] = "latency"
    codes: ClassVar[tuple[Endpoint, ...]] = (*OF_PAIR, *WEIGHED, *SERVED)

    def __post_init__(self) -> None:
        if not self.percentiles or not all(0 < p < 100 for p in self.percentiles):
            raise ValueError(
                f"percentiles lie between 0 and 100, e.g. [50, 95]: {self.percentiles}"
            )
        if self.replicates < 100:
            raise ValueError(f"replicates must be at least 100, got {self.replicates}")
        for name, limit in self.limits.items():
            if name not in LIMITS:
                raise ValueError(f"limits: {unknown('limit', name, LIMITS)}")
            if not limit > 0:
                raise ValueError(f"limits: {name} is a time in milliseconds, got {limit}")

    def needs(self) -> tuple[Need, ...]:
        """Timings of the pair; requests that were served, where there are any."""
        return (TIMINGS, Need(kind="serving", optional=True))

    def run(self, evidence: Evidence, streams: Streams) -> SuiteResult:
        """Measure speed, what each model weighs, and how it serves."""
        timings = evidence[TIMINGS].student
        timed = timings if isinstance(timings, Timings) else None
        found: list[Finding] = [*weights(timed)]
        pictures: list[Figure] = []
        said: list[str] = []
        if timed is None:
            reason = absence(timings).reason
            found.append(not_measured(LAT001, (), reason))
            found += [not_measured(LAT002, place(p), reason) for p in self.percentiles]
        else:
            found.append(speed_up(timed, evidence.level))
            found += percentiles(timed, self.percentiles, evidence.level, streams, self.replicates)
            pictures += _pictures(timed)
            said += notes(timed)
        served = scenarios(evidence)
        if served:
            found += self._served(served, streams)
            priced, tables = costs(evidence, served)
            found += priced
            pictures += [*figures.figures(served), *tables]
            said += figures.notes(served)
        return result(self, found, pictures, said)

    def _served(self, served: Mapping[str, Served], streams: Streams) -> Iterator[Finding]:
        for name, one in served.items():
            yield from waits(one, self.percentiles, streams, self.replicates)
            if self.limits and name != OFFLINE:
                yield goodput(one, self.limits)
            if name != SERVER:
                yield throughput(one)
        yield from lengths(served)
        yield energy(served)


def _pictures(timings: Timings) -> Iterator[Figure]:
    title = "Share of requests answered within a time, one request at a time"
    yield curve("latency", title, {"student": timings.student, "teacher": timings.teacher})
    yield footprint_table(timings)
