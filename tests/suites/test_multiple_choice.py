"""MC1 and MC2 by likelihood, and bits per byte: against plain sums, and as lm-eval reckons them."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdaudit.basis import own
from kdaudit.claims import Claim, claim_worse
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.results import Finding, Means, SuiteResult, Table
from kdaudit_suites.accuracy import Accuracy
from kdaudit_suites.hallucination import Hallucination
from tests.suites.choosing import Scores, choosing
from tests.suites.measured import estimate, finding

DATA = Path(os.environ.get("KDAUDIT_DATA", "absent"))
TRUTHFUL = DATA / "truthfulqa" / "mc_task.json"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "hallucination.md"


def measured(evidence: Evidence) -> SuiteResult:
    return Hallucination().run(evidence, Streams(3))


def as_lm_eval(true: list[float], false: list[float]) -> float:
    """MC2 as lm-eval computes it: probabilities, then a share."""
    p_true, p_false = np.exp(np.array(true)), np.exp(np.array(false))
    return float((p_true / (p_true.sum() + p_false.sum())).sum())


def asked(n: int, seed: int) -> tuple[list[list[str]], list[list[str]]]:
    rng = np.random.default_rng(seed)
    choices = [[f"c{i}" for i in range(rng.integers(2, 6))] for _ in range(n)]
    return choices, [row[: int(rng.integers(1, len(row)))] for row in choices]


def drawn(choices: list[list[str]], seed: int) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    return [(-rng.exponential(3.0, len(row))).tolist() for row in choices]


def test_both_are_what_a_loop_and_lm_eval_compute() -> None:
    choices, answers = asked(60, 1)
    student, teacher = drawn(choices, 2), drawn(choices, 3)
    result = measured(choosing(choices, student=student, teacher=teacher, answers=answers))
    for who, scores in (("student", student), ("teacher", teacher)):
        split = [(row[: len(a)], row[len(a) :]) for row, a in zip(scores, answers, strict=True)]
        first = np.mean([max(true) > max(false) for true, false in split])
        share = np.mean([as_lm_eval(true, false) for true, false in split])
        assert estimate(getattr(finding(result, "HAL012"), who)).value == pytest.approx(first)
        assert estimate(getattr(finding(result, "HAL013"), who)).value == pytest.approx(share)
    assert isinstance(finding(result, "HAL012").basis, Table)
    assert isinstance(finding(result, "HAL013").basis, Means)


def test_nothing_underflows() -> None:
    long = [[-5000.0, -5000.0 + math.log(3)]] * 20
    result = measured(choosing([["t", "f"]] * 20, student=long, teacher=long, answers=[["t"]] * 20))
    assert estimate(finding(result, "HAL013").student).value == pytest.approx(0.25)


def test_a_tie_with_a_false_choice_is_no_preference_for_the_truth() -> None:
    tied, first = [[-2.0, -2.0, -9.0]] * 20, [[-1.0, -1.0, -9.0]] * 20
    choices = [["t", "f", "g"]] * 20
    result = measured(choosing(choices, student=tied, teacher=tied, answers=[["t"]] * 20))
    assert estimate(finding(result, "HAL012").student).value == 0
    # A tie of two true choices is one for the truth.
    result = measured(choosing(choices, student=first, teacher=first, answers=[["t", "f"]] * 20))
    assert estimate(finding(result, "HAL012").student).value == 1


def test_what_is_missing_is_worst_for_the_student_and_best_for_its_references() -> None:
    choices, answers = [["t", "f"]] * 10, [["t"]] * 10
    good = [[-1.0, -3.0]] * 10
    one_less = [[-1.0, math.nan], *good[1:]]
    for student, teacher, wanted in ((one_less, good, 0.9), (good, one_less, 1.0)):
        found = finding(
            measured(choosing(choices, student=student, teacher=teacher, answers=answers)), "HAL012"
        )
        assert (estimate(found.student).value, estimate(found.teacher).value) == (wanted, 1.0)


def test_rows_without_true_and_false_choices_are_counted_and_not_asked() -> None:
    choices = [["t", "f"]] * 8 + [["only"], ["f", "g"], ["t", "u"]]
    answers = [["t"]] * 8 + [["only"], ["x"], ["t", "u"]]
    scores = [[-1.0, -2.0]] * 8 + [[-1.0], [-1.0, -2.0], [-1.0, -2.0]]
    found = finding(
        measured(choosing(choices, student=scores, teacher=scores, answers=answers)), "HAL012"
    )
    assert estimate(found.student).n == 8
    assert found.note.startswith("3 of 11 rows are not asked")
    nothing = finding(
        measured(
            choosing(choices[8:], student=scores[8:], teacher=scores[8:], answers=answers[8:])
        ),
        "HAL013",
    )
    assert isinstance(nothing.student, NotMeasured)
    assert nothing.student.reason.startswith("3 of 3 rows")


def test_without_answers_it_is_said_what_is_missing() -> None:
    scores = [[-1.0, -2.0]] * 8
    found = finding(measured(choosing([["t", "f"]] * 8, student=scores, teacher=scores)), "HAL012")
    assert isinstance(found.student, NotMeasured)
    assert "`answers`" in found.student.reason


def harmed(n: int = 300) -> tuple[list[list[str]], list[list[str]], Scores, Scores]:
    """A teacher that knows nine in ten, and a student that forgot a fifth of them."""
    rng = np.random.default_rng(5)
    knows = rng.random(n) < 0.9
    keeps = knows & (rng.random(n) < 0.8)

    def scores(right: Any) -> Scores:
        return [[-1.0, -2.0] if one else [-2.0, -1.0] for one in right]

    return [["t", "f"]] * n, [["t"]] * n, scores(keeps), scores(knows)


def test_a_student_that_forgot_is_found_and_an_identical_one_is_not() -> None:
    choices, answers, student, teacher = harmed()
    for who, lost in ((student, True), (teacher, False)):
        result = measured(choosing(choices, student=who, teacher=teacher, answers=answers))
        for code in ("HAL012", "HAL013"):
            found = finding(result, code)
            claim = claim_worse(found, "teacher", 0.03, 0.05)
            assert isinstance(claim, Claim)
            assert (claim.p_above < 0.001) == lost
            assert (claim.p_below < 0.05) == (not lost)
            if not lost:
                assert estimate(found.difference).value == 0


def truthful(folder: Path, targets: str) -> list[dict[str, Any]]:
    """Rows of TruthfulQA's mc_task.json as the page makes them."""
    marked = PAGE.read_text("utf-8").partition("<!-- test: truthfulqa.py -->\n```python\n")[2]
    (folder / "mc_task.json").symlink_to(TRUTHFUL)
    script = marked.partition("```")[0].replace("mc1_targets", targets)
    subprocess.run([sys.executable, "-c", script], cwd=folder, check=True)
    text = (folder / "choices.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.skipif(not TRUTHFUL.exists(), reason="TruthfulQA is not here (KDAUDIT_DATA)")
@pytest.mark.parametrize(("targets", "blank"), [("mc1_targets", 17), ("mc2_targets", 22)])
def test_truthfulqa_is_read_as_the_page_says(tmp_path: Path, targets: str, blank: int) -> None:
    rows = truthful(tmp_path, targets)
    tasks = json.loads(TRUTHFUL.read_text("utf-8"))
    assert len(rows) == 790
    assert sum(any(not text.strip() for text in task[targets]) for task in tasks) == blank
    choices, answers = [row["choices"] for row in rows], [row["answers"] for row in rows]
    scores = drawn(choices, 9)
    found = finding(
        measured(choosing(choices, student=scores, teacher=scores, answers=answers)), "HAL013"
    )
    some = [
        as_lm_eval(
            [x for x, c in zip(row, many, strict=True) if c in true],
            [x for x, c in zip(row, many, strict=True) if c not in true],
        )
        for row, many, true in zip(scores, choices, answers, strict=True)
        if 0 < len(true) < len(many)
    ]
    assert estimate(found.student).value == pytest.approx(float(np.mean(some)))
    assert (
        estimate(found.student).n == len(some) == 790 - (0 if not found.note else 790 - len(some))
    )


TEXTS = [["né à Paris"], ["x" * 100], ["a longer text, in plain letters"], ["短い"]] * 10


def loss(texts: list[list[str]], bits: float, seed: int = 0) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    return [
        [-math.log(2) * len(row[0].encode()) * bits * float(rng.uniform(0.8, 1.2))] for row in texts
    ]


def of_texts(evidence: Evidence) -> Finding:
    return finding(Accuracy().run(evidence, Streams(3)), "ACC011")


def test_bits_per_byte_are_all_bits_over_all_bytes() -> None:
    texts = TEXTS * 3
    student, teacher = loss(texts, 2.0, 1), loss(texts, 1.5, 2)
    found = of_texts(choosing(texts, student=student, teacher=teacher))
    size = sum(len(row[0].encode()) for row in texts)
    for who, scores in (("student", student), ("teacher", teacher)):
        plain = -sum(row[0] for row in scores) / (math.log(2) * size)
        assert estimate(getattr(found, who)).value == pytest.approx(plain)
    claim = claim_worse(found, "teacher", 0.1, 0.05)
    assert isinstance(claim, Claim)
    assert claim.p_above < 0.05
    assert isinstance(found.basis, Means)
    assert own(found.basis, "student", 0.9) == found.student  # what `gate` recomputes


def test_an_identical_student_loses_no_bit() -> None:
    same = loss(TEXTS, 1.5)
    found = of_texts(choosing(TEXTS, student=same, teacher=same))
    difference = estimate(found.difference)
    assert difference.value == 0
    assert difference.low < 0 < difference.high


def test_a_text_without_loss_leaves_nothing_to_judge() -> None:
    same = loss(TEXTS, 1.5)
    gone = [[math.nan], *same[1:]]
    found = of_texts(choosing(TEXTS, student=gone, teacher=same))
    assert isinstance(found.student, NotMeasured)
    assert found.student.reason.startswith("1 of 40 texts have no log-probability")
    assert isinstance(found.difference, NotMeasured)
    assert isinstance(claim_worse(found, "teacher", 0.1, 0.05), NotMeasured)
    assert estimate(found.teacher).n == 40
    none = of_texts(choosing(TEXTS, student=gone, teacher=gone))
    assert isinstance(none.teacher, NotMeasured)


def test_only_single_texts_are_scored_so() -> None:
    choices = [*TEXTS, ["t", "f"]]
    same = [*loss(TEXTS, 1.5), [-1.0, -900.0]]
    found = of_texts(choosing(choices, student=same, teacher=same))
    assert estimate(found.student).n == 40
    pairs = of_texts(choosing([["t", "f"]] * 9, student=[[-1, -2]] * 9, teacher=[[-1, -2]] * 9))
    assert isinstance(pairs.student, NotMeasured)


def test_missing_likelihoods_are_missing_answers() -> None:
    choices, answers, student, teacher = harmed(10)
    gone = [[-1.0, math.nan], *student[1:]]
    evidence = choosing(choices, student=gone, teacher=teacher, answers=answers)
    found = finding(Accuracy().run(evidence, Streams(3)), "ACC003")
    assert estimate(found.student).value == 0.1
