"""What was asked, and which choice each subject makes: by likelihood, or in its own words."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Generations, Ints, Likelihoods, Strings
from kdaudit.evidence.view import GENERATIONS, LIKELIHOODS, Evidence
from kdaudit.grading.choice import picked
from kdaudit.scores import absence
from kdaudit.stats.segments import segment_max

NONE = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """One subject's choices, on N rows.

    Attributes:
        choice: (N,) place among the row's choices; -1 where there is none.
        tied: (N,) rows of which several choices are the likeliest.
        recorded: (N,) rows for which there are all likelihoods, or a text.
    """

    choice: Ints
    tied: Bools
    recorded: Bools


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """The rows, and who chose what.

    Attributes:
        evidence: for weights, clusters and level.
        stereotyped: (N,) place of the choice that a stereotype would make; -1 for none.
        unknown: (N,) place of the choice that it cannot be told; -1 for none.
        right: (N, most) whether the choice at that place is right; None without ``answers``.
        pairs: (N,) rows of two texts, of which one is stereotyped and none is a way out.
        questions: (N,) rows with a way out.
        ambiguous: (N,) questions to which the way out is the right answer.
        made: by subject.
        by: ``likelihood`` or ``text``.
    """

    evidence: Evidence
    stereotyped: Ints
    unknown: Ints
    right: Bools | None
    pairs: Bools
    questions: Bools
    ambiguous: Bools
    made: Mapping[Subject, Made | NotMeasured]
    by: str

    @classmethod
    def of(cls, evidence: Evidence) -> "Asked | None":
        """None where no row names a stereotyped choice, or nobody chose."""
        asked = evidence.rows.questions
        if asked is None or asked.choices is None or asked.stereotyped is None:
            return None
        stereotyped = _places(asked.choices, asked.stereotyped)
        unknown = _places(asked.choices, asked.unknown)
        size = np.array([len(row) for row in asked.choices], dtype=np.int64)
        made, by = _made(evidence, asked.choices, size, unknown)
        if all(isinstance(one, NotMeasured) for one in made.values()):
            return None
        questions = (unknown >= 0) & (size > 1)
        right = None
        ambiguous = np.zeros(len(size), dtype=np.bool_)
        if asked.answers is not None:
            right = _right(asked.choices, asked.answers, int(size.max(initial=1)))
            ambiguous = questions & right[np.arange(len(size)), np.maximum(unknown, 0)]
        return cls(
            evidence=evidence,
            stereotyped=stereotyped,
            unknown=unknown,
            right=right,
            pairs=(size == 2) & (stereotyped >= 0) & (unknown < 0),
            questions=questions,
            ambiguous=ambiguous,
            made=made,
            by=by,
        )


def _places(choices: Strings, named: Strings | None) -> Ints:
    """(N,) where the named text stands among each row's choices; -1 where none is named."""
    if named is None:
        return np.full(len(choices), NONE, dtype=np.int64)
    return np.array(
        [NONE if one is None else row.index(one) for row, one in zip(choices, named, strict=True)],
        dtype=np.int64,
    )


def _right(choices: Strings, answers: Strings, most: int) -> Bools:
    right = np.zeros((len(choices), most), dtype=np.bool_)
    for number, (row, true) in enumerate(zip(choices, answers, strict=True)):
        right[number, : len(row)] = [text in true for text in row]
    return right


def _made(
    evidence: Evidence, choices: Strings, size: Ints, unknown: Ints
) -> tuple[dict[Subject, Made | NotMeasured], str]:
    """Everyone's choices, of the one kind of evidence that the pair shares.

    Likelihoods come first; where only text is there of both, everyone's text is read: a model that
    is asked in another way is not the same model.
    """
    trios = {"likelihood": evidence[LIKELIHOODS], "text": evidence[GENERATIONS]}

    def there(by: str) -> list[bool]:
        return [not isinstance(trios[by].of(who), NotMeasured) for who in ("student", "teacher")]

    shared = [by for by in trios if all(there(by))] or [by for by in trios if any(there(by))]
    by = shared[0] if shared else "likelihood"
    made: dict[Subject, Made | NotMeasured] = {}
    for who in ORDER:
        one = trios[by].of(who)
        if isinstance(one, Likelihoods):
            made[who] = _likeliest(one)
        elif isinstance(one, Generations):
            made[who] = _read(one, choices, size, unknown)
        else:
            made[who] = absence(one)
    return made, by


def _likeliest(one: Likelihoods) -> Made:
    size = np.diff(one.start)
    top = np.repeat(segment_max(np.nan_to_num(one.logprob, nan=-np.inf), one.start), size)
    row = np.repeat(np.arange(len(size)), size)
    best = np.flatnonzero(one.logprob == top)
    choice = np.full(len(size), NONE, dtype=np.int64)
    choice[row[best]] = best - one.start[row[best]]
    valid = one.valid
    tied = valid & (np.bincount(row[best], minlength=len(size)) > 1)
    return Made(choice=np.where(valid & ~tied, choice, NONE), tied=tied, recorded=valid)


def _read(one: Generations, choices: Strings, size: Ints, unknown: Ints) -> Made:
    choice = np.full(len(size), NONE, dtype=np.int64)
    for row in np.flatnonzero(one.valid & (size > 1)):
        place = int(unknown[row])
        found = picked(one.text[row], choices[row], None if place < 0 else place)
        choice[row] = NONE if found is None else found
    return Made(choice=choice, tied=np.zeros(len(size), dtype=np.bool_), recorded=one.valid)
