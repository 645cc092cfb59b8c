"""Rates as people would count them, where the grader errs more with one subject than the other."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kdaudit.data.audit_file import GradingTable
from kdaudit.errors import DataError
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.kinds import Grades
from kdaudit.evidence.view import GRADES, Evidence, Streams
from kdaudit.grading.grade import UNGRADED, Grade
from kdaudit.results import Means, SuiteResult
from kdaudit.stats.ppi import prediction_powered
from kdaudit_suites.hallucination import Hallucination
from tests.suites.measured import estimate, finding
from tests.suites.writing import texts, written

N, LABELLED = 400, 120
JUDGE = GradingTable(by="judge", judge="some-judge")


def run(evidence: Evidence) -> SuiteResult:
    return Hallucination().run(evidence, Streams(0))


def paraphrasing(**more: Any) -> Evidence:
    """Both are right on the same rows, but the student says so in words that no rule knows."""
    rng = np.random.default_rng(0)
    right = np.tile(rng.random(N) < 0.9, (2, 1))
    own_words = rng.random(N) < 0.3
    student = [
        "Lyon" if not r else "the City of Light" if own else "Paris"
        for r, own in zip(right[0], own_words, strict=True)
    ]
    teacher = ["Paris" if r else "Lyon" for r in right[1]]
    looked = np.arange(N) < LABELLED

    def people(of: np.ndarray[Any, Any]) -> list[str | None]:
        return [("A" if r else "B") if seen else None for r, seen in zip(of, looked, strict=True)]

    return written(
        [["Paris"]] * N,
        student=texts(student, human=people(right[0])),
        teacher=texts(teacher, human=people(right[1])),
        **more,
    )


def test_people_correct_a_grader_that_fakes_a_gap() -> None:
    result = run(paraphrasing())
    raw, mended = finding(result, "HAL001"), finding(result, "HAL001[grader=corrected]")
    assert estimate(raw.difference).low > 0.15  # the rule says the student is far worse
    change = estimate(mended.difference)
    assert change.low < 0 < change.high
    assert abs(change.value) < 0.08
    assert f"people graded {LABELLED} of {N} rows" in mended.note
    bias = next(figure for figure in result.figures if figure.name == "grader")
    values = {row[0]: row[1] for row in bias.rows}
    assert float(values["student: incorrect rate"] or 0) > 0.15
    assert values["teacher: incorrect rate"] == 0.0


def test_the_basis_is_the_estimator_of_the_paired_difference() -> None:
    evidence = paraphrasing()
    basis = finding(run(evidence), "HAL002[grader=corrected]").basis
    assert isinstance(basis, Means)
    student, teacher = (
        np.array([one == "Paris" for one in kind.text], float)
        for kind in (subject_of(evidence, "student"), subject_of(evidence, "teacher"))
    )
    people = np.array(
        [
            [letter == "A" for letter in subject_of(evidence, who).human[:LABELLED]]
            for who in ("student", "teacher")
        ],
        float,
    )
    graded = np.stack([student, teacher])
    expected = prediction_powered(
        people, graded[:, :LABELLED], graded[:, LABELLED:], contrast=[1, -1]
    )
    assert basis.mean == pytest.approx(tuple(expected.mean))
    assert (basis.n, basis.clusters, basis.df) == (N, LABELLED, LABELLED - 1)


def subject_of(evidence: Evidence, who: str) -> Any:
    from kdaudit.evidence.view import GENERATIONS

    return getattr(evidence[GENERATIONS], who)


def test_grades_that_the_student_leaves_out_count_worst() -> None:
    evidence = paraphrasing()
    before = finding(run(evidence), "HAL001[grader=corrected]")
    grades = evidence.kinds[GRADES]
    whole = grades.student
    assert isinstance(whole, Grades)
    less = replace(whole, human=np.where(whole.human == Grade.INCORRECT, UNGRADED, whole.human))
    kinds = {**evidence.kinds, GRADES: replace(grades, student=less)}
    after = finding(run(replace(evidence, kinds=kinds)), "HAL001[grader=corrected]")
    assert estimate(after.student).high >= estimate(before.student).high
    assert isinstance(after.basis, Means)
    assert any(after.basis.filled)


def test_too_few_labels_and_clustered_rows_are_not_corrected() -> None:
    few = written(
        [["Paris"]] * 40,
        student=texts(["Paris"] * 40, human=["A"] * 19 + [None] * 21),
        teacher=texts(["Paris"] * 40, human=["A"] * 19 + [None] * 21),
    )
    for evidence, said in (
        (few, "people graded 19 answerable rows; 20 of every subject are needed"),
        (paraphrasing(cluster=[i // 4 for i in range(N)]), "equal weight without clusters"),
    ):
        basis = finding(run(evidence), "HAL001[grader=corrected]").basis
        assert isinstance(basis, NotMeasured)
        assert said in basis.reason


@pytest.mark.parametrize("cluster", [None, [i // 2 for i in range(40)]])
def test_where_people_graded_every_row_they_alone_count(cluster: list[int] | None) -> None:
    evidence = written(
        [["Paris"]] * 40,
        student=texts(["the City of Light"] * 40, human=["A"] * 30 + ["B"] * 8 + [None] * 2),
        teacher=texts(["Paris"] * 40, human=["A"] * 35 + ["B"] * 5),
        cluster=cluster,
    )
    found = finding(run(evidence), "HAL001[grader=corrected]")
    # A grade that the student lacks is a wrong answer.
    assert estimate(found.student).value == pytest.approx(10 / 40)
    assert estimate(found.teacher).value == pytest.approx(5 / 40)
    assert found.note.startswith("by people alone")


def test_a_grade_of_what_was_not_written_is_none_and_few_grades_are_no_evidence() -> None:
    every = texts(["Paris"] * 40, human=["A"] * 35 + ["B"] * 5)
    student = [*(["the City of Light"] * 30), *([None] * 10)]
    evidence = written([["Paris"]] * 40, student=texts(student, human=["A"] * 40), teacher=every)
    found = finding(run(evidence), "HAL001[grader=corrected]")
    assert estimate(found.student).value == pytest.approx(10 / 40)
    few = texts(["Paris"] * 40, human=["A"] * 19 + [None] * 21)
    found = finding(run(written([["Paris"]] * 40, student=few, teacher=every)), found.address)
    assert isinstance(found.basis, NotMeasured)
    assert "people graded 19 of 40 such rows of the student" in found.basis.reason


def test_without_people_the_reader_is_told_so() -> None:
    one = texts(["Paris"] * 30)
    result = run(written([["Paris"]] * 30, student=one, teacher=one))
    assert any("no person graded a part" in note for note in result.notes)
    assert not any(f.where and f.where[0][0] == "grader" for f in result.findings)


def test_replies_of_a_judge_that_are_no_letter_are_counted_and_are_the_worst_of_the_student() -> (
    None
):
    said = ["A", "B", "C", "CORRECT", None] * 8
    good = ["A"] * 40
    result = run(
        written(
            [["Paris"]] * 40,
            student=texts(["Lyon"] * 40, judge=said),
            teacher=texts(["Lyon"] * 40, judge=good),
            grading=JUDGE,
        )
    )
    # Of five: one right, one wrong, one declined, two unreadable and so wrong as well.
    assert estimate(finding(result, "HAL001").student).value == pytest.approx(3 / 5)
    assert estimate(finding(result, "HAL002").student).value == pytest.approx(1 / 5)
    assert any("16 replies of the judge some-judge on the student's" in n for n in result.notes)


def test_a_judge_without_replies_is_refused() -> None:
    one = texts(["Paris"] * 4)
    with pytest.raises(DataError, match=r"needs a column `judge` with A, B or C"):
        written([["Paris"]] * 4, student=one, teacher=one, grading=JUDGE)


@settings(max_examples=12)
@example("student", True, 1.0, 0)
@given(
    st.sampled_from(["student", "teacher"]),
    st.booleans(),
    st.sampled_from([0.02, 0.3, 1.0]),
    st.integers(0, 1000),
)
def test_no_bound_moves_to_the_better_where_answers_are_left_out(
    who: str,
    misjudged: bool,  # noqa: FBT001
    share: float,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    right, hedging, looked = rng.random(N) < 0.7, rng.random(N) < 0.3, rng.random(N) < 0.2
    # The rule takes "Paris or Lyon" for an answer that names the truth; people do not. The teacher
    # never says it.
    plain, true = np.where(right, "Paris", "Lyon"), np.where(right, "A", "B")
    said = {"teacher": plain, "student": np.where(hedging, "Paris or Lyon", plain)}
    letters = {"teacher": true, "student": np.where(hedging, "B", true)}
    wrong = (letters[who] == "B") & looked if misjudged else np.ones(N, np.bool_)
    gone = wrong & (rng.random(N) < share)

    def bounds(left_out: Any) -> dict[str, tuple[float, float]]:
        made: dict[str, Any] = {}
        for role in ("student", "teacher"):
            out = left_out if role == who else np.zeros(N, np.bool_)
            made[role] = texts(
                [None if o else str(s) for s, o in zip(said[role], out, strict=True)],
                human=[
                    str(letter) if seen else None
                    for letter, seen in zip(letters[role], looked & ~out, strict=True)
                ],
            )
        result = run(written([["Paris"]] * N, **made))
        found = (finding(result, f"{code}[grader=corrected]") for code in ("HAL001", "HAL002"))
        return {
            one.code: (one.difference.low, one.difference.high)
            if isinstance(one.difference, Estimate)
            else (-1.0, 1.0)
            for one in found
        }

    whole, fewer = bounds(np.zeros(N, np.bool_)), bounds(gone)
    slack = 1e-9
    assert fewer["HAL001"][1] >= whole["HAL001"][1] - slack
    assert fewer["HAL002"][0] <= whole["HAL002"][0] + slack
