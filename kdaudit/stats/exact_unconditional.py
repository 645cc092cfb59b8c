"""Exact tests of the paired difference for few rows, whatever share of rows differs.

Score tests of a table are approximations, and of fewer than fifty rows they err with chance 0.06 to
0.11 at a nominal 0.05. Here every table that is at least as far from the hypothesis, by Tango's
score, is added up, and the worst share of differing rows counts (Barnard 1947; Sidik 2003,
Statistics in Medicine 22:265).
"""

import math

import numpy as np

from kdaudit.stats.paired_table import tango_z

MOST = 60  # rows; of more the score test is as good, and the tables are many
SHARES = 200  # at which the share of differing rows is tried


def exact_p_below(n10: int, n01: int, n: int, limit: float) -> float:
    """One-sided p-value of "student - teacher >= limit" against "below".

    Args:
        n10: rows only the student gets right.
        n01: rows only the teacher gets right.
        n: all rows, 1 to `MOST`.
        limit: the difference, in (-1, 1).

    Raises:
        ValueError: for counts that do not fit in n, too many rows, or a limit out of range.

    >>> round(exact_p_below(0, 5, 5, -0.05), 4)  # all rows may differ, 52.5% of them losses
    0.0399
    >>> exact_p_below(0, 45, 45, -0.05) < 1e-12
    True
    """
    from scipy.special import gammaln, xlogy

    if not (0 < n <= MOST and n10 >= 0 and n01 >= 0 and n10 + n01 <= n):
        raise ValueError(f"needs 1 to {MOST} rows and counts in them, got {n10}, {n01} of {n}")
    if not -1 < limit < 1:
        raise ValueError(f"a difference lies in (-1, 1), got {limit}")
    a, b = (x.ravel() for x in np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij"))
    fits = a + b <= n
    a, b = a[fits], b[fits]
    far = tango_z(a, b, n, limit) <= float(tango_z(n10, n01, n, limit)) + 1e-9
    a, b = a[far], b[far]
    ways = gammaln(n + 1) - gammaln(a + 1) - gammaln(b + 1) - gammaln(n - a - b + 1)
    # Of all shares of differing rows that allow for the limit, the ends too.
    share = np.linspace(abs(limit), 1, SHARES)[:, None]
    gain, loss = (share + limit) / 2, (share - limit) / 2
    same = np.maximum(1 - share, 0.0)
    chance = np.exp(ways + xlogy(a, gain) + xlogy(b, loss) + xlogy(n - a - b, same)).sum(axis=1)
    worst = float(chance.max())
    return 1.0 if math.isnan(worst) else min(1.0, worst)
