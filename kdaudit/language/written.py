"""Written answers of the audited models: brought onto the rows, and graded."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.data.audit_file import GradingTable
from kdaudit.data.frame import Frame
from kdaudit.data.shown import is_text, texts
from kdaudit.errors import DataError
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Generations, Grades, Ints, Likelihoods, Strings
from kdaudit.evidence.view import GENERATIONS, GRADES, LIKELIHOODS, Questions, Trio
from kdaudit.grading.grade import UNGRADED, Grader
from kdaudit.grading.judged import read_letter, related
from kdaudit.language.refusals import refusals_of
from kdaudit.registry import GROUPS, load
from kdaudit.results import Need
from kdaudit.results import Subject as Identity
from kdaudit.subjects import Asked

Held = TypeVar("Held", Generations, Likelihoods)
Written = Mapping[Subject, Generations | NotMeasured]
Scored = Mapping[Subject, Likelihoods | NotMeasured]


def written(asked: Mapping[Subject, Asked]) -> dict[Subject, Generations | NotMeasured]:
    """Everyone's texts on the audited rows.

    Raises:
        DataError: for a subject with texts on fewer than half of the rows.
    """
    return _everyone(
        {role: (one, one.written) for role, one in asked.items()},
        what="generated text",
        due=lambda texts: np.ones(len(texts), dtype=np.bool_),
        said="rows have a text",
    )


def likelihoods(asked: Mapping[Subject, Asked]) -> dict[Subject, Likelihoods | NotMeasured]:
    """Everyone's likelihoods of the choices of the audited rows.

    Raises:
        DataError: for a subject with likelihoods of fewer than half of the rows with choices.
    """
    return _everyone(
        {role: (one, one.likelihoods) for role, one in asked.items()},
        what="likelihoods of given texts",
        due=lambda scored: np.diff(scored.start) > 0,
        said="rows with choices have all their likelihoods",
    )


def _everyone(
    asked: Mapping[Subject, tuple[Asked, Held | None]],
    *,
    what: str,
    due: Callable[[Held], Bools],
    said: str,
) -> dict[Subject, Held | NotMeasured]:
    """What each subject has, or why it has none; ``due`` says of which rows there should be any."""
    everyone: dict[Subject, Held | NotMeasured] = dict.fromkeys(
        ORDER, NotMeasured("the audit has no baseline")
    )
    for role, (one, held) in asked.items():
        if held is None:
            everyone[role] = NotMeasured(f"{one.opened.name} holds no {what}")
            continue
        rows = due(held)
        n, of = int((held.valid & rows).sum()), int(rows.sum())
        if 2 * n < of:
            raise DataError(
                f"[{role}] {one.opened.name}: only {n} of {of} {said}; fewer than half is not "
                "evidence. Record the rest"
            )
        everyone[role] = held
    return everyone


def likelihoods_of(scored: Scored) -> dict[Need, Trio]:
    """The likelihoods, as suites are given them; nothing where nobody has any."""
    if all(isinstance(one, NotMeasured) for one in scored.values()):
        return {}
    return {
        LIKELIHOODS: Trio(
            student=scored["student"], teacher=scored["teacher"], baseline=scored["baseline"]
        )
    }


def questions(frame: Frame) -> Questions:
    """What was asked of the rows of a frame: its text inputs, reference answers and sources."""
    columns = [texts(column) for column in frame.inputs.values() if is_text(column)]
    prompt = np.array(["\n".join(row) for row in zip(*columns, strict=True)], dtype=object)
    return Questions(
        prompt=prompt if columns else np.full(len(frame), "", dtype=object),
        answers=frame.answers,
        source=frame.source,
        choices=frame.choices,
        stereotyped=frame.stereotyped,
        unknown=frame.unknown,
    )


def evidence_of(texts: Written, asked: Questions, grading: GradingTable | None) -> dict[Need, Trio]:
    """The texts and their grades, as suites are given them; nothing where nobody wrote.

    Raises:
        ConfigError: for a grader that is not installed.
        DataError: where a judge is to grade and a file has no replies of it.
    """
    if all(isinstance(one, NotMeasured) for one in texts.values()):
        return {}
    grading = grading or GradingTable()
    grader: Grader | None = None if grading.by == "judge" else load(GROUPS.graders, grading.by)()
    grades: dict[Subject, Grades | NotMeasured] = {}
    for who, one in texts.items():
        if isinstance(one, NotMeasured):
            grades[who] = one
        elif asked.answers is None:
            grades[who] = NotMeasured("name the reference answers as `answers` under [data]")
        elif grader is None:
            grades[who] = _judged(who, one, asked.answers, grading)
        else:
            grades[who] = _graded(one, asked.answers, grader, grading.by)
    return {
        GENERATIONS: Trio(
            student=texts["student"], teacher=texts["teacher"], baseline=texts["baseline"]
        ),
        GRADES: Trio(
            student=grades["student"], teacher=grades["teacher"], baseline=grades["baseline"]
        ),
        **refusals_of(texts, grading),
    }


def _graded(one: Generations, answers: Strings, grader: Grader, by: str) -> Grades:
    grade = np.full(len(one), UNGRADED, dtype=np.int64)
    for row in np.flatnonzero(one.valid):
        grade[row] = grader.grade(one.text[row], answers[row], truncated=bool(one.truncated[row]))
    return Grades(grade=grade, human=_by_people(one, answers), unread=0, by=f"rule {by}")


def _judged(who: Subject, one: Generations, answers: Strings, grading: GradingTable) -> Grades:
    if not any(reply is not None for reply in one.judge):
        raise DataError(
            f'[{who}] has no replies of the judge: [data.grading] says by = "judge", so its file '
            "needs a column `judge` with A, B or C"
        )
    grade = np.where(one.valid, _letters(one.judge, answers), UNGRADED)
    return Grades(
        grade=grade,
        human=_by_people(one, answers),
        unread=int(np.count_nonzero(one.valid & (grade == UNGRADED))),
        by=f"judge {grading.judge}",
    )


def _by_people(one: Generations, answers: Strings) -> Ints:
    """People's grades of the texts; of what is not there nobody can have graded anything."""
    return np.where(one.valid, _letters(one.human, answers), UNGRADED)


def _letters(replies: Strings, answers: Strings) -> Ints:
    return np.array(
        [read_letter(r, answerable=bool(a)) for r, a in zip(replies, answers, strict=True)],
        dtype=np.int64,
    )


def with_judge(
    subjects: tuple[Identity, ...], texts: Written, grading: GradingTable | None
) -> tuple[Identity, ...]:
    """The audited models, with what is known of the judge that graded them."""
    if grading is None or grading.by != "judge":
        return subjects
    return tuple(
        replace(one, details=dict(one.details) | dict(_judge_of(texts[one.role], grading)))
        for one in subjects
    )


def _judge_of(texts: Generations | NotMeasured, grading: GradingTable) -> Iterator[tuple[str, str]]:
    if isinstance(texts, NotMeasured) or grading.judge is None:
        return
    yield "judge", grading.judge
    relative = related(grading.judge, texts.models)
    if grading.related or relative:
        yield "related judge", f"it answers as {relative}" if relative else "the owner says so"
    elif grading.related is None and not texts.models:
        yield "judge of unknown relation", "neither `related` nor a column `model` says"
