"""The same inputs give the same bytes; order does not matter; one finding never stirs another."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kdaudit.results import Finding, Results
from kdaudit.results_file import dump

Make = Callable[..., Any]
CONTRACT = [
    {"check": "ACC001", "margin": 0.1},
    {"check": "CAL004", "margin": 0.1},
    {"check": "FAI001", "each": ["sex"], "margin": 0.2, "min_n": 20},
]
KINDS = [
    {},
    {"clusters": 25},
    {"weighted": True},
    {"classes": 3, "outside": 15, "baseline": True},
    {"labels_only": True},
]


@pytest.fixture(autouse=True)
def _without_the_tables_of_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes most of an audit's time; the command line's tests compare those too."""
    monkeypatch.setattr("kdaudit_suites.fairness.group_rates", lambda *_: [])


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_two_runs_are_equal_bytes(world: Make, kind: dict[str, Any]) -> None:
    one, two = (dump(world(11, **kind).audit(CONTRACT)) for _ in range(2))
    assert one == two


def without_inputs(results: Results) -> str:
    """Everything but the digests of the files, which the order of their rows is part of."""
    text = dump(results)
    for file in results.inputs:
        text = text.replace(file.sha256, file.role)
    return text


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_order_of_rows_is_irrelevant(world: Make, kind: dict[str, Any]) -> None:
    made = world(12, **kind)
    shuffled = {
        name: getattr(made, name).sample(frac=1, random_state=i).reset_index(drop=True)
        for i, name in enumerate(("data", "teacher", "student"))
    }
    assert without_inputs(made.audit(CONTRACT)) == without_inputs(made.audit(CONTRACT, **shuffled))


def test_the_order_of_columns_is_irrelevant(world: Make) -> None:
    made = world(13, classes=3)
    turned = {name: getattr(made, name).iloc[:, ::-1] for name in ("data", "teacher", "student")}
    assert without_inputs(made.audit(CONTRACT)) == without_inputs(made.audit(CONTRACT, **turned))


def by_address(results: Results) -> dict[str, Finding]:
    return {finding.address: finding for finding in results.findings()}


@pytest.mark.parametrize(
    "more",
    [
        {"slices": ["channel", "age"]},
        {"sensitive": ["sex", "age", "channel"]},
        {"suites": {"hallucination": {"abstain_below": 0.7}}},
    ],
    ids=str,
)
def test_asking_for_more_changes_no_other_finding(world: Make, more: dict[str, Any]) -> None:
    made = world(14, clusters=25)
    before, after = by_address(made.audit()), by_address(made.audit(**more))
    assert set(before) <= set(after)
    changed = {a for a in before if before[a] != after[a]}
    assert all(a.startswith("HAL") for a in changed)
    assert bool(changed) == ("suites" in more)


def test_a_baseline_changes_no_finding_between_student_and_teacher(world: Make) -> None:
    made = world(15, baseline=True)
    with_one, without = by_address(made.audit()), by_address(made.audit(baseline=None))
    for address, finding in without.items():
        other = with_one[address]
        assert (finding.student, finding.teacher, finding.difference) == (
            other.student,
            other.teacher,
            other.difference,
        )


def test_the_seed_moves_only_what_is_drawn(world: Make) -> None:
    made = world(16)
    one, two = by_address(made.audit(seed=1)), by_address(made.audit(seed=2))
    assert {a for a in one if one[a] != two[a]} == {"CAL004", "CAL006"}


def test_names_of_ids_move_only_what_is_drawn(world: Make) -> None:
    made = world(17)
    renamed = {
        name: getattr(made, name).assign(id=lambda t: "z" + t.id)
        for name in ("data", "teacher", "student")
    }
    one, two = by_address(made.audit()), by_address(made.audit(**renamed))
    assert {a for a in one if one[a] != two[a]} <= {"CAL004", "CAL006"}


def test_a_run_leaves_the_global_random_state_alone(world: Make) -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    world(18).audit(CONTRACT)
    after = np.random.get_state()[1]  # type: ignore[index]  # noqa: NPY002
    assert np.array_equal(before, after)


def test_rows_that_are_not_audited_change_nothing_but_their_count(world: Make) -> None:
    made = world(19, n=120)
    split = {"column": "part", "audit": ["test"]}
    data = made.data.assign(part="test")
    more = data.copy()
    more.loc[100:, "part"] = "train"
    kept = {name: getattr(made, name)[:100] for name in ("teacher", "student")}
    small = made.audit(CONTRACT, data=data[:100], split=split, **kept)
    large = made.audit(CONTRACT, data=more, split=split)
    assert by_address(small) == by_address(large)
