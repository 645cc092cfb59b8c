"""What was served, as a table and a picture, and what a reader must know of it."""

from collections.abc import Iterator, Mapping

import numpy as np

from kdaudit.basis import ORDER
from kdaudit.evidence.serving import OFFLINE, SERVER, SINGLE, Serving
from kdaudit.results import Figure
from kdaudit_suites.latency.served import Served, counted_alike, machine_time
from kdaudit_suites.latency.timed import curve
from kdaudit_suites.latency.waiting import to_last

COLUMNS = (
    "scenario and subject",
    "requests",
    "without answer",
    "busy seconds",
    "requests/s",
    "tokens/s",
    "bytes/s",
    "bytes per token",
)


def figures(served: Mapping[str, Served]) -> Iterator[Figure]:
    """A table of rates, and the curve of latencies under load."""
    yield Figure(
        name="serving",
        chart="table",
        title="What was served, and how fast while busy",
        columns=COLUMNS,
        rows=tuple(
            (f"{name}, {who}", *_rates(one.present[who]))
            for name, one in served.items()
            for who in ORDER
            if who in one.present
        ),
    )
    under_load = served.get(SERVER)
    if under_load is not None:
        yield curve(
            "server",
            "Share of requests answered within a time since they were due, under load",
            {who: to_last(one)[one.answered] for who, one in under_load.present.items()},
        )


def _rates(one: Serving) -> tuple[float | int | None, ...]:
    answered = one.answered
    busy = float(machine_time(one)[answered].sum())
    tokens, size = (float(x[answered].sum()) for x in (one.tokens_out, one.bytes_out))

    def rate(amount: float, of: float) -> float | None:
        return amount / of if of > 0 and not np.isnan(amount) else None

    return (
        len(one),
        int(np.count_nonzero(~answered)),
        busy,
        rate(float(answered.sum()), busy),
        rate(tokens, busy),
        rate(size, busy),
        rate(size, tokens),
    )


def notes(served: Mapping[str, Served]) -> Iterator[str]:
    """Where it was timed, what the scenarios say, and what cannot be compared."""
    first = next(iter(served.values()))
    for who, one in first.present.items():
        yield f"The {who}'s requests were {one.origin}, on {one.hardware or 'unknown hardware'}."
    if SINGLE in served:
        yield f"Scenario {SINGLE} is a closed loop: it says nothing of requests that queue."
    if OFFLINE in served:
        yield f"Scenario {OFFLINE} hands over whole batches: nobody waits for a single request."
    if SERVER in served:
        for who, one in served[SERVER].present.items():
            if _never_together(one):
                yield (
                    f"The {who}'s requests of scenario {SERVER} were each due after the one before "
                    "was answered: a closed loop, or little load; queues were not seen."
                )
    pair = first.present
    if "student" in pair and "teacher" in pair:
        reason = counted_alike(pair["student"], pair["teacher"])
        if reason is not None:
            yield f"Tokens of student and teacher are not compared: {reason.reason}."


def _never_together(one: Serving) -> bool:
    order = np.argsort(one.scheduled)
    due, done = one.scheduled[order], one.last[order]
    there = ~np.isnan(done)
    return bool(len(due) > 1 and (due[there][1:] >= done[there][:-1]).all())
