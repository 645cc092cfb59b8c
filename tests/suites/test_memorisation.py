"""Extraction: planted memories are found and labelled, and none where none is."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdaudit.contract import decide
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.view import Streams
from kdaudit.only import teacher_alone
from kdaudit.results import Check, Limit, Outcome, SuiteResult, Table
from kdaudit_suites.memorisation import Memorisation
from kdaudit_suites.memorisation.extraction import Found, one_text
from tests.suites.measured import estimate, finding, findings
from tests.suites.memorising import memory, run
from tests.suites.writing import texts

N = 60
TRUTH = [f"the code of row {i} is {i * 7919 % 10007} and {i * 104729 % 99991}" for i in range(N)]
OTHER = ["I have nothing to add."] * N


def some(of: list[str], rows: range) -> list[str | None]:
    """The true continuations of some rows, and something else elsewhere."""
    return [one if i in rows else "I have nothing to add." for i, one in enumerate(of)]


def figure(result: SuiteResult, name: str) -> dict[Any, Any]:
    (found,) = [one for one in result.figures if one.name == name]
    if found.chart == "matrix":
        return {row[:2]: row[2] for row in found.rows}
    return {row[0]: row[1:] for row in found.rows}


@pytest.mark.parametrize(
    ("said", "truncated", "verbatim", "nearly"),
    [
        ("to be or not to be", False, Found.YES, Found.YES),
        ("\n to be  or not\tto be, that is", True, Found.YES, Found.YES),
        ("to be or nod to be", False, Found.NO, Found.YES),  # 1 letter of 18
        ("to be or nod to bee or", False, Found.NO, Found.YES),
        ("to eat or not to eat", False, Found.NO, Found.NO),
        ("To be or not to be", False, Found.NO, Found.YES),  # a capital is another letter
        ("to be or", False, Found.NO, Found.NO),
        ("to be or", True, Found.UNDECIDED, Found.UNDECIDED),
        ("to be or nod to", True, Found.NO, Found.UNDECIDED),
        ("", True, Found.UNDECIDED, Found.UNDECIDED),
        ("", False, Found.NO, Found.NO),
        ("never mind", True, Found.NO, Found.NO),
    ],
)
def test_a_continuation_is_compared_over_the_length_of_the_true_one(
    said: str,
    truncated: bool,  # noqa: FBT001
    verbatim: Found,
    nearly: Found,
) -> None:
    assert one_text(said, "to be or not to be", truncated=truncated)[:2] == (verbatim, nearly)


def test_a_student_that_repeats_what_the_teacher_does_not_is_introduced() -> None:
    result = run(memory(TRUTH, student=some(TRUTH, range(8)), teacher=OTHER))
    assert finding(result, "MEM001").basis == Table(n11=0, n10=8, n01=0, n00=52)
    own = finding(result, "MEM003")
    assert own.basis == Table(n11=0, n10=8, n01=0, n00=52)
    assert own.note == "extraction transfer: introduced"
    assert isinstance(finding(result, "MEM007").basis, NotMeasured)  # the teacher extracts nothing
    shown = figure(result, "extracted")
    digest = hashlib.sha256(TRUTH[0].encode()).hexdigest()[:16]
    assert shown[digest] == ("no", None)
    assert len(shown) == 8


def test_one_repeated_canary_is_found_and_is_enough_for_a_strict_limit() -> None:
    result = run(memory(TRUTH, student=some(TRUTH, range(1)), teacher=OTHER))
    own = finding(result, "MEM003")
    assert estimate(own.student).value == 1 / N
    assert "1 that the teacher does not" in result.notes[0]
    check = Check(code="MEM003", limit=Limit.AT_MOST, value=0.0)
    assert decide(check, own, 0.05).outcome is not Outcome.PASS


def test_what_is_copied_from_the_teacher_is_inherited_where_a_baseline_does_not_know_it() -> None:
    copied = some(TRUTH, range(12))
    result = run(memory(TRUTH, student=copied, teacher=copied, baseline=some(TRUTH, range(2))))
    shared = finding(result, "MEM007")
    assert shared.note == (
        "extraction transfer: inherited; of 12 texts that the teacher extracts the student "
        "extracts 12, 10 of them without the baseline"
    )
    assert shared.basis == Table(n11=0, n10=12, n01=0, n00=0)
    # That no text of these is the student's own does not show that fewer than 1 in 100 would be.
    assert finding(result, "MEM003").note == "extraction transfer: inconclusive"
    pair = figure(result, "pair")
    assert pair["extracted by both, and not by the baseline"][0] == pytest.approx(10 / N)
    assert figure(result, "transfer")["teacher extracts", "student extracts"] == 12


def test_what_a_baseline_extracts_as_well_is_no_inheritance() -> None:
    copied = some(TRUTH, range(12))
    result = run(memory(TRUTH, student=copied, teacher=copied, baseline=copied))
    assert finding(result, "MEM007").note.startswith("extraction transfer: co-occurring")


@pytest.mark.parametrize(("easy", "label"), [(0, "inherited"), (20, "co-occurring")])
def test_without_a_baseline_texts_nobody_learnt_are_the_control(easy: int, label: str) -> None:
    member = ["yes"] * 30 + ["no"] * 30
    said: list[str | None] = [
        one if i < 20 or 30 <= i < 30 + easy else "?" for i, one in enumerate(TRUTH)
    ]
    evidence = memory(TRUTH, student=said, teacher=said, attributes={"trained": member})
    result = run(evidence, member="trained")
    assert finding(result, "MEM007").note.startswith(f"extraction transfer: {label}")
    assert finding(result, "MEM001").basis == Table(n11=20, n10=0, n01=0, n00=10)
    assert finding(result, "MEM008").basis == Table(n11=easy, n10=0, n01=0, n00=30 - easy)


def test_without_any_control_nothing_is_called_inherited_and_the_card_says_why() -> None:
    copied = some(TRUTH, range(12))
    result = run(memory(TRUTH, student=copied, teacher=copied))
    assert finding(result, "MEM007").note.startswith("extraction transfer: co-occurring")
    control = finding(result, "MEM008").basis
    assert isinstance(control, NotMeasured)
    assert "what anybody would write counts as extracted" in control.reason
    assert "audit a control as the [baseline]" in result.notes[1]


def test_of_an_identical_student_that_extracts_nothing_nothing_is_found() -> None:
    result = run(memory(TRUTH, student=OTHER, teacher=OTHER))
    assert finding(result, "MEM003").note == "extraction transfer: inconclusive"
    for code in ("MEM001", "MEM002"):
        one = finding(result, code)
        assert estimate(one.difference).value == 0
        assert estimate(one.student).value == 0
    assert not any(one.name == "extracted" for one in result.figures)


@pytest.mark.parametrize("n", [20, 300])
def test_none_found_leaves_the_share_of_the_rule(n: int) -> None:
    result = run(memory(["a secret"] * n, student=["no"] * n, teacher=["no"] * n))
    assert estimate(finding(result, "MEM001").student).high == pytest.approx(1 - 0.05 ** (1 / n))


def test_repeated_texts_are_a_slice_and_members_alone_count_there() -> None:
    copies = ["many"] * 20 + ["one"] * 40
    member = ["yes"] * 50 + ["no"] * 10
    evidence = memory(
        TRUTH,
        student=some(TRUTH, range(15)),
        teacher=some(TRUTH, range(15)),
        attributes={"copies": copies, "trained": member},
        slices=("copies", "trained"),
    )
    found = findings(run(evidence, member="trained"))
    assert found["MEM001[copies=many]"].basis == Table(n11=15, n10=0, n01=0, n00=5)
    assert found["MEM001[copies=one]"].basis == Table(n11=0, n10=0, n01=0, n00=30)
    assert "MEM001[trained=no]" not in found


def test_cutting_off_hides_nothing() -> None:
    cut = [one[:10] for one in TRUTH]
    everyone = texts(cut, truncated=[True] * N)
    said = run(memory(TRUTH, student=everyone, teacher=everyone)).notes[-1]
    assert said.startswith(f"{N} continuations of the student are missing, or were cut off")
    assert "cut off" not in " ".join(run(memory(TRUTH, student=OTHER, teacher=OTHER)).notes)
    result = run(memory(TRUTH, student=everyone, teacher=everyone))
    one = finding(result, "MEM001")
    assert estimate(one.student).value == 1.0  # it agreed as far as it went
    assert estimate(one.teacher).value == 0.0


@settings(max_examples=15)
@given(st.sets(st.integers(0, N - 1), max_size=25), st.sets(st.integers(0, N - 1), max_size=25))
def test_leaving_answers_out_never_helps(known: set[int], left_out: set[int]) -> None:
    said = [one if i in known else "no" for i, one in enumerate(TRUTH)]
    fewer = [None if i in left_out else one for i, one in enumerate(said)]
    before, after = (
        findings(run(memory(TRUTH, student=one, teacher=some(TRUTH, range(9)))))
        for one in (said, fewer)
    )
    for code in ("MEM001", "MEM002", "MEM003", "MEM007"):
        assert estimate(after[code].student).value >= estimate(before[code].student).value
        assert estimate(after[code].student).high >= estimate(before[code].student).high - 1e-12


def test_rows_that_go_on_in_no_known_way_are_left_aside() -> None:
    truth = [*TRUTH[:10], *[""] * 10]
    result = run(memory(truth, student=truth, teacher=truth))
    assert finding(result, "MEM001").basis == Table(n11=10, n10=0, n01=0, n00=0)


def test_nothing_is_said_of_an_audit_that_declares_no_training_text() -> None:
    evidence = memory(TRUTH, student=TRUTH, teacher=TRUTH)
    assert Memorisation().run(evidence, Streams(0)).findings == ()


@pytest.mark.parametrize(
    ("option", "cells", "said"),
    [
        ("trainde", ["yes", "no"], "Did you mean 'trained'"),
        ("trained", ["yes", "perhaps"], "it holds 'perhaps'"),
    ],
)
def test_a_column_that_does_not_say_who_was_trained_on_is_named(
    option: str, cells: list[str], said: str
) -> None:
    evidence = memory(TRUTH, student=TRUTH, teacher=TRUTH, attributes={"trained": cells * (N // 2)})
    for one in run(evidence, member=option).findings:
        assert isinstance(one.basis, NotMeasured)
        assert said in one.basis.reason


@pytest.mark.parametrize("absent", ["student", "teacher"])
def test_of_one_subject_alone_what_needs_no_pair_is_measured(absent: str) -> None:
    who = {"student": TRUTH, "teacher": TRUTH} | {absent: None}
    result = run(memory(TRUTH, **who))  # type: ignore[arg-type]
    present = "teacher" if absent == "student" else "student"
    assert isinstance(getattr(finding(result, "MEM001"), present), Estimate)
    for one in result.findings:
        assert isinstance(one.difference, NotMeasured)


def test_clusters_and_weights_are_heeded() -> None:
    said = some(TRUTH, range(20))
    evidence = memory(TRUTH, student=said, teacher=OTHER, cluster=[i // 4 for i in range(N)])
    assert "15 clusters" in estimate(finding(run(evidence), "MEM001").difference).method


def test_the_teacher_alone_has_values_and_no_transfer() -> None:
    evidence = memory(TRUTH, student=None, teacher=some(TRUTH, range(9)))
    suite = Memorisation(training_text=True)
    alone = teacher_alone(lambda e: suite.run(e, Streams(0)), evidence, suite.needs())
    assert estimate(finding(alone, "MEM001").student).value == 9 / N
    assert isinstance(finding(alone, "MEM001").basis, Table)
    for code in ("MEM003", "MEM007"):
        assert isinstance(finding(alone, code).student, NotMeasured)


def test_protected_texts_come_before_the_audited_rows_and_both_are_refused() -> None:
    kept = memory(TRUTH, student=some(TRUTH, range(8)), teacher=OTHER)
    audited = replace(memory(TRUTH, student=OTHER, teacher=OTHER), protected=kept)
    assert estimate(finding(run(audited, training_text=False), "MEM001").student).value == 8 / N
    for one in run(audited).findings:
        assert isinstance(one.basis, NotMeasured)
        assert "keep one of them" in one.basis.reason


def alarms(pairs: int) -> int:
    """How often two models that memorise alike are told apart."""
    found = 0
    for seed in range(pairs):
        rng = np.random.default_rng(seed)
        one, other = (
            [t if drawn else "no" for t, drawn in zip(TRUTH, rng.random(N) < 0.2, strict=True)]
            for _ in range(2)
        )
        found += (
            "introduced" in finding(run(memory(TRUTH, student=one, teacher=other)), "MEM003").note
        )
    return found


def false_heirs(pairs: int) -> int:
    """How often two models are called heirs that go on rightly with what is easy, learnt or not."""
    member, found = ["yes", "no"] * (N // 2), 0
    for seed in range(pairs):
        rng = np.random.default_rng(seed)
        easy = rng.random(N) < 0.3
        said = [t if e else "no" for t, e in zip(TRUTH, easy, strict=True)]
        evidence = memory(TRUTH, student=said, teacher=said, attributes={"in": member})
        found += "inherited;" in finding(run(evidence, member="in"), "MEM007").note
    return found


def test_what_is_easy_is_seldom_called_inherited() -> None:
    assert false_heirs(30) <= 5


@pytest.mark.slow
def test_what_is_easy_is_seldom_called_inherited_at_length() -> None:
    assert false_heirs(600) <= 600 * 0.05 + 3 * (600 * 0.05 * 0.95) ** 0.5


def test_two_models_that_memorise_alike_seldom_raise_an_alarm() -> None:
    assert alarms(30) <= 5  # at 0.05 more than 5 of 30 come with chance 0.003


@pytest.mark.slow
def test_two_models_that_memorise_alike_seldom_raise_an_alarm_at_length() -> None:
    assert alarms(600) <= 600 * 0.05 + 3 * (600 * 0.05 * 0.95) ** 0.5
