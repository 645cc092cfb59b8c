"""Evidence of training texts, for tests: what models wrote after a beginning, and likelihoods."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Generations, Likelihoods, TokenScores
from kdaudit.evidence.view import LIKELIHOODS, Evidence, Streams, Trio
from kdaudit.results import SuiteResult
from kdaudit_suites.memorisation import Memorisation
from tests.suites.writing import ABSENT, strings, texts, written

Array = np.ndarray[Any, Any]


def run(evidence: Evidence, **options: Any) -> SuiteResult:
    """The suite, told that the audited rows are training texts."""
    return Memorisation(**({"training_text": True} | options)).run(evidence, Streams(0))


def likelihoods(
    logprob: Sequence[Sequence[float]], *, each: TokenScores | None = None, tokens: float = 10.0
) -> Likelihoods:
    """One subject's log-probabilities, a list a row."""
    start = np.concatenate([[0], np.cumsum([len(row) for row in logprob])]).astype(np.int64)
    flat = np.array([one for row in logprob for one in row], dtype=np.float64)
    return Likelihoods(
        start=start,
        logprob=flat,
        tokens=np.full(len(flat), tokens),
        greedy=np.zeros(len(flat), dtype=np.bool_),
        each=each,
    )


def memory(
    truth: Sequence[str] | None,
    *,
    student: Sequence[str | None] | Generations | None = None,
    teacher: Sequence[str | None] | Generations | None = None,
    baseline: Sequence[str | None] | None = None,
    choices: Sequence[Sequence[str]] | None = None,
    likely: dict[str, Likelihoods] | None = None,
    slices: Sequence[str] = (),
    **more: Any,
) -> Evidence:
    """Evidence as the pipeline makes it; ``truth`` is how the texts go on, empty if not known."""

    def one(said: Sequence[str | None] | Generations | None) -> Generations | None:
        return said if said is None or isinstance(said, Generations) else texts(said)

    counts = [truth, student, teacher, choices]
    n = next(len(some) for some in counts if some is not None)
    silent = texts([""] * n)
    evidence = written(
        None if truth is None else [[one] if one else [] for one in truth],
        student=one(student) if teacher is not None or student is not None else silent,
        teacher=one(teacher) if teacher is not None or student is not None else silent,
        baseline=one(baseline),
        **more,
    )
    asked = evidence.rows.questions
    assert asked is not None
    if choices is not None:
        asked = replace(asked, choices=strings([tuple(row) for row in choices]))
    rows = replace(evidence.rows, questions=asked, slices=tuple((name,) for name in slices))
    kinds = dict(evidence.kinds)
    if likely is not None:
        given: dict[str, Likelihoods | NotMeasured] = {
            who: likely.get(who, ABSENT) for who in ("student", "teacher", "baseline")
        }
        kinds[LIKELIHOODS] = Trio(**given)
    return replace(evidence, rows=rows, kinds=kinds)
