"""Cases that were once decided wrongly, each with the verdict that is right."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import kdaudit
from kdaudit.contract import Policy, judge
from kdaudit.errors import ConfigError, DataError
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.results import (
    Better,
    Check,
    Finding,
    Fixed,
    Limit,
    Outcome,
    Results,
    SuiteResult,
    Verdict,
)

Labels = npt.NDArray[np.object_]


def answers(right: npt.ArrayLike, label: Labels) -> Labels:
    other = np.where(label == "a", "b", "a")
    return np.asarray(np.where(right, label, other), object)


def labels(n: int) -> Labels:
    return np.array(["a", "b"], object)[np.arange(n) % 2]


def first(rates: list[float], n: list[int]) -> npt.NDArray[np.bool_]:
    """The first rows of each group, by rate."""
    return np.concatenate([np.arange(k) < round(r * k) for r, k in zip(rates, n, strict=True)])


def chosen(rates: list[float], n: list[int]) -> Labels:
    return np.asarray(np.where(first(rates, n), "yes", "no"), object)


def verdicts(results: Results) -> dict[str, Verdict]:
    return {verdict.address: verdict for verdict in results.verdicts}


def outcomes(results: Results) -> dict[str, str]:
    return {verdict.address: str(verdict.outcome) for verdict in results.verdicts}


def value(measured: object) -> float:
    assert isinstance(measured, Estimate)
    return measured.value


# Intervals that are made once


@pytest.mark.parametrize("policy", [[], ["--policy", "pr"]])
def test_a_calibration_error_far_beyond_its_margin_fails(
    tmp_path: Path, kdaudit: Callable[..., Any], policy: list[str]
) -> None:
    """A student that claims 99.9 % at 70 % accuracy; its interval excludes the margin widely."""
    rng, n = np.random.default_rng(0), 6000
    label = rng.choice(["a", "b"], n).astype(object)
    right = rng.random(n) < 0.7
    sure = np.clip(rng.normal(0.7, 0.05, n), 0.5, 1)
    ids = [f"r{i}" for i in range(n)]
    for name, claimed in (("t", sure), ("s", np.full(n, 0.999))):
        p = np.where((label == "a") == right, claimed, 1 - claimed)
        pd.DataFrame({"id": ids, "p_a": p, "p_b": 1 - p}).to_csv(tmp_path / f"{name}.csv")
    pd.DataFrame({"id": ids, "label": label}).to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "a.toml").write_text(
        """
[audit]
name = "a"
[data]
path = "d.csv"
id = "id"
label = "label"
[teacher]
predictions = "t.csv"
[student]
predictions = "s.csv"
[suites.calibration]
replicates = 500
[[contract]]
check = "CAL004"
margin = 0.01
[policy.pr]
inconclusive = "warn"
"""
    )
    for name in ("t", "s"):
        table = pd.read_csv(tmp_path / f"{name}.csv", index_col=0)
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    said = kdaudit("run", tmp_path / "a.toml", *policy)
    assert said.code == 1
    assert "beyond the limit" in said.out


# Impact ratios


def test_a_student_that_drops_the_teachers_favourite_group_fails_four_fifths() -> None:
    n = [1000, 1000, 1000]
    results = kdaudit.audit(
        data=pd.DataFrame({"label": chosen([0.5] * 3, n), "g": np.repeat(["g0", "g1", "g2"], n)}),
        teacher=chosen([0.60, 0.55, 0.55], n),
        student=chosen([0.20, 0.55, 0.55], n),
        positive="yes",
        sensitive=["g"],
        contract=[{"check": "FAI009", "each": ["g"], "at_least": 0.8}],
    )
    found = outcomes(results)
    assert found["FAI009[g=g0]"] == "fail"
    assert found["FAI009[g=g1]"] == found["FAI009[g=g2]"] == "pass"
    assert value(results.finding("FAI009[g=g0]").student) == pytest.approx(0.2 / 0.55)
    assert results.exit_code == 1


# Labels


@pytest.mark.parametrize(
    ("teacher", "student", "n", "label"),
    [
        (-0.15, -0.06, (300, 2700), "attenuated or repaired"),
        (0.05, 0.13, (300, 2700), "amplified or introduced"),
        (0.03, 0.15, (300, 2700), "amplified, introduced or reversed"),
        (0.08, -0.04, (600, 5400), "attenuated, repaired or reversed"),
        (0.15, 0.06, (1000, 8000), "attenuated"),
        (0.00, 0.20, (3000, 9000), "introduced"),
        (0.20, 0.00, (3000, 9000), "repaired"),
        (0.10, 0.10, (4000, 9000), "inherited"),
        (0.15, -0.15, (2000, 8000), "reversed"),
    ],
)
def test_a_label_says_no_more_than_is_shown(
    teacher: float, student: float, n: tuple[int, int], label: str
) -> None:
    results = kdaudit.audit(
        data=pd.DataFrame(
            {"label": labels(sum(n)), "g": np.repeat(["grp", "rest"], n)},
        ).replace({"label": {"a": "yes", "b": "no"}}),
        teacher=chosen([0.5 + teacher, 0.5], list(n)),
        student=chosen([0.5 + student, 0.5], list(n)),
        positive="yes",
        sensitive=["g"],
    )
    found = results.finding("FAI001[g=grp]")
    assert found.label is not None
    assert found.label.name == label


# Small groups


def test_a_small_group_that_is_wiped_out_blocks() -> None:
    n = 3000
    label = labels(n)
    row = np.arange(n)
    group = np.where(row < 45, "small", np.where(row < 1000, "mid", "big"))
    teacher = answers(row < 2900, label)
    student = answers((row >= 45) & (row < 2900), label)
    results = kdaudit.audit(
        data=pd.DataFrame({"label": label, "g": group}),
        teacher=teacher,
        student=student,
        slices=["g"],
        contract=[
            {"check": "SLC001", "each": ["g"], "margin": 0.05},
            {"check": "ACC001", "margin": 0.03},
        ],
    )
    assert outcomes(results)["SLC001[g=small]"] == "fail"
    assert verdicts(results)["SLC001[g=small]"].blocks
    assert "in 45 rows" in verdicts(results)["SLC001[g=small]"].reason
    assert results.exit_code == 1


def test_rare_classes_are_judged_together() -> None:
    """50 Zipf classes: 42 have fewer than 50 rows, and the student loses all of them."""
    rng, n = np.random.default_rng(3), 2000
    share = 1 / np.arange(1, 51)
    code = rng.choice(50, n, p=share / share.sum())
    rare = np.bincount(code, minlength=50)[code] < 50
    label = np.array([f"c{i:02d}" for i in code], object)
    teacher = np.where(rng.random(n) < 0.95, label, "c00").astype(object)
    student = np.where(rare & (rng.random(n) < 0.3), "c00", teacher).astype(object)
    contract = [{"check": "SLC002", "each": ["label"], "margin": 0.1}]
    data = pd.DataFrame({"label": label})
    results = kdaudit.audit(data=data, teacher=teacher, student=student, contract=contract)
    pool = verdicts(results)["SLC002[label=all under 50 rows]"]
    assert isinstance(pool.measured, Estimate)
    assert pool.measured.n == int(rare.sum())
    assert (pool.outcome, pool.blocks) == (Outcome.FAIL, True)
    same = kdaudit.audit(data=data, teacher=teacher, student=teacher, contract=contract)
    assert outcomes(same)["SLC002[label=all under 50 rows]"] == "pass"


# Clusters and scales


def test_equal_answers_pass_in_zipf_clusters() -> None:
    rng, n = np.random.default_rng(0), 5000
    share = 1 / np.arange(1, 501)
    cluster = rng.choice(500, n, p=share / share.sum()).astype(str)
    label = rng.choice(["a", "b"], n).astype(object)
    teacher = answers(rng.random(n) < 0.9, label)
    wide = kdaudit.audit(
        data=pd.DataFrame({"label": label, "c": cluster}),
        teacher=teacher,
        student=teacher.copy(),
        cluster="c",
        contract=[{"check": "ACC001", "margin": 0.1}],
    )
    tens = kdaudit.audit(
        data=pd.DataFrame({"label": label[:1000], "c": (np.arange(1000) // 10).astype(str)}),
        teacher=teacher[:1000],
        student=teacher[:1000].copy(),
        cluster="c",
        contract=[{"check": "ACC001", "margin": 0.02}],
    )
    assert (wide.exit_code, tens.exit_code) == (0, 0)


def test_a_wide_declared_range_is_no_wide_interval() -> None:
    rng, n = np.random.default_rng(5), 2000
    score = rng.exponential(1.0, n)
    widths = {}
    for high in (100.0, 100_000.0):
        results = kdaudit.audit(
            data=pd.DataFrame({"id": np.arange(n)}),
            teacher=pd.DataFrame({"id": np.arange(n), "score_error": score}),
            student=pd.DataFrame({"id": np.arange(n), "score_error": score + rng.normal(0, 1, n)}),
            scores={"error": {"better": "lower", "low": -50.0, "high": high}},
        )
        change = results.finding("ACC010[metric=error]").difference
        assert isinstance(change, Estimate)
        widths[high] = change.high - change.low
    plain = 2 * 1.645 / n**0.5
    assert widths[100.0] < 1.6 * plain
    assert widths[100_000.0] < 1.6 * plain


def test_a_constant_weight_is_no_weight() -> None:
    rng, n = np.random.default_rng(6), 800
    label = labels(n)
    data = pd.DataFrame({"label": label, "w": 2.0})
    teacher, student = answers(rng.random(n) < 0.9, label), answers(rng.random(n) < 0.85, label)
    plain = kdaudit.audit(data=data, teacher=teacher, student=student)
    weighted = kdaudit.audit(data=data, teacher=teacher, student=student, weight="w")
    assert weighted.finding("ACC001") == plain.finding("ACC001")


# Rows that are needed


def test_more_rows_are_promised_than_there_are() -> None:
    rng, n = np.random.default_rng(1), 3000
    label = rng.choice(["yes", "no"], n).astype(object)
    teacher = np.where(rng.random(n) < 0.9, label, np.where(label == "yes", "no", "yes"))
    group = np.where(np.arange(n) % 2, "F", "M")
    lost = (rng.random(n) < 0.22) & (group == "F") & (teacher == "yes")
    results = kdaudit.audit(
        data=pd.DataFrame({"label": label, "g": group}),
        teacher=teacher.astype(object),
        student=np.where(lost, "no", teacher).astype(object),
        positive="yes",
        sensitive=["g"],
        contract=[{"check": "FAI001", "each": ["g"], "margin": 0.05}],
    )
    for verdict in results.verdicts[:2]:
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert verdict.needed_n is None or verdict.needed_n > n
        assert "the tightest limit that these rows show is 0.117" in verdict.reason


# Holm


def table(n11: int, n10: int, n01: int, n00: int) -> tuple[Labels, Labels, Labels]:
    n = n11 + n10 + n01 + n00
    label, row = labels(n), np.arange(n)
    student = answers(row < n11 + n10, label)
    teacher = answers((row < n11) | ((row >= n11 + n10) & (row < n - n00)), label)
    return label, teacher, student


def test_a_count_dilutes_no_failure() -> None:
    label, teacher, student = table(900, 20, 52, 28)
    results = kdaudit.audit(
        data=pd.DataFrame({"label": label}),
        teacher=teacher,
        student=student,
        contract=[{"check": "ACC001", "margin": 0.0175}],
    )
    (accuracy, complete) = results.verdicts
    assert accuracy.p_exceeded == pytest.approx(0.03959, abs=1e-4)
    assert (accuracy.outcome, complete.outcome) == (Outcome.FAIL, Outcome.PASS)


def test_padding_a_contract_hides_no_failure() -> None:
    """30 checks that are met beside one that is not, under a policy that forgives."""
    rng, n = np.random.default_rng(9), 3000
    label, teacher, student = table(2700, 60, 170, 70)
    regions = np.array([f"r{i:02d}" for i in rng.integers(0, 30, n)], object)
    padding = [
        {"check": "SLC001", "where": {"region": f"r{i:02d}"}, "margin": 0.5} for i in range(30)
    ]
    for padded in (False, True):
        results = kdaudit.audit(
            data=pd.DataFrame({"label": label, "region": regions}),
            teacher=teacher,
            student=student,
            slices=["region"],
            contract=[{"check": "ACC001", "margin": 0.0225}, *(padding if padded else [])],
        )
        assert results.verdicts[0].outcome is Outcome.FAIL


# Perfect subjects


@pytest.mark.parametrize("wrong", [0, 1])
def test_a_perfect_student_is_judged_where_people_labelled(wrong: int) -> None:
    n = 300
    label, row = labels(n), np.arange(n)
    results = kdaudit.audit(
        data=pd.DataFrame({"label": label}),
        teacher=answers(row >= 6, label),
        student=answers(row >= wrong, label),
        label_source="human",
        contract=[{"check": "ACC001", "margin": 0.02}],
    )
    assert results.exit_code == 0
    said = any("Had they been made from its answers" in x.text for x in results.limitations)
    assert said == (wrong == 0)
    unknown = kdaudit.audit(
        data=pd.DataFrame({"label": label}),
        teacher=answers(row >= 6, label),
        student=answers(row >= 0, label),
        contract=[{"check": "ACC001", "margin": 0.02}],
    )
    assert unknown.exit_code == 3


# Rounding


def test_equal_answers_with_weights_do_not_crash() -> None:
    for seed in (43, *range(12)):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(20, 600))
        label = rng.choice(["a", "b"], n).astype(object)
        teacher = answers(rng.random(n) < 0.85, label)
        results = kdaudit.audit(
            data=pd.DataFrame({"label": label, "w": rng.lognormal(0, 1, n)}),
            teacher=teacher,
            student=teacher.copy(),
            weight="w",
        )
        assert [suite.error for suite in results.suites if suite.error] == []


# Two groups against each other


def test_pairs_hold_two_groups_against_each_other() -> None:
    n = [8000] * 3
    audit: Mapping[str, Any] = {
        "data": pd.DataFrame(
            {"label": chosen([0.5] * 3, n), "g": np.repeat(["A", "B", "C"], n)},
        ),
        "teacher": chosen([0.5, 0.5, 0.5], n),
        "student": chosen([0.55, 0.45, 0.5], n),
        "positive": "yes",
        "sensitive": ["g"],
    }
    check = {"check": "FAI001", "each": ["g"], "margin": 0.09}
    assert kdaudit.audit(**audit, contract=[check]).exit_code == 0
    paired = kdaudit.audit(**audit, contract=[check | {"pairs": True}])
    worst = verdicts(paired)["FAI001[g=A,other group=B]"]
    assert isinstance(worst.measured, Estimate)
    assert worst.measured.value == pytest.approx(0.1)
    assert worst.outcome is not Outcome.PASS
    assert paired.exit_code != 0


@pytest.mark.parametrize("pairs", [False, True])
def test_pairs_hide_no_small_groups(*, pairs: bool) -> None:
    """Twelve groups of forty rows, each selected far less often than by the teacher."""
    n = [4000, 4000] + [40] * 12
    rates = [0.5, 0.5] + [0.5] * 12
    results = kdaudit.audit(
        data=pd.DataFrame(
            {
                "label": chosen(rates, n),
                "g": np.repeat(["A", "B", *(f"s{k}" for k in range(12))], n),
            }
        ),
        teacher=chosen(rates, n),
        student=chosen([0.5, 0.5] + [0.3] * 12, n),
        positive="yes",
        sensitive=["g"],
        contract=[{"check": "FAI001", "each": ["g"], "margin": 0.08, "pairs": pairs}],
    )
    assert outcomes(results)["FAI001[g=all under 50 rows]"] == "fail"
    assert results.exit_code == 1


def test_small_groups_that_were_not_measured_together_block_at_the_gate() -> None:
    """A gate with a larger ``min_n`` cannot know how small clustered groups do together."""
    rng = np.random.default_rng(0)
    group = np.repeat(["big", *(f"s{k:02d}" for k in range(8))], [4000] + [60] * 8)
    label = labels(len(group))
    right = np.where(group == "big", 1.0, 0.9) > rng.random(len(group))
    made = kdaudit.audit(
        data=pd.DataFrame(
            {"label": label, "g": group, "c": np.arange(len(group)) % (len(group) // 3)}
        ),
        teacher=answers(rng.random(len(group)) < 0.98, label),
        student=answers(right, label),
        slices=["g"],
        cluster="c",
        contract=[{"check": "SLC001", "each": ["g"], "margin": 0.5}],
    )
    assert made.exit_code == 0
    check = replace(made.contract[0], min_n=100)
    judged = judge([check], made.suites, made.alpha)
    pool = next(one for one in judged if one.address == "SLC001[g=all under 100 rows]")
    assert pool.outcome is Outcome.NOT_EVALUABLE
    assert pool.blocks
    assert "were not measured together" in pool.reason


def test_a_share_is_kept_in_small_clusters_where_the_student_is_all_right() -> None:
    """Effective counts are no whole numbers; rounding once left more wins than rows to win."""
    for seed in range(5):
        rng, n = np.random.default_rng(seed), 600
        label, small = labels(n), np.arange(n) < 40
        student = answers((rng.random(n) < 0.9) | small, label)
        results = kdaudit.audit(
            data=pd.DataFrame(
                {"label": label, "g": np.where(small, "s", "b"), "c": np.arange(n) // 3}
            ),
            teacher=answers(rng.random(n) < 0.85, label),
            student=student,
            slices=["g"],
            cluster="c",
            contract=[{"check": "SLC001", "each": ["g"], "keep": 0.9}],
        )
        assert "SLC001[g=s]" in outcomes(results)


@pytest.mark.parametrize("least_p", [None, 1 / 2001])
@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.00033399313332652125])
def test_an_interval_beyond_its_limit_blocks_at_every_alpha(
    alpha: float, least_p: float | None
) -> None:
    """At some alphas, and at early looks, rounding or too few draws once let a policy forgive."""
    level = 1 - 2 * alpha
    seen = Estimate(value=0.2, low=0.18, high=0.22, n=500, level=level, method="bootstrap")
    finding = Finding(
        code="CAL004",
        metric="error",
        unit="score",
        better=Better.LOWER,
        student=seen,
        teacher=seen,
        baseline=NotMeasured("none"),
        difference=seen,
        basis=Fixed(level=level, least_p=least_p),
    )
    suite = SuiteResult(suite="calibration", findings=(finding,))
    check = Check(code="CAL004", limit=Limit.MARGIN, value=0.01)
    (verdict,) = judge([check], [suite], alpha, Policy(name="pr", inconclusive_blocks=False))
    assert verdict.blocks


def test_two_limits_at_one_place_need_their_own_rows() -> None:
    """What would decide the margin says nothing of what would decide the share."""
    rng, n = np.random.default_rng(1), 500
    label = labels(n)
    audit: Mapping[str, Any] = {
        "data": pd.DataFrame({"label": label}),
        "teacher": answers(rng.random(n) < 0.9, label),
        "student": answers(rng.random(n) < 0.88, label),
    }
    margin = {"check": "ACC001", "margin": 0.03}
    alone = verdicts(kdaudit.audit(**audit, contract=[margin]))["ACC001"]
    both = kdaudit.audit(**audit, contract=[margin, {"check": "ACC001", "keep": 0.5}])
    assert both.verdicts[0].needed_n == alone.needed_n


def test_a_searched_slice_is_no_check() -> None:
    rng, n = np.random.default_rng(0), 600
    label = labels(n)
    with pytest.raises(ConfigError, match="hold declared slices with SLC001"):
        kdaudit.audit(
            data=pd.DataFrame({"label": label, "ch": rng.choice(["w", "m"], n)}),
            teacher=label,
            student=label,
            slices=["ch"],
            contract=[{"check": "SLC004", "each": ["ch"], "margin": 0.05}],
        )


# The rest of the groups


def test_a_rest_of_ten_rows_is_few_rows_for_both_sides() -> None:
    rng, n = np.random.default_rng(2), 3000
    label = labels(n)
    group = np.where(np.arange(n) < 10, "few", "many")
    results = kdaudit.audit(
        data=pd.DataFrame({"label": label, "g": group}),
        teacher=answers(rng.random(n) < 0.9, label),
        student=answers(rng.random(n) < 0.9, label),
        positive="a",
        sensitive=["g"],
        contract=[{"check": "FAI001", "each": ["g"], "margin": 0.5}],
    )
    found = {a: o for a, o in outcomes(results).items() if a.startswith("FAI001")}
    assert set(found.values()) == {"not_evaluable"}


def test_scores_are_audited_in_memory_without_a_label() -> None:
    n = 100
    table = pd.DataFrame({"id": np.arange(n), "score_error": np.linspace(0, 1, n)})
    results = kdaudit.audit(
        data=pd.DataFrame({"id": np.arange(n)}),
        teacher=table,
        student=table,
        scores={"error": {"better": "lower", "low": 0.0, "high": 1.0}},
        contract=[{"check": "ACC010", "where": {"metric": "error"}, "margin": 0.1}],
    )
    assert results.exit_code == 0


def test_one_missing_answer_keeps_calibration_measured() -> None:
    rng, n = np.random.default_rng(8), 4000
    label = labels(n)
    right = rng.random(n) < 0.9
    p = np.where((label == "a") == right, 0.9, 0.1)
    ids = np.arange(n)
    teacher = pd.DataFrame({"id": ids, "p_a": p, "p_b": 1 - p})
    student = teacher.copy()
    student.loc[0, ["p_a", "p_b"]] = np.nan
    results = kdaudit.audit(
        data=pd.DataFrame({"id": ids, "label": label}), teacher=teacher, student=student
    )
    for code in ("CAL004", "CAL007"):
        assert not isinstance(results.finding(code).difference, NotMeasured), code


# Names that kdaudit uses itself


def test_no_group_is_called_what_small_groups_are_together() -> None:
    label = labels(1000)
    with pytest.raises(DataError, match="holds 'all under 60 rows', which is what kdaudit calls"):
        kdaudit.audit(
            data=pd.DataFrame({"label": label, "g": np.repeat(["A", "all under 60 rows"], 500)}),
            teacher=label,
            student=label,
            slices=["g"],
        )


def test_harm_that_is_shown_in_a_small_group_blocks_beside_many_others() -> None:
    """Thirty towns of twenty rows; Holm over all of them leaves the one that loses undecided."""
    rng, n = np.random.default_rng(0), 600
    label, town = (
        labels(n + 2000),
        np.repeat([f"t{k:02d}" for k in range(30)] + ["big"], [20] * 30 + [2000]),
    )
    teacher = rng.random(n + 2000) < 0.995
    lost = (town == "t07") & (np.cumsum(town == "t07") <= 8)
    results = kdaudit.audit(
        data=pd.DataFrame({"label": label, "g": town}),
        teacher=answers(teacher, label),
        student=answers(teacher & ~lost, label),
        slices=["g"],
        contract=[{"check": "SLC001", "each": ["g"], "margin": 0.05}],
    )
    one = verdicts(results)["SLC001[g=t07]"]
    assert one.outcome is not Outcome.PASS
    assert one.blocks
    assert results.exit_code != 0


@pytest.mark.parametrize("of_clusters", [False, True])
def test_a_group_of_few_units_that_is_wiped_out_blocks(*, of_clusters: bool) -> None:
    """Seven weighted rows, or 49 rows in seven clusters, all lost: too few for an interval."""
    rng, few = np.random.default_rng(0), 49 if of_clusters else 7
    n = 3000 + few
    label, small = labels(n), np.arange(n) < few
    teacher = (rng.random(n) < 0.95) | small
    data = {"label": label, "g": np.where(small, "s", "b")}
    roles: Mapping[str, Any] = {"cluster": "c"} if of_clusters else {"weight": "w"}
    data |= {"c": np.arange(n) // 7} if of_clusters else {"w": rng.uniform(0.8, 1.2, n)}
    for lost, stops in ((few, True), (few - 1, False)):
        results = kdaudit.audit(
            data=pd.DataFrame(data),
            teacher=answers(teacher, label),
            student=answers(teacher & (np.arange(n) >= lost), label),
            slices=["g"],
            contract=[{"check": "SLC001", "each": ["g"], "margin": 0.05}],
            **roles,
        )
        one = verdicts(results)["SLC001[g=s]"]
        assert one.outcome is Outcome.NOT_EVALUABLE
        assert one.blocks == stops
        assert (results.exit_code != 0) == stops
