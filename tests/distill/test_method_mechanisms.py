"""A part of `benchmarks/method_mechanisms.py`; nightly its quick form, three seeds."""

import numpy as np
import pytest

from benchmarks.method_mechanisms import CLAIMS, EPOCHS, Claim, Line, World, main, measured, world

PART = ("response", "attention", "self, ema", "online, a peer", "data_free, moments")


@pytest.fixture(scope="module")
def one() -> World:
    return world(0, EPOCHS // 2)


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c.name in PART], ids=lambda c: c.name)
def test_a_method_moves_its_own_measure(claim: Claim, one: World) -> None:
    assert measured(claim, [one]).met


def test_a_claim_that_is_not_met_is_said_to_be_missed() -> None:
    scores = np.array([[1.0, 1.9], [1.0, 1.9], [1.0, 1.9]])
    line = Line(claim=CLAIMS[0], scores=scores, errors=10 * scores)
    assert not line.met
    assert "MISSED" in str(line)
    assert "-0.9000 ± 0.0000" in str(line)


@pytest.mark.slow
def test_every_method_moves_its_own_measure_by_what_was_stated() -> None:
    assert main(["--quick"]) == 0
