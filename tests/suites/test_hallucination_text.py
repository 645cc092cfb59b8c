"""Hallucination in written answers: golden counts, planted students, and none where none is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.kinds import Generations
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.results import Better, Figure, SuiteResult, Table
from kdaudit_suites.hallucination import Hallucination
from tests.suites.measured import estimate, finding, findings
from tests.suites.writing import texts, written


def run(evidence: Evidence, **options: Any) -> SuiteResult:
    return Hallucination(**options).run(evidence, Streams(0))


def table(result: SuiteResult, name: str) -> dict[str, Any]:
    (figure,) = [figure for figure in result.figures if figure.name == name]
    return {str(row[0]): row[1] for row in figure.rows}


def figure_of(result: SuiteResult, name: str) -> Figure:
    (figure,) = [figure for figure in result.figures if figure.name == name]
    return figure


def outcomes(*blocks: tuple[int, str]) -> list[str]:
    """Texts by outcome: R(ight), W(rong, each its own), D(eclines)."""
    said = {"R": "It is Paris.", "D": "I don't know."}
    made: list[str] = []
    for count, kind in blocks:
        made += [said.get(kind, f"It is wrong{len(made) + i}.") for i in range(count)]
    return made


def test_transfer_of_hallucinations_has_the_golden_numbers() -> None:
    # Inherited 60, repaired 25, introduced 10, clean 405.
    teacher = outcomes((85, "W"), (415, "R"))
    student = outcomes((60, "W"), (25, "R"), (10, "W"), (405, "R"))
    student[:60] = [f"It is other{i}." for i in range(60)]  # wrong in another way
    result = run(
        written([["Paris"]] * 500, student=texts(student), teacher=texts(teacher), level=0.95)
    )
    pair = table(result, "pair")
    expected = {
        "rows the teacher hallucinates": 0.17,
        "rows the student hallucinates": 0.14,
        "inherited: student hallucinates where the teacher does": 0.7059,
        "introduced: it does where the teacher does not": 0.0241,
        "relative risk of hallucinating where the teacher does": 29.29,
        "correlation of hallucinations (phi)": 0.7381,
        "agreement on hallucinations beyond chance (kappa)": 0.7332,
        "net change, student less teacher": -0.03,
    }
    for name, golden in expected.items():
        assert pair[name] == pytest.approx(golden, abs=6e-5 * max(1, 100 * (golden > 1))), name
    net = estimate(finding(result, "HAL001").difference)
    assert (round(net.low, 4), round(net.high, 4)) == (-0.0552, -0.0072)
    assert "McNemar exact p = 0.0167" in result.notes[0]
    assert finding(result, "HAL011").basis == Table(n11=0, n10=10, n01=0, n00=490)
    # 25 against 10 has p = 0.008 one-sided, which is no longer 0.025 over seven labels; nor is it
    # shown, at that, to be less than five points.
    assert finding(result, "HAL011").note == "hallucination transfer: inconclusive"
    assert finding(result, "HAL006").note.startswith("content transfer: inconclusive; of 60 rows")


def test_three_outcomes_have_the_golden_numbers_of_simple_qa() -> None:
    one = texts(outcomes((40, "R"), (30, "W"), (30, "D")))
    result = run(written([["Paris"]] * 100, student=one, teacher=one))
    rates = [estimate(finding(result, code).student).value for code in ("HAL002", "HAL001")]
    assert rates == [0.4, 0.3]
    assert estimate(finding(result, "HAL004").student).value == 0.3
    pair = table(result, "pair")
    assert pair["student: right, of what it attempts"] == pytest.approx(0.5714, abs=5e-5)
    assert pair["student: F-score of answering"] == pytest.approx(0.4706, abs=5e-5)
    # 40 right, 30 wrong at 1 and 3 points each.
    points = {f.where[0][1]: f for f in result.findings if f.code == "HAL010"}
    assert estimate(points["0.5"].student).value == pytest.approx(0.1)
    assert estimate(points["0.75"].student).value == pytest.approx(-0.5)


def labels(result: SuiteResult) -> dict[str, str]:
    """The labels of the pair, by kind."""
    notes = (f.note.partition(";")[0] for f in result.findings if " transfer: " in f.note)
    return {note.partition(" ")[0]: note.rpartition(": ")[2] for note in notes}


def facts(n: int) -> tuple[list[list[str]], list[str]]:
    """Answers and prompts: two of three questions have an answer, the third is of nothing."""
    answers = [[f"city{i}"] if i % 3 else [] for i in range(n)]
    return answers, [f"What is the capital of land{i}?" for i in range(n)]


def says(rng: np.random.Generator, row: int, wrong: float, declines: float, pool: int) -> str:
    """What a careful model says: right where it can be, wrong or nothing otherwise."""
    drawn = rng.random()
    if drawn < wrong:
        return f"It is guess{rng.integers(pool)}."
    if row % 3 == 0 or drawn < wrong + declines:
        return "I'm not sure."
    return f"The capital of land{row} is city{row}."


def model(
    seed: int, n: int, wrong: float = 0.2, declines: float = 0.2, pool: int = 40
) -> list[str]:
    rng = np.random.default_rng(seed)
    return [says(rng, row, wrong, declines, pool) for row in range(n)]


N = 240


def audited(student: Sequence[str | None] | Generations, teacher: list[str], **more: Any) -> Any:
    answers, prompts = facts(len(teacher))
    ours = student if isinstance(student, Generations) else texts(student)
    return run(written(answers, student=ours, teacher=texts(teacher), prompts=prompts, **more))


def test_a_student_that_answers_where_the_teacher_abstains_is_found() -> None:
    teacher = model(1, N)
    rng = np.random.default_rng(2)
    student = [
        f"It is guess{rng.integers(40)}." if one.startswith("I'm") and rng.random() < 0.5 else one
        for one in teacher
    ]
    result = audited(student, teacher)
    declined = sum(one.startswith("I'm") for one in teacher)
    changed = sum(a != b for a, b in zip(student, teacher, strict=True))
    assert labels(result)["hallucination"] == "introduced"
    assert labels(result)["abstention"] == "lost"
    lost, new = finding(result, "HAL005"), finding(result, "HAL011")
    assert isinstance(lost.basis, Table)
    assert (lost.basis.n10, lost.basis.n00) == (changed, declined - changed)
    assert estimate(new.student).value == changed / N
    claims = finding(result, "HAL007")
    assert estimate(claims.student).value > estimate(claims.teacher).value
    assert estimate(claims.difference).low > 0


def test_a_student_that_copies_wrong_answers_is_told_from_one_that_errs_on_the_same_rows() -> None:
    teacher = model(1, N)
    rng = np.random.default_rng(3)
    wrong = [one.startswith("It is guess") for one in teacher]
    copies = [
        one if bad else says(rng, row, 0.1, 0.3, 40)
        for row, (one, bad) in enumerate(zip(teacher, wrong, strict=True))
    ]
    errs = [
        f"It is guess{rng.integers(40)}." if bad else one
        for one, bad in zip(teacher, wrong, strict=True)
    ]
    copying, erring = audited(copies, teacher), audited(errs, teacher)
    assert labels(copying)["content"] == "inherited"
    assert estimate(finding(copying, "HAL006").student).value == 1.0
    assert labels(erring)["content"] == "co-occurring"
    assert estimate(finding(erring, "HAL006").student).value < 0.1
    assert labels(erring)["hallucination"] == "none"
    both = "inherited: student hallucinates where the teacher does"
    assert table(erring, "pair")[both] == 1.0  # they do err together


def test_a_truncated_student_is_called_truncated_and_no_hallucinator() -> None:
    teacher = model(1, N)
    cut = np.arange(N) % 2 == 0
    student = [
        " ".join(one.split()[:2]) if short else one for one, short in zip(teacher, cut, strict=True)
    ]
    result = audited(texts(student, truncated=cut), teacher)
    truncated = finding(result, "HAL008")
    assert (estimate(truncated.student).value, estimate(truncated.teacher).value) == (0.5, 0.0)
    assert labels(result)["hallucination"] in ("none", "repaired")
    assert any("cut off more often" in note for note in result.notes)
    rows = {row[:2]: row[2] for row in figure_of(result, "transfer").rows}
    assert int(rows["teacher correct", "student cut off"] or 0) > 30
    # What was cut off before it said anything counts against the student all the same.
    assert estimate(finding(result, "HAL001").difference).value > 0.3
    assert estimate(finding(result, "HAL002").difference).high < 0


def test_of_an_identical_student_nothing_is_found() -> None:
    teacher = model(1, N)
    result = audited(teacher, teacher)
    assert labels(result) == {"hallucination": "none", "abstention": "none", "content": "inherited"}
    assert estimate(finding(result, "HAL011").student).value == 0
    assert estimate(finding(result, "HAL005").student).value == 0
    for one in result.findings:
        if isinstance(one.difference, Estimate):
            assert one.difference.value == 0, one.address
            assert one.difference.low <= 0 <= one.difference.high
    assert not any("cut off" in note for note in result.notes)


def alarms(pairs: int, n: int) -> int:
    """How often any harm is labelled of two models that are drawn alike."""
    found = 0
    for seed in range(pairs):
        one, other = model(2 * seed, n, pool=6), model(2 * seed + 1, n, pool=6)
        said = labels(audited(one, other))
        found += said["hallucination"] == "introduced"
        found += said["abstention"] == "lost"
        found += said["content"] == "inherited"
    return found


def test_two_models_that_are_alike_seldom_raise_an_alarm() -> None:
    # Holm holds the chance of any label to 0.05; of 20, more than 4 come with chance 0.003.
    assert alarms(20, 120) <= 4


@pytest.mark.slow
def test_two_models_that_are_alike_seldom_raise_an_alarm_at_length() -> None:
    assert alarms(600, 200) <= 600 * 0.05 + 3 * (600 * 0.05 * 0.95) ** 0.5


def test_content_is_compared_with_chance_within_question_types() -> None:
    # Every wrong answer to a question of colour is "red", to one of shape "square": the same by
    # chance within a type, and a sure sign of copying only to whoever forgets the types.
    kinds = ["colour", "shape"] * 30
    said = ["red" if kind == "colour" else "square" for kind in kinds]
    evidence = written(
        [["blue"] if kind == "colour" else ["round"] for kind in kinds],
        student=texts(said),
        teacher=texts(said),
        attributes={"kind": kinds},
    )
    within, without = run(evidence, question_type="kind"), run(evidence)
    assert labels(within)["content"] == "co-occurring"
    assert labels(without)["content"] == "inherited"
    nowhere = finding(run(evidence, question_type="kinds"), "HAL006").basis
    assert isinstance(nowhere, NotMeasured)
    assert "Did you mean 'kind'" in nowhere.reason


def test_an_answer_that_is_missing_is_the_worst_of_the_student_and_the_best_of_the_teacher() -> (
    None
):
    answers = [["Paris"], ["Paris"], [], []]
    result = run(
        written(
            answers,
            student=texts([None, "Paris", None, "unknown"]),
            teacher=texts(["Paris", None, "Poseidonis", None]),
        )
    )
    values = {
        code: (estimate(finding(result, code).student).value, estimate(f.teacher).value)
        for code, f in findings(result).items()
        if code in ("HAL001", "HAL002", "HAL004", "HAL007", "HAL008")
    }
    assert values == {
        "HAL001": (0.5, 0.0),
        "HAL002": (0.5, 1.0),
        "HAL004": (0.5, 0.0),
        "HAL007": (0.5, 0.5),
        "HAL008": (0.5, 0.0),
    }
    # The teacher's gap on a question of nothing is taken as declining, the student's as a claim.
    assert finding(result, "HAL005").basis == Table(n11=0, n10=0, n01=0, n00=1)
    assert finding(result, "HAL006").basis == Table(n11=0, n10=1, n01=0, n00=0)


@settings(max_examples=8)
@given(st.sets(st.integers(0, 59), min_size=1, max_size=30))
def test_leaving_answers_out_never_helps(left_out: set[int]) -> None:
    teacher = model(5, 60)
    student = model(6, 60)
    fewer = [None if row in left_out else one for row, one in enumerate(student)]
    whole, less = findings(audited(student, teacher)), findings(audited(fewer, teacher))
    for address, before in whole.items():
        after = less[address]
        if isinstance(before.student, NotMeasured) or isinstance(after.student, NotMeasured):
            continue
        sign = -1 if before.better is Better.HIGHER else 1
        assert sign * (after.student.value - before.student.value) >= -1e-12, address


def test_an_answer_must_rest_on_its_source() -> None:
    source = ["Ann Lee left Bergen in May 2021 with 40 men.", None, "Nobody knows."]
    result = run(
        written(
            [["Ann Lee"], ["x"], []],
            student=texts(["Ann Lee, with 50 men.", "In 1812.", "It was Bob."]),
            teacher=texts(["Ann Lee, in 2021.", "In 1812.", "The text does not say."]),
            source=source,
        )
    )
    found = finding(result, "HAL009")
    assert found.basis == Table(n11=0, n10=2, n01=0, n00=0)


def test_repeated_answers_give_self_agreement_and_entropy() -> None:
    again = ("Rome", "Bern", "Rome")  # with the first answer: 0, 1, 2, 1
    result = run(
        written(
            [["Paris"]] * 12,
            student=texts(["Paris"] * 12),
            teacher=texts(["Paris"] * 12, samples=[again] * 10 + [()] * 2),
        )
    )
    repeats = table(result, "repeats")
    assert repeats["teacher: semantic entropy of its answers, in nats"] == pytest.approx(1.03972)
    assert repeats["teacher: two of its answers say the same"] == pytest.approx(1 / 6)
    beside = "student and teacher say the same, where the teacher was asked again"
    assert repeats[beside] == pytest.approx(1 / 4)
    assert not any(name.startswith("student:") for name in repeats)
    (rows,) = {row[4] for row in figure_of(result, "repeats").rows}
    assert rows == 10


def test_texts_are_in_the_results_only_where_they_are_asked_for() -> None:
    teacher, student = ["I don't know."] * 4, ["It is Secretville."] * 4
    assert "Secretville" not in str(audited(student, teacher))
    answers, prompts = facts(4)
    shown = run(
        written(answers, student=texts(student), teacher=texts(teacher), prompts=prompts),
        examples=2,
    )
    rows = figure_of(shown, "examples").rows
    assert len(rows) == 2
    assert rows[0][1:] == (prompts[0], "It is Secretville.", "I don't know.", "not attempted")


def test_of_the_teacher_alone_what_needs_no_pair_is_measured() -> None:
    answers, prompts = facts(60)
    one = texts(model(1, 60))
    result = run(written(answers, student=one, teacher=None, prompts=prompts))
    assert isinstance(finding(result, "HAL001").student, Estimate)
    for code in ("HAL005", "HAL006", "HAL011"):
        assert isinstance(finding(result, code).basis, NotMeasured)


def test_without_reference_answers_only_what_needs_none_is_measured() -> None:
    one = texts(["yes", "no"] * 20, truncated=[True, False] * 20)
    result = run(written(None, student=one, teacher=one))
    assert estimate(finding(result, "HAL008").student).value == 0.5
    reason = finding(result, "HAL001").basis
    assert isinstance(reason, NotMeasured)
    assert "name the reference answers as `answers`" in reason.reason


def test_rows_of_a_cluster_widen_the_intervals() -> None:
    answers, prompts = facts(N)
    evidence = written(
        answers,
        student=texts(model(3, N)),
        teacher=texts(model(1, N)),
        prompts=prompts,
        cluster=[i // 6 for i in range(N)],
    )
    change = estimate(finding(run(evidence), "HAL001").difference)
    assert "40 clusters" in change.method or "cluster-robust" in change.method
