"""`kdaudit.audit` takes tables as people have them, and refuses what does not fit."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kdaudit
from kdaudit.errors import ConfigError, DataError
from kdaudit.results import Results

Make = Callable[..., Any]
CHECK = [{"check": "ACC001", "margin": 0.05}]


def small(n: int = 60) -> tuple[pd.DataFrame, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Labels, and two (N, 2) answers: the teacher errs on rows 0 to 5, the student on 3 to 11."""
    label = np.array(["no", "yes"] * (n // 2))
    data = pd.DataFrame({"label": label})
    right = np.stack([label == "no", label == "yes"], axis=1) * 0.5 + 0.25

    def wrong_on(rows: range) -> np.ndarray[Any, Any]:
        answers = right.copy()
        answers[list(rows)] = answers[list(rows), ::-1]
        return answers

    return data, wrong_on(range(6)), wrong_on(range(3, 12))


def test_accuracy_by_hand() -> None:
    data, teacher, student = small()
    results = kdaudit.audit(
        data=data, teacher=teacher, student=student, classes=["no", "yes"], contract=CHECK
    )
    found = results.finding("ACC001")
    assert found.teacher.value == 54 / 60  # type: ignore[union-attr]
    assert found.student.value == 51 / 60  # type: ignore[union-attr]
    assert found.difference.value == pytest.approx(-0.05)  # type: ignore[union-attr]
    # Right for the student only: rows 0 to 2; for the teacher only: rows 6 to 11.
    assert (found.basis.n10, found.basis.n01) == (3, 6)  # type: ignore[union-attr]
    assert results.outcome is kdaudit.Outcome.INCONCLUSIVE


def test_the_function_can_be_called_again_and_from_other_modules() -> None:
    script = """
import pandas as pd, kdaudit, pkgutil
data = pd.DataFrame({"label": ["a", "b"] * 30})
answers = pd.Series(["a", "b"] * 29 + ["a", "a"]).to_numpy()
names = [m.name for m in pkgutil.iter_modules(kdaudit.__path__)]
for _ in range(2):
    assert kdaudit.audit(data=data, teacher=answers, student=answers).exit_code == 3
assert not set(names) & set(kdaudit.__all__), "a submodule takes the place of a public name"
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def findings(results: Results) -> dict[str, Any]:
    return {
        finding.address: (finding.student, finding.teacher, finding.difference)
        for finding in results.findings()
    }


def test_arrays_frames_and_scores_say_the_same() -> None:
    data, teacher, student = small()
    roles: dict[str, Any] = {"data": data, "positive": "yes"}

    def frame(values: np.ndarray[Any, Any]) -> pd.DataFrame:
        made = pd.DataFrame(values, columns=["p_no", "p_yes"])
        return made.assign(id=[f"{i:012d}" for i in range(len(made))])

    arrays = kdaudit.audit(teacher=teacher, student=student, classes=["no", "yes"], **roles)
    scores = kdaudit.audit(teacher=teacher[:, 1], student=student[:, 1], **roles)
    frames = kdaudit.audit(teacher=frame(teacher), student=frame(student), **roles)
    assert findings(arrays) == findings(scores) == findings(frames)


def test_labels_alone_are_enough_for_accuracy() -> None:
    data, teacher, student = small()
    names = np.array(["no", "yes"])
    results = kdaudit.audit(
        data=data,
        teacher=names[teacher.argmax(axis=1)],
        student=names[student.argmax(axis=1)],
        contract=CHECK,
    )
    assert results.finding("ACC001").student.value == 51 / 60  # type: ignore[union-attr]
    assert isinstance(results.finding("CAL001").basis, kdaudit.NotMeasured)


def test_ids_join_and_positions_do_not() -> None:
    data, teacher, student = small()
    data["id"] = [f"x{i}" for i in range(60)]
    shuffled = pd.DataFrame(student, columns=["p_no", "p_yes"]).assign(id=data.id)
    shuffled = shuffled.sample(frac=1, random_state=1)
    results = kdaudit.audit(data=data, teacher=teacher, student=shuffled, classes=["no", "yes"])
    assert results.finding("ACC001").student.value == 51 / 60  # type: ignore[union-attr]


def test_numbers_and_text_are_one_id_and_one_label() -> None:
    data, _, _ = small()
    as_numbers = pd.DataFrame({"id": np.arange(60.0), "label": (data.label == "yes").astype(float)})
    answers = pd.DataFrame({"id": [str(i) for i in range(60)], "prediction": ["0", "1"] * 30})
    answers.loc[0, "prediction"] = "1"
    results = kdaudit.audit(data=as_numbers, teacher=answers, student=answers, id="id")
    assert results.finding("ACC001").student.value == 59 / 60  # type: ignore[union-attr]


def test_the_input_tables_are_left_as_they_were(world: Make) -> None:
    made = world(1, clusters=20, weighted=True)
    before = [made.data.copy(), made.teacher.copy(), made.student.copy()]
    made.audit(CHECK)
    for table, copy in zip([made.data, made.teacher, made.student], before, strict=True):
        pd.testing.assert_frame_equal(table, copy)


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"data": [1, 2]}, ConfigError, "data must be a DataFrame, got list"),
    ({"classes": ["no"]}, ConfigError, "2 columns of probabilities; name them in order"),
    ({"student": np.zeros(3)}, ConfigError, "student has 3 rows, data has 60"),
    ({"label": "lable"}, DataError, "unknown column for label 'lable'. Did you mean 'label'"),
    ({"seed": -1}, ConfigError, "audit.seed: .*got -1"),
    ({"alpha": 0.6}, ConfigError, "audit.alpha: .*less than 0.5, got 0.6"),
    ({"name": "../x"}, ConfigError, "audit.name"),
    ({"positive": "maybe"}, DataError, "positive: unknown class 'maybe'"),
    ({"sensitve": ["sex"]}, ConfigError, "'sensitve'.*Did you mean 'sensitive'"),
    ({"suites": {"fairnes": {}}}, ConfigError, "unknown suite 'fairnes'. Did you mean 'fairness'"),
    ({"contract": [{"check": "ACC1"}]}, ConfigError, "exactly one of"),
    ({"label_source": "guess"}, ConfigError, "label_source"),
]


@pytest.mark.parametrize(("changed", "error", "words"), REFUSED, ids=lambda given: str(given)[:40])
def test_what_does_not_fit_is_refused(
    changed: dict[str, Any], error: type[Exception], words: str
) -> None:
    data, teacher, student = small()
    given: dict[str, Any] = {
        "data": data,
        "teacher": teacher,
        "student": student,
        "classes": ["no", "yes"],
    }
    with pytest.raises(error, match=words):
        kdaudit.audit(**(given | changed))


def test_a_score_needs_a_favourable_class() -> None:
    data, teacher, student = small()
    with pytest.raises(DataError, match="name that class as `positive`"):
        kdaudit.audit(data=data, teacher=teacher[:, 1], student=student[:, 1])


def test_labels_that_the_teacher_wrote_decide_nothing() -> None:
    data, teacher, student = small()
    data["label"] = np.array(["no", "yes"])[teacher.argmax(axis=1)]
    results = kdaudit.audit(
        data=data, teacher=teacher, student=student, classes=["no", "yes"], contract=CHECK
    )
    assert results.exit_code == 3
    assert "they would measure imitation, not truth" in results.verdicts[0].reason


def test_one_class_decides_nothing() -> None:
    data, teacher, student = small()
    results = kdaudit.audit(
        data=data.assign(label="yes"),
        teacher=teacher,
        student=student,
        classes=["no", "yes"],
        contract=CHECK,
    )
    assert results.exit_code == 3
    assert "every audited row has the label 'yes'" in results.verdicts[0].reason


def test_classes_in_another_order_are_named() -> None:
    data, teacher, student = small()
    with pytest.raises(
        DataError, match="as if its classes were in another order: reading 'no' for"
    ):
        kdaudit.audit(data=data, teacher=teacher, student=student[:, ::-1], classes=["no", "yes"])


@pytest.mark.parametrize("rows", [1, 2, 3, 9])
def test_a_handful_of_rows_is_no_exception_and_no_pass(rows: int) -> None:
    data, teacher, student = small()
    results = kdaudit.audit(
        data=data[:rows].assign(sex=["f", "m"][0], channel="web"),
        teacher=teacher[:rows],
        student=teacher[:rows],
        classes=["no", "yes"],
        sensitive=["sex"],
        slices=["channel"],
        contract=[*CHECK, {"check": "FAI004", "each": ["sex"], "margin": 0.5, "min_n": 2}],
    )
    assert results.exit_code in (1, 3)
    del student
