"""Repeated answers: how far a model agrees with itself, which no student can agree with better."""

from collections.abc import Iterator

import numpy as np

from kdaudit.basis import Subject
from kdaudit.estimate import Measurement, NotMeasured
from kdaudit.evidence.kinds import Floats, Generations
from kdaudit.grading.content import content
from kdaudit.measure import mean_finding
from kdaudit.quantities import Quantity, quantities
from kdaudit.results import Better, Endpoint, Figure
from kdaudit.scores import Score, Scores
from kdaudit.stats.discrete_entropy import discrete_entropy
from kdaudit_suites.hallucination.graded import Graded

MEAN = Endpoint(code="mean", metric="mean", unit="share", better=Better.HIGHER)
WHO: tuple[Subject, ...] = ("student", "teacher")
PAIR = NotMeasured("of one subject")


def samples(graded: Graded) -> tuple[Figure, ...]:
    """A table of self-agreement and semantic entropy; nothing where nobody answered twice."""
    said = {who: _said(graded, who) for who in WHO}
    measured = [row for who in WHO for row in _of_one(graded, who, said[who])]
    measured += _beside(graded, said)
    if not measured:
        return ()
    title = (
        "Answers to the same prompt, drawn anew "
        f"({graded.evidence.level:.0%} intervals, each by itself)"
    )
    return (quantities("repeats", title, measured),)


def _said(graded: Graded, who: Subject) -> dict[int, list[str]]:
    """By row that was answered more than once, what each answer says; declining says nothing."""
    texts = graded.texts[who]
    if not isinstance(texts, Generations):
        return {}
    return {
        row: [content(text, graded.questions.prompt[row]) for text in (first, *more)]
        for row, (first, more) in enumerate(zip(texts.text, texts.samples, strict=True))
        if first is not None and more
    }


def _of_one(graded: Graded, who: Subject, said: dict[int, list[str]]) -> Iterator[Quantity]:
    if not said:
        return
    alike = {row: _agreement(answers) for row, answers in said.items()}
    yield f"{who}: two of its answers say the same", _mean(graded, alike, 1.0)
    spread = {
        row: discrete_entropy(np.unique(a, return_inverse=True)[1]) for row, a in said.items()
    }
    most = float(np.log(max(len(answers) for answers in said.values())))
    yield f"{who}: semantic entropy of its answers, in nats", _mean(graded, spread, most)


def _beside(graded: Graded, said: dict[Subject, dict[int, list[str]]]) -> Iterator[Quantity]:
    """Student and teacher, on the rows that say how well the teacher agrees with itself."""
    student = graded.texts["student"]
    if not (said["teacher"] and isinstance(student, Generations)):
        return
    asked_again = np.isin(np.arange(len(student)), list(said["teacher"]))
    ours = graded.contents("student", asked_again)
    alike = {
        row: float(np.mean([ours[row] == one for one in answers])) if student.valid[row] else 0.0
        for row, answers in said["teacher"].items()
    }
    name = "student and teacher say the same, where the teacher was asked again"
    yield name, _mean(graded, alike, 1.0)


def _agreement(answers: list[str]) -> float:
    """Share of pairs of answers that say the same."""
    counts = np.unique(np.array(answers), return_counts=True)[1]
    n = len(answers)
    return float((counts * (counts - 1)).sum() / (n * (n - 1)))


def _mean(graded: Graded, found: dict[int, float], most: float) -> Measurement:
    values: Floats = np.zeros(len(graded.answerable))
    values[list(found)] = list(found.values())
    rows = np.isin(np.arange(len(values)), list(found))
    score = Score(values=values, valid=np.ones(len(values), dtype=np.bool_), high=most)
    trio: Scores = {"student": score, "teacher": score, "baseline": PAIR}
    return mean_finding(MEAN, graded.evidence, trio, rows=rows).student
