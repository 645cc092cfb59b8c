"""Answers of language models that are made up on the declared rows, right on those one says."""

from collections.abc import Mapping

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.data.audit_file import GradingTable
from kdaudit.data.frame import Frame
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Generations, Likelihoods, Strings
from kdaudit.evidence.view import Trio
from kdaudit.language.written import evidence_of, likelihoods_of, questions
from kdaudit.results import Need
from kdaudit.stats.random import stream

DECLINED, CLAIMED = "I don't know.", "It is quite another thing."
LIKELY, UNLIKELY, UNSURE = -1.0, -3.0, 0.1  # log-probabilities of choices, and their spread
ABSENT = NotMeasured("the audit has no baseline")


def made_up(
    frame: Frame, right: Mapping[Subject, Bools], grading: GradingTable | None
) -> dict[Need, Trio]:
    """What suites would be given, were every subject right where it is said to be.

    Args:
        frame: the audited rows, with reference answers, choices, or prompts only.
        right: by role, (N,) rows. Without reference answers to decline is taken to be right.
        grading: who grades.
    """
    texts = {who: _texts(frame, right[who]) if who in right else ABSENT for who in ORDER}
    kinds = evidence_of(texts, questions(frame), grading)
    if frame.choices is not None:
        scored = {
            who: _likelihoods(frame, frame.choices, right[who], who) if who in right else ABSENT
            for who in ORDER
        }
        kinds |= likelihoods_of(scored)
    return kinds


def _texts(frame: Frame, right: Bools) -> Generations:
    n = len(frame)
    known = np.full(n, None, dtype=object) if frame.answers is None else frame.answers
    text, judge = np.empty(n, dtype=object), np.empty(n, dtype=object)
    for row, answers in enumerate(known):
        text[row] = (answers[0] if answers else DECLINED) if right[row] else CLAIMED
        judge[row] = ("A" if answers else "C") if right[row] else "B"
    nothing = np.full(n, None, dtype=object)
    none_more = np.empty(n, dtype=object)
    none_more[:] = [()] * n
    return Generations(
        text=text,
        truncated=np.zeros(n, np.bool_),
        tokens=np.full(n, np.nan),
        samples=none_more,
        judge=judge,
        human=nothing,
    )


def _likelihoods(frame: Frame, choices: Strings, right: Bools, who: Subject) -> Likelihoods:
    """True choices are the likelier ones where the subject is right, the others elsewhere."""
    start = np.concatenate([[0], np.cumsum([len(some) for some in choices])]).astype(np.int64)
    noise = stream(0, "power", "choices", who).normal(0.0, UNSURE, int(start[-1]))
    logprob = np.empty(len(noise))
    for row, some in enumerate(choices):
        truths = set(some[:1]) if frame.answers is None else set(frame.answers[row])
        good = np.array([one in truths for one in some], dtype=np.bool_)
        logprob[start[row] : start[row + 1]] = np.where(good == right[row], LIKELY, UNLIKELY)
    return Likelihoods(
        start=start,
        logprob=logprob + noise,
        tokens=np.full(len(noise), 2.0),
        greedy=np.zeros(len(noise), np.bool_),
    )
