"""Percentiles of what a request waits for: the first token, each further one, the whole answer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from kdaudit.basis import Subject
from kdaudit.estimate import Measurement, NotMeasured
from kdaudit.evidence.kinds import Bools, Floats
from kdaudit.evidence.serving import OFFLINE, Serving, other_hardware
from kdaudit.evidence.view import Streams
from kdaudit.results import Endpoint, Finding, Where, address
from kdaudit.stats.percentile_difference import InBlocks
from kdaudit_suites.latency.endpoints import LAT007, LAT008, LAT009, LAT012
from kdaudit_suites.latency.served import Alike, Served, counted_alike
from kdaudit_suites.latency.timed import (
    NEVER,
    difference,
    fixed,
    latency,
    noise_note,
    place,
    unless_noisy,
)


def to_first(one: Serving) -> Floats:
    """(R,) seconds from when a request was due to its first token."""
    return one.first - one.scheduled


def to_last(one: Serving) -> Floats:
    """(R,) seconds from when it was due to the end of its answer."""
    return one.last - one.scheduled


def per_token(one: Serving) -> Floats:
    """(R,) seconds per token after the first; NaN for an answer of one token, or none."""
    further = one.tokens_out - 1
    seconds = one.last - one.first
    return np.where(further > 0, seconds / np.where(further > 0, further, 1.0), np.nan)


def per_byte(one: Serving) -> Floats:
    """(R,) seconds from when it was due per byte of its answer; NaN for an empty one."""
    some = one.bytes_out > 0
    return np.where(some, to_last(one) / np.where(some, one.bytes_out, 1.0), np.nan)


def _no_further_token(one: Serving) -> Bools:
    return np.asarray(one.tokens_out <= 1)


def _no_byte(one: Serving) -> Bools:
    return np.asarray(one.bytes_out == 0)


@dataclass(frozen=True, slots=True)
class _Wait:
    endpoint: Endpoint
    seconds: Callable[[Serving], Floats]
    nothing: str
    alike: Alike | None = None
    undefined: Callable[[Serving], Bools] | None = None  # answers that have no such wait


WAITS = (
    _Wait(LAT007, to_first, "no first token was recorded: its answers came as a whole"),
    _Wait(
        LAT008,
        per_token,
        "no answer has a first token and more than one token that were recorded",
        counted_alike,
        _no_further_token,
    ),
    _Wait(LAT009, to_last, "no request has an answer"),
    _Wait(LAT012, per_byte, "no answer has bytes that were recorded", undefined=_no_byte),
)


def waits(
    served: Served, shares: tuple[float, ...], streams: Streams, replicates: int
) -> Iterator[Finding]:
    """LAT007, LAT008, LAT009 and LAT012; of batches none, where nobody waits for a request."""
    if served.scenario == OFFLINE:
        return
    for wait in WAITS:
        for p in shares:
            where = (*place(p), ("scenario", served.scenario))
            rng = streams.at(address(wait.endpoint.code, where))
            yield _finding(wait, served, p / 100, where, replicates, rng)


def _finding(
    wait: _Wait, served: Served, p: float, where: Where, replicates: int, rng: np.random.Generator
) -> Finding:
    level = served.level
    sides = {who: _side(wait, who, one) for who, one in served.present.items()}
    own: dict[Subject, Measurement] = {}
    for who, one in served.of.items():
        if isinstance(one, NotMeasured):
            own[who] = one
        elif not len(sides[who].values):
            own[who] = NotMeasured(wait.nothing)
        else:
            own[who] = latency(sides[who].values / 1e3, p, level)

    def against(other: Subject) -> Measurement:
        for who in ("student", other):
            if isinstance(measured := own[who], NotMeasured):
                return measured
        one, two = served.present["student"], served.present[other]
        reason = other_hardware(one, two) or (wait.alike and wait.alike(one, two))
        if reason is not None:
            return reason
        return difference(sides["student"], sides[other], p, level, replicates, rng)

    to_teacher = against("teacher")
    student = served.of["student"]
    block = sides["student"].block if "student" in sides else np.zeros(1, dtype=np.int64)
    basis = replace(
        fixed(level, block, replicates),
        baseline=against("baseline"),
        incomplete=not served.complete,
    )
    return wait.endpoint.finding(
        where=where,
        student=own["student"],
        teacher=own["teacher"],
        baseline=own["baseline"],
        difference=to_teacher,
        basis=unless_noisy(basis, served.noisy),
        note="; ".join(
            part
            for part in (
                noise_note(served.noisy),
                "" if isinstance(student, NotMeasured) else _left_out(wait, student),
            )
            if part
        ),
    )


def _side(wait: _Wait, who: Subject, one: Serving) -> InBlocks:
    """Milliseconds; an answer that is not there is never for the student, at once for others.

    Of an answer that is there and was not recorded in full, the student waited no longer than for
    all of it, and the others not at all. A subject of which nothing is known has no values.
    """
    seconds, unknown = wait.seconds(one), _unknown(wait, one)
    if not (one.answered & ~np.isnan(seconds)).any():
        return InBlocks(np.empty(0), np.empty(0, dtype=np.int64))
    student = who == "student"
    values = np.where(unknown, to_last(one) if student else 0.0, seconds) * 1e3
    values = np.where(one.answered, values, NEVER if student else 0.0)
    kept = ~np.isnan(values)
    return InBlocks(values[kept], one.block[kept])


def _unknown(wait: _Wait, one: Serving) -> Bools:
    """(R,) answers whose wait was not recorded, though they had one."""
    absent: Bools = one.answered & np.isnan(wait.seconds(one))
    return absent if wait.undefined is None else absent & ~wait.undefined(one)


def _left_out(wait: _Wait, one: Serving) -> str:
    absent, unknown = one.answered & np.isnan(wait.seconds(one)), _unknown(wait, one)
    lost, filled = int(np.count_nonzero(absent & ~unknown)), int(np.count_nonzero(unknown))
    if lost + filled == int(one.answered.sum()):
        return ""
    said = []
    if lost:
        said.append(f"without {lost} answers of the student for which it is not defined")
    if filled:
        said.append(
            f"of {filled} answers of the student it was not recorded; the time of the whole answer "
            "stands in its place"
        )
    return "; ".join(said)
