"""What is served: goodput under limits, throughput, the length of answers, energy."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from kdaudit.basis import ORDER, Subject, bounded
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.kinds import Floats
from kdaudit.evidence.serving import OFFLINE, SERVER, SINGLE, Serving, other_hardware
from kdaudit.measure import mean_finding, not_measured
from kdaudit.results import Basis, Better, Endpoint, Finding, Fixed, Means
from kdaudit.scores import Score
from kdaudit.stats.interval import tail
from kdaudit.stats.linear import interval
from kdaudit_suites.latency.endpoints import LAT010, LAT011, LAT013, LAT014, LAT016
from kdaudit_suites.latency.means import mean_of_amounts
from kdaudit_suites.latency.served import Alike, Served, counted_alike, first_of, machine_time
from kdaudit_suites.latency.timed import noise_note, unless_noisy
from kdaudit_suites.latency.waiting import per_token, to_first, to_last

SECONDS = Endpoint(code="seconds", metric="seconds", unit="seconds", better=Better.LOWER)
LIMITS: Mapping[str, Callable[[Serving], Floats]] = {
    "first_token": to_first,
    "per_token": per_token,
    "answer": to_last,
}
NOT_COUNTED = (
    "not measured by this machine: neither RAPL nor NVML could be read, or batches were not served "
    f"(scenario {OFFLINE})"
)


def goodput(served: Served, limits: Mapping[str, float]) -> Finding:
    """LAT010: requests that meet every limit; one without an answer meets none.

    Args:
        served: requests of one scenario.
        limits: milliseconds by what they limit, the names of `LIMITS`.
    """
    where = (("scenario", served.scenario),)
    scores: dict[Subject, Score | NotMeasured] = {}
    for who, one in served.of.items():
        if isinstance(one, NotMeasured):
            scores[who] = one
            continue
        met = np.ones(len(one), dtype=np.bool_)
        for name, limit in limits.items():
            seconds = LIMITS[name](one)
            # An answer of one token has no time per further token to exceed a limit.
            fine = (one.tokens_out <= 1) & (name == "per_token")
            if np.isnan(seconds[one.answered & ~fine]).any():
                scores[who] = NotMeasured(f"{name} was not recorded of every answer")
                break
            met &= fine | (seconds * 1e3 <= limit)
        else:
            scores[who] = Score(values=met, valid=one.answered)
    told = ", ".join(f"{name} within {limit:g} ms" for name, limit in sorted(limits.items()))
    made = mean_finding(LAT010, served.requests(), scores, where=where, note=told)
    return _unless_noisy(made, served)


def throughput(served: Served) -> Finding:
    """LAT011: requests a second of a machine that is kept busy."""
    where = (("scenario", served.scenario),)
    busy = {who: machine_time(one) for who, one in served.present.items()}
    seconds = mean_of_amounts(SECONDS, served, busy)
    made = LAT011.finding(
        where=where,
        student=_inverse(seconds.student),
        teacher=_inverse(seconds.teacher),
        baseline=_inverse(seconds.baseline),
        difference=_of_inverses(seconds, served, "teacher"),
        basis=_fixed(seconds.basis, served, _of_inverses(seconds, served, "baseline")),
        note="closed loop: one request after the other" if served.scenario == SINGLE else "",
    )
    return _unless_noisy(made, served)


def lengths(served: Mapping[str, Served]) -> Iterator[Finding]:
    """LAT013 and LAT014: how much is written to the same requests."""
    one = first_of(served, SINGLE, OFFLINE, SERVER)
    assert one is not None  # somebody served something
    yield _compared(LAT013, one, _known("tokens_out"), counted_alike)
    yield _compared(LAT014, one, _known("bytes_out"))


def energy(served: Mapping[str, Served]) -> Finding:
    """LAT016: where a counter was read, never estimated."""
    for name in (OFFLINE, SINGLE, SERVER):
        one = served.get(name)
        if one is None or all(np.isnan(x.joules).all() for x in one.present.values()):
            continue
        joules = {who: _known("joules")(x) for who, x in one.present.items()}
        found = mean_of_amounts(LAT016, one, joules, "counters of the whole machine")
        return _unless_noisy(_only_alike(found, one, other_hardware), one)
    return not_measured(LAT016, (), NOT_COUNTED)


def _known(name: str) -> Callable[[Serving], Floats | NotMeasured]:
    def value(one: Serving) -> Floats | NotMeasured:
        values: Floats = np.where(one.answered, getattr(one, name), np.nan)
        lost = int(np.isnan(values[one.answered]).sum())
        if lost:
            return NotMeasured(f"{name} of {lost} answers is not known")
        return values

    return value


def _compared(
    endpoint: Endpoint,
    served: Served,
    value: Callable[[Serving], Floats | NotMeasured],
    alike: Alike | None = None,
) -> Finding:
    """A mean per request, compared only with a teacher for whom it means the same."""
    made = mean_finding(endpoint, served.requests(), served.scores(value))
    if isinstance(made.basis, NotMeasured) and not served.complete:
        made = replace(made, basis=Fixed(level=served.level, incomplete=True))
    return made if alike is None else _only_alike(made, served, alike)


def _only_alike(found: Finding, served: Served, alike: Alike) -> Finding:
    """Without a difference from a teacher whose numbers mean something else.

    The basis could be held against the baseline too, so it goes where that is unlike.
    """
    student = served.of["student"]
    unlike = {
        who: reason
        for who in ("teacher", "baseline")
        if isinstance(student, Serving)
        and isinstance(other := served.of[who], Serving)
        and (reason := alike(student, other)) is not None
    }
    return replace(
        found,
        difference=unlike.get("teacher", found.difference),
        basis=unlike.get("baseline", found.basis),
    )


def _inverse(mean: Measurement) -> Measurement:
    """Of seconds per request, requests per second; its interval is turned round."""
    if isinstance(mean, NotMeasured):
        return mean
    if not mean.low > 0:
        return NotMeasured("the time of a request is not shown to be above 0; more are needed")
    return Estimate(
        value=1 / mean.value,
        low=1 / mean.high,
        high=1 / mean.low,
        n=mean.n,
        level=mean.level,
        method=f"inverse of {mean.method}",
    )


def _of_inverses(seconds: Finding, served: Served, other: Subject) -> Measurement:
    """Student's minus another's requests per second."""
    for who in ("student", other):
        measured = getattr(seconds, who)
        if isinstance(_inverse(measured), NotMeasured):
            return _inverse(measured)
    reason = other_hardware(served.present["student"], served.present[other])
    if reason is not None:
        return reason
    basis = seconds.basis
    assert isinstance(basis, Means)  # both have a mean
    at = ORDER.index(other)
    one, two = basis.mean[0], basis.mean[at]
    gradient = [0.0] * len(basis.mean)
    gradient[0], gradient[at] = -1 / one**2, 1 / two**2
    # As the means themselves: what was put in for requests without an answer widens it too.
    moved = bounded(basis, gradient, tail(served.level))
    found = interval(replace(moved, value=1 / one - 1 / two), served.level)
    return Estimate(
        value=1 / one - 1 / two,
        low=found.low,
        high=found.high,
        n=basis.n,
        level=served.level,
        method="delta",
    )


def _fixed(basis: Basis, served: Served, baseline: Measurement) -> Basis:
    if isinstance(basis, NotMeasured) and isinstance(served.of["student"], NotMeasured):
        return basis
    return Fixed(
        level=served.level,
        baseline=baseline,
        incomplete=not served.complete,
        df=basis.df if isinstance(basis, Means) else None,
        least_p=0.0,
    )


def _unless_noisy(finding: Finding, served: Served) -> Finding:
    note = "; ".join(part for part in (finding.note, noise_note(served.noisy)) if part)
    return replace(finding, basis=unless_noisy(finding.basis, served.noisy), note=note)
