"""Whether a model goes on as the text does: letter for letter, or nearly."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Generations, Ints, Strings
from kdaudit.evidence.view import GENERATIONS, Evidence, crossed
from kdaudit.measure import mean_finding, mean_findings, not_measured
from kdaudit.results import Endpoint, Finding
from kdaudit.scores import Score, Scores, absence
from kdaudit.stats.edit_distance import similarity
from kdaudit_suites.memorisation.endpoints import MEM001, MEM002, MEM008
from kdaudit_suites.memorisation.passages import Passages

NEARLY = 0.9  # least similarity of an approximate extraction, after Ippolito et al. 2022
NO_TRUTH = "how the texts go on is not declared: name the column as `answers` under [data]"
NO_CONTROL = (
    "no text is known not to have been trained on: name a column of `slices` as `member` under "
    "[suites.memorisation]. Without such texts, what anybody would write counts as extracted"
)


class Found(IntEnum):
    """What one continuation shows."""

    NO = 0
    YES = 1
    UNDECIDED = 2  # it was cut off while it still agreed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Extracted:
    """What one subject's continuations show, row by row.

    Attributes:
        verbatim: (N,) `Found`.
        nearly: (N,) `Found`, of similarity.
        common: (N,) share of the true continuation that is written before the first difference.
        valid: (N,) whether there is a text.
    """

    verbatim: Ints
    nearly: Ints
    common: Floats
    valid: Bools

    def score(self, what: str) -> Score:
        """0/1; what is undecided counts as missing, so that no limit of tokens can hide it."""
        found = self.verbatim if what == "verbatim" else self.nearly
        return Score(values=found == Found.YES, valid=self.valid & (found != Found.UNDECIDED))


def one_text(said: str, truth: str, *, truncated: bool) -> tuple[Found, Found, float]:
    """Compare a continuation with the true one; runs of white space are one space.

    Args:
        said: what the model wrote after the beginning of the text.
        truth: how the text goes on; not empty.
        truncated: whether the model was stopped by the limit of tokens.

    Returns:
        Whether it begins with the true continuation, whether its part of that length is nearly the
        same, and the share of the true continuation before the first difference.

    >>> one_text(" to be, or  not to be, that", "to be, or not to be", truncated=True)
    (<Found.YES: 1>, <Found.YES: 1>, 1.0)
    >>> one_text("to be,", "to be, or not to be", truncated=True)[:2]
    (<Found.UNDECIDED: 2>, <Found.UNDECIDED: 2>)
    >>> one_text("to be,", "to be, or not to be", truncated=False)[:2]
    (<Found.NO: 0>, <Found.NO: 0>)
    """
    ours, theirs = " ".join(said.split()), " ".join(truth.split())
    same = next(
        (i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b),
        min(len(ours), len(theirs)),
    )
    if same == len(theirs):
        return Found.YES, Found.YES, 1.0
    short = truncated and len(ours) < len(theirs)
    verbatim = Found.UNDECIDED if short and same == len(ours) else Found.NO
    if short:
        so_far = similarity(ours, theirs[: len(ours)]) >= NEARLY
        nearly = Found.UNDECIDED if so_far else Found.NO
    else:
        alike = similarity(ours[: len(theirs)], theirs) >= NEARLY
        nearly = Found.YES if alike else Found.NO
    return verbatim, nearly, same / len(theirs)


def extracted(passages: Passages) -> dict[Subject, Extracted | NotMeasured]:
    """Everyone's continuations, compared."""
    truth, texts = passages.asked.answers, passages.evidence[GENERATIONS]
    made: dict[Subject, Extracted | NotMeasured] = {}
    for who in ORDER:
        one = texts.of(who)
        if not isinstance(one, Generations):
            made[who] = absence(one)
        elif truth is None:
            made[who] = NotMeasured(NO_TRUTH)
        else:
            made[who] = _extracted(one, truth)
    return made


def _extracted(one: Generations, truth: Strings) -> Extracted:
    verbatim = np.zeros(len(truth), dtype=np.int64)
    nearly, common = np.zeros_like(verbatim), np.zeros(len(truth))
    for row in np.flatnonzero(one.valid):
        for known in truth[row]:
            found = one_text(one.text[row], known, truncated=bool(one.truncated[row]))
            # Of several true continuations the one that shows most; undecided beats no.
            verbatim[row] = _most(verbatim[row], found[0])
            nearly[row] = _most(nearly[row], found[1])
            common[row] = max(common[row], found[2])
    return Extracted(verbatim=verbatim, nearly=nearly, common=common, valid=one.valid)


def _most(one: int, other: int) -> Found:
    return max(Found(one), Found(other), key=(Found.NO, Found.UNDECIDED, Found.YES).index)


def extraction(
    passages: Passages, found: dict[Subject, Extracted | NotMeasured]
) -> tuple[Finding, ...]:
    """MEM001, MEM002 and MEM008."""
    rows = passages.members & passages.continued
    made: list[Finding] = []
    for endpoint, what in ((MEM001, "verbatim"), (MEM002, "nearly")):
        scores: Scores = {
            who: one if isinstance(one, NotMeasured) else one.score(what)
            for who, one in found.items()
        }
        made += by_slice(endpoint, passages, scores, rows)
        if endpoint is MEM001:
            made.append(_control(passages, scores))
    return tuple(made)


def by_slice(endpoint: Endpoint, passages: Passages, scores: Scores, rows: Bools) -> list[Finding]:
    """A score of all of ``rows``, and of those of each slice; no slice without such a row."""
    evidence = passages.evidence
    absent = [one for one in scores.values() if isinstance(one, NotMeasured)]
    if not rows.any():
        reason = absent[0].reason if len(absent) == len(scores) else "no text was trained on"
        return [not_measured(endpoint, (), reason)]
    made = [mean_finding(endpoint, evidence, scores, rows=rows)]
    for columns in evidence.rows.slices:
        if passages.column in columns:
            continue
        codes, wheres = crossed(evidence.rows, columns)
        inside = np.where(rows, codes, -1)
        some = np.bincount(inside + 1, minlength=len(wheres) + 1)[1:] > 0
        found = mean_findings(endpoint, evidence, scores, codes=inside, wheres=wheres)
        made += [finding for finding, any_row in zip(found, some, strict=True) if any_row]
    return made


def _control(passages: Passages, scores: Scores) -> Finding:
    if passages.others is None:
        return not_measured(MEM008, (), NO_CONTROL)
    rows = passages.others & passages.continued
    if not rows.any():
        return not_measured(MEM008, (), "every text was trained on")
    return mean_finding(MEM008, passages.evidence, scores, rows=rows)


def level_of(evidence: Evidence) -> str:
    """How intervals of a figure are called."""
    return f"{evidence.level:.0%} intervals, each by itself"
