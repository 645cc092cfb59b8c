"""A part of `benchmarks/operating_characteristics.py`; nightly the whole of its quick form."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "operating_characteristics.py"


@pytest.fixture(scope="module")
def simulated() -> Iterator[ModuleType]:
    sys.path.insert(0, str(SCRIPT.parent))  # as where it is run as a script
    spec = importlib.util.spec_from_file_location("operating_characteristics", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for their module there
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]
    sys.path.remove(str(SCRIPT.parent))


# By the name of a family: designs in which an estimator of the past missed the bar.
CELLS = [
    ("margin", (0.05, 0.0), {"rows": 53}),  # Tango without the exact interval: 0.066
    ("margin", (0.1, 0.0), {"rows": 300, "clusters": 300, "sizes": "zipf", "exponent": 0.8}),
    ("gap", (0.05,), {"rows": 300}),
    ("brier", (0.1,), {"rows": 500, "sizes": "weighted"}),
    ("contrast", (0.0, 0.15, 0.3), {"rows": 400}),
]


@pytest.mark.parametrize(("family", "arguments", "design"), CELLS)
def test_a_student_at_its_limit_rarely_passes(
    simulated: ModuleType, family: str, arguments: tuple[float, ...], design: dict[str, object]
) -> None:
    if "clusters" in design:
        design = design | {"alike": 1.0}
    cell = simulated.simulate(
        getattr(simulated, family)(*arguments), simulated.Design(**design), 400, seed=3
    )
    assert cell.passes.evaluable
    assert simulated.missed(cell) == []


def test_the_bars_can_be_missed(simulated: ModuleType) -> None:
    # The student is worse than the margin by nothing, but the check allows twice as much.
    lenient = simulated.replace(simulated.margin(0.05, 0.0), value=0.1)
    cell = simulated.simulate(lenient, simulated.Design(rows=300), 100, seed=3)
    assert simulated.missed(cell) == ["false passes"]
    narrow = simulated.replace(simulated.margin(0.05, 0.0), truth=-0.09)
    cell = simulated.simulate(narrow, simulated.Design(rows=300), 100, seed=3)
    assert simulated.missed(cell) == ["coverage too low"]


def test_few_effective_clusters_are_not_evaluable(simulated: ModuleType) -> None:
    zipf = simulated.Design(rows=300, clusters=30, sizes="zipf", exponent=1.2, alike=1.0)
    cell = simulated.simulate(simulated.gap(0.05), zipf, 20, seed=3)
    assert cell.passes.of == 0
    assert not cell.passes.evaluable


def test_equal_subjects_are_not_accused(simulated: ModuleType) -> None:
    rate, checks = simulated.family_wise(simulated.Design(rows=2000), 5, seed=3)
    assert checks >= 200  # and small slices together
    assert rate.hits == 0


# Cells of `decision_cells.py`, and replicates that take a few seconds.
DECISIONS = {
    "clusters": 30,
    "weights": 300,
    "no_bias_to_repair": 150,
    "labels": 6,
    "needed": 100,
    "card_claims": 6,
    "unequal_entries": 4,
    "looks": 300,
    "sampled": 150,
}


@pytest.mark.parametrize("name", DECISIONS)
def test_decisions_hold_their_bars(
    simulated: ModuleType, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert getattr(sys.modules["decision_cells"], name)(DECISIONS[name], 1) == 0
    assert "MISSED" not in capsys.readouterr().out


def test_a_false_label_is_told_from_a_true_one(simulated: ModuleType) -> None:
    true = sys.modules["decision_cells"].true
    assert true("repaired", 0.2, 0.03)
    assert not true("repaired", 0.2, 0.06)
    assert true("attenuated or repaired", 0.2, 0.06)
    assert not true("amplified", 0.1, 0.1)
    assert true("amplified, introduced or reversed", 0.1, -0.2)
    assert not true("introduced", 0.05, 0.2)
    assert not true("inherited", 0.1, 0.15)
    assert true("inconclusive", 0.1, 0.3)


def test_more_failures_than_allowed_are_missed(
    simulated: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulated.Rate(hits=20, of=100, sets=100).above(0.05)
    cells = sys.modules["decision_cells"]
    assert cells.checked("too often", simulated.Rate(hits=20, of=100, sets=100), 0.05) == 1
    assert "MISSED" in capsys.readouterr().out


@pytest.mark.slow
def test_every_bar_is_held(simulated: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulated.main(["--quick"]) == 0
    assert "0 bars missed" in capsys.readouterr().out
