"""Pairs that served requests, for tests of the suite."""

from dataclasses import replace
from typing import Any

import numpy as np

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Floats
from kdaudit.evidence.prices import Prices
from kdaudit.evidence.serving import Serving, aligned, blocks
from kdaudit.evidence.view import SERVING, Evidence, Rows, Trio

LEVEL = 0.9
NOT_TIMED = NotMeasured("not timed")


def served(
    size: int = 300,
    *,
    first: float | Floats = 0.1,
    each: float = 0.02,
    tokens: int = 21,
    scenario: str = "single-stream",
    noise: float = 0.05,
    seed: int = 0,
    hardware: str | None = "a phone",
    batch: int = 20,
) -> Serving:
    """Requests of lasting prompts; each token of the answer is four bytes.

    Args:
        size: requests.
        first: seconds to the first token.
        each: seconds per further token.
        tokens: of an answer.
        scenario: in which; one request every ten seconds, or batches.
        noise: of the logarithm of a request's times.
        seed: of the noise.
        hardware: what it ran on.
        batch: requests of a batch, offline.
    """
    rng = np.random.default_rng(seed)
    number = np.arange(size, dtype=np.float64)
    due = 1000.0 * (number // batch) if scenario == "offline" else 10.0 * number
    factor = np.exp(noise * rng.normal(size=size))
    begun = due + first * factor
    done = begun + each * (tokens - 1) * factor
    if scenario == "offline":
        done = due + (number % batch + 1) * each * tokens * factor
        begun = np.full(size, np.nan)
    scenarios = np.full(size, scenario, dtype=object)
    return Serving(
        scenario=scenarios,
        request=np.array([f"r{i:.0f}" for i in number], dtype=object),
        scheduled=due,
        sent=due,
        first=begun,
        last=done,
        tokens_in=10.0 + number % 50,
        tokens_out=np.full(size, float(tokens)),
        bytes_out=np.full(size, 4.0 * tokens),
        joules=np.full(size, np.nan),
        block=blocks(scenarios, due),
        hardware=hardware,
        origin="recorded in device.csv",
    )


def joined(*parts: Serving) -> Serving:
    """The requests of several scenarios as those of one run."""
    names = [name for name in Serving.__slots__ if isinstance(getattr(parts[0], name), np.ndarray)]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in parts]) for name in names
    }
    return replace(parts[0], **columns)


def serving_of(
    student: Serving | NotMeasured = NOT_TIMED,
    teacher: Serving | NotMeasured = NOT_TIMED,
    baseline: Serving | NotMeasured = NOT_TIMED,
    *,
    prices: Prices | None = None,
    level: float = LEVEL,
) -> Evidence:
    """Evidence of serving alone."""
    found = aligned({"student": student, "teacher": teacher, "baseline": baseline})
    rows = Rows(
        ids=np.array(["x"], dtype=object), label=np.zeros(1, dtype=np.int64), classes=("a", "b")
    )
    return Evidence(rows=rows, level=level, kinds={SERVING: Trio(**found)}, prices=prices)
