"""Leaving answers out never helps: no verdict passes that did not, no exit code improves.

The strong form is about bounds: whatever is left out, the harmful end of every interval that a
check could be held against moves to the worse, or the claim is gone. Then it holds for any limit.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kdaudit import registry
from kdaudit.claims import Claim, claim_own, claim_share, claim_worse
from kdaudit.contract import Policy, judge, overall
from kdaudit.errors import DataError
from kdaudit.evidence.view import Evidence
from kdaudit.measure import mean_finding
from kdaudit.results import Better, Endpoint, Finding, Limit, Results, Table
from kdaudit.scores import Score
from kdaudit.stats.interval import Interval
from kdaudit.stats.one_sided_table import difference_interval, ratio_interval
from kdaudit.stats.paired_table import tango_p_below
from kdaudit.stats.proportions import clopper_pearson

Make = Callable[..., Any]
ALPHA = 0.05
LENIENT = {"check": "ACC003", "at_most": 1.0}  # in place of the default check, to see the others


def claims(finding: Finding, *, baseline: bool) -> Mapping[str, Any]:
    references = ("teacher", "baseline") if baseline else ("teacher",)
    found: dict[str, Any] = {"own": claim_own(finding, 0.5, ALPHA)}
    for who in references:
        found[f"margin, {who}"] = claim_worse(finding, who, 0.05, ALPHA)  # type: ignore[arg-type]
        if finding.better is Better.HIGHER:
            found[f"keep, {who}"] = claim_share(finding, who, 0.9, ALPHA)  # type: ignore[arg-type]
    return found


def bounds(results: Results, *, baseline: bool) -> dict[tuple[str, str], float | None]:
    """By address and kind of limit: the end of the interval that must stay inside, up is worse."""
    out: dict[tuple[str, str], float | None] = {}
    for finding in results.findings():
        for kind, claim in claims(finding, baseline=baseline).items():
            floor = kind.startswith("keep") or (kind == "own" and finding.better is Better.HIGHER)
            out[finding.address, kind] = (
                None
                if not isinstance(claim, Claim)
                else -claim.estimate.low
                if floor
                else claim.estimate.high
            )
    return out


@pytest.fixture(scope="module", autouse=True)
def _without_the_tables_of_rates() -> Iterator[None]:
    """Leave out what takes most of an audit's time and enters no finding: fairlearn's tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kdaudit_suites.fairness.group_rates", lambda *_: [])
        yield


SEARCH = settings(phases=[Phase.explicit, Phase.generate])  # shrinking audits takes minutes
WAYS = ("delete", "nan", "nonsense")


def leave_out(table: pd.DataFrame, gone: np.ndarray[Any, Any], way: str) -> pd.DataFrame:
    """The table without those answers: rows deleted, emptied, or holding what is no answer."""
    if way == "delete" or ("prediction" in table and way == "nonsense"):
        return table[~gone]
    table = table.copy()
    for column in table.columns.drop("id"):
        table.loc[gone, column] = (
            None if column == "prediction" else np.nan if way == "nan" else -0.5
        )
    return table


def right(table: pd.DataFrame, data: pd.DataFrame) -> np.ndarray[Any, Any]:
    label = data.set_index("id").label.loc[table.id].to_numpy()
    if "prediction" in table:
        return np.asarray(table.prediction.to_numpy() == label)
    columns = [str(c) for c in table.columns if str(c).startswith("p_")]
    names = np.array([c.removeprefix("p_") for c in columns])
    return np.asarray(names[table[columns].to_numpy().argmax(axis=1)] == label)


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "seed": draw(st.integers(0, 10**6)),
        "n": draw(st.integers(40, 160)),
        "classes": draw(st.sampled_from([2, 3])),
        "clusters": draw(st.sampled_from([0, 0, 12, 30])),
        "weighted": draw(st.booleans()),
        "labels_only": draw(st.sampled_from([False, False, True])),
        "baseline": draw(st.booleans()),
        "outside": draw(st.sampled_from([0, 15])),
        "teacher_right": draw(st.floats(0.5, 0.95)),
        "student_right": draw(st.floats(0.6, 1.0)),
        "sharpness": draw(st.floats(0.5, 4.0)),
    }


def chosen(
    draw: st.DataObject, table: pd.DataFrame, candidates: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Some of the candidates, fewer than half of all rows."""
    share = draw.draw(st.sampled_from([0.03, 0.2, 0.8]))
    rng = np.random.default_rng(draw.draw(st.integers(0, 10**6)))
    gone = candidates & (rng.random(len(table)) < share)
    most = (len(table) - 2) // 2
    gone[np.flatnonzero(gone)[most:]] = False
    return gone


@settings(SEARCH, max_examples=20)
@given(
    cases(),
    st.sampled_from(["student", "teacher", "baseline"]),
    st.sampled_from(["what would hurt", "anything"]),
    st.sampled_from(WAYS),
    st.data(),
)
def test_no_bound_moves_to_the_better(
    world: Make, case: dict[str, Any], who: str, which: str, way: str, data: st.DataObject
) -> None:
    made = world(**case)
    table = getattr(made, who)
    if table is None:
        return
    correct = right(table, made.data)
    hurts = ~correct if who == "student" else correct
    gone = chosen(data, table, hurts if which == "what would hurt" else np.ones_like(hurts))
    fewer = leave_out(table, gone, way)
    try:
        before = bounds(made.audit(), baseline=case["baseline"])
        after = bounds(made.audit(**{who: fewer}), baseline=case["baseline"])
    except DataError:  # refused, since the answers look like classes in another order
        return
    assert set(after) == set(before)
    for key, bound in after.items():
        if bound is None:
            continue
        was = before[key]
        assert was is not None, f"{key} could not be judged and now can"
        assert bound >= was - 1e-9, f"{key} moved from {was} to {bound}"


CONTRACT = [
    {"check": "ACC001", "margin": 0.1},
    {"check": "ACC001", "keep": 0.85},
    {"check": "ACC002", "at_most": 0.3},
    {"check": "CAL001", "margin": 0.15},
    {"check": "CAL003", "margin": 0.1},
    {"check": "CAL003", "at_most": 0.2},
    {"check": "CAL004", "margin": 0.2},
    {"check": "ACC004", "margin": 0.15},
    {"check": "ACC004", "keep": 0.7},
    {"check": "ACC005", "at_least": 0.5},
    {"check": "ACC005", "where": {"teacher": "right"}, "at_least": 0.6},
    {"check": "ACC006", "margin": 0.4},
    {"check": "CAL005", "margin": 0.15},
    {"check": "CAL005", "each": ["sex"], "margin": 0.2, "min_n": 10},
    {"check": "CAL006", "margin": 0.2},
    {"check": "CAL007", "margin": 0.1},
    {"check": "CAL008", "margin": 0.2},
    {"check": "HAL001", "at_most": 0.4},
    {"check": "HAL002", "margin": 0.2},
    *[{"check": f"FAI00{i}", "each": ["sex"], "margin": 0.3, "min_n": 10} for i in range(1, 8)],
    {"check": "FAI007", "each": ["sex"], "at_most": 0.3, "min_n": 10},
    {"check": "FAI008", "each": ["attribute"], "margin": 0.2, "min_n": 10},
    {"check": "FAI009", "each": ["sex"], "at_least": 0.4, "min_n": 10},
    {"check": "FAI009", "each": ["sex"], "keep": 0.5, "min_n": 10},
    {"check": "FAI011", "each": ["sex"], "at_least": 0.4, "min_n": 10},
    {"check": "FAI011", "each": ["sex"], "keep": 0.5, "min_n": 10},
    {"check": "FAI001", "each": ["sex", "age"], "at_most": 0.5, "min_n": 10},
    {"check": "SLC001", "each": ["channel"], "margin": 0.2, "min_n": 10},
    {"check": "SLC002", "each": ["label"], "at_least": 0.4, "min_n": 10},
    {"check": "SLC003", "each": ["frequency"], "at_least": 0.4, "min_n": 10},
]
# What the rest of the contract needs: costs, and a fifth of the rows to fit temperatures on.
MORE = {
    "suites": {"accuracy": {"cost": {"c0": {"c1": 1.0}, "c1": {"c0": 3.0}}}},
    "split": {"column": "part", "audit": ["audited"], "validation": ["fitted"]},
}


FORGIVING = Policy(name="pr", inconclusive_blocks=False, not_evaluable_blocks=False)


def forgiven(results: Results) -> int:
    """The exit code under a policy that forgives all it can."""
    verdicts = judge(results.contract, results.suites, ALPHA, FORGIVING)
    return overall(results.contract, verdicts, results.suites)[1]


@settings(SEARCH, max_examples=10)
@given(cases(), st.sampled_from(["student", "teacher"]), st.sampled_from(WAYS), st.data())
def test_nothing_passes_that_did_not(
    world: Make, case: dict[str, Any], who: str, way: str, data: st.DataObject
) -> None:
    made = world(**case)
    table = getattr(made, who)
    correct = right(table, made.data)
    gone = chosen(data, table, ~correct if who == "student" else correct)
    fewer = leave_out(table, gone, way)
    audited = np.arange(len(table)) % 5 > 0
    given = MORE | {"data": made.data.assign(part=np.where(audited, "audited", "fitted"))}
    try:
        before: Results = made.audit([*CONTRACT, LENIENT], **given)
        after: Results = made.audit([*CONTRACT, LENIENT], **given, **{who: fewer})
    except DataError:  # refused, since the answers look like classes in another order
        return

    def passed(results: Results) -> set[tuple[int, str]]:
        return {(v.check, v.address) for v in results.verdicts if v.outcome.value == "pass"}

    assert passed(after) <= passed(before)
    assert after.exit_code != 0 or before.exit_code == 0
    assert forgiven(after) != 0 or forgiven(before) == 0
    if who == "student" and (gone & audited).any():
        # With the check that every audit has, one answer in these few rows is a failure.
        assert made.audit(CONTRACT, **given, student=fewer).exit_code == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_policy_does_not_forgive_what_answers_left_out_make_doubtful(
    world: Make, way: str
) -> None:
    # Favouring one group by half is a failure. Left out where it shows, it is only doubtful:
    # the contrast of the rest, and how far the missing answers may move it.
    made = world(2, n=400, teacher_right=0.9)
    women = made.data.sex.to_numpy() == made.data.sex.iloc[0]
    rng = np.random.default_rng(0)
    favoured = rng.random(400) < np.where(women, 0.9, 0.1)
    told = rng.random(400) < 0.3
    favoured[told] = (made.data.label == made.roles["positive"]).to_numpy()[told]
    first, second = (c for c in made.student.columns if str(c).startswith("p_"))
    student = made.student.assign(
        **{first: np.where(favoured, 0.9, 0.1), second: np.where(favoured, 0.1, 0.9)}
    )
    contract = [{"check": "FAI001", "each": ["sex"], "margin": 0.15}, LENIENT]
    before: Results = made.audit(contract, student=student)
    assert before.exit_code == forgiven(before) == 1
    gone = (favoured == women) & (np.arange(400) % 3 == 0)
    after: Results = made.audit(contract, student=leave_out(student, gone, way))
    assert {v.outcome.value for v in after.verdicts if v.check == 0} == {"inconclusive"}
    assert after.exit_code == forgiven(after) == 3


def test_a_policy_forgives_too_few_rows_where_every_answer_is_there(world: Make) -> None:
    made = world(2, n=100)
    results: Results = made.audit([{"check": "ACC001", "margin": 0.06}, LENIENT])
    assert (results.exit_code, forgiven(results)) == (3, 0)


@pytest.mark.parametrize("way", WAYS)
def test_an_audit_that_passes_fails_once_answers_are_left_out(world: Make, way: str) -> None:
    made = world(3, n=300, teacher_right=0.9, student_right=1.0)
    contract = [{"check": "ACC001", "margin": 0.2}]
    assert made.audit(contract, student=made.teacher).exit_code == 0
    gone = np.arange(300) < 3
    fewer = leave_out(made.teacher, gone, way)
    results: Results = made.audit(contract, student=fewer)
    assert results.exit_code == 1
    assert results.finding("ACC003").student.value == 0.01  # type: ignore[union-attr]


def test_fewer_than_half_of_the_answers_are_no_evidence(world: Make) -> None:
    made = world(4)
    for way in WAYS:
        with pytest.raises(DataError, match=r"\[student\]"):
            made.audit(student=leave_out(made.student, np.arange(120) < 61, way))


def test_what_a_teacher_leaves_out_excuses_nothing(world: Make) -> None:
    made = world(5, n=200)
    contract = [{"check": "ACC003", "margin": 0.01}]
    gone = np.arange(200) < 40
    results: Results = made.audit(
        contract,
        student=leave_out(made.student, gone, "delete"),
        teacher=leave_out(made.teacher, gone, "delete"),
    )
    assert results.exit_code == 3
    assert "excuse none of the student's" in results.verdicts[0].reason


BRIER = Endpoint(code="CAL001", metric="m", unit="u", better=Better.LOWER)


@pytest.mark.parametrize("weighted", [False, True])
def test_making_clusters_alike_by_leaving_answers_out_does_not_help(
    evidence: Callable[..., Evidence],
    weighted: bool,  # noqa: FBT001
) -> None:
    # A tenth of 200 rows is one cluster, in which the student scores 0 and everywhere else 0.9.
    # Without 18 of its answers that cluster is like all others: the mean is worse, the spread is
    # gone, and an interval of what is left alone would end lower than before.
    cluster = [0] * 20 + list(range(1, 181))
    weight = [1.0] * 200
    if weighted:  # the same mass in one heavy row and 180 light ones
        cluster, weight = list(range(181)), [20.0] + [1.0] * 180
    rows = len(cluster)
    student = np.full(rows, 0.9)
    student[np.array(cluster) == 0] = 0.0
    valid = np.ones(rows, dtype=np.bool_)
    found = evidence(
        label=[0] * rows, student=[0] * rows, teacher=[0] * rows, cluster=cluster, weight=weight
    )

    def high(kept: np.ndarray[Any, Any]) -> float:
        scores = {
            "student": Score(values=student, valid=kept),
            "teacher": Score(values=np.zeros(rows), valid=valid),
            "baseline": Score(values=np.zeros(rows), valid=valid),
        }
        made = mean_finding(BRIER, found, scores)  # type: ignore[arg-type]
        claim = claim_worse(made, "teacher", 0.3, ALPHA)
        assert isinstance(claim, Claim)
        return claim.estimate.high

    fewer = valid.copy()
    fewer[: 1 if weighted else 18] = False  # 18 at worst 1 and 2 at 0: their mean is 0.9
    assert high(fewer) >= high(valid)


N = 9
CELLS = [
    (n11, n10, n01, N - n11 - n10 - n01)
    for n11 in range(N + 1)
    for n10 in range(N + 1 - n11)
    for n01 in range(N + 1 - n11 - n10)
]
# What one answer left out does to a table: the student's right ones become wrong, the
# teacher's wrong ones right.
MOVES = {
    "student right, both were": (-1, 0, 1, 0),
    "student right, alone": (0, -1, 0, 1),
    "teacher wrong, student right": (1, -1, 0, 0),
    "teacher wrong, both were": (0, 0, 1, -1),
}


@pytest.mark.parametrize("move", MOVES)
def test_every_bound_of_a_table_is_monotone_in_the_answers(move: str) -> None:
    checked = 0
    for cells in CELLS:
        after = tuple(a + b for a, b in zip(cells, MOVES[move], strict=True))
        if min(after) < 0:
            continue
        checked += 1
        old, new = _table(cells), _table(after)
        assert _difference(new) <= _difference(old) + 1e-9, (cells, after)
        assert _tang(after).low <= _tang(cells).low + 1e-9
        assert _own(new) <= _own(old) + 1e-12
        # Nor does what failed become doubtful.
        assert tango_p_below(new.n10, new.n01, N, -0.05) <= (
            tango_p_below(old.n10, old.n01, N, -0.05) + 1e-9
        )
    assert checked > 100


def _table(cells: tuple[int, ...]) -> Table:
    n11, n10, n01, n00 = cells
    return Table(n11=n11, n10=n10, n01=n01, n00=n00)


def _tang(cells: tuple[int, ...]) -> Interval:
    n11, n10, n01, n00 = cells
    return ratio_interval(n11, n10, n01, n00, 0.9)


def _own(table: Table) -> float:
    return clopper_pearson(table.n11 + table.n10, N, 0.9).low


def _difference(table: Table) -> float:
    return difference_interval(table.n10, table.n01, N, 0.9).low


def test_every_kind_of_limit_and_every_suite_of_answers_is_in_the_contract_above() -> None:
    kinds = {key for check in CONTRACT for key in check}
    assert {limit.value for limit in Limit} <= kinds
    codes = {
        endpoint.code
        for name in ("accuracy", "calibration", "fairness", "hallucination", "slices")
        for endpoint in registry.load(registry.GROUPS.suites, name).codes
    }
    # Of these answers there are none here: scores per row, texts with terms swapped, rows of no
    # class (drawn in some cases only), slices that a search must find, what has no limit, and what
    # is measured of generated text (HAL004 and on) or of the likelihood of texts.
    absent = {"ACC003", "ACC010", "ACC011", "CAL002", "FAI010", "FAI012", "HAL003", "SLC004"}
    absent |= {code for code in codes if code > "HAL003" and code.startswith("HAL")}
    assert codes - absent == {check["check"] for check in CONTRACT}
