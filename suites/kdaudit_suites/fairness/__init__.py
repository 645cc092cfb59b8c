"""Fairness: which of the teacher's biases did the student inherit, amplify or repair?

A contrast is a rate in one group minus that in the rest. The teacher's contrast is what the student
inherits; what distillation adds or removes is the student's minus the teacher's. Zero is best, and
harm is |student| - |teacher|: repairing a bias is no harm, reversing it is.

Groups are the values of each column under ``[data] sensitive``, of every two columns crossed while
that makes 64 groups at most, and of columns crossed where a check's ``each`` crosses them.

Findings (``[COLUMN=GROUP]``, of columns crossed ``[COLUMN=GROUP,COLUMN=GROUP]``)
    FAI001  selection-rate contrast: answered with a favourable class (zero is best)
    FAI002  true-positive-rate contrast: among rows whose label is favourable (zero)
    FAI003  false-positive-rate contrast: among rows whose label is not (zero)
    FAI004  accuracy contrast (zero)
    FAI005  fidelity contrast: answered as the teacher answers; the teacher's own is 0 (zero)
    FAI006  confidence-gap contrast: mean of confidence minus correctness (zero)
    FAI007  negative-flip contrast: wrong where the teacher is right; the teacher's own is 0 (zero)
    FAI008  directional bias amplification, ``[attribute=COLUMN]``: how much more than the data a
            model ties classes to groups; student minus teacher is what distillation added (lower)
    FAI009  impact ratio: selection rate over that of the subject's own most selected group, of
            those with 50 rows or more; ``keep`` holds it against the teacher's ratio (higher)
    FAI010  counterfactual flips: another answer when the protected terms of a text are swapped,
            among the texts that hold one; no address (lower)
    FAI011  impact ratio to the rest (higher)
    FAI012  counterfactual shift: change of the favourable probability under the swap; over all
            such texts, and by group (zero)

    Where a check asks for ``pairs``, also ``[COLUMN=GROUP,other group=GROUP]``.

    Labels say what happened between teacher and student, and no more than is shown: inherited,
    introduced, amplified, attenuated, repaired, reversed, none or inconclusive, or what is true in
    any case, such as "attenuated or repaired" and "at least inherited". They are on FAI001 to
    FAI004 and FAI006, and in a table with the intervals they rest on. Of FAI005 and FAI007 the
    teacher has no contrast to pass on; their notes say which way the group differs.

Options
    none; groups are the columns under ``[data] sensitive``, favourable classes ``[data] positive``,
    terms to swap ``[data.counterfactual]``

Source
    Group rates are fairlearn's (`MetricFrame`); contrasts, their joint covariance and labels are
    ours. Intervals: Student's t on the contrast, cluster-robust where clusters are declared.
    Simultaneous intervals: studentised max-T (Westfall and Young 1993). Amplification: Wang and
    Russakovsky 2021. Ratios: Katz et al. 1978 on the log scale. Impact ratios as New York City
    Local Law 144 defines them: a dated data file, ``packs/ll144.toml``.

Limits
    FAI001 to FAI003, FAI009, FAI011 and FAI012 need a favourable class; FAI006 and FAI012
    probabilities; FAI010 and FAI012 models that can be run. Without a control, "amplified" is said
    of the pair, not of distillation.

    A finding's interval holds for it alone, and the contract corrects for the number of checks. A
    label rests on intervals of all rates, groups, teacher, student and change that hold at once
    with confidence 1 - alpha: a further sensitive column makes them a little wider. "None" says
    that both contrasts are shown to be below five points. Groups of fewer than 50 rows get no
    label; a table says how many rows would place their contrast within five points.

    A missing answer has no worst value in a contrast: it widens the interval by as much as it could
    move the rate. A contrast is with all other rows, so two groups may lie further apart than any
    of them lies from the rest: ``pairs = true`` in a check holds each two. Which group is selected
    most is not taken as known: FAI009 is bounded over all that may be. The signs of FAI008 are
    those of the data, held fixed: where group and class have
    nothing to do with each other they are noise and cancel.

    A ratio is evidence for an audit under a law, never a statement that the law is complied with.
"""

from dataclasses import dataclass
from typing import ClassVar

from kdaudit.basis import ORDER
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Predictions
from kdaudit.evidence.view import PREDICTIONS, Evidence, Streams
from kdaudit.measure import pooled, result
from kdaudit.results import Endpoint, Figure, Finding, Means, Need, SuiteResult
from kdaudit_suites.fairness.amplification import amplification
from kdaudit_suites.fairness.contrasts import Contrast, Crossing, contrasts, crossings, pairs
from kdaudit_suites.fairness.counterfactual import HOW, counterfactuals
from kdaudit_suites.fairness.endpoints import (
    ALL,
    COUNTERFACTUAL,
    FAI008,
    FAI009,
    FAI011,
)
from kdaudit_suites.fairness.impact import impact_ratios
from kdaudit_suites.fairness.impact_table import impact_table
from kdaudit_suites.fairness.labels import (
    contrast_chart,
    label_table,
    labelled,
    pair_table,
    small_table,
)
from kdaudit_suites.fairness.packs import LL144
from kdaudit_suites.fairness.rates import group_rates, rate_tables
from kdaudit_suites.fairness.scores import rates, selected
from kdaudit_suites.fairness.selections import selections

NOBODY = "No column is named as sensitive under [data]."


@dataclass(frozen=True, slots=True)
class Fairness:
    """The suite; it has no options."""

    name: ClassVar[str] = "fairness"
    codes: ClassVar[tuple[Endpoint, ...]] = ALL

    def needs(self) -> tuple[Need, ...]:
        """Predictions on the audit split, as it is and with protected terms swapped."""
        return (PREDICTIONS, COUNTERFACTUAL)

    def run(self, evidence: Evidence, streams: Streams) -> SuiteResult:
        """Measure; see the module's page."""
        found = crossings(evidence)
        swaps = counterfactuals(evidence, found)
        if not found:
            asked = [swap for swap in swaps if swap.student != NotMeasured(HOW)]
            return result(self, asked, notes=[NOBODY])
        measured = [
            contrast
            for rate in rates(evidence)
            if evidence.wants(rate.endpoint)
            for contrast in contrasts(rate, evidence, found)
        ]
        paired = _pairs(evidence, found)
        plain = [one.finding for one in (*measured, *paired)]
        if evidence.asked is not None:
            # Labels say what intervals mean that hold together; no check rests on them.
            return result(self, [*plain, *swaps, *_others(evidence, found, streams)])
        alone = [one for one in measured if one.group is not None]
        together = [one.finding for one in measured if one.group is None]
        labels = labelled(alone, evidence, streams.at("fairness", "simultaneous"))
        ratios, ledgers = _ratios(evidence, found, streams)
        findings = [
            *(one.finding for one in labels),
            *together,
            *(one.finding for one in paired),
            *(amplification(evidence, crossing) for crossing in found if crossing.alone),
            *ratios,
            *swaps,
        ]
        figures = [
            label_table(labels, evidence),
            *(contrast_chart(code, labels) for code in _drawn(alone)),
            small_table(labels),
            pair_table(paired, evidence, streams.at("fairness", "pairs")),
            *_rates(evidence, found),
            *ledgers,
        ]
        return result(
            self,
            findings,
            [figure for figure in figures if figure.rows],
            _notes(found, ledgers),
        )


def _pairs(evidence: Evidence, found: tuple[Crossing, ...]) -> list[Contrast]:
    """Every two groups of the columns of which a check asks for pairs."""
    asked = [one for one in found if one.alone and one.columns[0] in evidence.rows.pairs]
    return [
        contrast
        for rate in rates(evidence)
        if evidence.wants(rate.endpoint)
        for crossing in asked
        for contrast in pairs(rate, evidence, crossing)
    ]


def _others(evidence: Evidence, found: tuple[Crossing, ...], streams: Streams) -> list[Finding]:
    """What is no contrast, as far as someone waits for it."""
    findings = []
    if evidence.wants(FAI008):
        findings += [amplification(evidence, crossing) for crossing in found if crossing.alone]
    if evidence.wants(FAI009, FAI011):
        findings += _ratios(evidence, found, streams)[0]
    return findings


def _ratios(
    evidence: Evidence, found: tuple[Crossing, ...], streams: Streams
) -> tuple[list[Finding], list[Figure]]:
    scores = selected(evidence)
    findings, tables = [], []
    for crossing in found:
        # A stream per crossing: another column changes no draw of this one's.
        rng = streams.at("fairness", "impact", *crossing.columns)
        sums = selections(evidence, crossing, scores, rng)
        findings += impact_ratios(evidence, crossing, scores, sums)
        for endpoint in (FAI009, FAI011):
            for pool in pooled(endpoint, evidence, crossing.codes, crossing.wheres):
                joined = crossing.joined(pool.codes == 0, pool.where)
                again = selections(evidence, joined, scores, rng)
                made = impact_ratios(evidence, joined, scores, again)
                findings += [
                    one for one in made if one.where == pool.where and one.code == endpoint.code
                ]
        if evidence.rows.positive and sums.subjects and len(crossing.wheres) > 1:
            tables.append(impact_table(sums, crossing, evidence.level, LL144))
    return findings, tables


def _drawn(measured: list[Contrast]) -> list[str]:
    """Codes with at least one number to draw."""
    return sorted({c.finding.code for c in measured if isinstance(c.finding.basis, Means)})


def _rates(evidence: Evidence, found: tuple[Crossing, ...]) -> list[Figure]:
    alone = [crossing for crossing in found if crossing.alone]
    subjects = {
        who: kind for who in ORDER if isinstance(kind := evidence[PREDICTIONS].of(who), Predictions)
    }
    measured = {who: group_rates(evidence, kind, alone) for who, kind in subjects.items()}
    return rate_tables(evidence, alone, measured)


def _notes(found: tuple[Crossing, ...], ledgers: list[Figure]) -> list[str]:
    if not ledgers:
        return []
    unknown = [
        f"{int((crossing.codes < 0).sum()):,} of no known {crossing.title}"
        for crossing in found
        if crossing.alone and (crossing.codes < 0).any()
    ]
    return [
        f"Impact ratios are evidence for {LL144.name} ({LL144.source}): {LL144.ratio}.",
        *LL144.says,
        *([f"Rows left out of the ratios: {', '.join(unknown)}."] if unknown else []),
    ]
