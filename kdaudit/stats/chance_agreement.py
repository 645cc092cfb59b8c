"""How often two subjects would give the same answer by chance, within strata."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True)
class ChanceAgreement:
    """Same answers of two subjects beside what independence within strata would give.

    Attributes:
        same: rows with the same answer.
        expected: their expected number if, within each stratum, one subject's answers were dealt
            to its rows at random.
        sd: the standard deviation of that number.
        n: rows.
    """

    same: int
    expected: float
    sd: float
    n: int


def chance_agreement(one: ArrayLike, other: ArrayLike, stratum: ArrayLike) -> ChanceAgreement:
    """Compare the same answers with a deal at random within strata.

    With counts ``a_k`` and ``b_k`` of the answers k in a stratum of n rows, a random deal has mean
    ``Σ a_k b_k / n`` and variance
    ``(n² Σ a_k b_k - n Σ a_k b_k (a_k + b_k) + (Σ a_k b_k)²) / (n² (n - 1))``,
    the moments behind Cohen's kappa (Everitt 1968, Br. J. Math. Stat. Psychol. 21:97).

    Args:
        one: (N,) codes from 0.
        other: (N,) codes from 0.
        stratum: (N,) codes from 0; for wrong answers, the label.

    Raises:
        ValueError: for lengths that differ.

    >>> chance_agreement([0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0])
    ChanceAgreement(same=4, expected=2.0, sd=1.1547005383792515, n=4)
    """
    a, b, s = (np.asarray(codes, np.int64) for codes in (one, other, stratum))
    if not a.shape == b.shape == s.shape:
        raise ValueError(f"codes are of the same rows; got {a.shape}, {b.shape}, {s.shape}")
    if not len(a):
        return ChanceAgreement(same=0, expected=0.0, sd=0.0, n=0)
    answers, strata = int(max(a.max(), b.max())) + 1, int(s.max()) + 1

    # The cells that occur alone: of thousands of classes a table of all would fill the memory.
    n = np.bincount(s, minlength=strata).astype(np.float64)
    ours, of_one = np.unique(s * answers + a, return_counts=True)
    theirs, of_other = np.unique(s * answers + b, return_counts=True)
    cells, here, there = np.intersect1d(ours, theirs, assume_unique=True, return_indices=True)
    one_here, other_here = of_one[here].astype(np.float64), of_other[there].astype(np.float64)
    product, where = one_here * other_here, cells // answers
    together = np.bincount(where, product, minlength=strata)
    lopsided = np.bincount(where, product * (one_here + other_here), minlength=strata)
    held = n > 1  # a stratum of one row cannot be dealt otherwise
    safe = np.where(held, n, 2.0)
    variance = (n * n * together - n * lopsided + together**2) / (safe * safe * (safe - 1))
    return ChanceAgreement(
        same=int(np.count_nonzero(a == b)),
        expected=float((together / np.maximum(n, 1)).sum()),
        sd=float(np.sqrt(np.maximum(np.where(held, variance, 0.0), 0.0).sum())),
        n=len(a),
    )
