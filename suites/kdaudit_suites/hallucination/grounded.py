"""Answers that state what their source does not hold."""

import numpy as np

from kdaudit.basis import Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Generations, Strings
from kdaudit.grading.support import unsupported
from kdaudit.measure import mean_finding, not_measured
from kdaudit.results import Finding
from kdaudit.scores import Score
from kdaudit_suites.hallucination.endpoints import HAL009
from kdaudit_suites.hallucination.graded import Graded


def grounded(graded: Graded) -> list[Finding]:
    """HAL009, where the data have a column of sources."""
    source = graded.questions.source
    if source is None:
        return []
    given = np.array([one is not None for one in source], dtype=np.bool_)
    if not given.any():
        return [not_measured(HAL009, (), "no row has a source")]
    scores: dict[Subject, Score | NotMeasured] = {
        who: one
        if isinstance(one, NotMeasured)
        else Score(values=_absent(one, source, graded.questions.prompt), valid=one.valid)
        for who, one in graded.texts.items()
    }
    return [mean_finding(HAL009, graded.evidence, scores, rows=given)]


def _absent(texts: Generations, source: Strings, prompt: Strings) -> Bools:
    return np.array(
        [
            text is not None and held is not None and bool(unsupported(text, held, asked))
            for text, held, asked in zip(texts.text, source, prompt, strict=True)
        ],
        dtype=np.bool_,
    )
