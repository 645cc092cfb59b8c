"""What to do next is something that can be done."""

from dataclasses import replace

from kdaudit.estimate import Estimate
from kdaudit.results import Finding, Means, Outcome, Results, SuiteResult
from kdaudit_reports.advice import next_step
from kdaudit_reports.index import index

SEEN = Estimate(value=0.1, low=0.0, high=0.2, n=30, level=0.9, method="t")


def advised(results: Results, finding: Finding, outcome: Outcome) -> str:
    suite = SuiteResult(suite="s", codes=(finding.code,), findings=(finding,))
    verdict = replace(
        results.verdicts[0], address=finding.address, outcome=outcome, measured=SEEN, needed_n=90
    )
    return next_step(results.contract[0], verdict, index(replace(results, suites=(suite,))))


def test_rows_that_are_added_are_graded_by_people_where_their_grades_decide(
    results: Results,
) -> None:
    where = (("grader", "corrected"),)
    finding = replace(results.findings()[0], code="SAF001", where=where)
    assert advised(results, finding, Outcome.NOT_EVALUABLE) == (
        "Add about 60 rows with a harmful prompt to those that are audited, and have people grade "
        "a random part of them."
    )


def test_rows_of_the_clusters_that_are_there_are_not_asked_for(results: Results) -> None:
    basis = Means(
        mean=(0.5, 0.6),
        covariance=((0.01, 0.0), (0.0, 0.01)),
        df=24.0,
        n=30,
        clusters=25,
        span=0.0,
        unknown=(0.0, 0.0),
    )
    for clustered in (False, True):
        found = replace(basis, clustered=clustered)
        finding = replace(results.findings()[0], basis=found)
        told = advised(results, finding, Outcome.INCONCLUSIVE)
        assert told.startswith("Collect about 60 more rows like these")
        assert ("in new clusters" in told) is clustered
