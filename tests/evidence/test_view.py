"""Suites see aligned rows; groups found in the data have addresses, empty cells have none."""

from collections.abc import Callable

import numpy as np
import pytest

from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.view import Category, Evidence, Rows, Streams, crossed
from kdaudit.results import Better, Finding, Need, address

Make = Callable[..., Evidence]


def test_groups_are_those_that_occur_sorted_by_value(evidence: Make) -> None:
    made = evidence(
        label=[0] * 5,
        student=[0] * 5,
        teacher=[0] * 5,
        attributes={
            "sex": ["m", "f", None, "f", "m"],
            "age": ["old", "young", "old", "old", "old"],
        },
    )
    codes, wheres = crossed(made.rows, ["sex"])
    assert codes.tolist() == [1, 0, -1, 0, 1]
    assert wheres == ((("sex", "f"),), (("sex", "m"),))
    codes, wheres = crossed(made.rows, ["sex", "age"])
    assert wheres == (
        (("age", "old"), ("sex", "f")),
        (("age", "old"), ("sex", "m")),
        (("age", "young"), ("sex", "f")),
    )
    assert codes.tolist() == [1, 2, -1, 0, 1]


def test_a_column_of_empty_cells_has_no_groups(evidence: Make) -> None:
    made = evidence(label=[0], student=[0], teacher=[0], attributes={"sex": [None]})
    codes, wheres = crossed(made.rows, ["sex"])
    assert (codes.tolist(), wheres) == ([-1], ())


def test_taking_rows_keeps_everything_aligned(evidence: Make) -> None:
    made = evidence(
        label=[0, 1, 0, 1],
        student=[0, 1, -1, 0],
        teacher=[0] * 4,
        attributes={"sex": ["m", "f", "f", "m"]},
        cluster=[0, 1, 1, 2],
        weight=[1.0, 2.0, 3.0, 4.0],
    )
    part = made.rows.take(np.array([False, True, True, False]))
    assert part.ids.tolist() == ["00001", "00002"]
    assert part.label.tolist() == [1, 0]
    assert part.weight is not None
    assert part.weight.tolist() == [2.0, 3.0]
    assert part.cluster is not None
    assert part.cluster.tolist() == [1, 1]
    assert part.attributes["sex"].values == ("f", "m")  # the values stay, so addresses stay
    assert part.attributes["sex"].codes.tolist() == [0, 0]


def test_evidence_that_was_not_recorded_says_so(evidence: Make) -> None:
    made = evidence(label=[0], student=[0], teacher=None)
    assert made[Need(kind="predictions")].teacher == NotMeasured("the subject is absent")
    for role in ("student", "teacher", "baseline"):
        absent = made[Need(kind="timings", split="validation")].of(role)
        assert absent == NotMeasured("no timings were recorded on the validation split")


def test_streams_are_keyed_by_name_and_seed() -> None:
    draw = Streams(7).at("CAL004").random()
    assert Streams(7).at("CAL004").random() == draw
    assert Streams(7).at("CAL004", "x").random() != draw
    assert Streams(8).at("CAL004").random() != draw


def test_addresses_are_read_as_they_are_written() -> None:
    assert address("FAI001", (("age", "old"), ("sex", "f"))) == "FAI001[age=old,sex=f]"
    estimate = Estimate(value=0.5, low=0.4, high=0.6, n=10, level=0.9, method="t")
    with pytest.raises(ValueError, match="where must be sorted by column"):
        Finding(
            code="FAI001",
            where=(("sex", "f"), ("age", "old")),
            metric="m",
            unit="u",
            better=Better.ZERO,
            student=estimate,
            teacher=estimate,
            baseline=estimate,
            difference=estimate,
            basis=NotMeasured("made up"),
        )


@pytest.mark.parametrize(
    "bad",
    [
        {"value": float("nan")},
        {"low": float("-inf")},
        {"high": float("inf")},
        {"low": 0.7},
        {"n": 0},
        {"level": 0.0},
        {"level": 1.5},
        {"level": float("nan")},
    ],
    ids=str,
)
def test_an_estimate_is_finite_or_it_is_none(bad: dict[str, float]) -> None:
    good = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 10, "level": 0.9}
    with pytest.raises(ValueError, match="an Estimate"):
        Estimate(**(good | bad), method="t")  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [2, 90])  # few groups are counted, many are sorted
def test_groups_are_those_found_one_row_at_a_time(values: int) -> None:
    rng = np.random.default_rng(0)
    names = tuple(f"{i:02d}" for i in range(values))
    columns = {name: Category(rng.integers(-1, values, 60), names) for name in "ab"}
    rows = Rows(
        ids=np.arange(60).astype(object),
        label=np.zeros(60, dtype=np.int64),
        classes=("x", "y"),
        attributes=columns,
    )
    codes, wheres = crossed(rows, ("b", "a"))
    a, b = columns["a"].codes, columns["b"].codes
    expected = [
        (("a", names[i]), ("b", names[j])) if i >= 0 and j >= 0 else None
        for i, j in zip(a, b, strict=True)
    ]
    assert [wheres[code] if code >= 0 else None for code in codes] == expected
    assert wheres == tuple(sorted({where for where in expected if where}))
