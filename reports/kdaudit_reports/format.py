"""Numbers and absences as text.

The printed value or bound never stands on the other side of a limit than the unrounded one: digits
are added until it does not (`coverage.py` has the same rule for 0 % and 100 %).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal

from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.results import Better

MINUS = "\N{MINUS SIGN}"
ENOUGH = 40  # more decimals than any double needs once it is written in its shortest form
TOLERANCE = 1e-12  # the contract takes bounds this near to a limit as equal to it
NOISE = 1e-9  # an interval this narrow, as a share of its value, is rounding
CONTEXT = Context(prec=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How numbers of one unit are printed.

    Attributes:
        shift: powers of ten between the stored and the printed number; 2 for percentages.
        one: unit after a 1.
        many: unit after other numbers.
        signed: whether a plus sign is printed.
        whole: whether the unit comes in whole things.
    """

    shift: int = 0
    one: str = ""
    many: str = ""
    signed: bool = False
    whole: bool = False

    def unit(self, printed: str = "") -> str:
        """The unit that belongs after a printed number, with its space."""
        return self.one if printed.lstrip("+" + MINUS) in {"1", "1.0"} else self.many


PLAIN = Scale()
SHARE = Scale(shift=2, one="%", many="%")
POINTS = Scale(shift=2, one=" point", many=" points", signed=True)
MILLISECONDS = Scale(one=" ms", many=" ms")
SECONDS = Scale(one=" s", many=" s")
BITS = Scale(one=" bit", many=" bits")
TIMES = Scale(one="×", many="×")
COUNT = Scale(whole=True)
BYTES = tuple(
    Scale(shift=-3 * power, one=f" {name}", many=f" {name}", whole=power == 0)
    for power, name in enumerate(("bytes", "kB", "MB", "GB", "TB", "PB"))
)

WORDS: tuple[tuple[Scale, frozenset[str]], ...] = (
    (SHARE, frozenset({"share", "shares", "fraction", "probability", "proportion", "rate"})),
    (MILLISECONDS, frozenset({"ms", "millisecond", "milliseconds"})),
    (SECONDS, frozenset({"s", "second", "seconds"})),
    (BITS, frozenset({"bit", "bits"})),  # also per byte
    (BYTES[0], frozenset({"byte", "bytes"})),
    (TIMES, frozenset({"times", "ratio", "factor", "×", "x"})),
    (COUNT, frozenset({"count", "counts", "parameters", "parameter", "rows", "tokens", "weights"})),
)


def scale_of(unit: str, better: Better = Better.HIGHER, largest: float = 0.0) -> Scale:
    """The scale of a finding's own values.

    Args:
        unit: the finding's unit in words, e.g. ``share of rows``; the first known word decides.
        better: contrasts of shares are differences, printed in points.
        largest: the largest value that will be printed beside it; decides kB, MB or GB.

    >>> scale_of("share of rows").many, scale_of("nats").many, scale_of("bytes", largest=2e6).many
    ('%', '', ' MB')
    >>> scale_of("bits per byte of text").many
    ' bits'
    """
    words = unit.lower().replace(",", " ").split()
    scale = next(
        (scale for word in words for scale, known in WORDS if word in known),
        PLAIN,
    )
    if scale is SHARE and better is Better.ZERO:
        return POINTS
    if scale is BYTES[0] and largest >= 1000:
        return BYTES[min(int(math.log10(largest)) // 3, len(BYTES) - 1)]
    if better is Better.ZERO:
        return difference_of(scale)
    return scale


def difference_of(scale: Scale) -> Scale:
    """The scale of differences between values of a scale: points for shares, else signed.

    >>> difference_of(SHARE).many, difference_of(MILLISECONDS).signed
    (' points', True)
    """
    return POINTS if scale is SHARE else replace(scale, signed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A value and its bounds as text, to the same number of decimals."""

    value: str
    low: str
    high: str
    unit: str

    def __str__(self) -> str:
        """``94.2% [93.1, 95.2]``."""
        return f"{self.value}{self.unit} [{self.low}, {self.high}]"


def printed(estimate: Estimate, scale: Scale, limits: Sequence[float] = ()) -> Printed:
    """Print an estimate with digits that suit its interval and contradict no limit.

    >>> def e(value, low, high):
    ...     return Estimate(value=value, low=low, high=high, n=9, level=0.9, method="m")
    >>> str(printed(e(0.94213, 0.9311, 0.9523), SHARE))
    '94.2% [93.1, 95.2]'
    >>> str(printed(e(0.0049, 0.0001, 0.01004), POINTS, [0.01]))
    '+0.490 points [+0.010, +1.004]'
    """
    numbers = (estimate.value, estimate.low, estimate.high)
    places = _places(estimate.low, estimate.high, estimate.value, scale)
    value, low, high = (text(number, scale, places, limits) for number in numbers)
    most = max(_decimals(told) for told in (value, low, high))
    if places < most <= places + 2:
        # One more digit for all reads better than for one.
        value, low, high = (text(number, scale, most, limits) for number in numbers)
    return Printed(value=value, low=low, high=high, unit=scale.unit(value))


def text(number: float, scale: Scale, places: int, limits: Iterable[float] = ()) -> str:
    """One number, without its unit, on the right side of every limit.

    >>> text(0.010004, SHARE, 1, [0.01]), text(0.01, SHARE, 1, [0.01]), text(0.9999, SHARE, 1)
    ('1.0004', '1.0', '99.99')
    """
    exact = _scaled(number, scale)
    sides = [(_shown_limit(limit, scale), _side(number, limit)) for limit in limits]
    # 0 % and 100 % are said only of none and all; three more digits are enough to be honest.
    ends = [(Decimal(end), _side(number, end / 100)) for end in (0, 100) if scale is SHARE]
    for extra in range(places, ENOUGH):
        rounded = _round(exact, extra)
        told = sides + (ends if extra < places + 3 else [])
        if all(_compare(rounded, limit) == side for limit, side in told):
            return _write(rounded, scale)
    nearest = next((limit for limit, side in sides if side == 0), exact)
    return _write(nearest, scale)


def limit_text(limit: float, scale: Scale, *, signed: bool | None = None) -> str:
    """A limit with its unit and all its digits, at least one decimal for shares.

    >>> limit_text(0.01, POINTS), limit_text(0.0125, SHARE), limit_text(5.0, MILLISECONDS)
    ('+1.0 point', '1.25%', '5 ms')
    """
    shown = _shown_limit(limit, scale)
    if shown == shown.to_integral_value():
        shown = _round(shown, 1 if scale.shift == 2 else 0)
    keep = scale.signed if signed is None else signed
    written = _write(shown, Scale(signed=keep))
    return written + scale.unit(written)


def tick(value: float, scale: Scale) -> str:
    """A named value of an axis, in as few digits as it has.

    >>> tick(0.05, SHARE), tick(-0.02, POINTS), tick(20.0, MILLISECONDS)
    ('5%', '−2', '20 ms')
    """
    written = _write(_round(_scaled(value, scale), 9).normalize(CONTEXT), scale)
    return written if scale.shift == 2 and scale.many != "%" else written + scale.many


def measured(measurement: Measurement, scale: Scale, limits: Sequence[float] = ()) -> str:
    """A measurement in one line of text; absence says why.

    >>> measured(NotMeasured("no teacher"), SHARE)
    'not measured: no teacher'
    >>> e = Estimate(value=1.5e6, low=1.5e6, high=1.5e6, n=1, level=1.0, method="counted")
    >>> measured(e, scale_of("bytes", largest=1.5e6))
    '1.5 MB'
    """
    if isinstance(measurement, NotMeasured):
        return f"not measured: {measurement.reason}"
    shown = printed(measurement, scale, limits)
    if counted(measurement):
        return f"{shown.value}{shown.unit}"
    return str(shown)


def counted(estimate: Estimate) -> bool:
    """Whether the number was counted, not estimated, and so has no interval."""
    return estimate.level >= 1 and estimate.low == estimate.high


def _decimals(told: str) -> int:
    return len(told.partition(".")[2])


def _places(low: float, high: float, value: float, scale: Scale) -> int:
    """Decimals that show two digits of the interval's width, three of a number without one."""
    width = float(high - low) * 10.0**scale.shift
    if scale.whole and all(number == int(number) for number in (low, high, value)):
        return 0
    size = abs(value) * 10.0**scale.shift
    if width <= NOISE * size or not math.isfinite(width):
        digits = 2 - math.floor(math.log10(size)) if size > 0 else 0
        return _natural(value, scale, most=max(0, digits))
    return min(max(0, 1 - math.floor(math.log10(width))), 12)


def _natural(value: float, scale: Scale, most: int) -> int:
    """Decimals of a number as it is written, at most ``most``."""
    exponent = _scaled(value, scale).normalize(CONTEXT).as_tuple().exponent
    assert isinstance(exponent, int)
    return min(max(0, -exponent), most)


def _scaled(number: float, scale: Scale) -> Decimal:
    # The shortest text of a double tells it from every other and keeps their order.
    return Decimal(repr(float(number))).scaleb(scale.shift, CONTEXT)


def _shown_limit(limit: float, scale: Scale) -> Decimal:
    """A limit without the noise of binary fractions: 0.1 + 0.2 is shown as 0.3."""
    exact = _scaled(limit, scale)
    rounded = Context(prec=12).plus(exact)
    noise = Decimal("1e-13").scaleb(scale.shift)
    return rounded.normalize(CONTEXT) if abs(rounded - exact) <= noise else exact


def _side(number: float, limit: float) -> int:
    if abs(number - limit) <= TOLERANCE:
        return 0
    return 1 if number > limit else -1


def _compare(left: Decimal, right: Decimal) -> int:
    return int(left.compare(right))


def _round(number: Decimal, places: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN, CONTEXT)


def _write(number: Decimal, scale: Scale) -> str:
    sign = "" if not number else MINUS if number < 0 else "+" if scale.signed else ""
    return f"{sign}{abs(number):,f}"
