"""Time a pair of models on the same requests, interleaved, so that what disturbs one disturbs both.

One request at a time (closed loop, batch of one). Each request goes to both models, in the order
AB BA AB …, or BA AB …, as a coin decides for each block; blocks are the unit that is resampled
(Kalibera and Jones 2013). Rounds before the first block are discarded, garbage is collected between
blocks only, and libraries run on one thread.

What makes a run noisy is said in `kdaudit.evidence.noise`.
"""

import gc
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict

import numpy as np
import pyarrow as pa

from kdaudit.data.row_digests import row_digests
from kdaudit.evidence.kinds import Floats, Footprint, Ints, Timings
from kdaudit.evidence.noise import Contention, Watch, unsteady
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import json_digest
from kdaudit.governance.environment import machine
from kdaudit.models.adapter import Columns, Runnable
from kdaudit.progress import Advance, Progress, silent
from kdaudit.stats.random import stream

MOST = 10  # times the least number of requests
BLOCKS = 30  # at most
FINGERPRINT = ("processor", "cores", "memory", "platform", "python")

Weigh = Callable[[], Mapping[str, Footprint]]


def record_timings(  # noqa: PLR0913  # the pair, the requests, and how to run them
    teacher: Runnable,
    student: Runnable,
    columns: Columns,
    *,
    seed: int,
    store: Store,
    requests: int = 300,
    block: int = 20,
    seconds: float = 3.0,
    weigh: Weigh | None = None,
    anew: bool = False,
    progress: Progress = silent,
) -> tuple[Timings, int]:
    """Time both models, unless the store has timings of this pair on this machine.

    Args:
        teacher: the teacher.
        student: the student.
        columns: (N,) input arrays by name; requests are drawn from them, each row once before any
            is drawn again.
        seed: of the choice and the order.
        store: where timings are kept.
        requests: how many are timed at least; 299 are needed for an interval of the 99th
            percentile.
        block: how many at least run together.
        seconds: fast models are asked more often, until about this long (ten times ``requests`` at
            most): a run of a few milliseconds sees one mood of the machine.
        weigh: footprints by role, from `kdaudit.models.footprint`; called only when timing. Without
            it weights and bytes are counted, and memory is not known.
        anew: time again, whatever the store has.
        progress: told of every request.

    Returns:
        The timings, and how many requests were timed just now.
    """
    facts = machine()
    total = len(next(iter(columns.values())))
    key = {
        "teacher": dict(teacher.identity()),
        "student": dict(student.identity()),
        "inputs": json_digest([row.hex() for row in row_digests(columns, total).tolist()]),
        "machine": {name: facts[name] for name in FINGERPRINT if name in facts},
        "seed": seed,
        "requests": requests,
        "block": block,
        "seconds": seconds,
        "memory": weigh is not None,
    }
    entry = store.entry("timings", key)
    if entry.sealed and not anew:
        progress("timing teacher and student", 1)(1)
        return _read(entry.read()), 0
    pair = {"teacher": teacher, "student": student}
    footprints = (
        {role: _counted(model) for role, model in pair.items()} if weigh is None else weigh()
    )
    rng = stream(seed, "timings")
    rows = np.resize(rng.permutation(total), MOST * requests)
    shown = [{name: column[row : row + 1] for name, column in columns.items()} for row in rows]
    with _pinned(pair, shown[0]):
        each = _warm_up(pair, shown[: max(10, requests // 20)])
        shown = shown[: max(requests, min(len(shown), int(seconds / each)))]
        blocks = np.arange(len(shown)) * max(1, min(BLOCKS, len(shown) // block)) // len(shown)
        advance = progress("timing teacher and student", len(shown))
        taken, contention = _time(pair, shown, blocks, rng, advance)
    timings = Timings(
        teacher=taken["teacher"],
        student=taken["student"],
        block=blocks,
        noisy=(
            *contention.noise(),
            *unsteady("the speed-up", taken["teacher"] / taken["student"], blocks),
        ),
        machine=(*sorted(facts.items()), ("threads", "1"), *contention.facts()),
        footprints=dict(footprints),
    )
    entry.discard()
    entry.write(0, _table(timings))
    entry.seal(1)
    return timings, len(shown)


def _counted(model: Runnable) -> Footprint:
    return Footprint(
        parameters=model.parameters(), bytes=model.size(), peak_memory=None, base_memory=None
    )


@contextmanager
def _pinned(pair: Mapping[str, Runnable], request: Columns) -> Iterator[None]:
    """One thread for every library the models use, which are loaded first."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # no stubs

    from kdaudit.models.torch import threads

    for model in pair.values():
        model.predict(request)
    with threadpool_limits(limits=1), threads(1) if "torch" in sys.modules else nullcontext():
        yield


def _warm_up(pair: Mapping[str, Runnable], requests: Sequence[Columns]) -> float:
    """Ask without timing each; seconds that a request to both takes."""
    clock = time.perf_counter()
    for request in requests:
        for model in pair.values():
            model.predict(request)
    return (time.perf_counter() - clock) / len(requests)


def _time(
    pair: Mapping[str, Runnable],
    requests: Sequence[Columns],
    blocks: Ints,
    rng: np.random.Generator,
    advance: Advance,
) -> tuple[dict[str, Floats], Contention]:
    """Seconds by role, and how the processor was shared meanwhile."""
    taken = {role: np.empty(len(requests)) for role in pair}
    there, back = list(pair), list(pair)[::-1]
    watch = Watch.start()
    with _collected_between() as collect:
        for code in range(int(blocks.max()) + 1):
            collect()
            coin, block = int(rng.integers(2)), np.flatnonzero(blocks == code).tolist()
            for i in block:
                for role in there if (i + coin) % 2 == 0 else back:
                    clock = time.perf_counter_ns()
                    pair[role].predict(requests[i])
                    taken[role][i] = max(time.perf_counter_ns() - clock, 1) / 1e9
            advance(len(block))
    return taken, watch.stop()


@contextmanager
def _collected_between() -> Iterator[Callable[[], object]]:
    """Garbage is collected when asked for only, and quickly: what was there before is set aside."""
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield gc.collect
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()


def _table(timings: Timings) -> pa.Table:
    about = {
        "noisy": timings.noisy,
        "machine": timings.machine,
        "footprints": {role: asdict(found) for role, found in timings.footprints.items()},
    }
    columns = {name: getattr(timings, name) for name in ("teacher", "student", "block")}
    return pa.table(columns).replace_schema_metadata({"about": json.dumps(about)})


def _read(table: pa.Table) -> Timings:
    about = json.loads(table.schema.metadata[b"about"])
    columns = {name: table.column(name).to_numpy() for name in ("teacher", "student", "block")}
    return Timings(
        **columns,
        noisy=tuple(about["noisy"]),
        machine=tuple((name, fact) for name, fact in about["machine"]),
        footprints={role: Footprint(**found) for role, found in about["footprints"].items()},
    )
