from typing import Any

import numpy as np

from kdaudit.evidence.noise import Contention, unsteady

BLOCK = np.arange(300) // 20


def test_a_busy_processor_makes_a_run_noisy_unless_it_is_busy_with_the_run() -> None:
    assert Contention(busy=0.99, own=0.97, stolen=0.0).noise() == ()
    assert Contention(busy=0.6, own=0.25, stolen=0.0).noise() == ()
    (said,) = Contention(busy=0.95, own=0.5, stolen=0.0).noise()
    assert said == "the processor was 95% busy while timing, 45% with other work"
    (said,) = Contention(busy=0.5, own=0.5, stolen=0.05).noise()
    assert said == "the hypervisor took 5.0% of the processor while timing"


def latencies(spread: float, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float64]]:
    return 0.01 * np.exp(spread * np.random.default_rng(seed).normal(size=300))


def test_a_steady_run_is_quiet_whatever_the_spread_of_its_requests() -> None:
    for spread in (0.01, 0.1, 1.0):
        noisy = [unsteady("the latency", latencies(spread, seed), BLOCK) for seed in range(50)]
        assert sum(map(bool, noisy)) <= 1


def test_a_run_that_slows_down_is_noisy() -> None:
    (said,) = unsteady("the latency", latencies(0.05) * np.where(BLOCK < 8, 1.0, 1.25), BLOCK)[:1]
    assert said.startswith("the latency moved by +2")


def test_a_run_with_slow_blocks_is_noisy() -> None:
    slow = np.where(BLOCK % 2 == 0, 1.0, 1.4)
    said = unsteady("the latency", latencies(0.05) * slow, BLOCK)
    assert len(said) == 1
    assert "the latency spread by" in said[0]


def test_outliers_and_few_blocks_say_nothing() -> None:
    values = latencies(0.05)
    values[::25] *= 50
    assert unsteady("the latency", values, BLOCK) == ()
    assert unsteady("the latency", values[:60] * (1 + BLOCK[:60]), BLOCK[:60]) == ()
