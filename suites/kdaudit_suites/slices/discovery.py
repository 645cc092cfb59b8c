"""Find slices that nobody declared, and believe only those that other rows confirm.

Half of the rows, drawn by a hash, is searched for slices in which the student loses more than
elsewhere; whatever is found there looks worse than it is. The other half, which has not been looked
at, is asked whether it is so. A slice is confirmed if both hypotheses fall there, each at Holm's
level over all slices that were asked about:

* the student loses nothing in the slice, and
* it loses there no more than in all other rows.

So a student that is uniformly worse than its teacher has no such slice, nor has one that is better
everywhere but less so in some place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kdaudit.claims import Claim, claim_worse
from kdaudit.estimate import Estimate, Measurement
from kdaudit.evidence.kinds import Bools, Ints
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.measure import ends, mean_finding
from kdaudit.results import Endpoint, Figure, Finding, Where, address
from kdaudit.score_bases import too_few
from kdaudit.scores import Scores
from kdaudit.stats import linear
from kdaudit.stats.holm import holm
from kdaudit.stats.interval import normal_quantile, tail
from kdaudit.stats.means import joint_contrast
from kdaudit_suites.slices.collapse import candidates, members
from kdaudit_suites.slices.halves import searched
from kdaudit_suites.slices.harm import Harm
from kdaudit_suites.slices.lattice import Slice

MOST = 10  # slices that are asked about: each one more costs the others power
COLUMNS = (
    "slice",
    "status",
    "rows searched",
    "difference there",
    "rows to confirm",
    "difference",
    "low",
    "high",
    "beyond the rest",
    "Holm p",
)
NOTE = (
    "found by a search of one half of the rows and measured on the other, which confirmed it; "
    "chosen for being bad, it may look worse than it is"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One slice that was asked about.

    Attributes:
        where: its address.
        searched: student minus teacher in the searched half, and its rows.
        finding: of the other half.
        excess: how much lower the difference is there than in the rest; None where there is no
            telling.
        p: that it is not so, after Holm.
        confirmed: whether p is small enough.
    """

    where: Where
    searched: tuple[float, int]
    finding: Finding
    excess: float | None
    p: float
    confirmed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What a search found.

    Attributes:
        found: the best first.
        slices: how many were scored.
        searched: rows of the searched half.
        asked: rows of the other.
    """

    found: tuple[Found, ...]
    slices: int
    searched: int
    asked: int

    def findings(self) -> list[Finding]:
        """The confirmed slices."""
        return [one.finding for one in self.found if one.confirmed]


def discover(
    endpoint: Endpoint, evidence: Evidence, scores: Scores, harm: Harm, streams: Streams
) -> Discovery | None:
    """Search one half of the rows, ask the other.

    Args:
        endpoint: of the findings.
        evidence: the rows; every attribute is searched, and the label where all rows have one.
        scores: whether each subject is right.
        harm: what follows from them.
        streams: for the hash that parts the rows.

    Returns:
        None where there are fewer than two attributes to cross.
    """
    rows = evidence.rows
    names = sorted({*rows.attributes} | ({"label"} if rows.labelled is None else set()))
    if len(rows.attributes) < 2:
        return None
    columns = [rows.column(name).codes for name in names]
    first = searched(rows, int(streams.at(endpoint.code).integers(2**63)))
    part, halves = harm.take(first), [codes[first] for codes in columns]
    chosen, scored = candidates(part, halves, MOST)
    asked = [_ask(endpoint, evidence, scores, harm, one, columns, first) for one in chosen]
    alpha = tail(evidence.level)
    adjusted = holm([p for _, _, p in asked]).tolist()
    found = []
    for one, (finding, beyond, _), p in zip(chosen, asked, adjusted, strict=True):
        inside = part.over(members(one.predicates, halves))
        assert inside is not None  # it was found by its rows
        where = tuple((names[c], rows.column(names[c]).values[v]) for c, v in one.predicates)
        found.append(
            Found(
                where=where,
                searched=(inside.mean, int(members(one.predicates, halves).sum())),
                finding=replace(finding, where=where, note=NOTE),
                excess=beyond,
                p=p,
                confirmed=p <= alpha,
            )
        )
    return Discovery(
        found=tuple(found),
        slices=scored,
        searched=int(first.sum()),
        asked=int((~first).sum()),
    )


def _ask(
    endpoint: Endpoint,
    evidence: Evidence,
    scores: Scores,
    harm: Harm,
    one: Slice,
    columns: Sequence[Ints],
    first: Bools,
) -> tuple[Finding, float | None, float]:
    """The slice in the other half: its finding, how far beyond the rest, and a p-value of both."""
    inside = members(one.predicates, columns)
    finding = mean_finding(endpoint, evidence, scores, rows=inside & ~first)
    alpha = tail(evidence.level)
    beyond = _beyond(harm, inside & ~first, ~inside & ~first, alpha)
    claim = claim_worse(finding, "teacher", 0.0, alpha)
    if beyond is None or not isinstance(claim, Claim):
        return finding, None, 1.0
    # Both must fall: the larger p-value is that of the union of the two hypotheses.
    return finding, beyond.value, max(claim.p_above, linear.p_below(beyond, 0.0))


def _beyond(harm: Harm, inside: Bools, rest: Bools, alpha: float) -> linear.Combination | None:
    if not (inside.any() and rest.any()):
        return None
    joint = joint_contrast(
        harm.change[None, :], group=inside, rest=rest, clusters=harm.cluster, weights=harm.weight
    )
    unequal = harm.cluster is not None or harm.weight is not None
    if joint is None or joint.df < 1 or (unequal and too_few(joint.effective)):
        return None
    return linear.combine(
        joint.mean,
        joint.covariance,
        joint.df,
        [1.0],
        effective=joint.effective,
        largest=joint.largest,
        span=1.0,
        unknown=[0.0],
        z=normal_quantile(alpha),
    )


def figure(discovery: Discovery, code: str) -> Figure:
    """Every slice that was asked about: confirmed, or a lead."""

    def difference(one: Found) -> Measurement:
        return one.finding.difference

    return Figure(
        name="discovered",
        chart="table",
        title="Slices that a search found in one half of the rows, asked of the other half",
        columns=COLUMNS,
        rows=tuple(
            (
                address(code, one.where),
                "confirmed" if one.confirmed else "lead",
                one.searched[1],
                one.searched[0],
                one.finding.student.n if isinstance(one.finding.student, Estimate) else 0,
                *ends(difference(one)),
                one.excess,
                one.p,
            )
            for one in discovery.found
        ),
    )


def note(discovery: Discovery, level: float) -> str:
    """What was searched, and what came of it."""
    confirmed = sum(one.confirmed for one in discovery.found)
    return (
        f"A search of {discovery.slices:,} slices of up to three columns in {discovery.searched:,} "
        f"rows put {len(discovery.found)} to the test in the other {discovery.asked:,}: "
        f"{confirmed} confirmed, at a family-wise error of {tail(level):.3g}; the rest are leads"
    )
