"""Bits per byte: how well a language model foretells a text, whatever its tokenizer."""

import math
from dataclasses import replace

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Likelihoods
from kdaudit.evidence.view import LIKELIHOODS, Evidence
from kdaudit.measure import mean_finding, not_measured
from kdaudit.results import Endpoint, Finding
from kdaudit.scores import Score, absence

NO_TEXT = "no row has a single choice, a text to be scored"


def bits_per_byte(endpoint: Endpoint, evidence: Evidence) -> list[Finding]:
    """Bits of all texts over their UTF-8 bytes, where someone scored choices; else nothing.

    The bytes are those of the data, the same for every subject: the ratio of both sums is a mean
    over rows that weigh as much as they have bytes, and is paired row by row.
    """
    asked = evidence.rows.questions
    scored = {who: evidence[LIKELIHOODS].of(who) for who in ORDER}
    if asked is None or asked.choices is None:
        return []
    if not any(isinstance(one, Likelihoods) for one in scored.values()):
        return []
    texts = np.array([len(row) == 1 for row in asked.choices], dtype=np.bool_)
    if not texts.any():
        return [not_measured(endpoint, (), NO_TEXT)]
    size = np.array([max(len("".join(row).encode()), 1) for row in asked.choices], np.float64)
    rates = {
        who: _rates(one, texts, size) if isinstance(one, Likelihoods) else absence(one)
        for who, one in scored.items()
    }
    # A loss has no greatest value: the range that was seen, a bit at least, says how far a text may
    # move the mean.
    seen = [one[texts] for one in rates.values() if not isinstance(one, NotMeasured)]
    high = max([1.0, *(float(one.max()) for one in seen)])
    low = min([high - 1.0, *(float(one.min()) for one in seen)])
    scores: dict[Subject, Score | NotMeasured] = {
        who: one
        if isinstance(one, NotMeasured)
        else Score(values=one, valid=np.ones(len(one), np.bool_), low=low, high=high)
        for who, one in rates.items()
    }
    rows = evidence.rows
    weight = size if rows.weight is None else size * rows.weight
    weighed = replace(evidence, rows=replace(rows, weight=weight))
    return [mean_finding(endpoint, weighed, scores, rows=texts)]


def _rates(one: Likelihoods, texts: Bools, size: Floats) -> Floats | NotMeasured:
    """(N,) bits per byte of each text, 0 where a row is none."""
    logprob = np.zeros(len(one))
    logprob[texts] = one.logprob[one.start[:-1][texts]]
    missing = int(np.count_nonzero(~np.isfinite(logprob)))
    if missing:
        return NotMeasured(
            f"{missing} of {int(texts.sum())} texts have no log-probability, and a loss has no "
            "worst value to put in their place"
        )
    return -logprob / (math.log(2) * size)
