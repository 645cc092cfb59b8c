"""How many rows would decide a check."""

import math

from kdaudit.stats.interval import normal_quantile


def required_n(variance: float, distance: float, *, alpha: float, power: float = 0.8) -> int:
    """Units for a one-sided test to see ``distance`` with chance ``power``.

    ``(z_alpha + z_power)² · variance / distance²``, rounded up.

    Args:
        variance: variance of one unit's difference, at least 0.
        distance: how far the true value lies from the limit, above 0.
        alpha: one-sided level in (0, 1).
        power: wanted chance in (0, 1) to decide.

    Returns:
        Units, at least 1.

    Raises:
        ValueError: for a number out of its range; at distance 0 no number of units is enough.

    >>> required_n(0.05, 0.01, alpha=0.05)
    3092
    """
    if not (0 <= variance < math.inf and 0 < distance < math.inf):
        raise ValueError(f"needs variance >= 0 and distance > 0, got {variance} and {distance}")
    z = normal_quantile(alpha) + normal_quantile(1 - power)
    return max(1, math.ceil(z * z * variance / distance / distance))


def required_n_paired(
    discordance: float, difference: float, margin: float, *, alpha: float, power: float = 0.8
) -> int:
    """Rows for a paired test to show that 0/1 scores are not worse by ``margin``.

    The variance of one row's difference is ``discordance - difference²``. The normal
    approximation promises too much for rare discordance: with fewer than about ten differing rows
    expected, the true power is nearer 0.7 than 0.8.

    Args:
        discordance: expected share of rows that only one subject gets right, in [0, 1].
        difference: expected true difference, student - teacher; at most ``discordance`` in size.
        margin: what is tolerated; ``difference + margin`` is above 0.
        alpha: one-sided level in (0, 1).
        power: wanted chance in (0, 1) to show it.

    Raises:
        ValueError: for a number out of its range.

    >>> required_n_paired(0.05, -0.005, 0.02, alpha=0.05)
    1374
    """
    if not abs(difference) <= discordance <= 1:
        raise ValueError(f"needs |difference| <= discordance <= 1: {difference}, {discordance}")
    variance = discordance - difference * difference
    return required_n(variance, difference + margin, alpha=alpha, power=power)


def zero_discordance_n(margin: float, *, alpha: float) -> int:
    """Rows for two subjects that never differ to pass Tango's test: ``z² (1 - m) / m``.

    Args:
        margin: what is tolerated, in (0, 1).
        alpha: one-sided level in (0, 1).

    Returns:
        Rows, at least 1.

    Raises:
        ValueError: for a margin or alpha outside (0, 1).

    >>> zero_discordance_n(0.02, alpha=0.05)
    133
    """
    if not 0 < margin < 1:
        raise ValueError(f"a margin of shares lies strictly between 0 and 1, got {margin}")
    z = normal_quantile(alpha)
    return max(1, math.ceil(z * z * (1 - margin) / margin))
