"""Slices: who is hurt where the average is not?

Distillation can cost rare classes and small slices much more than the average shows, and teacher
errors there are transferred and amplified (Lukasik et al. 2021).

Findings
    SLC001[COLUMN=VALUE]     accuracy in a slice (higher is better): every value of every column
                             under ``[data] slices``, and of what is derived from ``text`` and
                             ``time``; crossed with each other, with sensitive columns and with
                             ``label`` where a check asks for it
    SLC002[label=CLASS]      recall of a class (higher)
    SLC003[frequency=PART]   accuracy on head, torso and tail classes: thirds of the training rows,
                             from the most to the least frequent class (higher)
    SLC004[COLUMN=VALUE,…]   accuracy in a slice that a search found and other rows confirmed
                             (higher); at most ten, each of up to three columns

Columns
    A number with more than 20 different values is cut into quarters of the audited rows; equal
    numbers stay together, and ``[data.bands]`` says otherwise, e.g. ``age = [18, 40, 65]``, ``5``
    or ``false``. ``[data] text = ["message"]`` adds ``message.length`` (characters, in quarters),
    ``message.negation`` (an English word that negates) and ``message.rare`` (a word that the
    transfer rows have fewer than three times; without them, the audited ones). ``[data] time =
    "date"`` adds ``date.period``: days, months, quarters or years, at most twelve. A figure says
    how each was made.

The search
    Half of the rows, by a hash of the id or the cluster, is searched: every slice of up to three
    columns (slices, sensitive, derived, and the label) that has 30 rows, or 0.03 % of them. Slices
    are ranked by how much more the student loses in them than in the rest, in standard errors;
    those that repeat a better one, or are part of a more general one that loses as much, are left
    out. Ten at most are put to the other half: a slice is confirmed if there, by Holm over them,
    the student loses something and more than in the rest. The chance that any slice is confirmed
    where none is worse than the rest is at most alpha. Slices not confirmed are leads, in a figure.
    ``kdaudit pin 'SLC004[…]' RUN`` turns a confirmed one into a check of SLC001.

Options
    discover   search for slices, where at least two columns are named (default true)

Source
    Tango 1998 for the intervals; the three parts of frequency follow the usage of long-tailed
    recognition. Intervals that hold for all slices, or all classes, at once: max-T (Romano and Wolf
    2005). Disagreements: after Hooker et al. 2019, with one pair of models instead of many.

Limits
    Accuracy on the slice an unlucky draw made worst looks worse than it is: differences are the
    ones to read, and the note gives a bound that holds for all. A confirmed slice was chosen for
    being bad in both halves; later rows will be kinder to it. A search can only cross columns that
    were named. Every pair of columns is not a finding: thousands of slices of a handful of rows
    would drown the few that matter, and the search looks at them all. Without transfer rows,
    frequency parts are taken from the audited rows, and the note says so. Bins of the teacher's
    margin are functions of the teacher; they are drawn, never checked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kdaudit.evidence.kinds import Ints
from kdaudit.evidence.view import PREDICTIONS, Evidence, Rows, Streams, crossed
from kdaudit.measure import mean_findings, not_measured, result
from kdaudit.results import Better, Endpoint, Figure, Finding, Need, SuiteResult, Where
from kdaudit.scores import Scores, correctness
from kdaudit_suites.slices import descriptive, discovery
from kdaudit_suites.slices import together as joint
from kdaudit_suites.slices.harm import Harm, harm_of

SLC001 = Endpoint(
    code="SLC001",
    metric="accuracy in the slice",
    unit="share of rows",
    better=Better.HIGHER,
    keys=("@slices", "@sensitive", "label"),
)
SLC002 = Endpoint(
    code="SLC002",
    metric="class recall",
    unit="share of rows",
    better=Better.HIGHER,
    keys=("label",),
)
SLC003 = Endpoint(
    code="SLC003",
    metric="accuracy by class frequency",
    unit="share of rows",
    better=Better.HIGHER,
    keys=("frequency",),
)
SLC004 = Endpoint(
    code="SLC004",
    metric="accuracy in a slice found by search",
    unit="share of rows",
    better=Better.HIGHER,
    keys=("@slices", "@sensitive", "label"),
    searched=True,
)

PARTS = ("head", "torso", "tail")

Groups = tuple[Ints, tuple[Where, ...]]


@dataclass(frozen=True, slots=True)
class Slices:
    """The suite.

    Attributes:
        discover: whether to search for slices, where at least two columns are named.
    """

    discover: bool = True

    name: ClassVar[str] = "slices"
    codes: ClassVar[tuple[Endpoint, ...]] = (SLC001, SLC002, SLC003, SLC004)

    def needs(self) -> tuple[Need, ...]:
        """Predictions on the audit split."""
        return (PREDICTIONS,)

    def run(self, evidence: Evidence, streams: Streams) -> SuiteResult:
        """Measure; see the module's page."""
        absent = evidence.unlabelled
        if absent is not None and evidence.rows.labelled is None:
            return result(self, [not_measured(one, (), absent.reason) for one in self.codes])
        scores = correctness(evidence, PREDICTIONS)
        rows, declared = evidence.rows, _declared(evidence)
        findings: dict[Endpoint, list[Finding]] = {
            endpoint: [
                finding
                for codes, wheres in groups
                for finding in mean_findings(endpoint, evidence, scores, codes=codes, wheres=wheres)
            ]
            for endpoint, groups in declared.items()
            if evidence.wants(endpoint)
        }
        if absent is not None:
            for endpoint, some in _by_label(rows, absent.reason).items():
                findings[endpoint] = [*findings.get(endpoint, []), *some]
        else:
            findings[SLC003] = _by_frequency(evidence, scores)
        if not evidence.wants(SLC004):
            return result(self, [f for some in findings.values() for f in some])
        figures = [
            descriptive.intervals(
                endpoint.code, f"{endpoint.metric.capitalize()}, student and teacher", found
            )
            for endpoint, found in findings.items()
            if found
        ]
        figures += descriptive.over_time(rows, findings.get(SLC001, []))
        notes: list[str] = []
        harm = harm_of(rows, scores)
        if harm is not None:
            for endpoint, groups in declared.items():
                bounds = joint.together(endpoint, harm, groups, streams, evidence.level)
                if bounds is not None:
                    figures.append(joint.figure(bounds, endpoint))
                    notes.append(joint.note(bounds, endpoint))
            found = self._search(evidence, scores, harm, streams)
            if found is not None:
                findings[SLC004] = found.findings()
                notes.append(discovery.note(found, evidence.level))
                if found.found:
                    figures.append(discovery.figure(found, SLC004.code))
        figures += _pictures(evidence, scores, notes)
        return result(self, [f for some in findings.values() for f in some], figures, notes)

    def _search(
        self, evidence: Evidence, scores: Scores, harm: Harm, streams: Streams
    ) -> discovery.Discovery | None:
        if not self.discover:
            return None
        return discovery.discover(SLC004, evidence, scores, harm, streams)


def _declared(evidence: Evidence) -> dict[Endpoint, list[Groups]]:
    """The groups that are measured; of a label those only where all rows have one."""
    rows, all_labelled = evidence.rows, evidence.unlabelled is None
    found: dict[Endpoint, list[Groups]] = {
        SLC001: [
            crossed(rows, columns)
            for columns in rows.slices
            if all_labelled or "label" not in columns
        ]
    }
    if all_labelled:
        found[SLC002] = [(rows.label, tuple((("label", name),) for name in rows.classes))]
    return found


def _by_label(rows: Rows, reason: str) -> dict[Endpoint, list[Finding]]:
    """What is measured by label, where not all rows have one."""
    crossed_with_label = [columns for columns in rows.slices if "label" in columns]
    found = {one: [not_measured(one, (), reason)] for one in (SLC002, SLC003)}
    found[SLC001] = [
        not_measured(SLC001, tuple((name, "*") for name in sorted(columns)), reason)
        for columns in crossed_with_label
    ]
    return found


def _pictures(evidence: Evidence, scores: Scores, notes: list[str]) -> Iterator[Figure]:
    """What is only to be looked at, each with its caveat."""
    for made in (
        descriptive.margins(SLC001, evidence, scores, PREDICTIONS),
        descriptive.disagreements(evidence, PREDICTIONS),
    ):
        if made is not None:
            figure, caveat = made
            notes.append(caveat)
            yield figure
    derived = descriptive.made_of(evidence.rows)
    if derived is not None:
        yield derived


def _by_frequency(evidence: Evidence, scores: Scores) -> list[Finding]:
    rows = evidence.rows
    if len(rows.classes) <= 2:
        return []
    part, note = _frequency(rows)
    codes = np.where(rows.label >= 0, part[rows.label], -1)
    wheres = tuple((("frequency", name),) for name in PARTS)
    return mean_findings(SLC003, evidence, scores, codes=codes, wheres=wheres, note=note)


def _frequency(rows: Rows) -> tuple[Ints, str]:
    """(C,) 0 head, 1 torso, 2 tail: thirds of the training rows by falling class frequency."""
    counts, note = rows.training_counts, ""
    if counts is None:
        counts = np.bincount(rows.label[rows.label >= 0], minlength=len(rows.classes))
        note = "there are no transfer rows: frequency is that of the audited rows"
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    part = np.empty(len(counts), dtype=np.int64)
    part[order] = np.minimum(3 * before // max(int(counts.sum()), 1), 2)
    return part, note
