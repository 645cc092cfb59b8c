"""Bounds that hold together, and what is only to be looked at."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy, t

from kdaudit.estimate import Estimate
from kdaudit.evidence.kinds import Predictions
from kdaudit.evidence.view import (
    PREDICTIONS,
    Category,
    Derived,
    Evidence,
    Rows,
    Streams,
    Trio,
    crossed,
)
from kdaudit.results import Figure, SuiteResult
from kdaudit.stats.means import joint_means
from kdaudit_suites.slices import SLC001, Slices
from kdaudit_suites.slices.harm import Harm, harm_of
from kdaudit_suites.slices.together import Together, together

Make = Callable[..., Evidence]
LEVEL = 0.9


def run(evidence: Evidence) -> SuiteResult:
    return Slices().run(evidence, Streams(0))


def figures(result: SuiteResult) -> dict[str, Figure]:
    return {one.name: one for one in result.figures}


def bounds(harm: Harm, *columns: list[int]) -> Together:
    groups = []
    for number, codes in enumerate(columns):
        wheres = [((f"c{number}", f"v{v}"),) for v in range(max(codes) + 1)]
        groups.append((np.array(codes, dtype=np.int64), wheres))
    found = together(SLC001, harm, groups, Streams(1), LEVEL)
    assert found is not None
    return found


def signs(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=np.int8)


def test_one_slice_alone_has_the_interval_of_a_mean() -> None:
    change = signs(*[-1] * 10, *[1] * 5, *[0] * 85)
    found = bounds(Harm(change=change), [0] * 100)
    assert found.value == (-0.05,)
    spread = np.std(change, ddof=1) / 10
    # As every interval of means allows for what was not seen: see kdaudit.stats.linear.
    unseen = 1.6448536269514722 / 200
    se = unseen + np.hypot(spread, unseen)
    assert found.low[0] == pytest.approx(-0.05 - t.ppf(0.95, 99) * se)
    assert found.bound[0] == pytest.approx(found.low[0])


def test_many_slices_are_held_to_more_and_small_ones_left_out() -> None:
    rng = np.random.default_rng(0)
    change = rng.choice([-1, 0, 1], 2000, p=[0.05, 0.9, 0.05]).astype(np.int8)
    codes = [*(k % 20 for k in range(1970)), *[20] * 30]
    found = bounds(Harm(change=change), codes)
    assert len(found.where) == 20
    assert found.left_out == 1
    alone = bounds(Harm(change=change[np.array(codes) == 3]), [0] * 99)
    assert found.value[3] == alone.value[0]
    assert found.bound[3] < alone.bound[0]


@settings(max_examples=10)
@given(st.integers(0, 2**32), st.booleans(), st.booleans())
def test_errors_are_those_of_the_mean_of_each_slice_weighted_or_clustered(
    seed: int,
    weighted: bool,  # noqa: FBT001
    clustered: bool,  # noqa: FBT001
) -> None:
    rng = np.random.default_rng(seed)
    n = 600
    change = rng.choice([-1, 0, 1], n, p=[0.2, 0.7, 0.1]).astype(np.int8)
    weight = rng.uniform(0.5, 2, n) if weighted else None
    cluster = rng.integers(120, size=n) if clustered else None
    if cluster is not None:
        cluster = np.unique(cluster, return_inverse=True)[1]
    one, other = rng.integers(2, size=n), rng.integers(3, size=n)
    harm = Harm(change=change, weight=weight, cluster=cluster)
    found = bounds(harm, one.tolist(), other.tolist())
    for k, where in enumerate(found.where):
        column, value = where[0]
        rows = (one if column == "c0" else other) == int(value[1])
        joint = joint_means(
            change[None, rows],
            weights=None if weight is None else weight[rows],
            clusters=None if cluster is None else cluster[rows],
        )
        assert joint is not None
        assert found.value[k] == pytest.approx(joint.mean[0])
        reach = (found.high[k] - found.low[k]) / 2
        # One contrast alone would reach less, Bonferroni for all further.
        se = np.sqrt(joint.covariance[0, 0])
        assert t.ppf(0.95, joint.df) * se < reach < 3.3 * (se + 2 / joint.effective)


@settings(max_examples=10)
@given(st.permutations(range(120)))
def test_the_order_of_rows_changes_nothing(order: list[int]) -> None:
    rng = np.random.default_rng(5)
    change = rng.choice([-1, 0, 1], 120, p=[0.2, 0.7, 0.1]).astype(np.int8)
    codes = np.arange(120) % 2
    first = bounds(Harm(change=change), codes.tolist())
    again = bounds(Harm(change=change[order]), codes[order].tolist())
    assert again.value == first.value
    assert again.low == pytest.approx(first.low, abs=1e-12)


def test_the_note_tells_the_worst_bound_and_not_the_worst_value(evidence: Make) -> None:
    # Half of 400 rows are plain, 60 are small: 3 of 60 lost bounds worse than 12 of 340.
    label = [0, 1] * 200
    wrong = [*[True] * 12, *[False] * 328, *[True] * 3, *[False] * 57]
    student = [1 - y if w else y for y, w in zip(label, wrong, strict=True)]
    made = evidence(
        label=label,
        student=student,
        teacher=[*label[:-1], 1 - label[-1]],
        attributes={"size": ["large"] * 340 + ["small"] * 60},
        slices=(("size",),),
    )
    result = run(made)
    (note,) = [one for one in result.notes if one.startswith("Accuracy in the slice")]
    assert "that of size = small" in note
    assert "each of the 2 groups" in note
    table = figures(result)["SLC001 together"]
    assert [row[0] for row in table.rows] == ["size = small", "size = large"]
    assert "SLC002 together" in figures(result)


def test_margins_of_the_teacher_are_drawn_and_cannot_be_checked(evidence: Make) -> None:
    rng = np.random.default_rng(0)
    teacher = rng.dirichlet([1, 1, 1], 500)
    label = rng.integers(3, size=500)
    made = evidence(
        label=label, student=rng.dirichlet([1, 1, 1], 500), teacher=teacher, classes="abc"
    )
    result = run(made)
    drawn = figures(result)["margin"]
    assert [row[1] for row in drawn.rows] == [100] * 5
    ordered = np.sort(teacher, axis=1)
    last = ordered[:, 2] - ordered[:, 1] >= np.quantile(ordered[:, 2] - ordered[:, 1], 0.8)
    right = teacher.argmax(axis=1) == label
    assert drawn.rows[-1][5] == pytest.approx(right[last].mean(), abs=0.011)
    assert any("functions of the teacher" in note for note in result.notes)
    assert not any("margin" in column for f in result.findings for column, _ in f.where)


def test_margins_that_tie_make_fewer_bins(evidence: Make) -> None:
    label = [0, 1] * 100
    teacher = [[1.0, 0.0] if y == 0 else [0.1, 0.9] for y in label]
    teacher[0] = [0.0, 1.0]
    made = evidence(label=label, student=teacher, teacher=teacher)
    assert sum(int(row[1] or 0) for row in figures(run(made))["margin"].rows) == 200
    alone = evidence(label=label, student=label, teacher=[0] * 200)
    assert "margin" not in figures(run(alone))  # labels have no margin


def test_disagreements_are_ordered_by_divergence(evidence: Make) -> None:
    label = [0, 1, 0, 1]
    teacher = [[0.9, 0.1], [0.4, 0.6], [0.8, 0.2], [0.3, 0.7]]
    student = [[0.2, 0.8], [0.1, 0.9], [0.0, 1.0], [0.6, 0.4]]
    table = figures(run(evidence(label=label, student=student, teacher=teacher)))["disagreements"]
    # Row 1 is no disagreement; the 0 of row 2 is finite.
    assert [row[0] for row in table.rows] == ["00002", "00000", "00003"]
    assert table.rows[1][1:6] == ("a", "a", "b", 0.9, 0.8)
    assert table.rows[1][6] == pytest.approx(entropy(teacher[0], student[0]))
    assert all(isinstance(row[6], float) and np.isfinite(row[6]) for row in table.rows)


def test_disagreements_of_labels_are_what_only_the_teacher_got_right(evidence: Make) -> None:
    made = evidence(label=[0, 1, 0, 1], student=[1, 1, 1, 0], teacher=[0, 0, 1, 1])
    table = figures(run(made))["disagreements"]
    assert [row[0] for row in table.rows] == ["00000", "00003"]
    assert table.rows[0][4:] == (None, None, None)


def test_at_most_twenty_rows_are_shown_and_none_where_all_agree(evidence: Make) -> None:
    label = [0, 1] * 50
    many = run(evidence(label=label, student=[1 - y for y in label], teacher=[0, 1, 0, 0] * 25))
    assert len(figures(many)["disagreements"].rows) == 20
    none = run(evidence(label=label, student=[0] * 100, teacher=[0] * 100))
    assert "disagreements" not in figures(none)


def periodic(evidence: Evidence) -> Evidence:
    """The same rows, with a column of months and one of bands."""
    n = len(evidence.rows)
    months = Category(
        np.arange(n) % 3,
        ("2023-12", "2024-01", "2024-02"),
        Derived(kind="periods", how="by month, in UTC"),
    )
    ages = Category(
        np.arange(n) % 2, ("under 9", "9 and over"), Derived(kind="bands", how="told", edges=(9.0,))
    )
    rows = Rows(
        ids=evidence.rows.ids,
        label=evidence.rows.label,
        classes=evidence.rows.classes,
        attributes={"day.period": months, "age": ages},
        slices=(("age",), ("day.period",)),
    )
    return Evidence(rows=rows, level=LEVEL, kinds=evidence.kinds)


def test_periods_are_drawn_in_time_and_bands_are_told(evidence: Make) -> None:
    label = [0, 1] * 60
    made = periodic(evidence(label=label, student=label, teacher=[0] * 120))
    drawn = figures(run(made))
    over_time = drawn["over time: day.period"]
    assert [row[0] for row in over_time.rows] == [
        f"day.period = {month}" for month in ("2023-12", "2024-01", "2024-02")
    ]
    assert drawn["derived"].rows == (
        ("age", "bands", "told", "9.0"),
        ("day.period", "periods", "by month, in UTC", None),
    )


def test_label_crosses_with_slices_where_a_check_asks(evidence: Make) -> None:
    label = [0, 1] * 60
    made = evidence(
        label=label,
        student=label,
        teacher=[0] * 120,
        attributes={"vip": ["y", "n", "n"] * 40},
        slices=(("vip",), ("label", "vip")),
    )
    codes, wheres = crossed(made.rows, ("label", "vip"))
    assert wheres[0] == (("label", "a"), ("vip", "n"))
    found = {f.address: f for f in run(made).findings}
    vip = found["SLC001[label=b,vip=y]"]
    assert isinstance(vip.teacher, Estimate)
    assert (vip.teacher.value, vip.teacher.n) == (0.0, 20)
    assert (codes >= 0).all()


def test_an_answer_left_out_is_the_students_loss() -> None:
    rows = Rows(ids=np.array(list("ab"), dtype=object), label=np.zeros(2, np.int64), classes="ab")  # type: ignore[arg-type]
    answers = Predictions(classes=("a", "b"), answer=np.array([-1, 0]), probabilities=None)
    trio = Trio(student=answers, teacher=answers, baseline=answers)
    from kdaudit.scores import correctness

    made = Evidence(rows=rows, level=LEVEL, kinds={PREDICTIONS: trio})
    harm = harm_of(rows, correctness(made, PREDICTIONS))
    assert harm is not None
    assert harm.change.tolist() == [-1, 0]


def test_adding_an_attribute_changes_no_other_finding(evidence: Make) -> None:
    rng = np.random.default_rng(1)
    n = 400
    label, student, teacher = rng.integers(0, 3, (3, n))
    channel = rng.choice(["app", "web"], n).tolist()
    extra = rng.choice(["x", "y", "z"], n).tolist()

    def findings(attributes: dict[str, list[str]]) -> dict[str, Any]:
        made = evidence(
            label=label,
            student=student,
            teacher=teacher,
            classes="abc",
            attributes=attributes,
            slices=tuple((name,) for name in attributes),
        )
        return {f.address: f for f in run(made).findings if f.code != "SLC004"}

    before = findings({"channel": channel})
    after = findings({"channel": channel, "extra": extra})
    assert {address: after[address] for address in before} == before
