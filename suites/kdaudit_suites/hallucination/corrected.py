"""Rates as people would count them: the grader's, corrected by a part that people graded."""

from collections.abc import Iterator

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Grades
from kdaudit.grading.grade import Grade
from kdaudit.measure import Score, Scores, finding_of, mean_finding, not_measured
from kdaudit.results import Better, Endpoint, Figure, Finding, Means
from kdaudit.stats.ppi import prediction_powered
from kdaudit_suites.hallucination.endpoints import HAL001, HAL002
from kdaudit_suites.hallucination.graded import Graded

WHERE = (("grader", "corrected"),)
FEWEST = 20  # rows that people graded, below which their mean is no guide
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
    looked = graded.answerable & _looked(grades)
    found = [_corrected(endpoint, graded, grades, looked, wanted) for endpoint, wanted in RATES]
    return found, _errors(graded, grades, looked), tuple(notes)


def _looked(grades: dict[Subject, Grades]) -> Bools:
    """(N,) rows that people graded; an answer that is missing there is the worst, not left out."""
    known = np.stack([one.human >= 0 for one in grades.values()])
    absent = np.stack([_absent(one) for one in grades.values()])
    return np.asarray((known | absent).all(axis=0) & known.any(axis=0), dtype=np.bool_)


def _absent(one: Grades) -> Bools:
    return (one.human < 0) & ~one.valid


def _corrected(
    endpoint: Endpoint,
    graded: Graded,
    grades: dict[Subject, Grades],
    looked: Bools,
    wanted: Grade,
) -> Finding:
    rows = graded.evidence.rows
    rest = graded.answerable & ~looked
    n = int((looked & np.logical_and.reduce([one.human >= 0 for one in grades.values()])).sum())
    if not {"student", "teacher"} <= set(grades):
        return not_measured(endpoint, WHERE, "one of the pair has no grades")
    if n < FEWEST:
        reason = f"people graded {n} answerable rows of every subject; {FEWEST} are needed"
        return not_measured(endpoint, WHERE, reason)
    if rows.weight is not None or rows.cluster is not None or not rest.any():
        reason = (
            "every row was graded by people"
            if not rest.any()
            else "the correction is for rows of equal weight without clusters"
        )
        return not_measured(endpoint, WHERE, reason)
    present = [who for who in ORDER if who in grades]
    worst = {who: (endpoint is HAL001) == (who == "student") for who in present}
    machine = np.stack(
        [np.where(grades[w].valid, grades[w].grade == wanted, worst[w]) for w in present]
    ).astype(np.float64)
    people = np.stack(
        [np.where(_absent(grades[w]), worst[w], grades[w].human == wanted) for w in present]
    ).astype(np.float64)
    found = prediction_powered(
        people[:, looked],
        machine[:, looked],
        machine[:, rest],
        contrast=_difference(len(present)),
    )
    # A row that people graded also stands for others, so one without an answer counts there as
    # well: else leaving out an answer that was misjudged would take its correction away.
    gone = [_absent(grades[who]) for who in present]
    missing = [float(one[graded.answerable].mean() + one[looked].mean()) for one in gone]
    n = int(looked.sum())
    basis = Means(
        mean=tuple(float(x) for x in found.mean),
        covariance=tuple(tuple(float(x) for x in row) for row in found.covariance),
        df=float(n - 1),
        n=found.n,
        clusters=n,
        span=1.0,
        unknown=(0.0,) * len(present),
        filled=tuple(missing) if any(missing) else (),
        bounds=(0.0, 1.0),
    )
    note = (
        f"prediction-powered: people graded {n} of {found.n} rows, taken to be drawn at random; "
        f"the other grades weigh {found.weight:.2f}"
    )
    return finding_of(endpoint, graded.evidence, basis, WHERE, note)


def _difference(size: int) -> Floats:
    contrast = np.zeros(size)
    contrast[0], contrast[1] = 1.0, -1.0
    return contrast


def _errors(graded: Graded, grades: dict[Subject, Grades], looked: Bools) -> tuple[Figure, ...]:
    if looked.sum() < FEWEST:
        return ()
    measured = [row for who, one in grades.items() for row in _biases(graded, who, one, looked)]
    return (
        Figure(
            name="grader",
            chart="table",
            title=(
                "What the grader says less what people say, on the rows that people graded "
                f"({graded.evidence.level:.0%} intervals, each by itself)"
            ),
            columns=("quantity", "value", "low", "high", "rows", "method"),
            rows=tuple(
                (name, m.value, m.low, m.high, m.n, m.method)
                if isinstance(m, Estimate)
                else (name, None, None, None, None, m.reason)
                for name, m in measured
            ),
        ),
    )


def _biases(
    graded: Graded, who: Subject, one: Grades, looked: Bools
) -> Iterator[tuple[str, Measurement]]:
    for endpoint, wanted in RATES:
        pair: Scores = {
            "student": Score(values=one.grade == wanted, valid=one.valid),
            "teacher": Score(values=one.human == wanted, valid=one.human >= 0),
            "baseline": NotMeasured("of one subject"),
        }
        yield (
            f"{who}: {endpoint.metric}",
            mean_finding(endpoint, graded.evidence, pair, rows=looked).difference,
        )
