"""Copied hallucinations: the student's wrong answer says what the teacher's wrong answer says.

Hard questions are got wrong by both, so erring together shows no copying. The same wrong content
does, where it is commoner than if the teacher's wrong answers were dealt anew among questions of
the same type.
"""

from dataclasses import dataclass

import numpy as np

from kdaudit.basis import ORDER
from kdaudit.errors import unknown
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Ints
from kdaudit.evidence.view import Streams
from kdaudit.grading.grade import Grade
from kdaudit.grading.tokens import tokens
from kdaudit.measure import not_measured, share_of_rows
from kdaudit.results import Finding
from kdaudit.stats.chance_agreement import ChanceAgreement, chance_agreement
from kdaudit_suites.hallucination.endpoints import HAL006
from kdaudit_suites.hallucination.graded import Graded

DEALS = 1999  # so that p can be as small as 0.0005
CELLS = 1_000_000  # of deals held at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Copied:
    """How often two wrong answers say the same.

    Attributes:
        finding: HAL006.
        both: (N,) rows that both answer wrongly, with content to compare.
        same: (N,) rows in which they say the same.
        chance: the same answers among them, and how many a deal at random gives.
        p: chance of so many the same by such a deal; 1 where there is nothing to deal.
    """

    finding: Finding
    both: Bools
    same: Bools
    chance: ChanceAgreement
    p: float


def copied(graded: Graded, streams: Streams, column: str | None) -> Copied | Finding:
    """HAL006, and what stands behind it; the finding alone where there is no pair."""
    pair = graded.pair()
    if isinstance(pair, NotMeasured):
        return not_measured(HAL006, (), pair.reason)
    columns = graded.evidence.rows.attributes
    if column is not None and column not in columns:
        return not_measured(HAL006, (), unknown("column of question_type", column, columns))
    student, teacher = pair
    wrong = teacher == Grade.INCORRECT
    if not wrong.any():
        return not_measured(HAL006, (), "the teacher answers nothing wrongly")
    erring = wrong & (student == Grade.INCORRECT)
    ours, theirs = (graded.contents(who, erring) for who in ORDER[:2])
    same = (ours == theirs) & (theirs != "")
    ours_graded = graded.grades["student"]
    assert not isinstance(ours_graded, NotMeasured)  # there is a pair
    finding = share_of_rows(
        HAL006,
        graded.evidence,
        same | ~ours_graded.valid,
        of_pair="copying is of the pair",
        rows=wrong,
    )
    both = (ours != "") & (theirs != "")
    contents = np.concatenate([ours[both], theirs[both]])
    one, other = np.split(np.unique(contents, return_inverse=True)[1].astype(np.int64), 2)
    stratum = _types(graded, column)[both]
    chance = chance_agreement(one, other, stratum)
    return Copied(
        finding=finding,
        both=both,
        same=same,
        chance=chance,
        p=_p(one, other, stratum, chance.same, streams.at("HAL006")),
    )


def _p(one: Ints, other: Ints, stratum: Ints, same: int, rng: np.random.Generator) -> float:
    """Share of deals within strata with at least as many the same, this one counted."""
    if not same:
        return 1.0
    order = np.argsort(stratum, kind="stable")
    one, other, stratum = one[order], other[order], stratum[order]
    as_many, left = 1, DEALS
    while left:
        size = min(left, max(1, CELLS // len(one)))
        # Strata are whole numbers and draws are below one, so nobody leaves its stratum.
        dealt = other[np.argsort(stratum + rng.random((size, len(one))), axis=1)]
        as_many += int(np.count_nonzero((dealt == one).sum(axis=1) >= same))
        left -= size
    return as_many / (DEALS + 1)


def _types(graded: Graded, column: str | None) -> Ints:
    """(N,) type of each question: a column, or what kind of thing its answer is."""
    if column is not None:
        return graded.evidence.rows.column(column).codes + 1
    answers = graded.questions.answers
    assert answers is not None  # there are grades
    kinds = {"nothing": 0, "word": 1, "number": 2, "date": 3}
    return np.array([kinds[_kind(one)] for one in answers], dtype=np.int64)


def _kind(answers: tuple[str, ...]) -> str:
    if not answers:
        return "nothing"
    found = {token.kind for token in tokens(answers[0])}
    return found.pop() if len(found) == 1 else "word"
