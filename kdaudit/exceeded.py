"""Which limits are shown to be exceeded, though many are looked at: weighted Holm over a contract.

Every entry of the contract has the same share of alpha, and the members of an ``each`` share their
entry's: a check of 24 regions does not dilute the one check of accuracy. Of an entry's members
those with fewer than ``min_n`` rows weigh as one together.

What involves no luck, a count, is exceeded or not, and dilutes nothing. Where a column has two
groups the contrast of the one is that of the other with another sign: one test, not two.

Checks that pass are set aside, and the p-values of the others are divided by 1 - alpha: by how much
they are too small now that it is known that they did not pass (Zhao, Small and Su 2019, Journal of
the American Statistical Association 114:1291). So checks that are clearly met dilute nothing, and a
failure cannot be diluted by adding some.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kdaudit.estimate import Estimate
from kdaudit.results import Better, Finding, Means, Outcome, Verdict
from kdaudit.stats.holm import holm

Places = dict[tuple[int, str], Finding]
"""Findings by the number of the check that they are held against, and their address."""

SAME = 1e-9  # difference of two means that is rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """What the family says of one verdict.

    Attributes:
        p: adjusted p-value that its limit is exceeded; at most alpha where that is shown.
        tests: how many are in the family.
        share: of alpha that the verdict's test has before any other was rejected, in (0, 1].
    """

    p: float
    tests: int
    share: float


def adjust(verdicts: Sequence[Verdict], places: Places, alpha: float) -> list[Adjusted | None]:
    """Adjust the p-values of one severity's verdicts.

    Args:
        verdicts: of one severity, decided one by one.
        places: the findings they are of.
        alpha: chance of any false failure, where the tests err independently or together. Two
            tests of which the one errs just where the other cannot may err twice as often.

    Returns:
        One per verdict; None where nothing was tested.
    """
    found: list[Adjusted | None] = [None] * len(verdicts)
    tests: list[list[int]] = []  # of each test, the verdicts that are its
    for i, verdict in enumerate(verdicts):
        if verdict.p_exceeded is None or not isinstance(verdict.measured, Estimate):
            continue
        if verdict.measured.level == 1:
            found[i] = Adjusted(p=verdict.p_exceeded, tests=1, share=1.0)
        elif (twin := _twin(i, verdicts, places, tests)) is not None:
            twin.append(i)
        else:
            tests.append([i])
    left = [some for some in tests if any(verdicts[i].outcome is not Outcome.PASS for i in some)]
    if not left:
        return found
    spared = 1 - alpha if len(tests) > 1 else 1.0
    p = [min(1.0, min(_p(verdicts[i]) for i in some) / spared) for some in left]
    weights = _weights([verdicts[some[0]] for some in left])
    adjusted = holm(p, weights).tolist()
    whole = sum(weights)
    for some, q, weight in zip(left, adjusted, weights, strict=True):
        for i in some:
            found[i] = Adjusted(p=q, tests=len(left), share=spared * weight / whole)
    return found


def _p(verdict: Verdict) -> float:
    assert verdict.p_exceeded is not None
    return verdict.p_exceeded


def _weights(verdicts: Sequence[Verdict]) -> list[float]:
    """One for every entry, shared by its members; small members have one member's part."""
    sizes: dict[int, list[int]] = {}
    for verdict in verdicts:
        small = verdict.outcome is Outcome.NOT_EVALUABLE
        sizes.setdefault(verdict.check, [0, 0])[small] += 1
    weights = []
    for verdict in verdicts:
        large, few = sizes[verdict.check]
        part = 1 / (large + bool(few))
        weights.append(part / few if verdict.outcome is Outcome.NOT_EVALUABLE else part)
    return weights


def _twin(
    index: int,
    verdicts: Sequence[Verdict],
    places: Places,
    tests: Sequence[list[int]],
) -> list[int] | None:
    """The test of which a verdict is the mirror image, if it is one."""
    here = places[verdicts[index].check, verdicts[index].address]
    if here.better is not Better.ZERO or not isinstance(here.basis, Means):
        return None
    for some in reversed(tests):
        other = some[0]
        if verdicts[other].check != verdicts[index].check:
            return None
        there = places[verdicts[other].check, verdicts[other].address]
        if len(some) == 1 and isinstance(there.basis, Means) and _mirrored(here.basis, there.basis):
            return some
    return None


def _mirrored(one: Means, other: Means) -> bool:
    """Whether one contrast is the other with another sign."""
    if len(one.mean) != len(other.mean) or not any(one.mean):
        return False
    rows = zip(one.covariance, other.covariance, strict=True)
    return all(
        abs(a + b) <= SAME * max(abs(a), SAME) for a, b in zip(one.mean, other.mean, strict=True)
    ) and all(
        abs(a - b) <= SAME * max(abs(a), abs(b)) for x, y in rows for a, b in zip(x, y, strict=True)
    )
