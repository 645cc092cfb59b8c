"""Census data with planted harms: found, labelled rightly, silent where nothing was planted."""

import os
from pathlib import Path

import pytest

from benchmarks.planted_bias import EXPECTED, World, contradictions, load, run

FOLDER = Path(os.environ.get("KDAUDIT_DATA", "/nowhere")) / "acs_income"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="KDAUDIT_DATA names no folder with acs_income"
)


@pytest.fixture(scope="module")
def world() -> World:
    return load(FOLDER)


def test_every_planted_harm_is_found_and_nothing_else(world: World) -> None:
    counts = run(world, range(1))
    assert counts.found == dict.fromkeys(counts.found, 1)
    assert {name for name, _ in counts.found} == set(EXPECTED)
    assert not any(counts.alarms.values()), counts.alarms


def test_what_is_said_of_a_real_student_is_what_all_rows_say(world: World) -> None:
    wrong, said = contradictions(world, range(1))
    assert said > 3
    assert wrong == 0


@pytest.mark.slow
def test_over_twenty_seeds(world: World) -> None:
    counts = run(world, range(20))
    assert all(k >= 18 for k in counts.found.values()), counts.found
    # At a level of 5 % for the family of labels, and of slices: 4 of 20 has a chance of 1.6 %.
    assert all(k <= 3 for k in counts.alarms.values()), counts.alarms
    wrong, said = contradictions(world, range(5))
    assert wrong <= 0.05 * said
