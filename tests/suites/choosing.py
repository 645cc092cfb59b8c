"""Evidence of declared choices, for tests: log-probabilities in lists, or answers in words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Generations, Likelihoods
from kdaudit.evidence.view import (
    GENERATIONS,
    LIKELIHOODS,
    Category,
    Evidence,
    Questions,
    Rows,
    Trio,
)
from tests.suites.writing import ABSENT, strings, texts

Scores = Sequence[Sequence[float]]
Given = Scores | Sequence[str | None] | None


def scored(logprobs: Scores) -> Likelihoods:
    """One subject's log-probabilities, a list per row."""
    size = [len(row) for row in logprobs]
    flat = np.array([x for row in logprobs for x in row], dtype=np.float64)
    return Likelihoods(
        start=np.concatenate([[0], np.cumsum(size)]).astype(np.int64),
        logprob=flat,
        tokens=np.full(len(flat), np.nan),
        greedy=np.zeros(len(flat), dtype=np.bool_),
    )


def chose(choices: Sequence[Sequence[str]], picks: Sequence[int | None]) -> Scores:
    """Log-probabilities by which one choice of each row is the likeliest; None is no answer."""
    return [
        [np.nan] * len(row)
        if pick is None
        else [-1.0 if i == pick else -5.0 for i in range(len(row))]
        for row, pick in zip(choices, picks, strict=True)
    ]


def choosing(
    choices: Sequence[Sequence[str]],
    *,
    student: Given,
    teacher: Given,
    baseline: Given = None,
    answers: Sequence[Sequence[str]] | None = None,
    stereotyped: Sequence[str | None] | None = None,
    unknown: Sequence[str | None] | None = None,
    cluster: Sequence[int] | None = None,
    weight: Sequence[float] | None = None,
    slices: Mapping[str, Sequence[str]] | None = None,
    level: float = 0.9,
) -> Evidence:
    """Evidence as the pipeline makes it of choices; a subject is scores, or texts, per row."""
    n = len(choices)
    given = {"student": student, "teacher": teacher, "baseline": baseline}
    made: dict[str, Likelihoods | Generations] = {}
    for who, one in given.items():
        if one is None:
            continue
        in_words = all(cell is None or isinstance(cell, str) for cell in one)
        made[who] = texts(one) if in_words else scored(one)  # type: ignore[arg-type]
    kinds: dict[Any, Trio] = {}
    for need, kind in ((LIKELIHOODS, Likelihoods), (GENERATIONS, Generations)):
        if any(isinstance(one, kind) for one in made.values()):
            of: dict[str, Any] = {
                who: made[who] if isinstance(made.get(who), kind) else ABSENT for who in given
            }
            kinds[need] = Trio(**of)
    rows = Rows(
        ids=strings([f"q{i:05d}" for i in range(n)]),
        label=np.full(n, -1, dtype=np.int64),
        classes=(),
        weight=None if weight is None else np.asarray(weight, np.float64),
        cluster=None if cluster is None else np.asarray(cluster, np.int64),
        attributes={
            name: Category(
                np.array([sorted(set(cells)).index(cell) for cell in cells], np.int64),
                tuple(sorted(set(cells))),
            )
            for name, cells in (slices or {}).items()
        },
        slices=tuple((name,) for name in slices or {}),
        questions=Questions(
            prompt=strings([""] * n),
            answers=None if answers is None else strings([tuple(one) for one in answers]),
            source=None,
            choices=strings([tuple(row) for row in choices]),
            stereotyped=None if stereotyped is None else strings(stereotyped),
            unknown=None if unknown is None else strings(unknown),
        ),
    )
    return Evidence(
        rows=rows,
        level=level,
        unlabelled=NotMeasured("no subject answers with a class"),
        kinds=kinds,
    )
