"""Calibration: does the student's confidence still mean what it says?

Distilled students tend to exaggerate their teacher's confidence (Nagarajan et al. 2023), and a high
temperature can leave one under-confident. Either breaks whatever thresholds on probability.

Findings
    CAL001  Brier score: squared distance of the probabilities from the label, summed over classes,
            0 to 2 (lower is better)
    CAL002  negative log-likelihood in nats (lower); for display only with fewer than 1,000 rows or
            without a declared ``clip``
    CAL003  signed confidence gap: mean of confidence minus correctness; above zero is
            over-confidence (zero is best); overall, and in each group of a column under ``slices``
            or ``sensitive``: ``check = "CAL003"`` with ``each = ["sex"]``
    CAL004  debiased squared calibration error of the top label in equal-mass bins (lower)
    CAL005  signed gap of the favourable class: mean of its probability minus its frequency; above
            zero is too favourable (zero); overall, and in each group of a column under
            ``sensitive``
    CAL006  debiased squared calibration error of the favourable class (lower)
    CAL007  area under the generalized risk-coverage curve (AUGRC): the chance that of two rows the
            first is answered wrongly and with more confidence than the second, 0 to 0.5 (lower);
            it worsens when errors multiply or when confidence no longer ranks them last
    CAL008  Brier score after temperature scaling: what CAL001 would be if each subject's logits
            were divided by the one temperature that fits the validation split best (lower)

    Tables beside them: reliability diagrams; expected calibration error in bins of equal mass, of
    equal width, swept (the most bins whose accuracies still rise), smooth (no bins) and classwise;
    the Brier score in its five terms; gaps by class; risk-coverage curves; temperatures.

Options
    bins        number of bins (default 15)
    clip        smallest probability that CAL002 charges for (default none: 1e-12, not to be gated)
    replicates  bootstrap draws for CAL004 and CAL006 (default 2000)

Source
    Brier 1950; Guo et al. 2017 (reliability diagrams, temperature scaling); Kumar et al. 2019 and
    Bröcker 2012 (the debiased squared error, here unclipped so that differences keep its sign);
    Roelofs et al. 2022 (swept); Błasiok and Nakkiran 2024 (smooth); Stephenson et al. 2008 (five
    terms, exact whatever the bins); Traub et al. 2024 (AUGRC), with Hoeffding's projection (1948)
    for its interval.

Limits
    Confidence is the probability of the answer given (the top label). Expected calibration errors
    are shown but never checked: their plug-in difference is biased towards zero and hides a
    miscalibrated student. The intervals of CAL004 and CAL006 are percentile bootstraps over blocks
    of rows, centred at the estimate and widened for few units and for what identical answers cannot
    show (conservative on few rows or clusters); they can be checked at the level of the audit only.
    Where clusters are declared, the bias taken out is that of clusters. What a missing answer could
    add to these two widens their intervals; where more than one in a thousand is missing they are
    not measured. In CAL007 a missing answer is wrong and the surest of all. Where a subject has no
    more distinct probabilities than bins (models of few bits), each is a bin of its own, and a note
    says so.

    CAL008 never fits on audited rows. It holds the fitted temperatures as they are: their own
    uncertainty stands in the table (Student's t on log T from a sandwich error), not in its
    interval. Without a validation split, or while an answer there is missing, it is not measured. A
    temperature moves no answer, so thresholds fitted before it would have to be fitted again.
"""

from dataclasses import dataclass
from typing import ClassVar

from kdaudit.evidence.view import PREDICTIONS, Evidence, Streams
from kdaudit.measure import not_measured, result
from kdaudit.results import Endpoint, Finding, Need, SuiteResult
from kdaudit_suites.calibration.answered import answered
from kdaudit_suites.calibration.answers import Answers, Subjects, favourable, subjects_of, top_label
from kdaudit_suites.calibration.binned import Binning, debiased_finding
from kdaudit_suites.calibration.endpoints import (
    CAL001,
    CAL002,
    CAL003,
    CAL004,
    CAL005,
    CAL006,
    CAL007,
    CAL008,
    NO_FAVOURABLE,
    VALIDATION,
)
from kdaudit_suites.calibration.figures import calibration_figures
from kdaudit_suites.calibration.gaps import classwise_gaps, confidence_gaps, favourable_gaps
from kdaudit_suites.calibration.proper import SMALLEST, brier_finding, likelihood_finding
from kdaudit_suites.calibration.selective import selective_figures, selective_finding
from kdaudit_suites.calibration.temperature import refits, temperature_figure, temperature_finding


@dataclass(frozen=True, slots=True)
class Calibration:
    """The suite and its options."""

    bins: int = 15
    clip: float | None = None
    replicates: int = 2000

    name: ClassVar[str] = "calibration"
    codes: ClassVar[tuple[Endpoint, ...]] = (
        CAL001,
        CAL002,
        CAL003,
        CAL004,
        CAL005,
        CAL006,
        CAL007,
        CAL008,
    )

    def __post_init__(self) -> None:
        if not self.bins >= 2:
            raise ValueError(f"bins must be at least 2, got {self.bins}")
        if self.clip is not None and not 0 < self.clip < 0.5:
            raise ValueError(f"clip must lie between 0 and 0.5, got {self.clip}")
        if not self.replicates >= 200:
            raise ValueError(f"replicates must be at least 200, got {self.replicates}")

    def needs(self) -> tuple[Need, ...]:
        """Predictions on the audit split, and on the validation split where there is one."""
        return (PREDICTIONS, VALIDATION)

    def run(self, evidence: Evidence, streams: Streams) -> SuiteResult:
        """Measure; see the module's page."""
        if evidence.unlabelled is not None:
            reason = evidence.unlabelled.reason
            return result(self, [not_measured(endpoint, (), reason) for endpoint in self.codes])
        subjects = subjects_of(evidence)
        findings = [
            brier_finding(evidence, subjects),
            likelihood_finding(evidence, subjects, self.clip),
            *confidence_gaps(evidence, subjects),
            *(favourable_gaps(evidence, subjects) if evidence.wants(CAL005) else ()),
            *self._debiased(evidence, subjects, streams),
        ]
        if not evidence.wants(CAL007, CAL008):
            return result(self, findings)
        shown = answered(subjects, evidence.rows)
        smallest = self.clip or SMALLEST
        refitted = refits(evidence, subjects, smallest)
        selective = selective_finding(evidence, subjects, shown)
        findings += [selective, temperature_finding(evidence, refitted)]
        if evidence.asked is not None:
            return result(self, findings)
        figures = [
            *calibration_figures(shown, self.bins, evidence.level),
            classwise_gaps(evidence, subjects),
            *selective_figures(shown, selective),
            temperature_figure(evidence, refitted, smallest),
        ]
        return result(self, findings, [figure for figure in figures if figure.rows])

    def _debiased(self, evidence: Evidence, subjects: Subjects, streams: Streams) -> list[Finding]:
        how, rows = Binning(bins=self.bins, replicates=self.replicates), evidence.rows
        found = []
        if evidence.wants(CAL004):
            top = {w: top_label(s) if isinstance(s, Answers) else s for w, s in subjects.items()}
            found.append(debiased_finding(CAL004, evidence, top, how, streams.at(CAL004.code)))
        if not evidence.wants(CAL006):
            return found
        if not rows.positive:
            return [*found, not_measured(CAL006, (), NO_FAVOURABLE)]
        kind = {
            who: favourable(s, rows) if isinstance(s, Answers) else s for who, s in subjects.items()
        }
        found.append(debiased_finding(CAL006, evidence, kind, how, streams.at(CAL006.code)))
        return found
