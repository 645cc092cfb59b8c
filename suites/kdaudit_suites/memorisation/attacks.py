"""Scores by which an attacker tells texts that were trained on; a higher one speaks for it."""

import zlib

import numpy as np

from kdaudit.evidence.kinds import Floats, Ints, Likelihoods, Strings, TokenScores
from kdaudit.evidence.view import Questions

SURE = 1e-6  # least deviation: where the model is certain a z-score has no scale


def loss(logprob: Floats, tokens: Floats) -> Floats:
    """(N,) mean log-probability per token (Yeom et al. 2018).

    >>> loss(np.array([-6.0]), np.array([3.0])).tolist()
    [-2.0]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        per_token: Floats = np.where(tokens > 0, logprob / tokens, np.nan)
    return per_token


def by_zlib(per_token: Floats, texts: Strings) -> Floats:
    """(N,) the same divided by the bytes that zlib makes of the text (Carlini et al. 2021)."""
    sizes = np.array([len(zlib.compress(str(text).encode())) for text in texts], dtype=np.float64)
    return per_token / sizes


def min_k(scores: Floats, share: float) -> float:
    """Mean of the lowest share of a text's token scores, of one at least.

    Min-K% of log-probabilities (Shi et al. 2024), Min-K%++ of z-scores (Zhang et al. 2025).

    Args:
        scores: (T,) of the tokens.
        share: in (0, 1].

    >>> round(min_k(np.array([0.6331, -3.0, 1.2247]), 0.67), 5)
    -1.18345
    >>> min_k(np.array([-2.0, -1.0]), 0.2)
    -2.0
    """
    if not len(scores):
        return float("nan")
    return float(np.sort(scores)[: max(1, int(len(scores) * share))].mean())


def z_scores(each: TokenScores) -> Floats:
    """(M,) how far each token's log-probability lies from what the model expected there."""
    return (each.logprob - each.mean) / np.maximum(each.deviation, SURE)


def scores(
    one: Likelihoods,
    asked: Questions,
    spots: Ints,
    share: float,
) -> dict[str, Floats]:
    """By attack, (N,) the score of each row's text; NaN where there is none.

    Attacks on tokens are absent where nothing was recorded of them.

    Args:
        one: a model's likelihoods.
        asked: the texts.
        spots: (N,) which choice is the text; -1 for none.
        share: of the tokens, for Min-K%.
    """
    n = len(spots)
    per_token, texts = np.full(n, np.nan), np.full(n, "", dtype=object)
    some = np.flatnonzero((spots >= 0) & one.valid)
    at = one.start[some] + spots[some]
    per_token[some] = loss(one.logprob[at], one.tokens[at])
    if asked.choices is not None:
        texts[some] = [asked.choices[row][spots[row]] for row in some]
    made = {"loss": per_token, "zlib": by_zlib(per_token, texts)}
    each = one.each
    if each is None:
        return made
    for name, tokens in (("min-k", each.logprob), ("min-k++", z_scores(each))):
        if np.isnan(tokens).all():
            continue  # whoever served the model told less
        made[name] = np.full(n, np.nan)
        made[name][some] = [min_k(tokens[each.start[i] : each.start[i + 1]], share) for i in at]
    return made
