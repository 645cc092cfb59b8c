"""Evidence of written answers, for tests: texts in lists, graded by rule."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kdaudit.data.audit_file import GradingTable
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Generations, Strings
from kdaudit.evidence.view import Category, Evidence, Questions, Rows
from kdaudit.language.written import evidence_of

ABSENT = NotMeasured("the subject is absent")


def strings(cells: Sequence[object]) -> Strings:
    """(N,) cells as they are, tuples too."""
    made = np.empty(len(cells), dtype=object)
    made[:] = cells
    return made


def texts(
    said: Sequence[str | None],
    *,
    truncated: Sequence[bool] | Bools | None = None,
    samples: Sequence[tuple[str, ...]] | None = None,
    judge: Sequence[str | None] | None = None,
    human: Sequence[str | None] | None = None,
    models: tuple[str, ...] = (),
) -> Generations:
    """One subject's answers."""
    n = len(said)
    return Generations(
        text=strings(said),
        truncated=np.zeros(n, np.bool_) if truncated is None else np.asarray(truncated, np.bool_),
        tokens=np.full(n, np.nan),
        samples=strings([()] * n if samples is None else samples),
        judge=strings([None] * n if judge is None else judge),
        human=strings([None] * n if human is None else human),
        models=models,
    )


def written(
    answers: Sequence[Sequence[str]] | None,
    *,
    student: Generations | None,
    teacher: Generations | None,
    baseline: Generations | None = None,
    prompts: Sequence[str] | None = None,
    source: Sequence[str | None] | None = None,
    cluster: Sequence[int] | None = None,
    attributes: dict[str, Sequence[str]] | None = None,
    level: float = 0.9,
    grading: GradingTable | None = None,
) -> Evidence:
    """Evidence as the pipeline makes it of texts; ``answers`` are tuples of aliases."""
    size = next(len(one) for one in (student, teacher) if one is not None)
    asked = Questions(
        prompt=strings([""] * size if prompts is None else prompts),
        answers=None if answers is None else strings([tuple(one) for one in answers]),
        source=None if source is None else strings(source),
    )
    given: dict[Any, Generations | NotMeasured] = {
        "student": student or ABSENT,
        "teacher": teacher or ABSENT,
        "baseline": baseline or ABSENT,
    }
    rows = Rows(
        ids=strings([f"q{i:04d}" for i in range(size)]),
        label=np.full(size, -1, dtype=np.int64),
        classes=(),
        cluster=None if cluster is None else np.asarray(cluster, np.int64),
        attributes={
            name: Category(
                np.array([sorted(set(cells)).index(cell) for cell in cells], np.int64),
                tuple(sorted(set(cells))),
            )
            for name, cells in (attributes or {}).items()
        },
        questions=asked,
    )
    return Evidence(
        rows=rows,
        level=level,
        unlabelled=NotMeasured("no subject answers with a class"),
        kinds=evidence_of(given, asked, grading),
    )
