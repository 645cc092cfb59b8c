"""Numbers as text: enough digits, and never on the other side of a limit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.results import Better
from kdaudit_reports import format as f

SCALES = (f.SHARE, f.POINTS, f.PLAIN, f.MILLISECONDS, f.TIMES, *f.BYTES)


def estimate(value: float, low: float, high: float, level: float = 0.9) -> Estimate:
    return Estimate(value=value, low=low, high=high, n=100, level=level, method="m")


@pytest.mark.parametrize(
    ("value", "low", "high", "scale", "told"),
    [
        pytest.param(0.942, 0.931, 0.952, f.SHARE, "94.2% [93.1, 95.2]", id="share"),
        pytest.param(0.62, 0.52, 0.71, f.SHARE, "62% [52, 71]", id="wide-interval"),
        pytest.param(0.9421, 0.9411, 0.9431, f.SHARE, "94.21% [94.11, 94.31]", id="narrow"),
        pytest.param(-0.0187, -0.024, -0.0133, f.POINTS, "−1.9 points [−2.4, −1.3]", id="points"),
        pytest.param(0.01, 0.0, 0.02, f.POINTS, "+1.0 point [0.0, +2.0]", id="one-point"),
        pytest.param(0.1163, 0.1102, 0.1224, f.PLAIN, "0.116 [0.110, 0.122]", id="score"),
        pytest.param(25.0, 25 - 4e-12, 25.0, f.MILLISECONDS, "25 ms [25, 25]", id="rounding"),
        pytest.param(4.1, 3.98, 4.22, f.MILLISECONDS, "4.10 ms [3.98, 4.22]", id="milliseconds"),
        pytest.param(1234.0, 1200.0, 1300.0, f.MILLISECONDS, "1,234 ms [1,200, 1,300]", id="comma"),
        pytest.param(8.23, 7.92, 8.54, f.TIMES, "8.23× [7.92, 8.54]", id="speed-up"),
        pytest.param(-0.00001, -0.3, 0.3, f.PLAIN, "0.00 [−0.30, 0.30]", id="no-minus-zero"),
        pytest.param(0.99996, 0.98, 1.0, f.SHARE, "99.996% [98.000, 100.000]", id="not-quite-all"),
    ],
)  # fmt: skip
def test_an_estimate_is_printed_with_the_digits_its_interval_supports(
    value: float, low: float, high: float, scale: f.Scale, told: str
) -> None:
    assert str(f.printed(estimate(value, low, high), scale)) == told


@pytest.mark.parametrize(
    ("high", "limit", "told"),
    [
        pytest.param(0.00996, 0.01, "+0.996", id="below"),
        pytest.param(0.01004, 0.01, "+1.004", id="above"),
        pytest.param(0.01, 0.01, "+1.0", id="touches"),
        pytest.param(0.010000000000000002, 0.01, "+1.0", id="touches-up-to-rounding"),
        pytest.param(0.0100001, 0.01, "+1.00001", id="far-digits"),
        pytest.param(0.0124, 0.0125, "+1.2", id="limit-with-two-decimals"),
    ],
)
def test_a_bound_near_its_limit_gets_the_digits_that_tell_them_apart(
    high: float, limit: float, told: str
) -> None:
    assert f.text(high, f.POINTS, 1, [limit]) == told


numbers = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)
nudges = st.sampled_from([0.0, 1e-14, 3e-12, 1e-9, 4.9e-7, 1e-5, 4e-4, 0.003, 0.2])


@given(
    limit=st.one_of(numbers, st.sampled_from([0.0, 0.01, 0.03, 0.05, 0.95, 1.0])),
    nudge=nudges,
    sign=st.sampled_from([-1, 1]),
    widths=st.tuples(nudges, nudges),
    scale=st.sampled_from(SCALES),
)
def test_a_printed_number_never_crosses_its_limit(
    limit: float, nudge: float, sign: int, widths: tuple[float, float], scale: f.Scale
) -> None:
    value = limit + sign * nudge
    measured = estimate(value, value - widths[0], value + widths[1])
    shown = f.printed(measured, scale, [limit])
    edge = number(f.limit_text(limit, scale, signed=False).removesuffix(scale.many), scale)
    for exact, told in (
        (measured.value, shown.value),
        (measured.low, shown.low),
        (measured.high, shown.high),
    ):
        if abs(exact - limit) <= f.TOLERANCE:
            assert number(told, scale) == edge
        else:
            assert (number(told, scale) > edge) == (exact > limit)
            assert number(told, scale) != edge


def number(told: str, scale: f.Scale) -> Decimal:
    bare = told.removesuffix(scale.one).replace(f.MINUS, "-").replace(",", "")
    return Decimal(bare)


@given(value=numbers, scale=st.sampled_from(SCALES), half=st.floats(0, 1e6))
def test_value_and_bounds_keep_their_order_in_print(
    value: float, scale: f.Scale, half: float
) -> None:
    shown = f.printed(estimate(value, value - half, value + half), scale)
    low, middle, high = (number(t, scale) for t in (shown.low, shown.value, shown.high))
    assert low <= middle <= high


@given(value=st.floats(allow_nan=False, allow_infinity=False), scale=st.sampled_from(SCALES))
def test_any_finite_number_can_be_printed(value: float, scale: f.Scale) -> None:
    assert f.measured(estimate(value, value, value, level=1.0), scale)


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.0, "0%"), (1.0, "100%"), (0.9421, "94.2%"), (1 / 4500, "0.0222%"), (0.5, "50%")],
)
def test_a_counted_share_has_three_digits_and_no_interval(value: float, told: str) -> None:
    assert f.measured(estimate(value, value, value, level=1.0), f.SHARE) == told


def test_an_absence_says_why() -> None:
    assert f.measured(NotMeasured("no timing"), f.SHARE) == "not measured: no timing"


@pytest.mark.parametrize(
    ("unit", "better", "largest", "suffix"),
    [
        ("share of rows", Better.HIGHER, 0.0, "%"),
        ("share of out-of-scope rows", Better.LOWER, 0.0, "%"),
        ("share of rows", Better.ZERO, 0.0, " points"),
        ("score, 0 to 2", Better.LOWER, 0.0, ""),
        ("milliseconds", Better.LOWER, 0.0, " ms"),
        ("times faster", Better.HIGHER, 0.0, "×"),
        ("bytes", Better.LOWER, 999.0, " bytes"),
        ("bytes", Better.LOWER, 66_148_352.0, " MB"),
        ("bytes", Better.LOWER, 1e30, " PB"),
        ("weights", Better.LOWER, 0.0, ""),
        ("parsecs", Better.HIGHER, 0.0, ""),
    ],
)
def test_the_unit_in_words_chooses_the_scale(
    unit: str, better: Better, largest: float, suffix: str
) -> None:
    assert f.scale_of(unit, better, largest).many == suffix


@pytest.mark.parametrize(
    ("limit", "scale", "told"),
    [
        (0.01, f.POINTS, "1.0 point"),
        (0.0125, f.POINTS, "1.25 points"),
        (0.95, f.SHARE, "95.0%"),
        (0.001, f.SHARE, "0.1%"),
        (0.1 + 0.2, f.SHARE, "30.0%"),
        (4.0, f.TIMES, "4×"),
        (50e6, f.BYTES[2], "50 MB"),
    ],
)
def test_a_limit_is_printed_with_all_its_digits(limit: float, scale: f.Scale, told: str) -> None:
    assert f.limit_text(limit, scale, signed=False) == told
