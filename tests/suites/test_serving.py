"""How a pair serves: waits, goodput, throughput, lengths, cost, energy."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from kdaudit.contract import Policy, judge
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.kinds import Predictions
from kdaudit.evidence.prices import Price, Prices
from kdaudit.evidence.serving import Serving, numbered
from kdaudit.evidence.view import PREDICTIONS, Evidence, Rows, Streams, Trio
from kdaudit.only import teacher_alone
from kdaudit.results import Check, Fixed, Limit, Means, Outcome, SuiteResult, Table
from kdaudit_suites.latency import Latency
from tests.suites.measured import estimate, finding, findings
from tests.suites.serving import joined, served, serving_of

ANSWER = {"answer": 1000.0}


def run(evidence: Evidence, **options: Any) -> SuiteResult:
    given: dict[str, Any] = {"percentiles": (50, 95), "replicates": 100} | options
    return Latency(**given).run(evidence, Streams(0))


def outcome(result: SuiteResult, check: Check, alpha: float = 0.05) -> Outcome:
    (verdict,) = judge((check,), (result,), alpha, Policy())
    return verdict.outcome


def prices(**changed: Any) -> Prices:
    by_hour = Price(hourly=3.6, utilisation=0.5)
    facts: dict[str, Any] = {
        "currency": "EUR",
        "source": "a list, 2026-11-01",
        "subjects": {"student": by_hour, "teacher": by_hour},
        "distillation": 500.0,
        "distillation_by": "500 declared",
    }
    return Prices(**facts | changed)


def late(size: int, over: int) -> Serving:
    """Requests of 0.5 s each, of which so many take 2 s."""
    one = served(size, noise=0.0)
    return replace(one, last=one.scheduled + np.where(np.arange(size) < over, 2.0, 0.5))


# MLPerf Inference, early stopping: the fewest requests with so many over the limit (methods §8).
EARLY_STOPPING = [(0.9, 1, 64), (0.99, 1, 662), (0.99, 2, 838), (0.99, 5, 1307), (0.99, 10, 2010)]


@pytest.mark.parametrize(("share", "over", "needed"), EARLY_STOPPING)
def test_goodput_is_decided_by_the_exact_rule_of_early_stopping(
    share: float, over: int, needed: int
) -> None:
    check = Check(code="LAT010", where=SINGLE, limit=Limit.AT_LEAST, value=share)
    for size, expected in ((needed, Outcome.PASS), (needed - 1, Outcome.INCONCLUSIVE)):
        pair = late(size, over)
        result = run(serving_of(pair, pair, level=0.98), limits=ANSWER)
        assert outcome(result, check, alpha=0.01) is expected, size


@pytest.mark.parametrize(("share", "over", "needed"), EARLY_STOPPING)
def test_a_percentile_under_a_limit_is_the_same_rule(share: float, over: int, needed: int) -> None:
    percent = 100 * share
    where = (("percentile", f"p{percent:g}"), ("scenario", "single-stream"))
    check = Check(code="LAT009", where=where, limit=Limit.AT_MOST, value=1000.0)
    for size, passes in ((needed, True), (needed - 1, False)):
        pair = late(size, over)
        result = run(serving_of(pair, pair, level=0.98), percentiles=(percent,))
        assert (outcome(result, check, alpha=0.01) is Outcome.PASS) == passes, size


SINGLE = (("scenario", "single-stream"),)


@pytest.mark.parametrize(("p", "needed"), [(90, 29), (95, 59), (99, 299)])
def test_a_percentile_is_not_measured_on_fewer_requests_than_its_interval_needs(
    p: int, needed: int
) -> None:
    address = f"LAT007[percentile=p{p},scenario=single-stream]"
    for size in (needed, needed - 1):
        pair = served(size)
        found = finding(run(serving_of(pair, pair), percentiles=(p,)), address).student
        assert isinstance(found, Estimate) == (size == needed)
    assert found == NotMeasured(f"{needed - 1} requests were timed; its interval needs {needed}")


def test_percentiles_are_those_of_scipy_and_of_the_definitions() -> None:
    one = served(1000, tokens=11)
    found = findings(run(serving_of(one, one), percentiles=(90,)))
    for code, seconds in (
        ("LAT007", one.first - one.scheduled),
        ("LAT008", (one.last - one.first) / 10),
        ("LAT009", one.last - one.scheduled),
        ("LAT012", (one.last - one.scheduled) / 44),
    ):
        value = estimate(found[f"{code}[percentile=p90,scenario=single-stream]"].student)
        interval = stats.quantile_test(seconds, p=0.9).confidence_interval(0.9)
        np.testing.assert_allclose([value.low, value.high], np.array(interval) * 1e3)
        np.testing.assert_allclose(
            value.value, np.quantile(seconds, 0.9, method="inverted_cdf") * 1e3
        )


def test_a_slow_first_token_is_found_and_nothing_else() -> None:
    teacher = served(400, first=0.1, each=0.02)
    student = served(400, first=0.3, each=0.01, seed=1)  # as fast to the end, 0.5 s
    found = findings(run(serving_of(student, teacher), limits={"first_token": 200.0}))
    ttft = estimate(found["LAT007[percentile=p50,scenario=single-stream]"].difference)
    assert ttft.low < 200 < ttft.high
    assert ttft.low > 150
    tpot = estimate(found["LAT008[percentile=p50,scenario=single-stream]"].difference)
    assert tpot.low < -10 < tpot.high < -9
    whole = estimate(found["LAT009[percentile=p50,scenario=single-stream]"].difference)
    assert whole.low < 0 < whole.high
    good = found["LAT010[scenario=single-stream]"]
    assert isinstance(good.basis, Table)
    assert estimate(good.student).value == 0
    assert estimate(good.teacher).value == 1
    assert estimate(good.difference).high < -0.9
    checks = [Check(code="LAT007", where=WHERE, limit=Limit.MARGIN, value=v) for v in (50.0, 250.0)]
    result = run(serving_of(student, teacher))
    assert [outcome(result, check) for check in checks] == [Outcome.FAIL, Outcome.PASS]


WHERE = (("percentile", "p50"), ("scenario", "single-stream"))


def test_an_identical_student_differs_by_nothing() -> None:
    each = [served(300, scenario=name) for name in ("single-stream", "server", "offline")]
    one = joined(*each)
    result = run(serving_of(one, one, prices=prices()), limits=ANSWER)
    compared = [f for f in result.findings if isinstance(f.difference, Estimate)]
    assert {f.code for f in compared} == {
        *("LAT005", "LAT007", "LAT008", "LAT009", "LAT010", "LAT011", "LAT012", "LAT013"),
        "LAT014",
    }
    for found in compared:
        difference = estimate(found.difference)
        assert difference.value == 0, found.address
        assert difference.low <= 0 <= difference.high, found.address
    even = finding(result, "LAT015")
    assert isinstance(even.student, NotMeasured)
    assert "not shown to be cheaper" in even.student.reason


def test_models_on_different_hardware_are_shown_and_not_compared() -> None:
    student = served(hardware="a phone")
    teacher = served(hardware="a server", seed=1)
    result = run(serving_of(student, teacher), limits=ANSWER)
    for found in result.findings:
        if found.code in {"LAT007", "LAT008", "LAT009", "LAT011", "LAT012"}:
            assert isinstance(found.student, Estimate)
            assert isinstance(found.teacher, Estimate)
            assert isinstance(found.difference, NotMeasured)
            assert "a phone" in found.difference.reason
    assert isinstance(finding(result, "LAT010[scenario=single-stream]").difference, Estimate)
    assert any("on a server" in note for note in result.notes)
    unknown = run(serving_of(replace(student, hardware=None), replace(teacher, hardware=None)))
    speed = finding(unknown, "LAT011[scenario=single-stream]").difference
    assert isinstance(speed, NotMeasured)
    assert "nobody declared" in speed.reason


def test_tokens_of_other_tokenizers_are_not_compared_and_bytes_are() -> None:
    teacher = served(tokens=21)
    student = served(tokens=42, seed=1)
    student = replace(
        student, tokens_in=np.ceil(1.7 * teacher.tokens_in), bytes_out=teacher.bytes_out
    )
    result = run(serving_of(student, teacher))
    for address in ("LAT008[percentile=p50,scenario=single-stream]", "LAT013"):
        found = finding(result, address)
        assert isinstance(found.student, Estimate)
        assert isinstance(found.difference, NotMeasured)
        assert "tokenizers differ" in found.difference.reason
    assert estimate(finding(result, "LAT014").difference).value == 0
    per_byte = finding(result, "LAT012[percentile=p50,scenario=single-stream]")
    assert estimate(per_byte.difference).low > 0
    assert any("tokenizers differ" in note for note in result.notes)
    offset = replace(served(tokens=42), tokens_in=teacher.tokens_in + 7)  # a chat template's
    assert estimate(finding(run(serving_of(offset, teacher)), "LAT013").difference).value == 21


def test_a_student_that_says_more_is_found() -> None:
    teacher, student = served(tokens=21), served(tokens=63, seed=1)
    found = findings(run(serving_of(student, teacher)))
    more = estimate(found["LAT013"].difference)
    assert more.value == 42
    assert more.low > 0
    assert estimate(found["LAT014"].difference).value == 4 * 42


def test_answers_of_one_token_have_no_time_per_token_and_are_counted() -> None:
    one = served(300)
    short = replace(
        one,
        tokens_out=np.where(np.arange(300) % 3 == 0, 1.0, one.tokens_out),
        last=np.where(np.arange(300) % 3 == 0, one.first, one.last),
    )
    found = finding(run(serving_of(short, one)), "LAT008[percentile=p50,scenario=single-stream]")
    assert estimate(found.student).n == 200
    assert found.note == "without 100 answers of the student for which it is not defined"
    all_short = replace(one, tokens_out=np.ones(300), last=one.first)
    result = run(serving_of(all_short, one), limits={"per_token": 1.0})
    found = finding(result, "LAT008[percentile=p50,scenario=single-stream]")
    assert isinstance(found.student, NotMeasured)
    assert estimate(finding(result, "LAT010[scenario=single-stream]").student).value == 1


def test_requests_without_an_answer_count_worst_for_the_student_and_best_for_the_teacher() -> None:
    one = served(400)
    gone = np.arange(400) < 40
    broken = replace(
        one, first=np.where(gone, np.nan, one.first), last=np.where(gone, np.nan, one.last)
    )
    for student, teacher, sign in ((broken, one, 1), (one, broken, -1)):
        result = run(serving_of(student, teacher, prices=prices()), limits=ANSWER)
        found = findings(result)
        good = found["LAT010[scenario=single-stream]"]
        whole = served(400)
        clean = findings(run(serving_of(whole, whole, prices=prices()), limits=ANSWER))
        assert estimate(good.student).value == (0.9 if sign > 0 else 1.0)
        assert estimate(good.teacher).value == 1.0
        for address in ("LAT009[percentile=p50,scenario=single-stream]", "LAT005", "LAT013"):
            side = "student" if sign > 0 else "teacher"
            if sign > 0 and not address.startswith("LAT009"):  # an amount has no greatest value
                assert isinstance(found[address].student, NotMeasured)
                continue
            was, now = (estimate(getattr(f[address], side)).value for f in (clean, found))
            assert (now - was) * sign >= 0, address
    tail = findings(run(serving_of(broken, one)))["LAT009[percentile=p95,scenario=single-stream]"]
    assert isinstance(tail.student, NotMeasured)
    assert tail.student.reason.startswith("40 of 400 requests have no answer")


def test_a_student_that_drops_its_slowest_requests_does_not_look_better() -> None:
    student, teacher = served(400, noise=0.5), served(400, noise=0.5, seed=1)
    slowest = np.argsort(student.last - student.scheduled)[-30:]
    rest = np.setdiff1d(np.arange(400), slowest)
    before = findings(run(serving_of(student, teacher, prices=prices()), limits=ANSWER))
    after = findings(run(serving_of(student.take(rest), teacher, prices=prices()), limits=ANSWER))
    for address, found in after.items():
        was = before[address]
        if not isinstance(found.student, Estimate) or found.code in {"LAT015", "LAT016"}:
            continue
        better = found.better.value == "higher"
        now, then = estimate(found.student).value, estimate(was.student).value
        assert (now <= then + 1e-9) if better else (now >= then - 1e-9), address


TIMES = {"scenario": "single-stream"}
TAIL = TIMES | {"percentile": "p95"}
HIDDEN = {  # a check that slow requests fail, and what of them is not recorded
    "first token": ("LAT007", TAIL, Limit.AT_MOST, 1000.0, ("first",)),
    "first token, per token": ("LAT008", TAIL, Limit.AT_MOST, 100.0, ("first",)),
    "tokens": ("LAT008", TAIL, Limit.AT_MOST, 100.0, ("tokens_out",)),
    "bytes": ("LAT012", TAIL, Limit.AT_MOST, 50.0, ("bytes_out",)),
    "answer": ("LAT009", TAIL, Limit.AT_MOST, 2000.0, ("first", "last")),
    "answer, difference": ("LAT009", TAIL, Limit.MARGIN, 100.0, ("first", "last")),
    "throughput": ("LAT011", TIMES, Limit.AT_LEAST, 1.0, ("first", "last")),
    "cost": ("LAT005", {}, Limit.AT_MOST, 2.0, ("first", "last")),
    "tokens written": ("LAT013", {}, Limit.AT_MOST, 25.0, ("first", "last")),
    "bytes written": ("LAT014", {}, Limit.AT_MOST, 100.0, ("first", "last")),
}


@pytest.mark.parametrize("case", HIDDEN)
def test_what_slow_requests_leave_out_lets_no_policy_pass(case: str) -> None:
    code, where, limit, value, left_out = HIDDEN[case]
    teacher, student = served(300, first=0.5), served(300, first=0.2, seed=1)
    slow = np.arange(300) % 10 == 0
    late = replace(
        student,
        first=student.first + 8.0 * slow,
        last=student.last + 32.0 * slow,
        tokens_out=np.where(slow, 121.0, 21.0),
        bytes_out=np.where(slow, 484.0, 84.0),
    )
    blanked: dict[str, Any] = {
        name: np.where(slow, np.nan, getattr(late, name)) for name in left_out
    }
    check = Check(code=code, limit=limit, value=value, where=tuple(sorted(where.items())))
    forgiving = Policy(name="pr", inconclusive_blocks=False, not_evaluable_blocks=False)
    for one in (late, replace(late, **blanked), late.take(np.flatnonzero(~slow))):
        evidence = serving_of(one, teacher, prices=prices())
        result = run(evidence)
        (verdict,) = judge((check,), (result,), 0.05, forgiving)
        assert verdict.outcome is not Outcome.PASS
        if one is not late:
            assert verdict.blocks
    good = run(serving_of(student, teacher, prices=prices()))
    assert outcome(good, check) is Outcome.PASS


def test_requests_at_another_rate_are_not_compared() -> None:
    teacher = served(300, scenario="server")
    seldom = served(300, scenario="server", seed=1)
    due = 10 * seldom.scheduled
    seldom = replace(
        seldom, scheduled=due, sent=due, first=due + 0.1, last=due + 0.5, block=teacher.block
    )
    found = finding(run(serving_of(seldom, teacher)), "LAT009[percentile=p50,scenario=server]")
    assert isinstance(found.difference, NotMeasured)
    assert "at another rate" in found.difference.reason
    same = replace(teacher, scheduled=teacher.scheduled + 1e-3)
    found = finding(run(serving_of(same, teacher)), "LAT009[percentile=p50,scenario=server]")
    assert isinstance(found.difference, Estimate)


def test_throughput_is_requests_over_busy_time_with_batches_as_clusters() -> None:
    student = served(300, scenario="offline", each=0.01)
    teacher = served(300, scenario="offline", each=0.02, seed=1)
    found = finding(run(serving_of(student, teacher)), "LAT011[scenario=offline]")
    busy = [
        student.last[student.block == b].max() - student.scheduled[student.block == b].min()
        for b in range(15)
    ]
    value = estimate(found.student)
    assert value.value == pytest.approx(300 / sum(busy))
    mean, se = np.mean(busy) / 20, np.std(busy, ddof=1) / 20 / np.sqrt(15)
    half = stats.t.ppf(0.95, 14) * se
    assert 1 / value.high == pytest.approx(mean - half, rel=1e-3)
    assert found.basis == Fixed(level=0.9, baseline=NotMeasured("not timed"), df=14.0, least_p=0.0)
    gain = estimate(found.difference)
    assert gain.low > 0
    assert gain.value == pytest.approx(value.value - estimate(found.teacher).value)


def test_queues_make_blocks_the_units_of_goodput() -> None:
    one = served(300, scenario="server")
    slow = replace(one, last=np.where(one.block == 3, one.last + 5, one.last))
    found = finding(run(serving_of(slow, one), limits=ANSWER), "LAT010[scenario=server]")
    assert isinstance(found.basis, Means)
    assert found.basis.clusters == 30
    queued = replace(one, last=one.last + 11)
    said = [n for n in run(serving_of(queued, one)).notes if "closed loop, or little load" in n]
    assert [note.partition(" ")[2].partition(" ")[0] for note in said] == ["teacher's"]


def test_a_noisy_run_is_shown_and_cannot_be_checked() -> None:
    one = replace(served(), noisy=("the processor was 95% busy",))
    result = run(serving_of(one, one, prices=prices()), limits=ANSWER)
    for code in ("LAT005", "LAT010[scenario=single-stream]", "LAT011[scenario=single-stream]"):
        found = finding(result, code)
        assert isinstance(found.student, Estimate)
        assert isinstance(found.basis, NotMeasured)
        assert "noisy run: the processor was 95% busy" in found.note


def test_the_cost_of_requests_follows_from_hours_utilisation_and_tokens() -> None:
    teacher = served(300, scenario="offline", each=0.02)
    student = served(300, scenario="offline", each=0.01, seed=1)
    result = run(serving_of(student, teacher, prices=prices()))
    found = finding(result, "LAT005")
    throughput = estimate(finding(result, "LAT011[scenario=offline]").student).value
    # hourly / (throughput * 3600) * 1000 / utilisation
    assert estimate(found.student).value == pytest.approx(3.6 / (throughput * 3600) * 1000 / 0.5)
    assert found.note.startswith("in EUR, a list, 2026-11-01; requests of scenario offline")
    assert estimate(found.difference).high < 0
    by_token = Price(per_million_in=2.0, per_million_out=10.0)
    each = {"student": prices().subjects["student"], "teacher": by_token}
    mixed = run(serving_of(student, teacher, prices=prices(subjects=each)))
    tokens = (teacher.tokens_in * 2 + teacher.tokens_out * 10) / 1e6
    assert estimate(finding(mixed, "LAT005").teacher).value == pytest.approx(1000 * tokens.mean())


def test_break_even_is_the_distillation_over_what_a_request_saves() -> None:
    teacher = served(300, scenario="offline", each=0.02)
    student = served(300, scenario="offline", each=0.01, seed=1)
    result = run(serving_of(student, teacher, prices=prices()))
    saved, even = (
        estimate(m)
        for m in (finding(result, "LAT005").difference, finding(result, "LAT015").student)
    )
    assert even.value == pytest.approx(500 * 1000 / -saved.value)
    assert (even.low, even.high) == pytest.approx((-5e5 / saved.low, -5e5 / saved.high))
    assert finding(result, "LAT015").basis == Fixed(level=0.9, df=14.0, least_p=0.0)
    unknown = prices(distillation=NotMeasured("what distillation cost is NOT PROVIDED"))
    absent = finding(run(serving_of(student, teacher, prices=unknown)), "LAT015").student
    assert absent == NotMeasured("what distillation cost is NOT PROVIDED")


def test_nothing_is_priced_that_has_no_price() -> None:
    one = served()
    for found in (finding(run(serving_of(one, one)), code) for code in ("LAT005", "LAT015")):
        assert found.student == NotMeasured("prices are NOT PROVIDED: the audit file has no [cost]")
    only = prices(subjects={"teacher": Price(hourly=1.0, utilisation=1.0)})
    found = finding(run(serving_of(one, one, prices=only)), "LAT005")
    assert found.student == NotMeasured("its price is NOT PROVIDED: there is no [cost.student]")
    assert isinstance(found.teacher, Estimate)
    queue = served(scenario="server")
    found = finding(run(serving_of(queue, queue, prices=prices())), "LAT005")
    assert isinstance(found.student, NotMeasured)
    assert "needs requests of scenario offline or single-stream" in found.student.reason
    blind = replace(one, tokens_out=np.full(300, np.nan))
    by_token = {who: Price(per_million_in=1.0) for who in ("student", "teacher")}
    found = finding(run(serving_of(blind, one, prices=prices(subjects=by_token))), "LAT005")
    assert found.student == NotMeasured(
        "it is paid by the token, and tokens were not recorded throughout"
    )


def test_the_table_of_costs_has_ratios_by_fieller() -> None:
    one = served(300, tokens=20)
    (table,) = [f for f in run(serving_of(one, one, prices=prices())).figures if f.name == "cost"]
    rows = {row[0]: row[1:] for row in table.rows}
    per_token = rows["student, a million tokens written"]
    cost = estimate(finding(run(serving_of(one, one, prices=prices())), "LAT005").student).value
    assert per_token[0] == pytest.approx(cost / 1000 / 20 * 1e6)
    assert per_token[1] < per_token[0] < per_token[2]  # type: ignore[operator]
    assert rows["student, a thousand correct answers"][3] == (
        "no answers of the audited rows are known to be correct"
    )


def test_the_cost_of_correct_answers_knows_clusters_weights_and_missing_answers() -> None:
    """The same 40 rows, apart or in clusters; a missing answer is right for the teacher."""
    one = served(300)
    answer = np.array([0, 0, 0, 1] * 10)

    def table(cluster: Any = None, weight: Any = None, answer: Any = answer) -> dict[str, Any]:
        evidence = serving_of(one, one, prices=prices())
        said = Predictions(classes=("a", "b"), answer=answer, probabilities=None)
        rows = Rows(
            ids=np.arange(40).astype(str).astype(object),
            label=np.zeros(40, dtype=np.int64),
            classes=("a", "b"),
            cluster=cluster,
            weight=weight,
        )
        kinds = {
            **evidence.kinds,
            PREDICTIONS: Trio(student=said, teacher=said, baseline=NotMeasured("none")),
        }
        result = run(replace(evidence, rows=rows, kinds=kinds))
        (found,) = [f for f in result.figures if f.name == "cost"]
        return {str(row[0]): row[1:] for row in found.rows}

    mine, theirs = (f"{who}, a thousand correct answers" for who in ("student", "teacher"))
    value, low, high, _ = table()[mine]
    assert low < value < high
    wrong = np.sort(answer)
    assert table(np.arange(40) // 4, answer=wrong)[mine][2] > table(answer=wrong)[mine][2]
    assert table(np.arange(40) // 20)[mine][3].startswith("fewer than 8 ")
    assert table(weight=1.0 + answer)[mine][0] > value
    gone = np.where(answer == 1, -1, answer)
    assert table(answer=gone)[mine][0] == pytest.approx(value)
    assert table(answer=gone)[theirs][0] == pytest.approx(0.75 * value)


def test_a_prompt_that_is_sent_again_is_no_further_request() -> None:
    """Ten prompts of unlike answers, sent thirty times each, tell of ten prompts."""
    one = served(300)
    tokens = np.tile(np.arange(10.0, 20.0), 30)
    names = np.array(numbered([f"r{i % 10}" for i in range(300)]), dtype=object)
    again = replace(one, request=names, tokens_out=tokens)
    (often, once) = (
        finding(run(serving_of(each, each)), "LAT013")
        for each in (again, replace(again, request=one.request))
    )
    assert isinstance(often.basis, Means)
    assert (often.basis.clusters, often.basis.n) == (10, 300)
    assert _width(often.student) > 4 * _width(once.student)


def _width(measured: Measurement) -> float:
    return estimate(measured).high - estimate(measured).low


def test_a_difference_of_throughputs_knows_what_was_put_in_for_missing_answers() -> None:
    student, teacher = served(300, noise=0.0), served(300, noise=0.05)
    gone = np.arange(300) < 30
    lost = replace(teacher, last=np.where(gone, np.nan, teacher.last))
    found = finding(run(serving_of(student, lost)), "LAT011[scenario=single-stream]")
    own, apart = estimate(found.teacher), estimate(found.difference)
    # The student is sure, so the difference is no surer than the teacher's own value.
    assert apart.high - apart.low > 0.9 * (own.high - own.low)


def test_energy_is_told_where_it_was_counted_and_nowhere_else() -> None:
    one = served(300, scenario="offline")
    absent = finding(run(serving_of(one, one)), "LAT016").student
    assert isinstance(absent, NotMeasured)
    assert absent.reason.startswith("not measured by this machine")
    student, teacher = (replace(one, joules=np.full(300, v) + one.block) for v in (2.0, 5.0))
    found = finding(run(serving_of(student, teacher)), "LAT016")
    assert estimate(found.difference).value == pytest.approx(-3.0)
    assert found.note == "counters of the whole machine"


def test_a_subject_alone_is_shown() -> None:
    one = served()
    for student, teacher in ((one, NotMeasured("t")), (NotMeasured("s"), one)):
        result = run(serving_of(student, teacher, prices=prices()), limits=ANSWER)
        for found in result.findings:
            assert isinstance(found.difference, NotMeasured), found.address
        good = finding(result, "LAT010[scenario=single-stream]")
        assert isinstance(good.student, Estimate) == isinstance(student, Serving)


def test_the_teacher_alone_is_priced_as_the_teacher() -> None:
    one = served()
    cheap, dear = (Price(hourly=v, utilisation=1.0) for v in (1.0, 100.0))
    evidence = serving_of(
        NotMeasured("none"), one, prices=prices(subjects={"student": cheap, "teacher": dear})
    )
    suite = Latency(limits=ANSWER)
    alone = teacher_alone(lambda e: suite.run(e, Streams(0)), evidence, suite.needs())
    by_teacher = estimate(finding(run(evidence), "LAT005").teacher)
    assert estimate(finding(alone, "LAT005").student).value == by_teacher.value
    check = Check(code="LAT010", where=SINGLE, limit=Limit.AT_LEAST, value=0.9)
    assert outcome(alone, check) is Outcome.PASS


def test_the_same_evidence_gives_the_same_findings() -> None:
    pair = served(), served(seed=1)
    assert run(serving_of(*pair)) == run(serving_of(*pair))


@pytest.mark.parametrize(
    ("limits", "words"),
    [({"ttft": 3.0}, "unknown limit 'ttft'"), ({"answer": 0.0}, "answer is a time in millisec")],
)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Latency(limits=limits)


@pytest.mark.slow
def test_goodput_and_lengths_cover_what_is_true() -> None:
    """A student that misses a limit one time in twenty: 90% intervals hold 0.95 nine in ten."""
    held = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        one = served(300, noise=0.0)
        student = replace(one, last=one.scheduled + np.where(rng.random(300) < 0.05, 2.0, 0.5))
        found = finding(run(serving_of(student, one), limits=ANSWER, percentiles=(50,)), GOOD)
        value = estimate(found.student)
        held += value.low <= 0.95 <= value.high
    assert held >= 0.87 * 300


GOOD = "LAT010[scenario=single-stream]"


def test_every_finding_has_its_own_address() -> None:
    one = joined(*(served(300, scenario=n) for n in ("single-stream", "server", "offline")))
    result = run(serving_of(one, one, prices=prices()), limits=ANSWER)
    addresses = [f.address for f in result.findings]
    assert len(addresses) == len(set(addresses))
    declared = {endpoint.code for endpoint in Latency.codes}
    assert {f.code for f in result.findings} == declared
    for f, endpoint in itertools.product(result.findings, Latency.codes):
        if f.code == endpoint.code:
            assert {column for column, _ in f.where} == set(endpoint.keys)
