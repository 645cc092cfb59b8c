"""Multiple choice by likelihood: does the model hold the true answers likelier than the false?"""

from dataclasses import replace

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Likelihoods
from kdaudit.evidence.view import LIKELIHOODS, Evidence
from kdaudit.measure import mean_finding, not_measured
from kdaudit.results import Finding
from kdaudit.scores import Score, absence
from kdaudit.stats.segments import segment_logsumexp, segment_max
from kdaudit_suites.hallucination.endpoints import HAL012, HAL013

UNTOLD = "name the true choices of each row as `answers` under [data]"


def multiple_choice(evidence: Evidence) -> list[Finding]:
    """HAL012 and HAL013, where someone scored choices; else nothing."""
    scored = {who: evidence[LIKELIHOODS].of(who) for who in ORDER}
    asked = evidence.rows.questions
    known = [one for one in scored.values() if isinstance(one, Likelihoods)]
    if asked is None or not known:
        return []
    if asked.answers is None:
        return [not_measured(endpoint, (), UNTOLD) for endpoint in (HAL012, HAL013)]
    true, start = asked.choices_in(asked.answers), known[0].start
    rows = (segment_max(true, start) > 0) & (segment_max(~true, start) > 0)
    others = len(rows) - int(rows.sum())
    note = f"{others} of {len(rows)} rows are not asked: of their choices none, or all, are true"
    if not rows.any():
        return [not_measured(endpoint, (), note) for endpoint in (HAL012, HAL013)]
    first: dict[Subject, Score | NotMeasured] = {}
    share: dict[Subject, Score | NotMeasured] = {}
    for who, one in scored.items():
        if not isinstance(one, Likelihoods):
            first[who] = share[who] = absence(one)
            continue
        first[who], share[who] = _scores(one, true)
    measured = (
        mean_finding(HAL012, evidence, first, rows=rows),
        mean_finding(HAL013, evidence, share, rows=rows),
    )
    return [replace(one, note=note) if others else one for one in measured]


def _scores(one: Likelihoods, true: Bools) -> tuple[Score, Score]:
    """Whether a true choice is the likeliest, and the share of the probability on true ones."""
    logprob = np.where(np.isnan(one.logprob), -np.inf, one.logprob)
    of_true, of_false = np.where(true, logprob, -np.inf), np.where(true, -np.inf, logprob)
    whole = segment_logsumexp(logprob, one.start)
    valid = one.valid & np.isfinite(whole)
    share = np.exp(segment_logsumexp(of_true, one.start) - np.where(valid, whole, 0.0))
    return (
        Score(
            values=segment_max(of_true, one.start) > segment_max(of_false, one.start), valid=valid
        ),
        Score(values=np.where(valid, np.clip(share, 0.0, 1.0), 0.0), valid=valid),
    )
