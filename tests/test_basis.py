"""Intervals, claims and p-values follow from the basis alone, and agree with each other."""

import math
from collections.abc import Callable
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from kdaudit.basis import difference, own
from kdaudit.claims import Claim, claim_own, claim_share, claim_worse
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.results import Better, Finding, Fixed, Means, Table
from kdaudit.stats.means import joint_means

MakeFinding = Callable[..., Finding]
Z = 1.6448536269514722  # of alpha = 0.05


def claimed(claim: Claim | NotMeasured) -> Claim:
    assert isinstance(claim, Claim), claim
    return claim


def measured(value: object) -> Estimate:
    assert isinstance(value, Estimate), value
    return value


def means(
    *mean: float,
    se: float = 0.001,
    correlation: float = 0.0,
    n: int = 100_000,
    span: float = 1.0,
    unknown: float = 0.0,
    filled: float = 0.0,
    effective: float | None = None,
) -> Means:
    size = len(mean)
    same = np.full((size, size), correlation) + (1 - correlation) * np.eye(size)
    return Means(
        mean=mean,
        covariance=tuple(tuple(float(x) for x in row) for row in same * se * se),
        df=n - 1,
        n=n,
        clusters=n,
        span=span,
        unknown=(unknown,) * size,
        filled=(filled,) * size if filled else (),
        effective=effective,
    )


def test_own_share_is_the_exact_interval() -> None:
    # 8 of 10: Clopper and Pearson's 90 % interval, by the beta quantiles of their paper.
    estimate = measured(own(Table(n11=6, n10=2, n01=1, n00=1), "student", 0.9))
    assert (estimate.value, estimate.n, estimate.method) == (
        0.8,
        10,
        "Clopper-Pearson, conservative",
    )
    assert (estimate.low, estimate.high) == pytest.approx(
        (beta.ppf(0.05, 8, 3), beta.ppf(0.95, 9, 2))
    )


def test_own_mean_is_students_interval_with_an_allowance_for_what_was_not_seen() -> None:
    basis = means(0.5, 0.4, se=0.03, n=101, span=2.0)
    unseen = Z * 2 / 101 / 2
    se = unseen + math.hypot(0.03, unseen)
    t = 1.6602343260657506  # 95 % quantile of Student's t with 100 degrees of freedom
    estimate = measured(own(basis, "student", 0.9))
    assert (estimate.low, estimate.high) == pytest.approx((0.5 - t * se, 0.5 + t * se))
    assert estimate.method == "t, conservative"


def test_a_heavy_unit_widens_the_interval_and_is_named() -> None:
    even = means(0.5, 0.4, se=0.03, n=101, effective=20.0)
    heavy = replace(even, largest=0.2, clustered=True, clusters=40, df=19.0)
    extra = Z / 2 * (math.sqrt(0.2 / 20) - 1 / 20)
    t = 1.729132811521367  # 95 % quantile of Student's t with 19 degrees of freedom
    wide, plain = (measured(own(b, "student", 0.9)) for b in (heavy, replace(even, df=19.0)))
    assert plain.low - wide.low == pytest.approx(t * extra)
    assert wide.method == "cluster-robust t, 40 clusters, 20.0 effective, 19.0 df, conservative"
    assert plain.method == "t, 20.0 effective, 19.0 df, conservative"


def test_few_differing_rows_are_named_conservative() -> None:
    names = [
        measured(difference(Table(n11=90, n10=gains, n01=losses, n00=0), "teacher", 0.9)).method
        for gains, losses in ((4, 5), (0, 20), (5, 5))
    ]
    assert names == ["Tango score, conservative"] * 2 + ["Tango score"]


def test_paired_difference_is_tangos_interval() -> None:
    # Tango (1998), as tabulated by Fagerland et al.: 59, 6, 16, 80 at 95 %.
    estimate = measured(difference(Table(n11=59, n10=6, n01=16, n00=80), "teacher", 0.95))
    assert (estimate.low, estimate.high) == pytest.approx((-0.1240, -0.0054), abs=5e-5)
    assert estimate.value == pytest.approx(-10 / 161)


def test_identical_answers_are_not_certainty() -> None:
    table = measured(difference(Table(n11=450, n10=0, n01=0, n00=50), "teacher", 0.9))
    assert table.high == -table.low == pytest.approx(1 - 0.05 ** (1 / 500))
    mean = measured(difference(means(0.9, 0.9, se=0.01, correlation=1.0, n=500), "teacher", 0.9))
    assert mean.high == -mean.low == pytest.approx(1.6479 * Z / 500, rel=1e-3)


def test_baseline_has_its_own_table() -> None:
    table = Table(n11=5, n10=1, n01=2, n00=2, baseline=(4, 2, 3, 1))
    assert measured(own(table, "baseline", 0.9)).value == pytest.approx(0.7)
    assert measured(difference(table, "baseline", 0.9)).value == pytest.approx(-0.1)
    assert isinstance(own(replace(table, baseline=None), "baseline", 0.9), NotMeasured)
    assert isinstance(difference(means(0.1, 0.2), "baseline", 0.9), NotMeasured)


@pytest.mark.parametrize(
    ("better", "student_only", "worse"),
    [(Better.HIGHER, 3, 0.04), (Better.LOWER, 3, -0.04)],
)
def test_worse_is_positive_whichever_way_is_better(
    finding: MakeFinding, better: Better, student_only: int, worse: float
) -> None:
    basis = Table(n11=60, n10=student_only, n01=7, n00=30)  # student - teacher = -0.04
    claim = claimed(claim_worse(finding(basis, better), "teacher", 0.1, 0.05))
    assert claim.estimate.value == pytest.approx(worse)


@pytest.mark.parametrize(
    ("student", "outcome"),
    [
        (0.02, "inside"),  # repaired: 0.10 -> 0.02
        (0.10, "inside"),  # inherited
        (-0.02, "inside"),  # the other way, but smaller
        (0.15, "beyond"),  # amplified
        (-0.15, "beyond"),  # reversed
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_repairing_a_contrast_passes_and_reversing_it_fails(
    finding: MakeFinding, sign: int, student: float, outcome: str
) -> None:
    basis = means(sign * student, sign * 0.10)
    claim = claimed(claim_worse(finding(basis, Better.ZERO), "teacher", 0.02, 0.05))
    assert claim.estimate.value == pytest.approx(abs(student) - 0.10)
    if outcome == "inside":
        assert claim.estimate.high <= 0.02
        assert claim.p_above > 0.5
    else:
        assert claim.estimate.low > 0.02
        assert claim.p_above < 1e-6


def test_a_contrast_the_teacher_may_not_have_is_introduced_on_either_side(
    finding: MakeFinding,
) -> None:
    for student in (0.05, -0.05):
        basis = means(student, 0.0005)  # the teacher's interval holds 0
        claim = claimed(claim_worse(finding(basis, Better.ZERO), "teacher", 0.02, 0.05))
        assert claim.estimate.high > 0.02
        assert claim.p_above < 1e-6


def test_harm_of_a_contrast_is_the_difference_of_sizes_when_signs_are_known(
    finding: MakeFinding,
) -> None:
    # T = 0.10 > 0 for sure, S - T = 0.01: upper bound 0.01 + z·sqrt(2)·0.001, the others tiny; at
    # 0.9 of alpha, since the sign of T was taken from the same rows.
    claim = claimed(claim_worse(finding(means(0.11, 0.10), Better.ZERO), "teacher", 0.02, 0.05))
    z = NormalDist().inv_cdf(1 - 0.9 * 0.05)
    assert claim.estimate.high == pytest.approx(0.01 + z * math.sqrt(2) * 0.001, rel=2e-3)


def test_size_of_a_contrast_is_held_on_both_sides(finding: MakeFinding) -> None:
    for value in (0.05, -0.05):
        claim = claimed(claim_own(finding(means(value, 0.0), Better.ZERO), 0.1, 0.05))
        assert claim.estimate.value == pytest.approx(0.05)
        assert claim.estimate.high == pytest.approx(0.05 + Z * 0.001, rel=1e-3)
        beyond = claimed(claim_own(finding(means(value, 0.0), Better.ZERO), 0.04, 0.05))
        assert beyond.p_above < 1e-6


def test_share_is_tangs_interval(finding: MakeFinding) -> None:
    claim = claimed(
        claim_share(finding(Table(n11=59, n10=6, n01=16, n00=80)), "teacher", 0.75, 0.025)
    )
    assert (claim.estimate.low, claim.estimate.high) == pytest.approx((0.7476, 0.9876), abs=5e-5)
    assert claim.p_above == pytest.approx(0.02730, abs=5e-6)


def test_share_of_means_is_fiellers_and_its_test_is_the_contrasts(finding: MakeFinding) -> None:
    rng = np.random.default_rng(3)
    teacher = rng.random(4000) < 0.8
    student = np.where(rng.random(4000) < 0.95, teacher, ~teacher)
    counts = [int(np.sum((student == s) & (teacher == t))) for s, t in ((1, 1), (1, 0), (0, 1))]
    n11, n10, n01 = counts
    table = Table(n11=n11, n10=n10, n01=n01, n00=4000 - sum(counts))
    joint = joint_means(np.stack([student, teacher]))
    assert joint is not None
    basis = Means(
        mean=tuple(map(float, joint.mean)),
        covariance=tuple(tuple(map(float, row)) for row in joint.covariance),
        df=joint.df,
        n=joint.n,
        clusters=joint.clusters,
        span=1.0,
        unknown=(0.0, 0.0),
    )
    tang = claimed(claim_share(finding(table), "teacher", 0.97, 0.05))
    fieller = claimed(claim_share(finding(basis), "teacher", 0.97, 0.05))
    assert fieller.estimate.value == pytest.approx(tang.estimate.value)
    assert fieller.estimate.low == pytest.approx(tang.estimate.low, abs=1e-3)
    assert fieller.estimate.high == pytest.approx(tang.estimate.high, abs=1e-3)
    # The ends of Fieller's set are where the contrast s - share·t is just not significant.
    at_low = claimed(claim_share(finding(basis), "teacher", fieller.estimate.low, 0.05))
    assert at_low.p_above == pytest.approx(0.05, abs=1e-6)


def test_share_of_nothing_is_not_measured(finding: MakeFinding) -> None:
    for basis in (Table(n11=0, n10=5, n01=0, n00=95), means(0.5, 0.001, se=0.01)):
        claim = claim_share(finding(basis), "teacher", 0.9, 0.05)
        assert isinstance(claim, NotMeasured)
        assert "too near to zero" in claim.reason


def test_answers_left_out_cannot_lift_a_reference_off_zero(finding: MakeFinding) -> None:
    # The teacher scores 0.10 ± 0.02, but 0.09 of it was only put in place of missing answers.
    basis = means(0.5, 0.10, se=0.01)
    assert isinstance(claim_share(finding(basis), "teacher", 0.9, 0.05), Claim)
    filled = replace(basis, filled=(0.0, 0.09))
    assert isinstance(claim_share(finding(filled), "teacher", 0.9, 0.05), NotMeasured)


def test_what_was_filled_in_widens_the_interval_and_the_p_value_with_it(
    finding: MakeFinding,
) -> None:
    plain, filled = means(0.80, 0.90, se=0.01), means(0.80, 0.90, se=0.01, filled=0.02)
    narrow = claimed(claim_worse(finding(plain), "teacher", 0.05, 0.05))
    wide = claimed(claim_worse(finding(filled), "teacher", 0.05, 0.05))
    assert wide.estimate.low < narrow.estimate.low
    assert wide.estimate.high > narrow.estimate.high
    # The interval that is printed and the verdict are one: both allow for hidden spread.
    assert narrow.p_above < wide.p_above
    assert (wide.estimate.low > 0.05) == (wide.p_above < 0.05)


def test_a_few_heavy_units_say_little_however_many_rows_there_are(finding: MakeFinding) -> None:
    same = means(0.9, 0.9, se=0.01, correlation=1.0, n=1000)
    heavy = replace(same, effective=4.0)
    assert claimed(claim_worse(finding(same), "teacher", 0.01, 0.05)).estimate.high < 0.01
    claim = claimed(claim_worse(finding(heavy), "teacher", 0.01, 0.05))
    assert claim.estimate.high == pytest.approx(1.6464 * Z / 4, rel=1e-3)


@pytest.mark.parametrize("reference", ["teacher", "baseline"])
def test_a_ratio_has_no_margin(finding: MakeFinding, reference: str) -> None:
    basis = replace(means(0.5, 0.4, 0.4), scale="log")
    claim = claim_worse(finding(basis), reference, 0.1, 0.05)  # type: ignore[arg-type]
    assert isinstance(claim, NotMeasured)
    assert "at_least or at_most" in claim.reason


def test_a_ratio_of_the_pair_is_no_share_of_a_reference(finding: MakeFinding) -> None:
    basis = replace(means(0.5), scale="log")
    claim = claim_share(finding(basis), "baseline", 0.9, 0.05)
    assert isinstance(claim, NotMeasured)
    assert "at_least or at_most" in claim.reason
    assert isinstance(claim_share(finding(basis), "teacher", 0.9, 0.05), NotMeasured)


@pytest.mark.parametrize(("reference", "value"), [("teacher", 0.8), ("baseline", 1.2)])
def test_a_share_of_the_references_own_ratio_is_a_ratio_of_ratios(
    finding: MakeFinding, reference: str, value: float
) -> None:
    basis = means(math.log(0.6), math.log(0.75), math.log(0.5), se=0.02, span=0.0, correlation=0.5)
    claim = claimed(
        claim_share(finding(replace(basis, scale="log")), reference, 0.9, 0.05)  # type: ignore[arg-type]
    )
    assert claim.estimate.value == pytest.approx(value)
    # Of equal errors, half of whose variance is shared, the difference has just that error.
    low, high = (value * math.exp(side * Z * 0.02) for side in (-1, 1))
    assert (claim.estimate.low, claim.estimate.high) == pytest.approx((low, high), rel=1e-4)
    assert (claim.p_below < 0.001) is (value < 0.9)
    assert (claim.p_above < 0.001) is (value > 0.9)


def test_ratios_that_agree_are_not_certain_to_be_alike(finding: MakeFinding) -> None:
    # 20 of 200 rows are chosen by both: one answer moves a logarithm by 10.
    one = means(0.0, 0.0, se=0.2, n=200, span=10.0, correlation=1.0)
    basis = replace(one, scale="log")
    kept = claimed(claim_share(finding(basis), "teacher", 0.8, 0.05))
    assert kept.estimate.low == pytest.approx(math.exp(-(Z**2) / 20), rel=0.01)
    # A ratio by itself shows its spread, where rows are independent.
    for clustered, span in ((False, 1.0), (True, 10.0)):
        unseen = Z * span / 400
        own_ratio = claimed(claim_own(finding(replace(basis, clustered=clustered)), 0.8, 0.05))
        reach = 1.6525 * (unseen + math.hypot(0.2, unseen))
        assert own_ratio.estimate.low == pytest.approx(math.exp(-reach), rel=1e-3)


def test_a_ratio_is_held_on_its_own_scale(finding: MakeFinding) -> None:
    basis = replace(means(math.log(3.0), se=0.01, span=0.0), scale="log")
    claim = claimed(claim_own(finding(basis), 2.5, 0.05))
    assert claim.estimate.value == pytest.approx(3.0)
    assert claim.estimate.low == pytest.approx(3.0 * math.exp(-Z * 0.01), rel=1e-4)
    assert claim.p_above < 1e-6
    nothing = claim_own(finding(basis), 0.0, 0.05)
    assert isinstance(nothing, NotMeasured)
    assert "always above 0" in nothing.reason


def fixed(level: float, low: float, high: float, better: Better = Better.LOWER) -> Finding:
    estimate = Estimate(value=low, low=low, high=high, n=100, level=level, method="counted")
    return Finding(
        code="ACC003",
        metric="m",
        unit="u",
        better=better,
        student=estimate,
        teacher=estimate,
        baseline=NotMeasured("none"),
        difference=estimate,
        basis=Fixed(level=level),
    )


def test_a_counted_value_decides_at_every_level() -> None:
    within = claimed(claim_own(fixed(1.0, 0.001, 0.001), 0.001, 0.05))
    assert (within.p_above, within.p_below) == (1.0, 1.0)  # at the limit, neither side is shown
    beyond = claimed(claim_own(fixed(1.0, 0.002, 0.002), 0.001, 0.05))
    assert beyond.p_above == 0.0


def test_one_interval_says_no_more_than_its_level() -> None:
    beyond = claimed(claim_own(fixed(0.9, 0.2, 0.3), 0.1, 0.05))
    assert beyond.p_above == pytest.approx(0.05)
    unclear = claimed(claim_own(fixed(0.9, 0.2, 0.3), 0.25, 0.05))
    assert (unclear.p_above, unclear.p_below) == (1.0, 1.0)


def test_one_interval_gives_no_share_no_size_and_no_baseline() -> None:
    low = fixed(0.9, 0.2, 0.3)
    zero = fixed(0.9, 0.2, 0.3, Better.ZERO)
    assert isinstance(claim_share(low, "teacher", 0.9, 0.05), NotMeasured)
    assert isinstance(claim_own(zero, 0.5, 0.05), NotMeasured)
    assert isinstance(claim_worse(zero, "teacher", 0.5, 0.05), NotMeasured)
    assert isinstance(claim_worse(low, "baseline", 0.5, 0.05), NotMeasured)


# --- what holds for every basis


tables = st.tuples(*[st.integers(0, 60)] * 4).filter(lambda t: sum(t) >= 2)
betters = st.sampled_from([Better.HIGHER, Better.LOWER])


@st.composite
def bases(draw: st.DrawFn) -> Means:
    rows = draw(st.integers(10, 40))
    cells = st.floats(-1, 1, allow_nan=False, width=32)
    scores = np.array(
        draw(st.lists(st.lists(cells, min_size=rows, max_size=rows), min_size=2, max_size=2))
    )
    joint = joint_means(scores)
    assert joint is not None
    return Means(
        mean=tuple(map(float, joint.mean)),
        covariance=tuple(tuple(map(float, row)) for row in joint.covariance),
        df=joint.df,
        n=joint.n,
        clusters=joint.clusters,
        span=2.0,
        unknown=(draw(st.sampled_from([0.0, 0.02])), draw(st.sampled_from([0.0, 0.02]))),
        filled=draw(st.sampled_from([(), (0.01, 0.02)])),
        effective=draw(st.sampled_from([None, rows / 3])),
    )


def consistent(claim: Claim, limit: float, alpha: float) -> None:
    """The bound is inside exactly when the test says so, and never while it says the contrary."""
    low, high = claim.estimate.low, claim.estimate.high
    assert low - 1e-12 <= claim.estimate.value <= high + 1e-12
    if high < limit - 1e-9:
        assert claim.p_above > 1 - alpha - 1e-6
    if low > limit + 1e-9:
        assert claim.p_above <= alpha + 1e-6
        assert claim.p_below >= 1 - alpha - 1e-6
    if claim.p_above <= alpha - 1e-6:
        assert high >= limit
    if claim.p_below <= alpha - 1e-6:
        assert low <= limit


@given(tables, betters, st.floats(0, 0.5), st.sampled_from([0.01, 0.05, 0.2]))
def test_tables_pass_exactly_when_the_bound_is_inside(
    finding: MakeFinding,
    cells: tuple[int, int, int, int],
    better: Better,
    limit: float,
    alpha: float,
) -> None:
    made = finding(Table(n11=cells[0], n10=cells[1], n01=cells[2], n00=cells[3]), better)
    consistent(claimed(claim_worse(made, "teacher", limit, alpha)), limit, alpha)
    consistent(claimed(claim_own(made, limit, alpha)), limit, alpha)
    share = claim_share(made, "teacher", 0.5 + limit, alpha)
    if isinstance(share, Claim):
        consistent(share, 0.5 + limit, alpha)


@given(bases(), st.sampled_from(list(Better)), st.floats(0, 0.5))
def test_means_pass_only_when_the_bound_is_inside(
    finding: MakeFinding, basis: Means, better: Better, limit: float
) -> None:
    made = finding(basis, better)
    for claim in (
        claimed(claim_worse(made, "teacher", limit, 0.05)),
        claimed(claim_own(made, limit, 0.05)),
    ):
        if claim.estimate.high <= limit:
            assert claim.p_above > 0.5
        if claim.p_above <= 0.05:
            assert claim.estimate.high > limit


@given(tables, st.floats(0.005, 0.3), st.integers(2, 20))
def test_more_rows_of_the_same_kind_never_take_a_pass_away(
    finding: MakeFinding, cells: tuple[int, int, int, int], margin: float, times: int
) -> None:
    one = finding(Table(n11=cells[0], n10=cells[1], n01=cells[2], n00=cells[3]))
    a, b, c, d = (count * times for count in cells)
    many = finding(Table(n11=a, n10=b, n01=c, n00=d))
    claims: tuple[Callable[[Finding], Claim | NotMeasured], ...] = (
        lambda f: claim_worse(f, "teacher", margin, 0.05),
        lambda f: claim_own(f, 1 - margin, 0.05),
    )
    for claim in claims:
        before, after = claimed(claim(one)).estimate, claimed(claim(many)).estimate
        assert after.low >= before.low - 1e-9
        assert after.high <= before.high + 1e-9


@given(tables)
def test_swapping_subjects_negates_the_difference(cells: tuple[int, int, int, int]) -> None:
    n11, n10, n01, n00 = cells
    one = measured(difference(Table(n11=n11, n10=n10, n01=n01, n00=n00), "teacher", 0.9))
    two = measured(difference(Table(n11=n11, n10=n01, n01=n10, n00=n00), "teacher", 0.9))
    assert (one.low, one.high) == pytest.approx((-two.high, -two.low), abs=1e-9)
