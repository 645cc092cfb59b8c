"""How far repeated answers are spread over meanings."""

import numpy as np
from numpy.typing import ArrayLike


def discrete_entropy(codes: ArrayLike) -> float:
    """Entropy in nats of the shares of each code: 0 where all are equal, log K where none are.

    Over codes of meaning it is the discrete semantic entropy of Farquhar et al. (2024, Nature
    630:625).

    Args:
        codes: (K,) codes from 0, at least one.

    Raises:
        ValueError: without codes.

    >>> f"{discrete_entropy([0, 1, 2, 1]):.5f}"
    '1.03972'
    """
    counts = np.bincount(np.asarray(codes, np.int64))
    if not len(counts):
        raise ValueError("the entropy of no answers is not defined")
    share = counts[counts > 0] / counts.sum()
    return float(abs(-(share * np.log(share)).sum()))
