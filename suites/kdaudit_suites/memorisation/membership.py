"""Membership inference: does a model tell texts that were trained on from texts that were not?"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from kdaudit.basis import ORDER, Subject, bounded, own
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Likelihoods
from kdaudit.evidence.view import LIKELIHOODS, Streams
from kdaudit.measure import finding_of, mean_finding, not_measured
from kdaudit.results import Basis, Finding, Means
from kdaudit.score_bases import FEWEST_CLUSTERS, joint_basis, too_few
from kdaudit.scores import Score, absence
from kdaudit.stats.delong import joint_auroc
from kdaudit.stats.interval import tail
from kdaudit.stats.linear import lower
from kdaudit.stats.means import JointMeans
from kdaudit.stats.proportions import clopper_pearson
from kdaudit_suites.memorisation.attacks import scores as attack_scores
from kdaudit_suites.memorisation.blind import blind_scores
from kdaudit_suites.memorisation.endpoints import MEM005, MEM006
from kdaudit_suites.memorisation.extraction import NO_CONTROL
from kdaudit_suites.memorisation.passages import Passages

ATTACKS = ("loss", "zlib", "min-k", "min-k++")
FALSE_POSITIVES = 0.01
FEWEST = round(1 / FALSE_POSITIVES)  # texts that were not trained on, for one false positive
NO_TEXT = (
    "no row has one text to be scored: name the texts as `choices` under [data], one of a row or "
    "with the true one as `answers`"
)
NO_TOKENS = "what the attack needs of each token, or their number, was not recorded"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attacked:
    """One attack on every subject.

    Attributes:
        scores: by subject, (N,); NaN where there is none.
        members: (N,) texts that were trained on.
        others: (N,) texts that were not.
    """

    scores: Mapping[Subject, Floats]
    members: Bools
    others: Bools

    def missing(self, who: Subject) -> Bools:
        """(N,) rows without a score."""
        return np.isnan(self.scores[who])

    def filled(self, who: Subject) -> Floats:
        """(N,) the scores, the worst of the student and the best of its references for missing."""
        speaks = np.where(self.members, np.inf, -np.inf)  # members found, and nobody else
        worst = speaks if who == "student" else -speaks
        return np.where(self.missing(who), worst, self.scores[who])


def membership(
    passages: Passages, share: float, streams: Streams
) -> tuple[list[Finding], tuple[str, ...]]:
    """MEM005 and MEM006 of each attack, and what the blind reader finds.

    Args:
        passages: the texts.
        share: of the tokens, for Min-K%.
        streams: for the folds of the blind reader.
    """
    reason = _unable(passages)
    if reason is not None:
        return [not_measured(one, (), reason) for one in (MEM005, MEM006)], ()
    rows = passages.spots >= 0
    assert passages.others is not None  # else `_unable`
    members, others = passages.members & rows, passages.others & rows
    by_subject = {
        who: attack_scores(one, passages.asked, passages.spots, share)
        for who in ORDER
        if isinstance(one := passages.evidence[LIKELIHOODS].of(who), Likelihoods)
    }
    if not any(np.isfinite(one["loss"]).any() for one in by_subject.values()):
        for made in by_subject.values():  # nobody's tokens were counted
            del made["loss"], made["zlib"]
    blind = _blind(passages, members, others, streams)
    findings: list[Finding] = []
    for attack in ATTACKS:
        where = (("attack", attack),)
        pair = [who for who in ORDER[:2] if attack not in by_subject.get(who, {})]
        if pair:
            absent = absence(passages.evidence[LIKELIHOODS].of(pair[0]))
            said = NO_TOKENS if pair[0] in by_subject else absent.reason
            findings += [not_measured(one, where, f"{pair[0]}: {said}") for one in (MEM005, MEM006)]
            continue
        attacked = Attacked(
            scores={who: one[attack] for who, one in by_subject.items() if attack in one},
            members=members,
            others=others,
        )
        area = _area(passages, attacked, blind, where)
        findings.append(area)
        findings.append(
            not_measured(MEM006, where, area.basis.reason)
            if isinstance(area.basis, NotMeasured)
            else _found(passages, attacked, where)
        )
    return findings, _said(blind)


def _unable(passages: Passages) -> str | None:
    if passages.others is None:
        return NO_CONTROL
    rows = passages.spots >= 0
    if not rows.any():
        return NO_TEXT
    if not (passages.members & rows).any() or not (passages.others & rows).any():
        return "every text was trained on, or none was; nothing tells the two apart"
    every = [passages.evidence[LIKELIHOODS].of(who) for who in ORDER]
    if not any(isinstance(one, Likelihoods) for one in every):
        return absence(every[0]).reason
    return None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blind:
    """What the words alone tell.

    Attributes:
        scores: (N,) of the words.
        area: its area under the ROC curve.
    """

    scores: Floats
    area: Estimate

    @property
    def tells(self) -> bool:
        """Whether it is shown to tell members from others."""
        return self.area.low > 0.5

    @property
    def said(self) -> str:
        """The area with its interval."""
        one = self.area
        return f"area {one.value:.2f}, {one.level:.0%} interval {one.low:.2f} to {one.high:.2f}"


def _blind(
    passages: Passages, members: Bools, others: Bools, streams: Streams
) -> Blind | NotMeasured:
    rows = members | others
    cluster = passages.evidence.rows.cluster
    found = blind_scores(
        passages.texts[rows],
        members[rows],
        None if cluster is None else cluster[rows],
        streams.at("MEM005", "folds"),
    )
    few = NotMeasured("too few texts, or none with a word, for a blind reader")
    if found is None:
        return few
    made = np.zeros(len(rows))
    made[rows] = found
    joint = _joint(passages, [made], members, others)
    if joint is None or too_few(joint.effective):
        return few
    area = own(_basis(passages, joint), "student", passages.evidence.level)
    assert isinstance(area, Estimate)  # it has a mean
    return Blind(scores=made, area=area)


def _joint(
    passages: Passages, scores: list[Floats], members: Bools, others: Bools
) -> JointMeans | None:
    rows, cluster = members | others, passages.evidence.rows.cluster
    codes = None if cluster is None else np.unique(cluster[rows], return_inverse=True)[1]
    return joint_auroc(np.stack(scores)[:, rows], members[rows], clusters=codes)


def _basis(passages: Passages, joint: JointMeans, filled: tuple[float, ...] = ()) -> Means:
    clustered = passages.evidence.rows.cluster is not None
    return joint_basis(
        joint, span=1.0, unequal=clustered, clustered=clustered, filled=filled, bounds=(0.0, 1.0)
    )


def _area(
    passages: Passages,
    attacked: Attacked,
    blind: Blind | NotMeasured,
    where: tuple[tuple[str, str], ...],
) -> Finding:
    evidence, members, others = passages.evidence, attacked.members, attacked.others
    if evidence.rows.weight is not None:
        return not_measured(MEM005, where, "the area is not defined for weighted rows")
    present = [who for who in ORDER if who in attacked.scores]
    series = [attacked.filled(who) for who in present]
    joint = _joint(passages, series, members, others)
    if joint is None or too_few(joint.effective):
        units = "texts" if evidence.rows.cluster is None else "clusters"
        return not_measured(
            MEM005,
            where,
            f"fewer than {FEWEST_CLUSTERS} {units} that were trained on, or that were not",
        )
    if isinstance(blind, Blind) and blind.tells and not _beats(passages, attacked, blind):
        return not_measured(
            MEM005,
            where,
            f"the words alone tell texts that were trained on from the others ({blind.said}) and "
            "no model's likelihoods are shown to tell more, so this says nothing of memory; choose "
            "other texts of the same kind and time",
        )
    filled = tuple(
        float(attacked.missing(who)[members].mean() + attacked.missing(who)[others].mean())
        for who in present
    )
    basis: Basis = _basis(passages, joint, filled if any(filled) else ())
    said = (
        f"a blind reader of the words alone: {blind.said}"
        if isinstance(blind, Blind)
        else f"no blind reader: {blind.reason}"
    )
    return finding_of(MEM005, evidence, basis, where, said)


def _beats(passages: Passages, attacked: Attacked, blind: Blind) -> bool:
    """Whether a model's likelihoods are shown to tell more than the words do.

    By Bonferroni over the models: one of several beats the words by luck more often than one alone.
    """
    alpha = tail(passages.evidence.level) / len(attacked.scores)
    for who in attacked.scores:
        joint = _joint(
            passages, [attacked.filled(who), blind.scores], attacked.members, attacked.others
        )
        if joint is not None and not too_few(joint.effective):
            gap = bounded(_basis(passages, joint), [1.0, -1.0], alpha)
            if lower(gap, alpha) > 0:
                return True
    return False


def _found(passages: Passages, attacked: Attacked, where: tuple[tuple[str, str], ...]) -> Finding:
    """MEM006: each subject at its own threshold, which one false positive in a hundred sets."""
    k = int(attacked.others.sum())
    if k < FEWEST:
        return not_measured(
            MEM006,
            where,
            f"{k} texts that were not trained on; {FEWEST} are needed for a rate of 1%",
        )
    allowed = int(FALSE_POSITIVES * k)
    made: dict[Subject, Score | NotMeasured] = {}
    for who in ORDER:
        if who not in attacked.scores:
            made[who] = absence(passages.evidence[LIKELIHOODS].of(who))
            continue
        filled = attacked.filled(who)
        threshold = np.sort(filled[attacked.others])[::-1][allowed]
        made[who] = Score(values=filled > threshold, valid=~attacked.missing(who))
    low, high = clopper_pearson(allowed, k, passages.evidence.level)
    finding = mean_finding(MEM006, passages.evidence, made, where=where, rows=attacked.members)
    return replace(
        finding,
        note=f"the threshold is taken from {k} other texts, of which at most {allowed} lie above; "
        f"elsewhere its rate may be {low:.2g} to {high:.2g}",
    )


def _said(blind: Blind | NotMeasured) -> tuple[str, ...]:
    if isinstance(blind, NotMeasured) or not blind.tells:
        return ()
    note = (
        "A reader of the words alone, who asks no model, tells texts that were trained on from "
        f"the others ({blind.said}): the two kinds differ, and membership inference says "
        "less than it seems to."
    )
    return (note,)
