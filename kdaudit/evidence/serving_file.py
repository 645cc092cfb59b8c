"""Timings that were taken elsewhere: one row per request that one model served.

========================  =====================================================================
``request``               what tells requests of a scenario apart; the same in the other's file
``scenario``              ``single-stream``, ``server`` or ``offline``
``scheduled_s``           seconds, on any clock, at which the request was due (server and offline)
``sent_s``                seconds on that clock at which it was sent
``first_token_s``         at which the first token was there; empty or absent: not streamed
``last_token_s``          at which the answer was complete; empty: there was none
``tokens_in``             optional: tokens of the prompt
``tokens_out``            optional: tokens of the answer
``bytes_out``             optional: bytes of the answer in UTF-8
``joules``                optional: what the machine used while it served this request
========================  =====================================================================
"""

from pathlib import Path

import numpy as np
import pandas as pd

from kdaudit.data.columns import as_numbers, as_text, pick
from kdaudit.data.readers import Source, read
from kdaudit.errors import DataError, unknown
from kdaudit.evidence.kinds import Bools, Floats, Strings
from kdaudit.evidence.serving import SCENARIOS, SINGLE, Serving, blocks

TIMES = ("scheduled_s", "sent_s", "first_token_s", "last_token_s")
COUNTS = ("tokens_in", "tokens_out", "bytes_out")
KNOWN = ("request", "scenario", *TIMES, *COUNTS, "joules")


def read_serving(path: str, base: Path, hardware: str) -> tuple[Serving, Source]:
    """Read a file of timings, csv, Parquet or jsonl.

    Args:
        path: relative to ``base``.
        base: folder of the audit file.
        hardware: what it was taken on, as declared.

    Raises:
        DataError: naming the row and the column that cannot be.
    """
    source = read(path, base)
    table, name = source.table, source.name
    for column in map(str, table.columns):
        if column not in KNOWN:
            raise DataError(f"{name}: {unknown('column of timings', column, KNOWN)}")
    request = as_text(pick(table, "request", "requests", name))
    scenario = as_text(pick(table, "scenario", "scenarios", name))
    _named(request, scenario, name)
    sent = as_numbers(pick(table, "sent_s", "times", name), name)
    last = as_numbers(pick(table, "last_token_s", "times", name), name)
    scheduled, first = (_optional(table, column, name) for column in ("scheduled_s", TIMES[2]))
    # One after the other there is no schedule: a request is due when it is sent.
    scheduled = np.where(np.isnan(scheduled) & (scenario == SINGLE), sent, scheduled)
    _refuse(np.isnan(sent), name, "sent_s", "is empty; every request was sent at some time")
    _refuse(
        np.isnan(scheduled),
        name,
        "scheduled_s",
        "is empty; latency under load counts from when a request was due",
    )
    times = dict(zip(TIMES, (scheduled, sent, first, last), strict=True))
    _refuse_disorder(times, name)
    _refuse(
        np.isnan(last) & ~np.isnan(first),
        name,
        "last_token_s",
        "is empty though there is a first token; an answer that broke off has neither",
    )
    counts = {column: _optional(table, column, name) for column in (*COUNTS, "joules")}
    for column, values in counts.items():
        whole = column != "joules"
        known = np.where(np.isfinite(values), values, 0.0)
        wrong = (known < 0) | np.isinf(values) | (whole & (known % 1 != 0))
        _refuse(wrong, name, column, f"is no {'count' if whole else 'amount'}", values)
    served = Serving(
        scenario=scenario,
        request=request,
        scheduled=scheduled,
        sent=sent,
        first=first,
        last=last,
        tokens_in=counts["tokens_in"],
        tokens_out=counts["tokens_out"],
        bytes_out=counts["bytes_out"],
        joules=counts["joules"],
        block=blocks(scenario, scheduled),
        hardware=hardware,
        origin=f"recorded in {name}",
    )
    return served, source


def _optional(table: pd.DataFrame, column: str, name: str) -> Floats:
    if column in table.columns:
        return as_numbers(table[column], name)
    return np.full(len(table), np.nan)


def _named(request: Strings, scenario: Strings, name: str) -> None:
    """Refuse requests without a name, of no scenario, or twice in one."""
    for row, one in enumerate(scenario):
        if one not in SCENARIOS:
            said = unknown("scenario", one or "", SCENARIOS)
            raise DataError(f"{name}: data row {row + 1}, column 'scenario': {said}")
    _refuse(pd.isna(request), name, "request", "is empty")
    twice = pd.DataFrame({"request": request, "scenario": scenario}).duplicated().to_numpy()
    _refuse(twice, name, "request", "stands twice in its scenario; number the repeats", request)


def _refuse_disorder(times: dict[str, Floats], name: str) -> None:
    """Refuse times that are not finite, or come before what they follow."""
    for column, values in times.items():
        _refuse(np.isinf(values), name, column, "is no time", values)
    before, named = times["scheduled_s"], "scheduled_s"
    for column in TIMES[1:]:
        values = times[column]
        _refuse(values < before, name, column, f"is before {named}", values)
        there = ~np.isnan(values)
        before, named = np.where(there, values, before), column if there.all() else named


def _refuse(
    wrong: Bools, name: str, column: str, why: str, values: Floats | Strings | None = None
) -> None:
    if not wrong.any():
        return
    row = int(np.flatnonzero(wrong)[0])
    held = "" if values is None else f" holds {values[row]!s}, which"
    raise DataError(f"{name}: data row {row + 1}, column {column!r}{held} {why}")
