"""Scores per row that someone computed: audited alone or beside answers, by paired t."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

import kdaudit
from kdaudit.errors import ConfigError, DataError
from kdaudit.estimate import Estimate
from kdaudit.results import Results

N = 400
RNG = np.random.default_rng(0)
DATA = pd.DataFrame({"id": [f"r{i:04d}" for i in range(N)], "label": RNG.normal(size=N)})
TEACHER = pd.DataFrame({"id": DATA.id, "score_error": RNG.uniform(0, 1, N)})
STUDENT = TEACHER.assign(score_error=np.clip(TEACHER.score_error + RNG.normal(0.02, 0.1, N), 0, 1))
ERROR = {"error": {"better": "lower", "low": 0, "high": 1}}
CHECK = {"check": "ACC010", "where": {"metric": "error"}, "margin": 0.05}


def audit(**changed: Any) -> Results:
    given: dict[str, Any] = {
        "data": DATA,
        "teacher": TEACHER,
        "student": STUDENT,
        "scores": ERROR,
        "id": "id",
    }
    return kdaudit.audit(**(given | {"contract": [CHECK]} | changed))


def test_scores_alone_are_audited_by_paired_t() -> None:
    results = audit()
    assert results.exit_code == 0
    finding = results.finding("ACC010[metric=error]")
    change = (STUDENT.score_error - TEACHER.score_error).to_numpy()
    assert isinstance(finding.difference, Estimate)
    assert finding.difference.value == pytest.approx(change.mean())
    spread = change.std(ddof=1) / np.sqrt(N)
    # Student's t, with what few differing rows cannot show: z·span/2n, once beside and once within.
    unseen = norm.ppf(0.95) / (2 * N)
    reach = t.ppf(0.95, N - 1) * (unseen + np.hypot(spread, unseen))
    assert finding.difference.high - change.mean() == pytest.approx(reach)


@pytest.mark.parametrize("value", [np.nan, 1.5, -0.1])
def test_a_missing_score_is_the_worst_and_counts_as_no_answer(value: float) -> None:
    worse = STUDENT.copy()
    worse.loc[:39, "score_error"] = value
    before, after = audit(), audit(student=worse)
    assert after.exit_code == 1
    (was, now) = (r.finding("ACC010[metric=error]").student for r in (before, after))
    assert isinstance(was, Estimate)
    assert isinstance(now, Estimate)
    filled = np.r_[np.ones(40), STUDENT.score_error[40:]]
    assert now.value == pytest.approx(filled.mean())
    assert now.value > was.value
    missing = after.finding("ACC003").student
    assert isinstance(missing, Estimate)
    assert missing.value == 0.1


def test_scores_stand_beside_answers() -> None:
    data = DATA.assign(label=np.where(np.arange(N) % 2, "yes", "no"))
    flip = np.arange(N) % 10 == 1
    teacher = TEACHER.assign(prediction=np.where(flip, "no", data.label))
    student = STUDENT.assign(prediction=np.where(np.arange(N) % 20 == 3, "no", data.label))
    results = audit(data=data, teacher=teacher, student=student)
    assert results.exit_code == 0
    assert isinstance(results.finding("ACC001").student, Estimate)


def test_what_is_declared_must_be_there() -> None:
    with pytest.raises(DataError, match="lacks the column score_error"):
        audit(student=STUDENT.rename(columns={"score_error": "score_other"}))
    with pytest.raises(DataError, match=r"\[data.scores"):
        audit(scores={}, contract=[])
    with pytest.raises(ConfigError, match="least and the greatest"):
        audit(scores={"error": {"better": "lower", "low": 1, "high": 1}})
