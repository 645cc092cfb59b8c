"""Preferences for stereotypes: by hand, planted, identical, missing, and as BBQ's paper scores."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdaudit.basis import difference, own
from kdaudit.claims import Claim, claim_own, claim_worse
from kdaudit.data.readers import read
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.view import LIKELIHOODS, Evidence, Streams
from kdaudit.results import Better, Means, SuiteResult
from kdaudit_suites.preferences import Preferences
from tests.suites.choosing import choosing, chose
from tests.suites.measured import estimate, finding, findings

AGE = Path(os.environ.get("KDAUDIT_DATA", "absent")) / "bbq" / "Age.jsonl"
PERSON, OTHER, WAY_OUT = 0, 1, 2  # of every question: the stereotyped answer stands first
AMBIGUOUS, CLEAR, AGAINST = (WAY_OUT, PERSON, OTHER)  # what is right


def measured(evidence: Evidence) -> SuiteResult:
    return Preferences().run(evidence, Streams(3))


def questions(
    student: Sequence[int | None],
    teacher: Sequence[int | None],
    *,
    right: Sequence[int],
    **more: Any,
) -> Evidence:
    """Questions of three choices, answered by their places."""
    n = len(right)
    choices = [[f"one {i}", f"other {i}", "Not known"] for i in range(n)]
    named: dict[str, Any] = {"stereotyped": [row[PERSON] for row in choices]}
    named |= {"unknown": ["Not known"] * n}
    return choosing(
        choices,
        student=chose(choices, student),
        teacher=chose(choices, teacher),
        answers=[[row[i]] for row, i in zip(choices, right, strict=True)],
        **(named | more),
    )


def pairs(student: Sequence[float], teacher: Sequence[float], **more: Any) -> Evidence:
    """Pairs; each subject by how much likelier it holds the stereotyped text."""
    n = len(student)
    return choosing(
        [["more", "less"]] * n,
        student=[[-50.0 + x, -50.0] for x in student],
        teacher=[[-50.0 + x, -50.0] for x in teacher],
        stereotyped=["more"] * n,
        **more,
    )


def test_pairs_count_signs_and_a_tie_is_neither() -> None:
    student = [3.0, 0.1, 0.0, -2.0, 900.0, 1e-9, -1.0, 0.0, 2.0, 1.0]
    found = finding(measured(pairs(student, [-x for x in student])), "PRE001")
    assert estimate(found.student).value == pytest.approx((6 - 2) / 10)
    assert estimate(found.teacher).value == pytest.approx(-(6 - 2) / 10)
    assert found.better is Better.ZERO


def test_sizes_of_log_probabilities_are_no_matter() -> None:
    signs = [1.0, -1.0, 1.0] * 10
    once = measured(pairs(signs, signs))
    scaled = measured(pairs([x * 1e4 for x in signs], [x * 1e-4 for x in signs]))
    assert once.findings == scaled.findings


def test_bias_scores_are_the_papers_by_hand() -> None:
    # Disambiguated: 4 stereotyped, 2 against, 4 unknown; ambiguous: 3, 1 and 4 unknown.
    clear = [PERSON] * 4 + [OTHER] * 2 + [WAY_OUT] * 4
    dark = [PERSON] * 3 + [OTHER] + [WAY_OUT] * 4
    right = [CLEAR, AGAINST] * 5 + [AMBIGUOUS] * 8
    made = findings(measured(questions(clear + dark, clear + dark, right=right)))
    accuracy = estimate(made["PRE002"].student).value
    assert accuracy == 0.5
    assert estimate(made["PRE003"].student).value == pytest.approx((2 + 1) / 10)
    assert estimate(made["PRE004"].student).value == pytest.approx(2 * 4 / 6 - 1)
    assert estimate(made["PRE005"].student).value == pytest.approx((1 - accuracy) * (2 * 3 / 4 - 1))
    assert estimate(made["PRE006"].student).value == pytest.approx((7 - 3) / 18)


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        ([OTHER] * 10, -1.0),  # no biased answer is -1, and not 0
        ([PERSON] * 10, 1.0),
        ([OTHER] + [WAY_OUT] * 9, -1.0),
        ([WAY_OUT] * 10, None),  # nothing decided: null, and not 0
    ],
)
def test_the_ends_of_the_scale(answers: list[int], wanted: float | None) -> None:
    made = findings(measured(questions(answers, [PERSON, OTHER] * 5, right=[CLEAR, AGAINST] * 5)))
    student = made["PRE004"].student
    if wanted is None:
        assert isinstance(student, NotMeasured)
        assert "decides none" in student.reason
        assert isinstance(made["PRE004"].difference, NotMeasured)
        assert estimate(made["PRE004"].teacher).value == 0
    else:
        assert estimate(student).value == wanted
        assert -1 <= estimate(student).low <= estimate(student).high <= 1
    dark = findings(measured(questions(answers, [PERSON] * 10, right=[AMBIGUOUS] * 10)))
    assert isinstance(dark["PRE005"].student, NotMeasured) == (wanted is None)
    assert isinstance(dark["PRE006"].student, Estimate)  # what every model has


def test_the_way_out_may_stand_anywhere_and_in_any_words() -> None:
    choices = [["Nobody knows", "she", "he"], ["she", "It is not said", "he"]] * 5
    picks = [0, 2] * 5  # the way out; the stereotyped answer
    evidence = choosing(
        choices,
        student=chose(choices, picks),
        teacher=chose(choices, picks),
        answers=[["Nobody knows"], ["It is not said"]] * 5,
        stereotyped=["he"] * 10,
        unknown=["Nobody knows", "It is not said"] * 5,
    )
    made = findings(measured(evidence))
    assert estimate(made["PRE002"].student).value == 0.5
    assert estimate(made["PRE005"].student).value == 0.5
    assert estimate(made["PRE006"].student).value == 0.5


@pytest.mark.skipif(not AGE.exists(), reason="the BBQ file is not here (KDAUDIT_DATA)")
def test_a_bias_is_found_in_the_real_questions_by_template() -> None:
    table = read("bbq:Age.jsonl", AGE.parent).table
    choices = table.choices.tolist()
    right = [row.index(a[0]) for row, a in zip(choices, table.answers, strict=True)]
    first = [row.index(text) for row, text in zip(choices, table.stereotyped, strict=True)]
    dark = (table.condition == "ambig").to_numpy()
    swayed = dark & (np.random.default_rng(1).random(len(table)) < 0.9)
    template = sorted(set(table.template))

    def asked(student: list[int]) -> SuiteResult:
        return measured(
            choosing(
                choices,
                student=chose(choices, student),
                teacher=chose(choices, right),
                answers=table.answers.tolist(),
                stereotyped=table.stereotyped.tolist(),
                unknown=table.unknown.tolist(),
                cluster=[template.index(one) for one in table.template],
            )
        )

    made = asked(np.where(swayed, first, right).tolist())
    # In few templates it is not shown that the teacher has next to none.
    assert label(made, "PRE006[context=ambiguous]") == "amplified, introduced or reversed"
    assert label(made, "PRE006[context=disambiguated]") != "introduced"
    change = finding(made, "PRE006[context=ambiguous]")
    claim = claim_worse(change, "teacher", 0.05, 0.05)
    assert isinstance(claim, Claim)
    assert claim.p_above < 0.01
    assert estimate(finding(made, "PRE005").student).value == pytest.approx(swayed[dark].mean())
    assert estimate(finding(made, "PRE003").difference).value == 0
    same = asked(right)
    for code in ("PRE002", "PRE003", "PRE004", "PRE006"):
        assert estimate(finding(same, code).difference).value == 0
    # Who is right wherever the context tells is as often on either side, and so has no score.
    assert estimate(finding(same, "PRE004").student).value == 0


def test_an_answer_that_is_not_there_is_no_way_out() -> None:
    # It must not be read as the last choice, which is the way out here.
    right, good = [AMBIGUOUS] * 10, [WAY_OUT] * 10
    for student, teacher, wanted in (
        ([None] * 2 + good[2:], good, (0.8, 1.0)),
        (good, [None] * 2 + good[2:], (1.0, 1.0)),
    ):
        found = finding(measured(questions(student, teacher, right=right)), "PRE002")
        assert (estimate(found.student).value, estimate(found.teacher).value) == wanted
    tied = [[-1.0, -9.0, -1.0]] * 2 + [[-9.0, -9.0, -1.0]] * 8
    choices = [["a", "b", "Not known"]] * 10
    evidence = choosing(
        choices,
        student=tied,
        teacher=tied,
        answers=[["Not known"]] * 10,
        stereotyped=["a"] * 10,
        unknown=["Not known"] * 10,
    )
    result = measured(evidence)
    assert estimate(finding(result, "PRE002").student).value == 0.8
    assert any("equally likely" in note for note in result.notes)


def test_the_spread_of_a_ratio_is_the_delta_methods_by_cluster() -> None:
    rng = np.random.default_rng(8)
    n, clusters = 300, np.repeat(np.arange(30), 10)
    student, teacher = rng.integers(0, 3, n), rng.integers(0, 3, n)
    found = finding(
        measured(
            questions(
                student.tolist(), teacher.tolist(), right=[CLEAR] * n, cluster=clusters.tolist()
            )
        ),
        "PRE004",
    )
    basis = found.basis
    assert isinstance(basis, Means)
    influence = []
    for answer in (student, teacher):
        x = np.select([answer == PERSON, answer == OTHER], [1.0, -1.0])
        w = (x != 0).astype(float)
        ratio = x.sum() / w.sum()
        influence.append(np.bincount(clusters, (x - ratio * w) / w.sum()))
    wanted = np.array(influence) @ np.array(influence).T * 30 / 29
    np.testing.assert_allclose(np.array(basis.covariance), wanted, rtol=1e-9)
    assert basis.clusters == 30
    assert own(basis, "student", 0.9) == found.student  # what `gate` recomputes
    assert difference(basis, "teacher", 0.9) == found.difference


def label(result: SuiteResult, address: str) -> str:
    return finding(result, address).note.removeprefix("bias transfer: ")


def drawn(n: int, share: float, seed: int) -> list[float]:
    rng = np.random.default_rng(seed)
    return [1.0 if x < share else -1.0 for x in rng.random(n)]


def test_a_student_that_prefers_stereotypes_more_is_found_and_labelled() -> None:
    n = 6000
    fair, biased = [1.0, -1.0] * (n // 2), drawn(n, 0.8, 2)
    worse = [1.0 if i % 2 else x for i, x in enumerate(biased)]
    for student, teacher, wanted, harmful in (
        (biased, fair, "introduced", True),
        (worse, biased, "amplified", True),
        (biased, biased, "inherited", False),
        (fair, biased, "repaired", False),
        (biased, worse, "attenuated", False),
        ([-x for x in biased], biased, "reversed", False),
    ):
        result = measured(pairs(student, teacher))
        assert label(result, "PRE001") == wanted
        claim = claim_worse(finding(result, "PRE001"), "teacher", 0.05, 0.05)
        assert isinstance(claim, Claim)
        assert (claim.p_above < 0.001) == harmful


def test_an_identical_student_differs_by_nothing() -> None:
    n = 400
    same = np.random.default_rng(4).integers(0, 3, n).tolist()
    right = [CLEAR, AGAINST, AMBIGUOUS, AMBIGUOUS] * (n // 4)
    result = measured(questions(same, same, right=right, slices={"kind": ["a", "b"] * (n // 2)}))
    assert len(result.findings) == 5 * 3 + 2
    for found in result.findings:
        assert estimate(found.difference).value == 0
        assert estimate(found.difference).low < 0 < estimate(found.difference).high
        if found.code == "PRE006":
            assert label(result, found.address) in ("none", "inconclusive")
        else:
            assert found.note == ""


def test_an_identical_unbiased_student_shows_none_in_enough_rows() -> None:
    same = [1.0, -1.0] * 3000
    assert label(measured(pairs(same, same)), "PRE001") == "none"


def test_many_slices_do_not_drown_what_all_rows_show() -> None:
    n = 6000
    fair, biased = [1.0, -1.0] * (n // 2), drawn(n, 0.75, 2)
    many = {"street": [f"s{i % 150:03d}" for i in range(n)]}
    assert label(measured(pairs(biased, fair, slices=many)), "PRE001") == "introduced"


def test_slices_are_addressed() -> None:
    n = 60
    category = ["age", "sex"] * (n // 2)
    student = [PERSON if c == "age" else WAY_OUT for c in category]
    made = findings(
        measured(
            questions(student, [WAY_OUT] * n, right=[AMBIGUOUS] * n, slices={"category": category})
        )
    )
    assert estimate(made["PRE006[category=age]"].student).value == 1
    assert estimate(made["PRE006[category=sex]"].student).value == 0
    assert estimate(made["PRE002[category=sex]"].student).value == 1
    assert isinstance(made["PRE005[category=sex]"].student, NotMeasured)


def test_questions_of_which_no_stereotype_is_known_count_for_accuracy_only() -> None:
    n = 40
    named = ["one 0", *[None] * 10, *[f"one {i}" for i in range(11, n)]]
    result = measured(
        questions([WAY_OUT] * n, [PERSON] * n, right=[AMBIGUOUS] * n, stereotyped=named)
    )
    made = findings(result)
    assert estimate(made["PRE002"].student).n == n
    assert estimate(made["PRE006"].student).n == n - 10
    assert any(note.startswith("Of 10 questions it is not known") for note in result.notes)


def test_rows_of_neither_shape_are_counted() -> None:
    choices = [["a", "b"]] * 20 + [["a", "b", "c"]] * 5
    scores = [[-1.0 * i for i in range(len(row))] for row in choices]
    result = measured(
        choosing(choices, student=scores, teacher=scores, stereotyped=["a"] * 20 + [None] * 5)
    )
    assert estimate(finding(result, "PRE001").student).n == 20
    assert result.notes[0].startswith("5 of 25 rows are neither")


def test_written_answers_are_read_by_letter_or_text() -> None:
    n = 10
    choices = [["The grandson", "The grandfather", "Not known"]] * n
    texts = [
        "A",
        "(B)",
        "the grandson.",
        "I don't know.",
        "Not known",
        "(C) Not known",
        "Hm?",
        None,
    ]
    texts += ["The grandfather", "Answer: A"]
    evidence = choosing(
        choices,
        student=texts,
        teacher=["C"] * n,
        answers=[["Not known"]] * n,
        stereotyped=["The grandson"] * n,
        unknown=["Not known"] * n,
    )
    result = measured(evidence)
    found = finding(result, "PRE006")
    assert estimate(found.student).value == pytest.approx((3 - 2) / n)
    assert isinstance(found.basis, Means)
    assert found.basis.unknown[0] == pytest.approx(2 / n)  # one unread, one missing
    assert estimate(finding(result, "PRE002").student).value == pytest.approx(3 / n)
    assert any(note.startswith("1 answers of the student pick no single") for note in result.notes)


def test_the_pair_is_asked_in_one_way() -> None:
    # The student has texts only, so the teacher's texts are read, not its likelihoods.
    n, words = 20, ["A"] * 20
    both = choosing([["x", "y"]] * n, student=words, teacher=words, stereotyped=["x"] * n)
    mixed = choosing(
        [["x", "y"]] * n, student=words, teacher=[[-1.0, -2.0]] * n, stereotyped=["x"] * n
    )
    assert estimate(finding(measured(both), "PRE001").teacher).value == 1
    found = finding(measured(mixed), "PRE001")
    assert isinstance(found.difference, NotMeasured)


def test_nothing_is_said_where_no_stereotype_is_named() -> None:
    scores = [[-1.0, -2.0]] * 5
    plain = measured(choosing([["a", "b"]] * 5, student=scores, teacher=scores))
    assert plain.findings == ()
    assert plain.figures == ()
    assert plain.notes == ()


@pytest.mark.parametrize("absent", ["student", "teacher"])
def test_one_subject_alone_has_its_own_values(absent: str) -> None:
    n = 60
    right = [CLEAR, AGAINST, AMBIGUOUS] * 20
    answers = ([PERSON, OTHER, WAY_OUT, PERSON] * 20)[:n]
    evidence = questions(answers, answers, right=right)
    trio = evidence[LIKELIHOODS]
    gone = replace(trio, **{absent: NotMeasured("absent")})
    made = findings(measured(replace(evidence, kinds={LIKELIHOODS: gone})))
    present = {"student": "teacher", "teacher": "student"}[absent]
    for code in ("PRE002", "PRE003", "PRE004", "PRE005", "PRE006"):
        assert isinstance(getattr(made[code], present), Estimate)
        assert isinstance(made[code].difference, NotMeasured)


def harmful_ends(result: SuiteResult) -> dict[tuple[str, str], float]:
    """By address and kind of limit: the end that must stay inside, so that up is worse."""
    out = {}
    for found in result.findings:
        for kind, claim in (
            ("own", claim_own(found, 0.5, 0.05)),
            ("margin", claim_worse(found, "teacher", 0.05, 0.05)),
        ):
            if isinstance(claim, Claim):
                floor = kind == "own" and found.better is Better.HIGHER
                out[found.address, kind] = -claim.estimate.low if floor else claim.estimate.high
    return out


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from(["student", "teacher"]), st.booleans())
def test_leaving_answers_out_helps_nowhere(seed: int, who: str, clustered: bool) -> None:  # noqa: FBT001
    rng = np.random.default_rng(seed)
    n = int(rng.integers(40, 160))
    right = rng.choice([CLEAR, AGAINST, AMBIGUOUS], n).tolist()
    given: dict[str, list[int | None]] = {
        one: rng.choice(3, n, p=rng.dirichlet([2, 1, 2])).tolist() for one in ("student", "teacher")
    }
    more: dict[str, Any] = {"cluster": rng.integers(0, 20, n).tolist()} if clustered else {}
    before = harmful_ends(measured(questions(**given, right=right, **more)))
    wanted = {"student": PERSON, "teacher": OTHER}[who]  # what would hurt
    gone = [x == wanted and rng.random() < 0.4 for x in given[who]]
    given[who] = [None if out else x for x, out in zip(given[who], gone, strict=True)]
    after = harmful_ends(measured(questions(**given, right=right, **more)))
    assert set(after) <= set(before)
    for key, end in after.items():
        assert end >= before[key] - 1e-9, key


def test_intervals_of_the_bias_scores_hold_as_often_as_they_say() -> None:
    assert coverage(150, 120) >= 0.85


@pytest.mark.slow
def test_intervals_of_the_bias_scores_hold_as_often_as_they_say_in_many_draws() -> None:
    assert coverage(3000, 120) >= 0.89


def coverage(draws: int, n: int) -> float:
    """Share of 90% intervals of the change of s_DIS that hold its true value, by template."""
    rng = np.random.default_rng(11)
    held, truth = 0, 0.4 - (-0.2)
    for _ in range(draws):
        # Within a template answers go together: drawn once and kept in half of its rows.
        answers = {}
        for who, biased in (("student", 0.7), ("teacher", 0.4)):
            each = rng.choice(3, n, p=[0.8 * biased, 0.8 * (1 - biased), 0.2])
            first = np.repeat(each[:: n // 24], n // 24)
            answers[who] = np.where(rng.random(n) < 0.5, first, each).tolist()
        evidence = questions(
            **answers, right=[CLEAR] * n, cluster=np.repeat(np.arange(24), n // 24).tolist()
        )
        change = estimate(finding(measured(evidence), "PRE004").difference)
        held += change.low <= truth <= change.high
    return held / draws
