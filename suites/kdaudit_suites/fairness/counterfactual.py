"""Counterfactual substitution: does the answer change when only a protected term does?

Both subjects are shown every text a second time, its protected terms swapped ("he" and "she").
Only rows that the swap changed are counted; each is a pair, in the row's own cluster.
"""

from collections.abc import Sequence

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Floats, Predictions
from kdaudit.evidence.view import PREDICTIONS, Evidence
from kdaudit.measure import mean_finding, mean_findings, not_measured
from kdaudit.results import Finding
from kdaudit.scores import Score, Scores, absence
from kdaudit_suites.fairness.contrasts import Crossing
from kdaudit_suites.fairness.endpoints import COUNTERFACTUAL, FAI010, FAI012
from kdaudit_suites.fairness.scores import NO_FAVOURABLE, NO_PROBABILITIES

HOW = (
    "no text was shown with protected terms swapped: list pairs of terms under "
    '[data.counterfactual], such as swap = [["he", "she"]]; it takes models that can be run'
)
UNTOUCHED = "no audited text holds a term of [data.counterfactual]"


def counterfactuals(evidence: Evidence, crossings: Sequence[Crossing]) -> list[Finding]:
    """FAI010 over all changed rows; FAI012 over them and by the groups of each single column."""
    reason = _why_not(evidence)
    if reason is not None:
        return [not_measured(endpoint, (), reason) for endpoint in (FAI010, FAI012)]
    changed = evidence.changed(COUNTERFACTUAL.variant)
    findings = [mean_finding(FAI010, evidence, _flips(evidence), rows=changed)]
    shifts = _shifts(evidence)
    if not evidence.rows.positive:
        return [*findings, not_measured(FAI012, (), NO_FAVOURABLE)]
    findings.append(mean_finding(FAI012, evidence, shifts, rows=changed))
    for crossing in crossings:
        if crossing.alone:
            codes = np.where(changed, crossing.codes, -1)
            findings += mean_findings(FAI012, evidence, shifts, codes=codes, wheres=crossing.wheres)
    return findings


def _why_not(evidence: Evidence) -> str | None:
    swapped = evidence[COUNTERFACTUAL]
    if not any(isinstance(swapped.of(who), Predictions) for who in ORDER):
        reason = absence(swapped.student).reason
        return HOW if reason.startswith("no predictions were recorded") else reason
    return None if evidence.changed(COUNTERFACTUAL.variant).any() else UNTOUCHED


def _pairs(evidence: Evidence, who: Subject) -> tuple[Predictions, Predictions] | NotMeasured:
    before, after = evidence[PREDICTIONS].of(who), evidence[COUNTERFACTUAL].of(who)
    if not isinstance(before, Predictions):
        return absence(before)
    return (before, after) if isinstance(after, Predictions) else absence(after)


def _flips(evidence: Evidence) -> Scores:
    """Whether the answer to the swapped text is another."""
    scores: dict[Subject, Score | NotMeasured] = {}
    for who in ORDER:
        pair = _pairs(evidence, who)
        if isinstance(pair, NotMeasured):
            scores[who] = pair
        else:
            before, after = pair
            scores[who] = Score(
                values=before.answer != after.answer, valid=before.valid & after.valid
            )
    return scores


def _shifts(evidence: Evidence) -> Scores:
    """Favourable probability of the swapped text minus that of the text as it is."""
    scores: dict[Subject, Score | NotMeasured] = {}
    for who in ORDER:
        pair = _pairs(evidence, who)
        if isinstance(pair, NotMeasured):
            scores[who] = pair
            continue
        before, after = pair
        if before.probabilities is None or after.probabilities is None:
            scores[who] = NO_PROBABILITIES
            continue
        valid = before.valid & after.valid
        shift = _favourable(evidence, after.probabilities) - _favourable(
            evidence, before.probabilities
        )
        scores[who] = Score(values=np.where(valid, shift, 0.0), valid=valid, low=-1.0, high=1.0)
    return scores


def _favourable(evidence: Evidence, probabilities: Floats) -> Floats:
    chosen: Floats = probabilities[:, list(evidence.rows.positive)].sum(axis=1)
    return chosen
