"""Axes: where a value falls, and which round values are named."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear or logarithmic axis between two values."""

    low: float
    high: float
    log: bool = False

    def at(self, value: float) -> float:
        """Where a value falls, as a share of the axis; beyond its ends it is below 0 or above 1.

        >>> Axis(0.0, 10.0).at(2.5), round(Axis(1.0, 100.0, log=True).at(10.0), 9)
        (0.25, 0.5)
        """
        if self.log:
            span = math.log(self.high) - math.log(self.low)
            return (math.log(max(value, self.low * 1e-9)) - math.log(self.low)) / span
        # Halves keep the span of two huge ends finite.
        return (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values inside the axis, at most ``most``.

        >>> Axis(0.0, 1.0).ticks(6)
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        >>> Axis(2.0, 300.0, log=True).ticks(6)
        [3.0, 10.0, 30.0, 100.0, 300.0]
        """
        return self._log_ticks(most) if self.log else self._linear_ticks(most)

    def _linear_ticks(self, most: int) -> list[float]:
        step = _round_step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [float(f"{k * step:.12g}") + 0.0 for k in range(first, last + 1)]

    def _log_ticks(self, most: int) -> list[float]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        for digits in ((1, 2, 5), (1, 3), (1,)):
            ticks = [
                float(f"{digit}e{power}") for power in range(first, last + 1) for digit in digits
            ]
            inside = [tick for tick in ticks if self.low <= tick <= self.high]
            if len(inside) <= most:
                return inside
        return inside[:: math.ceil(len(inside) / most)]


def around(values: Iterable[float], pad: float = 0.06) -> Axis:
    """A linear axis that shows all values, with room at both ends.

    >>> around([1.0, 2.0], pad=0.5)
    Axis(low=0.5, high=2.5, log=False)
    >>> around([3.0])
    Axis(low=2.0, high=4.0, log=False)
    """
    known = list(values) or [0.0, 1.0]
    low, high = min(known), max(known)
    span = high - low
    if not span > 1e-12 * max(abs(low), abs(high), 1e-12):
        return Axis(low - (abs(low) / 3 or 1.0), high + (abs(high) / 3 or 1.0))
    return Axis(low - pad * span, high + pad * span)


def around_log(values: Iterable[float]) -> Axis:
    """A logarithmic axis that shows all positive values.

    >>> around_log([10.0, 1000.0, -1.0]).high
    1100.0
    """
    known = [value for value in values if value > 0] or [1.0, 10.0]
    low, high = min(known) / 1.1, max(known) * 1.1
    return Axis(low, high if high > low * 1.5 else low * 2, log=True)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= rough * (1 - 1e-9))
