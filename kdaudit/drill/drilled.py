"""What an audit drill found: known harms, and with what probability the audit would see each."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from kdaudit.estimate import Estimate
from kdaudit.results import FORBID, Where

Noticed = Literal["shown", "held back", "unseen"]
ENOUGH = 0.8  # probability from which an audit can be relied on


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One check that noticed a harm.

    Attributes:
        check: position in ``Results.contract``.
        address: of the finding it looks at.
        seen: trials in which it failed, and would have not without the harm.
        stopped: trials in which it no longer passed, and would have without the harm.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    check: int
    address: str
    seen: int
    stopped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One known harm, planted again and again in resamples of the audited rows.

    Attributes:
        kind: e.g. ``accuracy loss``.
        harm: what was done, in words.
        where: the address it was done at; empty for all rows.
        size: how much of it, as a share.
        rows: audited rows it concerns.
        seen: probability that a check fails which would not fail without the harm.
        stopped: probability that a check no longer passes which would pass without it.
        by: the checks that noticed it, the most frequent first.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    kind: str
    harm: str
    where: Where = ()
    size: float
    rows: int
    seen: Estimate
    stopped: Estimate
    by: tuple[Sighting, ...] = ()

    @property
    def noticed(self) -> Noticed:
        """What the audit can be relied on for: to show the harm, to hold it back, or neither."""
        if self.seen.low >= ENOUGH:
            return "shown"
        return "held back" if self.stopped.low >= ENOUGH else "unseen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Omitted:
    """A kind of harm that could not be planted here."""

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    kind: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """An audit drill (``drill.json``): a pure function of evidence, contract, seed and trials.

    Attributes:
        results: SHA-256 of the ``results.json`` whose audit was drilled; a drill says nothing of
            other results.
        seed: of the audit.
        trials: resamples that each harm was planted in.
        level: two-sided, of the intervals.
        unharmed: probability that a resample without any planted harm meets the contract.
        planted: every harm.
        omitted: what could not be planted, and why.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    format: Literal[1] = 1
    results: str
    seed: int
    trials: int
    level: float
    unharmed: Estimate
    planted: tuple[Planted, ...]
    omitted: tuple[Omitted, ...] = ()


def chance(share: Estimate) -> str:
    """A probability in words.

    >>> chance(Estimate(value=0.12, low=0.076, high=0.184, n=100, level=0.9, method="Wilson"))
    '12% [7.6%, 18%]'
    """
    ends = (share.value, share.low, share.high)
    value, low, high = (f"{100 * end:.2g}%" if end < 0.99 else f"{100 * end:.3g}%" for end in ends)
    return f"{value} [{low}, {high}]"


def in_words(planted: Planted) -> str:
    """One harm and its chances, in one sentence."""
    harm = planted.harm[:1].upper() + planted.harm[1:]
    nobody = "; no check noticed it in any trial" if not planted.by else ""
    return (
        f"{harm} (n = {planted.rows:,}): shown in {chance(planted.seen)}, held back in "
        f"{chance(planted.stopped)} of audits like this one{nobody}."
    )


def closing(drill: Drill) -> str:
    """How many of the harms the audit would notice, in one sentence."""
    if not drill.planted:
        return "No harm could be planted here."
    shown, held, unseen = (
        sum(one.noticed == word for one in drill.planted) for word in get_args(Noticed)
    )
    return (
        f"Of {len(drill.planted)} planted harms this audit can be relied on to show {shown} and to "
        f"hold back {held} more; {unseen} could have gone unseen."
    )
