"""What a reader who never asks a model can tell: the words of members and non-members differ."""

import re

import numpy as np

from kdaudit.evidence.kinds import Bools, Floats, Ints, Strings

FOLDS = 5
WORD = re.compile(r"\w+")


def blind_scores(
    texts: Strings, members: Bools, clusters: Ints | None, rng: np.random.Generator
) -> Floats | None:
    """(N,) how much the words of each text speak for a member, by a model of the other texts.

    Logistic regression on which words a text has, cross-validated; a cluster is in one fold.

    Args:
        texts: (N,).
        members: (N,) what is told apart.
        clusters: (N,) or None.
        rng: deals the folds.

    Returns:
        None with too few texts or clusters for folds, or without a word.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    units = np.arange(len(texts)) if clusters is None else clusters
    sides = [len(np.unique(units[members == side])) for side in (True, False)]
    if min(sides) < FOLDS:
        return None
    try:
        words = CountVectorizer(binary=True, tokenizer=WORD.findall, token_pattern=None)
        found = words.fit_transform(texts)
    except ValueError:  # an empty vocabulary
        return None
    order = rng.permutation(len(texts))
    made = np.zeros(len(texts))
    folds = StratifiedKFold(FOLDS) if clusters is None else StratifiedGroupKFold(FOLDS)
    groups = None if clusters is None else clusters[order]
    for learnt, held in folds.split(order, members[order], groups):
        inside, outside = order[learnt], order[held]
        if len(np.unique(members[inside])) < 2:
            return None
        model = LogisticRegression(max_iter=2000).fit(found[inside], members[inside])
        made[outside] = model.decision_function(found[outside])
    return made
