from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from kdaudit.contract import Policy, judge
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.kinds import Footprint, Timings
from kdaudit.evidence.view import Evidence, Streams, Trio
from kdaudit.registry import build_suite
from kdaudit.results import Check, Finding, Fixed, Limit, Means, Need, Outcome, SuiteResult
from kdaudit_suites.latency import Latency, latency
from kdaudit_suites.latency.endpoints import OF_PAIR, WEIGHED
from tests.suites.measured import estimate

NEED = Need(kind="timings")
Make = Callable[..., Evidence]


def timings(requests: int = 300, *, faster: float = 2.0, noise: float = 0.1) -> Timings:
    """Skewed requests, each of which takes the student 1/faster of the teacher's time."""
    rng = np.random.default_rng(0)
    size = 0.01 * np.exp(0.8 * rng.normal(size=requests))
    return Timings(
        teacher=size * np.exp(noise * rng.normal(size=requests)),
        student=size / faster * np.exp(noise * rng.normal(size=requests)),
        block=np.arange(requests) // 20,
        noisy=(),
        machine=(("cores", "2"), ("processor", "a quiet one"), ("threads", "1")),
        footprints={
            "teacher": Footprint(parameters=1000, bytes=5000, peak_memory=90, base_memory=50),
            "student": Footprint(parameters=100, bytes=700, peak_memory=None, base_memory=None),
        },
    )


@pytest.fixture
def run(evidence: Make) -> Callable[..., SuiteResult]:
    """Run the suite on timings, or on their absence."""

    def call(found: Timings | NotMeasured, **options: Any) -> SuiteResult:
        none = NotMeasured("not timed")
        trio = Trio(student=found, teacher=found, baseline=none)
        rows = replace(evidence(label=[0], student=[0], teacher=[0]), kinds={NEED: trio})
        return Latency(**options).run(rows, Streams(0))

    return call


def at(result: SuiteResult, address: str) -> Finding:
    return next(finding for finding in result.findings if finding.address == address)


def test_the_speed_up_is_the_geometric_mean_ratio_with_a_t_interval_over_blocks(
    run: Callable[..., SuiteResult],
) -> None:
    found = timings()
    speed = at(run(found), "LAT001")
    value = estimate(speed.student)
    means = np.log(found.teacher / found.student).reshape(15, 20).mean(axis=1)
    half = stats.t.ppf(0.95, 14) * means.std(ddof=1) / np.sqrt(15)
    expected = np.exp([means.mean(), means.mean() - half, means.mean() + half])
    np.testing.assert_allclose([value.value, value.low, value.high], expected, rtol=1e-9)
    assert value.low < 2 < value.high
    assert isinstance(speed.basis, Means)
    assert (speed.basis.scale, speed.basis.clusters, speed.basis.df) == ("log", 15, 14)
    assert speed.teacher == NotMeasured("a speed-up is of the pair")


def test_pairing_makes_the_interval_several_times_narrower(run: Callable[..., SuiteResult]) -> None:
    """Skewed requests: unpaired, the ratio of geometric means is far less certain."""
    found = timings()
    value = estimate(at(run(found), "LAT001").student)
    spread = [np.log(x).std(ddof=1) / np.sqrt(300) for x in (found.teacher, found.student)]
    assert np.log(value.high / value.low) < 2 * 1.645 * np.hypot(*spread) / 3


def test_a_speed_up_is_decided_on_its_own_scale(run: Callable[..., SuiteResult]) -> None:
    result = run(timings())
    checks = [Check(code="LAT001", limit=Limit.AT_LEAST, value=v) for v in (1.5, 2.0, 3.0)]
    verdicts = judge(tuple(checks), (result,), 0.05, Policy())
    found = [verdict.outcome for verdict in verdicts]
    assert found == [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL]


@pytest.mark.parametrize("p", [50, 95, 99])
def test_percentiles_have_the_interval_of_scipys_quantile_test(
    run: Callable[..., SuiteResult], p: int
) -> None:
    found = timings(1000)
    finding = at(run(found), f"LAT002[percentile=p{p}]")
    value = estimate(finding.student)
    test = stats.quantile_test(found.student, p=p / 100)
    interval = test.confidence_interval(confidence_level=0.9)
    np.testing.assert_allclose([value.low, value.high], np.array(interval) * 1e3)
    assert value.value == np.quantile(found.student, p / 100, method="inverted_cdf") * 1e3
    assert finding.basis == Fixed(level=0.9, df=49.0, least_p=1 / 2001)


def test_the_difference_of_percentiles_is_covered_by_its_interval(
    run: Callable[..., SuiteResult],
) -> None:
    found = timings(2000)
    difference = estimate(at(run(found), "LAT002[percentile=p50]").difference)
    assert difference.low < difference.value < difference.high < 0
    assert difference.low < 5.0 - 10.0 < difference.high  # medians of 10 ms and half of that
    assert difference.method == "percentile bootstrap, 100 blocks"


def test_the_same_timings_on_both_sides_differ_by_nothing(run: Callable[..., SuiteResult]) -> None:
    found = timings()
    same = replace(found, student=found.teacher)
    difference = estimate(at(run(same), "LAT002[percentile=p95]").difference)
    assert (difference.low, difference.value, difference.high) == (0, 0, 0)


def test_too_few_requests_say_how_many_a_percentile_needs() -> None:
    said = latency(np.ones(298), 0.99, 0.9)
    assert said == NotMeasured("298 requests were timed; its interval needs 299")
    assert isinstance(latency(np.ones(299), 0.99, 0.9), Estimate)
    for p, level in ((0.5, 0.9), (0.95, 0.95), (0.1, 0.9)):
        said = latency(np.ones(3), p, level)
        assert isinstance(said, NotMeasured)
        needed = int(said.reason.split()[-1])
        assert isinstance(latency(np.ones(needed), p, level), Estimate)
        assert isinstance(latency(np.ones(needed - 1), p, level), NotMeasured)


def test_one_block_cannot_show_a_spread(run: Callable[..., SuiteResult]) -> None:
    result = run(replace(timings(), block=np.zeros(300, dtype=np.int64)))
    assert isinstance(at(result, "LAT001").student, NotMeasured)
    assert isinstance(at(result, "LAT002[percentile=p50]").difference, NotMeasured)


def test_bytes_and_weights_are_counted_and_can_be_checked(run: Callable[..., SuiteResult]) -> None:
    result = run(timings())
    size = at(result, "LAT003")
    assert estimate(size.student) == Estimate(
        value=700, low=700, high=700, n=1, level=1.0, method="bytes counted"
    )
    assert estimate(size.difference).value == -4300
    assert estimate(at(result, "LAT006").student).value == 100
    checks = [Check(code="LAT003", limit=Limit.AT_MOST, value=v) for v in (1000.0, 500.0)]
    verdicts = judge(tuple(checks), (result,), 0.05, Policy())
    assert [verdict.outcome for verdict in verdicts] == [Outcome.PASS, Outcome.FAIL]


def test_memory_that_was_not_read_is_not_measured(run: Callable[..., SuiteResult]) -> None:
    memory = at(run(timings()), "LAT004")
    absent = NotMeasured("the peak memory of the student is not known")
    assert (memory.student, memory.difference, memory.basis) == (absent, absent, absent)
    assert estimate(memory.teacher).value == 90


def test_a_noisy_run_is_shown_and_cannot_be_checked(run: Callable[..., SuiteResult]) -> None:
    result = run(replace(timings(), noisy=("the processor was 95% busy",)))
    for address in ("LAT001", "LAT002[percentile=p95]"):
        finding = at(result, address)
        assert isinstance(finding.student, Estimate)
        assert isinstance(finding.basis, NotMeasured)
        assert finding.basis.reason.startswith("noisy run: the processor was 95% busy; time again")
        assert finding.note == "noisy run: the processor was 95% busy"
    assert isinstance(at(result, "LAT003").basis, Fixed)
    assert "Noisy run: the processor was 95% busy." in result.notes
    check = Check(code="LAT001", limit=Limit.AT_LEAST, value=1.0)
    (verdict,) = judge((check,), (result,), 0.05, Policy())
    assert verdict.outcome is Outcome.NOT_EVALUABLE


def test_what_slows_both_alike_leaves_the_speed_up_to_be_checked(
    run: Callable[..., SuiteResult],
) -> None:
    found = timings()
    throttled = np.where(found.block < 8, 1.0, 4.0)
    slower = replace(found, teacher=found.teacher * throttled, student=found.student * throttled)
    result = run(slower)
    assert at(result, "LAT001").basis == at(run(found), "LAT001").basis
    finding = at(result, "LAT002[percentile=p50]")
    assert finding.note.startswith("noisy run: the student's latency moved by +")
    assert isinstance(finding.basis, NotMeasured)


def test_without_timings_every_finding_says_why(run: Callable[..., SuiteResult]) -> None:
    result = run(NotMeasured("the teacher is a predictions file, which carries no timing"))
    assert {finding.code for finding in result.findings} == {e.code for e in (*OF_PAIR, *WEIGHED)}
    assert [f.address for f in result.findings if f.code == "LAT002"] == [
        "LAT002[percentile=p50]",
        "LAT002[percentile=p95]",
        "LAT002[percentile=p99]",
    ]
    for finding in result.findings:
        assert finding.student == finding.basis
        assert isinstance(finding.student, NotMeasured)
        timed = finding.code in {"LAT001", "LAT002"}
        said = "carries no timing" if timed else "it takes a model to load"
        assert said in finding.student.reason
    assert result.figures == ()


def test_the_figure_has_few_points_and_ends_at_all_requests(
    run: Callable[..., SuiteResult],
) -> None:
    found = timings(2000)
    result = run(found)
    curve, table = result.figures
    assert (curve.chart, curve.columns) == ("ecdf", ("subject", "milliseconds", "share"))
    for role, seconds in (("student", found.student), ("teacher", found.teacher)):
        points = [row for row in curve.rows if row[0] == role]
        assert len(points) == 200
        assert points[-1] == (role, float(seconds.max() * 1e3), 1.0)
    assert table.rows == (("student", 100, 700, None, None), ("teacher", 1000, 5000, 90, 50))
    assert "processor: a quiet one" in result.notes[0]


def test_the_same_evidence_gives_the_same_findings(run: Callable[..., SuiteResult]) -> None:
    assert run(timings()) == run(timings())
    more = run(timings(), percentiles=(50, 90, 95, 99))
    assert at(more, "LAT002[percentile=p95]") == at(run(timings()), "LAT002[percentile=p95]")


@pytest.mark.parametrize("options", [{"percentiles": [0]}, {"percentiles": []}, {"replicates": 9}])
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"\[suites.latency\]: (percentiles lie|replicates must)"):
        build_suite("latency", options)
