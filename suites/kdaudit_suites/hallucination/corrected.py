"""Rates as people would count them: the grader's, corrected by a part that people graded."""

from collections.abc import Iterator

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.corrected import (
    FEWEST,
    UNEQUAL,
    WHERE,
    corrected_means,
    looked_at,
    moved,
    too_few_of_all,
)
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Grades
from kdaudit.grading.grade import Grade
from kdaudit.measure import finding_of, mean_finding, not_measured
from kdaudit.quantities import Quantity, quantities
from kdaudit.results import Better, Endpoint, Figure, Finding
from kdaudit.scores import Score, Scores
from kdaudit_suites.hallucination.endpoints import HAL001, HAL002
from kdaudit_suites.hallucination.graded import Graded

RATES = ((HAL001, Grade.INCORRECT), (HAL002, Grade.CORRECT))
BIAS = Endpoint(code="bias", metric="bias", unit="share of rows", better=Better.ZERO)


def corrected(graded: Graded) -> tuple[list[Finding], tuple[Figure, ...], tuple[str, ...]]:
    """``HAL001[grader=corrected]`` and HAL002's, where people graded a part of the rows."""
    grades = {who: one for who, one in graded.grades.items() if isinstance(one, Grades)}
    if not grades:
        return [], (), ()
    by = next(iter(grades.values())).by
    unread = {who: one.unread for who, one in grades.items() if one.unread}
    notes = [
        f"{count} replies of the {by} on the {who}'s answers were no grade; they count as missing."
        for who, count in unread.items()
    ]
    if not any((one.human >= 0).any() for one in grades.values()):
        notes.append(
            f"Graded by {by}; no person graded a part of the answers, so how often it errs, and "
            "for whom, is not known."
        )
        return [], (), tuple(notes)
    looked = graded.answerable & looked_at(grades.values())
    found = [_corrected(endpoint, graded, grades, looked, wanted) for endpoint, wanted in RATES]
    return found, _errors(graded, grades, looked), tuple(notes)


def _corrected(
    endpoint: Endpoint,
    graded: Graded,
    grades: dict[Subject, Grades],
    looked: Bools,
    wanted: Grade,
) -> Finding:
    rows = graded.evidence.rows
    rest = graded.answerable & ~looked
    everyone = all((one.human[looked] >= 0).any() for one in grades.values())
    n = int(looked.sum()) if everyone else 0
    if not {"student", "teacher"} <= set(grades):
        return not_measured(endpoint, WHERE, "one of the pair has no grades")
    if n and not rest.any():
        return _by_people(endpoint, graded, grades, wanted)
    if n < FEWEST:
        reason = f"people graded {n} answerable rows; {FEWEST} of every subject are needed"
        return not_measured(endpoint, WHERE, reason)
    if rows.weight is not None or rows.cluster is not None:
        return not_measured(endpoint, WHERE, UNEQUAL)
    present = [who for who in ORDER if who in grades]
    worst = {who: (endpoint is HAL001) == (who == "student") for who in present}
    machine = np.stack(
        [np.where(grades[w].valid, grades[w].grade == wanted, worst[w]) for w in present]
    ).astype(np.float64)
    people = np.stack(
        [np.where(grades[w].human < 0, worst[w], grades[w].human == wanted) for w in present]
    ).astype(np.float64)
    found = corrected_means(
        people,
        machine,
        looked=looked,
        rest=rest,
        missing=[moved(grades[who], graded.answerable, looked) for who in present],
    )
    note = (
        f"prediction-powered: people graded {int(looked.sum())} of {found.basis.n} rows, taken to "
        f"be drawn at random; the other grades weigh {found.weight:.2f}"
    )
    return finding_of(endpoint, graded.evidence, found.basis, WHERE, note)


def _by_people(
    endpoint: Endpoint, graded: Graded, grades: dict[Subject, Grades], wanted: Grade
) -> Finding:
    """What people say, where they graded every row of one subject, and most of every other's."""
    rows = graded.answerable
    reason = too_few_of_all(grades.items(), rows)
    if reason is not None:
        return not_measured(endpoint, WHERE, reason)
    scores = {
        who: Score(values=one.human == wanted, valid=one.human >= 0)
        if isinstance(one, Grades)
        else one
        for who, one in graded.grades.items()
    }
    return mean_finding(
        endpoint,
        graded.evidence,
        scores,
        where=WHERE,
        rows=rows,
        note="by people alone, who graded every answerable row of one subject at least",
    )


def _errors(graded: Graded, grades: dict[Subject, Grades], looked: Bools) -> tuple[Figure, ...]:
    if looked.sum() < FEWEST:
        return ()
    measured = [row for who, one in grades.items() for row in _biases(graded, who, one, looked)]
    title = (
        "What the grader says less what people say, on the rows that people graded "
        f"({graded.evidence.level:.0%} intervals, each by itself)"
    )
    return (quantities("grader", title, measured),)


def _biases(graded: Graded, who: Subject, one: Grades, looked: Bools) -> Iterator[Quantity]:
    for endpoint, wanted in RATES:
        pair: Scores = {
            "student": Score(values=one.grade == wanted, valid=one.valid),
            "teacher": Score(values=one.human == wanted, valid=one.human >= 0),
            "baseline": NotMeasured("of one subject"),
        }
        yield (
            f"{who}: {endpoint.metric}",
            mean_finding(
                endpoint, graded.evidence, pair, rows=looked & (one.human >= 0)
            ).difference,
        )
