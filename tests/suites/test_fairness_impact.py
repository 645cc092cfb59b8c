"""Impact ratios: by hand, against a regression, under deletion, and as a rule's table."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdaudit.claims import Claim, claim_own, claim_share
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.results import Finding, LeastRatio, Means, SuiteResult
from kdaudit.stats.least_ratio import Ratios
from kdaudit_suites.fairness import Fairness, packs
from kdaudit_suites.fairness.contrasts import crossings
from kdaudit_suites.fairness.impact import impact_ratios
from kdaudit_suites.fairness.impact_table import impact_table
from kdaudit_suites.fairness.packs import LL144
from kdaudit_suites.fairness.scores import selected
from kdaudit_suites.fairness.selections import selections
from tests.suites.measured import estimate

Make = Callable[..., Evidence]
Array = np.ndarray[Any, Any]
ALPHA = 0.05


def grouped(evidence: Make, group: Any, **given: Any) -> Evidence:
    plain: dict[str, Any] = {
        "attributes": {"sex": list(group)},
        "sensitive": (("sex",),),
        "positive": [0],
        "classes": ("yes", "no"),
        "label": [0, 1] * (len(group) // 2) + [0] * (len(group) % 2),
    }
    return evidence(**(plain | given))


def chosen(of: dict[str, tuple[int, int]]) -> tuple[list[str], list[int]]:
    """Groups and answers from (selected, rows) by group."""
    groups = [g for g, (_, n) in of.items() for _ in range(n)]
    answers = [0 if i < k else 1 for k, n in of.values() for i in range(n)]
    return groups, answers


def run(made: Evidence) -> SuiteResult:
    return Fairness().run(made, Streams(0))


def findings(made: Evidence) -> dict[str, Finding]:
    """FAI009 and FAI011 alone, without what the rest of the suite costs."""
    scores = selected(made)
    (crossing,) = crossings(made)
    sums = selections(made, crossing, scores, np.random.default_rng(0))
    return {one.address: one for one in impact_ratios(made, crossing, scores, sums)}


GROUP, TEACHER = chosen({"f": (30, 100), "m": (100, 200), "x": (16, 40)})
_, STUDENT = chosen({"f": (20, 100), "m": (100, 200), "x": (20, 40)})


def test_ratios_by_hand(evidence: Make) -> None:
    found = findings(grouped(evidence, GROUP, student=STUDENT, teacher=TEACHER))
    to_most = found["FAI009[sex=f]"]
    assert estimate(to_most.student).value == pytest.approx(0.2 / 0.5)
    assert estimate(to_most.teacher).value == pytest.approx(0.3 / 0.5)
    assert estimate(to_most.difference).value == pytest.approx(0.4 - 0.6)
    assert "the student selects m most, the teacher selects m most" in to_most.note
    assert estimate(found["FAI009[sex=x]"].student).value == pytest.approx(1.0)
    to_rest = found["FAI011[sex=f]"]
    assert estimate(to_rest.student).value == pytest.approx(0.2 / (120 / 240))
    assert estimate(to_rest.teacher).value == pytest.approx(0.3 / (116 / 240))
    assert estimate(to_rest.student).n == 100


def test_the_error_of_a_log_ratio_is_katzs(evidence: Make) -> None:
    found = findings(grouped(evidence, GROUP, student=STUDENT, teacher=TEACHER))
    basis = found["FAI009[sex=f]"].basis
    assert isinstance(basis, LeastRatio)
    assert isinstance(basis.student, Ratios)
    assert isinstance(basis.versus_teacher, Ratios)
    # 1/k - 1/n of each side, with n - 1 in place of n.
    katz = (1 / 20 - 1 / 100) * 100 / 99 + (1 / 100 - 1 / 200) * 200 / 199
    assert basis.student.log == pytest.approx([math.log(0.4)])  # x has 40 rows, too few
    assert basis.student.se[0] ** 2 == pytest.approx(katz)
    assert list(basis.student.df) == [99]
    # In f all 20 the student selects are among the teacher's 30; in m both select the same 100.
    shared = (20 / 100 - 0.2 * 0.3) / 99 / (0.2 * 0.3) + (1 / 100 - 1 / 200) * 200 / 199
    theirs = (1 / 30 - 1 / 100) * 100 / 99 + (1 / 100 - 1 / 200) * 200 / 199
    over = katz + theirs - 2 * shared
    assert basis.versus_teacher.se[0] ** 2 == pytest.approx(over)
    student = estimate(found["FAI009[sex=f]"].student)
    assert student.low < 0.4 * math.exp(-1.645 * katz**0.5) + 0.001
    assert student.low > 0.4 * math.exp(-1.8 * katz**0.5)


def test_the_group_that_the_teacher_selects_most_is_one_and_can_be_checked(evidence: Make) -> None:
    most = findings(grouped(evidence, GROUP, student=STUDENT, teacher=TEACHER))["FAI009[sex=m]"]
    assert (estimate(most.student).value, estimate(most.difference).value) == (1.0, 0.0)
    for claim in (claim_own(most, 0.8, ALPHA), claim_share(most, "teacher", 0.9, ALPHA)):
        assert isinstance(claim, Claim)
        assert claim.estimate.low == claim.estimate.high == 1.0


def test_a_ratio_can_be_held_with_at_least_and_with_keep(evidence: Make) -> None:
    found = findings(grouped(evidence, GROUP, student=STUDENT, teacher=TEACHER))["FAI009[sex=f]"]
    own, kept = claim_own(found, 0.8, ALPHA), claim_share(found, "teacher", 0.95, ALPHA)
    assert isinstance(own, Claim)
    assert isinstance(kept, Claim)
    assert own.p_below < 0.01  # 0.4 is not 0.8
    assert own.estimate.value == pytest.approx(0.4)
    assert kept.estimate.value == pytest.approx(0.4 / 0.6)
    assert kept.p_below < 0.05
    assert kept.estimate.high < 0.95


def test_selecting_the_same_few_is_not_certainty(evidence: Make) -> None:
    # None of 20 selected was lost; that 11% are, as rarely shows, must still be allowed for.
    group, answers = chosen({"f": (20, 200), "m": (100, 200)})
    found = findings(grouped(evidence, group, student=answers, teacher=answers))["FAI009[sex=f]"]
    kept = claim_share(found, "teacher", 0.9, ALPHA)
    assert isinstance(kept, Claim)
    assert kept.estimate.value == 1.0
    assert kept.estimate.low < 0.89
    assert estimate(found.difference).high > 0.2 * 0.1


@pytest.mark.parametrize("zipf", [False, True])
def test_bounds_err_no_more_often_than_they_say(
    evidence: Make,
    zipf: bool,  # noqa: FBT001
) -> None:
    rng = np.random.default_rng(8)
    runs, clusters, rate, lost = 150, 80, np.array([0.4, 0.3]), 0.1
    size = np.maximum(1, np.round(500 / np.arange(1, clusters + 1) ** 0.5 / 16)).astype(int)
    member = np.repeat(np.arange(clusters), size)
    wrong = dict.fromkeys(("own low", "own high", "kept low", "kept high"), 0)
    for _ in range(runs):
        alike = rng.random((2, clusters))[:, member]
        noise = np.where(rng.random(member.size) < 0.3**0.5, alike, rng.random((2, member.size)))
        uniform = noise if zipf else rng.random((2, member.size))
        group = (rng.random(clusters) < 0.4)[member].astype(int)
        teacher = uniform[0] < rate[group]
        student = teacher & ~((uniform[1] < lost) & (group == 1))
        made = grouped(
            evidence,
            np.array(["m", "f"])[group],
            student=1 - student,
            teacher=1 - teacher,
            cluster=member if zipf else None,
        )
        found = findings(made)["FAI011[sex=f]"]
        truth = (1 - lost) * rate[1] / rate[0]
        for name, true, claim in (
            ("own", truth, claim_own(found, truth, ALPHA)),
            ("kept", 1 - lost, claim_share(found, "teacher", 1 - lost, ALPHA)),
        ):
            assert isinstance(claim, Claim)
            wrong[f"{name} low"] += claim.estimate.low > true
            wrong[f"{name} high"] += claim.estimate.high < true
    assert max(wrong.values()) <= runs * ALPHA + 2 * (runs * ALPHA * (1 - ALPHA)) ** 0.5, wrong
    assert zipf or wrong["own low"] + wrong["own high"] > 0.02 * runs  # nor is it asleep


def test_nobody_selected_is_a_ratio_near_zero_that_fails(evidence: Make) -> None:
    group, student = chosen({"f": (0, 300), "m": (90, 300)})
    _, teacher = chosen({"f": (80, 300), "m": (90, 300)})
    found = findings(grouped(evidence, group, student=student, teacher=teacher))["FAI009[sex=f]"]
    claim = claim_own(found, 0.8, ALPHA)
    assert isinstance(claim, Claim)
    assert claim.estimate.value < 0.01
    assert claim.estimate.high < 0.1
    assert claim.p_below < 1e-3


@pytest.mark.filterwarnings("ignore:cov_type not fully supported")  # of a constant it is
@pytest.mark.parametrize("weighted", [False, True])
def test_clustered_errors_are_those_of_a_log_linear_regression(
    evidence: Make,
    weighted: bool,  # noqa: FBT001
) -> None:
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(3)
    n = 800
    cluster = rng.integers(0, 80, n)
    lean = rng.normal(size=80)[cluster]
    group = rng.choice(["f", "m"], n)
    teacher = (rng.random(n) > np.where(group == "m", 0.8, 0.3)).astype(int)
    student = (rng.normal(size=n) + lean > np.where(group == "f", 0.3, -0.2)).astype(int)
    weight = rng.uniform(0.5, 2, n) if weighted else None
    made = grouped(
        evidence, group, student=student, teacher=teacher, cluster=cluster, weight=weight
    )
    basis = findings(made)["FAI011[sex=f]"].basis
    assert isinstance(basis, Means)
    model = sm.GLM(
        (student == 0).astype(float),
        np.column_stack([np.ones(n), group == "f"]),
        family=sm.families.Poisson(),
        var_weights=weight,
    )
    fit = model.fit(cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": False})
    assert basis.mean[0] == pytest.approx(fit.params[1])
    correction = 1 / (1 - 2 * basis.largest + 1 / basis.effective)  # type: ignore[operator]
    assert basis.covariance[0][0] / correction == pytest.approx(fit.bse[1] ** 2, rel=1e-4)


def test_clusters_of_one_row_are_rows(evidence: Make) -> None:
    plain = grouped(evidence, GROUP, student=STUDENT, teacher=TEACHER)
    alone = grouped(evidence, GROUP, student=STUDENT, teacher=TEACHER, cluster=range(len(GROUP)))
    one, two = (findings(made)["FAI011[sex=f]"].basis for made in (plain, alone))
    assert isinstance(one, Means)
    assert isinstance(two, Means)
    assert one.mean == pytest.approx(two.mean)
    # The correction is that of the smaller side, for both.
    assert np.array(one.covariance) == pytest.approx(np.array(two.covariance), rel=0.01)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    who=st.sampled_from(["student", "teacher"]),
    clusters=st.sampled_from([0, 25]),
    weighted=st.booleans(),
    lost=st.sampled_from([0.01, 0.1, 0.4]),
)
def test_leaving_answers_out_never_helps(
    evidence: Make,
    seed: int,
    who: str,
    clusters: int,
    weighted: bool,  # noqa: FBT001
    lost: float,
) -> None:
    rng = np.random.default_rng(seed)
    n = 150
    common: dict[str, Any] = {
        "cluster": rng.integers(0, clusters, n) if clusters else None,
        "weight": rng.uniform(0.2, 3, n) if weighted else None,
    }
    group = rng.choice(["f", "m"], n)
    rate = rng.uniform(0.05, 0.95, (2, 2))
    answers = {
        name: (rng.random(n) > rate[i][(group == "f").astype(int)]).astype(int)
        for i, name in enumerate(("student", "teacher"))
    }
    before = findings(grouped(evidence, group, **answers, **common))
    gone = rng.random(n) < lost
    fewer = answers | {who: np.where(gone, -1, answers[who])}
    after = findings(grouped(evidence, group, **fewer, **common))
    for address, finding in after.items():
        was = before[address]
        for new, old in (
            (claim_own(finding, 0.8, ALPHA), claim_own(was, 0.8, ALPHA)),
            (claim_share(finding, "teacher", 0.9, ALPHA), claim_share(was, "teacher", 0.9, ALPHA)),
        ):
            if isinstance(new, NotMeasured):
                continue
            assert isinstance(old, Claim), address
            assert new.estimate.low <= old.estimate.low + 1e-9, address


def test_which_group_is_most_selected_may_not_hang_on_missing_answers(evidence: Make) -> None:
    group, answers = chosen({"f": (50, 100), "m": (52, 100)})
    teacher = [*answers[:97], -1, -1, -1, *answers[100:]]
    found = findings(grouped(evidence, group, student=answers, teacher=teacher))
    assert "depends on its missing answers" in str(found["FAI009[sex=f]"].basis)
    assert isinstance(found["FAI011[sex=f]"].basis, Means)


def test_without_a_favourable_class_or_a_second_group_there_is_no_ratio(evidence: Make) -> None:
    made = grouped(evidence, GROUP, student=STUDENT, teacher=TEACHER, positive=[])
    assert "no favourable class" in str(findings(made)["FAI009[sex=f]"].basis)
    made = grouped(evidence, ["f"] * 340, student=STUDENT, teacher=TEACHER)
    assert "no one else" in str(findings(made)["FAI011[sex=f]"].basis)


def test_one_subject_alone_has_its_own_ratios(evidence: Make) -> None:
    found = findings(grouped(evidence, GROUP, student=None, teacher=TEACHER))["FAI009[sex=f]"]
    assert estimate(found.teacher).value == pytest.approx(0.6)
    assert isinstance(found.student, NotMeasured)
    assert isinstance(found.difference, NotMeasured)
    assert isinstance(found.basis, NotMeasured)


def table(made: Evidence) -> dict[tuple[str, str], tuple[float, ...]]:
    scores = selected(made)
    (crossing,) = crossings(made)
    sums = selections(made, crossing, scores, np.random.default_rng(0))
    figure = impact_table(sums, crossing, made.level, LL144)
    assert len(figure.columns) == 12
    return {(str(row[0]), str(row[1])): row[2:] for row in figure.rows}  # type: ignore[misc]


def test_the_table_holds_each_subject_against_its_own_most_selected_group(evidence: Make) -> None:
    group, student = chosen({"f": (60, 100), "m": (80, 200), "x": (1, 5)})
    _, teacher = chosen({"f": (30, 100), "m": (100, 200), "x": (1, 5)})
    rows = table(grouped(evidence, group, student=student, teacher=teacher))
    n, rate, *_ = rows["f", "student"]
    assert n == 100
    assert rate == pytest.approx(0.6)
    assert rows["f", "student"][4] == 1.0
    assert rows["m", "student"][4] == pytest.approx(0.4 / 0.6)
    assert rows["f", "teacher"][4] == pytest.approx(0.3 / 0.5)
    assert rows["m", "teacher"][4] == 1.0
    assert rows["f", "student"][7] == pytest.approx(0.6 / (81 / 205))
    assert ("x (under 2% of the rows)", "student") in rows
    for values in rows.values():
        for at in (1, 4, 7):
            value, low, high = values[at : at + 3]
            assert low <= value <= high


@pytest.mark.parametrize("rates", [(0.4, 0.4, 0.4, 0.4), (0.5, 0.4, 0.3, 0.45)])
def test_bounds_against_the_most_selected_group_hold_though_luck_chose_it(
    evidence: Make, rates: tuple[float, ...]
) -> None:
    rng = np.random.default_rng(6)
    n, runs = 800, 150
    truth = rates[0] / max(rates)
    low = high = 0
    for _ in range(runs):
        code = rng.integers(0, 4, n)
        answers = (rng.random(n) > np.array(rates)[code]).astype(int)
        made = grouped(evidence, np.array(list("abcd"))[code], student=answers, teacher=answers)
        _, _, _, _, _, least, most, *_ = table(made)["a", "student"]
        low += least > truth + 1e-12
        high += most < truth - 1e-12
    # One-sided at 5% each: two binomial errors above.
    assert max(low, high) / runs <= 0.05 + 2 * (0.05 * 0.95 / runs) ** 0.5


def test_the_pack_is_dated_cited_and_claims_no_compliance(evidence: Make) -> None:
    assert packs.load("ll144") == LL144
    assert LL144.dated == "2023-04-06"
    assert "6 RCNY" in LL144.source
    result = run(
        grouped(evidence, [*GROUP[:-3], None, None, None], student=STUDENT, teacher=TEACHER)
    )
    words = " ".join(result.notes)
    assert "evidence for New York City Local Law 144" in words
    assert "names no threshold" in words
    assert "complian" not in words
    assert "3 of no known sex" in words
    (figure,) = [one for one in result.figures if one.name == "impact-sex"]
    assert "2023-04-06" in figure.title
