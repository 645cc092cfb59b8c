"""Calibration: does the student's confidence still mean what it says?

Distilled students tend to exaggerate their teacher's confidence (Nagarajan et al. 2023), and a high
temperature can leave one under-confident. Either breaks whatever thresholds on probability.

Findings
    CAL001  Brier score: squared distance of the probabilities from the label, summed over classes,
            0 to 2 (lower is better)
    CAL002  negative log-likelihood in nats (lower); for display only with fewer than 1,000 rows or
            without a declared ``clip``
    CAL003  signed confidence gap: mean of confidence minus correctness; above zero is
            over-confidence (zero is best)
    CAL004  debiased squared calibration error of the top label in equal-mass bins (lower)

Options
    bins        number of bins (default 15)
    clip        smallest probability that CAL002 charges for (default none: 1e-12, not to be gated)
    replicates  bootstrap draws for CAL004 (default 2000)

Source
    Brier 1950; Guo et al. 2017 (reliability diagrams); Kumar et al. 2019 and Bröcker 2012 (the
    debiased squared error, here unclipped so that differences keep its sign).

Limits
    Confidence is the probability of the answer given (the top label). The expected calibration
    error is shown but never checked: its plug-in difference is biased towards zero and hides a
    miscalibrated student. The interval of CAL004 is a percentile bootstrap over blocks of rows,
    centred at the estimate and widened for what identical answers cannot show; it can be checked
    at the level of the audit only, and not at all while any answer is missing, since no worst case
    stands for one.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.kinds import Floats, Predictions
from kdaudit.evidence.view import Evidence, Rows, Streams
from kdaudit.measure import (
    FEWEST_CLUSTERS,
    Score,
    Scores,
    absence,
    mean_finding,
    not_measured,
    result,
)
from kdaudit.results import (
    Better,
    Endpoint,
    Figure,
    Finding,
    Fixed,
    Need,
    SuiteResult,
)
from kdaudit.stats import calibration as stats
from kdaudit.stats.bootstrap import block_bootstrap, blocks, percentile_bootstrap_interval
from kdaudit.stats.interval import normal_quantile, tail
from kdaudit.stats.proportions import wilson

CAL001 = Endpoint(code="CAL001", metric="Brier score", unit="score, 0 to 2", better=Better.LOWER)
CAL002 = Endpoint(code="CAL002", metric="negative log-likelihood", unit="nats", better=Better.LOWER)
CAL003 = Endpoint(
    code="CAL003", metric="signed confidence gap", unit="share of rows", better=Better.ZERO
)
CAL004 = Endpoint(
    code="CAL004", metric="debiased squared calibration error", unit="score", better=Better.LOWER
)

PREDICTIONS = Need(kind="predictions")
NLL_ROWS = 1000
SMALLEST = 1e-12
NO_PROBABILITIES = "the subject gives labels only; calibration needs probabilities"


@dataclass(frozen=True, slots=True)
class Calibration:
    """The suite and its options."""

    bins: int = 15
    clip: float | None = None
    replicates: int = 2000

    name: ClassVar[str] = "calibration"
    codes: ClassVar[tuple[Endpoint, ...]] = (CAL001, CAL002, CAL003, CAL004)

    def __post_init__(self) -> None:
        if not self.bins >= 2:
            raise ValueError(f"bins must be at least 2, got {self.bins}")
        if self.clip is not None and not 0 < self.clip < 0.5:
            raise ValueError(f"clip must lie between 0 and 0.5, got {self.clip}")
        if not self.replicates >= 200:
            raise ValueError(f"replicates must be at least 200, got {self.replicates}")

    def needs(self) -> tuple[Need, ...]:
        """Predictions on the audit split."""
        return (PREDICTIONS,)

    def run(self, evidence: Evidence, streams: Streams) -> SuiteResult:
        """Measure; see the module's page."""
        if evidence.unlabelled is not None:
            reason = evidence.unlabelled.reason
            return result(self, [not_measured(endpoint, (), reason) for endpoint in self.codes])
        subjects = {who: _probabilistic(evidence[PREDICTIONS].of(who)) for who in ORDER}
        findings = [
            mean_finding(CAL001, evidence, _scores(subjects, evidence, _brier)),
            self._likelihood(subjects, evidence),
            mean_finding(CAL003, evidence, _scores(subjects, evidence, _gap)),
            self._debiased(subjects, evidence, streams),
        ]
        return result(self, findings, self._figures(subjects, evidence))

    def _likelihood(
        self, subjects: "dict[Subject, Predictions | NotMeasured]", evidence: Evidence
    ) -> Finding:
        clip = self.clip or SMALLEST

        def score(subject: Predictions, rows: Rows) -> Score:
            assert subject.probabilities is not None
            filled = np.where(subject.valid[:, None], subject.probabilities, 1 / len(rows.classes))
            values = stats.negative_log_likelihood(filled, rows.label, clip)
            return Score(values=values, valid=subject.valid, high=float(-np.log(clip)))

        finding = mean_finding(CAL002, evidence, _scores(subjects, evidence, score))
        reasons = []
        if len(evidence.rows) < NLL_ROWS:
            reasons.append(f"{len(evidence.rows)} rows are fewer than {NLL_ROWS:,}")
        if self.clip is None:
            reasons.append("no clip is declared under [suites.calibration]")
        if reasons and not isinstance(finding.basis, NotMeasured):
            shown = f"for display only: {' and '.join(reasons)}, and one answer could decide it"
            return replace(finding, basis=NotMeasured(shown), note=shown)
        return finding

    def _debiased(
        self,
        subjects: "dict[Subject, Predictions | NotMeasured]",
        evidence: Evidence,
        streams: Streams,
    ) -> Finding:
        rows = evidence.rows
        reason = self._why_not_debiased(subjects, rows)
        if reason is not None:
            return not_measured(CAL004, (), reason)
        present = {who: s for who, s in subjects.items() if isinstance(s, Predictions)}
        sums, sizes = self._sums(present, rows)
        rng = streams.at(CAL004.code)
        unit = blocks(len(rows), rows.cluster, rng)
        by_block = np.zeros((int(unit.max()) + 1, sums.shape[1]))
        np.add.at(by_block, unit, sums)
        edges = np.concatenate([[0], np.cumsum(sizes)])

        def errors(totals: Floats) -> Floats:
            per_subject = [
                stats.debiased_squared_error(*np.split(totals[:, a:b], 3, axis=1))
                for a, b in pairwise(edges)
            ]
            return np.stack(per_subject, axis=1)

        point = errors(sums.sum(axis=0, keepdims=True))[0]
        draws = block_bootstrap(by_block, errors, replicates=self.replicates, rng=rng)
        names = list(present)

        def estimate(value: float, sample: Floats, error: float) -> Estimate:
            # A resample adds noise that debiasing takes out once only: its draws lie too high.
            centred = sample - sample.mean() + value
            low, high = percentile_bootstrap_interval(centred, evidence.level)
            unseen = self._unseen(error, _units(rows), evidence.level)
            return Estimate(
                value=value,
                low=value - math.hypot(max(value - low, 0.0), unseen),
                high=value + math.hypot(max(high - value, 0.0), unseen),
                n=len(rows),
                level=evidence.level,
                method=f"centred percentile bootstrap, {by_block.shape[0]} blocks",
            )

        def own(who: Subject) -> Measurement:
            if who not in names:
                return absence(subjects[who])
            i = names.index(who)
            return estimate(float(point[i]), draws[:, i], float(point[i]))

        def minus(who: Subject) -> Estimate | None:
            if who not in names:
                return None
            i = names.index(who)
            error = float(max(point[0], point[i]))
            return estimate(float(point[0] - point[i]), draws[:, 0] - draws[:, i], error)

        difference = minus("teacher")
        assert difference is not None
        return Finding(
            code=CAL004.code,
            metric=CAL004.metric,
            unit=CAL004.unit,
            better=CAL004.better,
            student=own("student"),
            teacher=own("teacher"),
            baseline=own("baseline"),
            difference=difference,
            basis=Fixed(level=evidence.level, baseline=minus("baseline")),
        )

    def _why_not_debiased(
        self, subjects: "dict[Subject, Predictions | NotMeasured]", rows: Rows
    ) -> str | None:
        for who in ("student", "teacher"):
            subject = subjects[who]
            if isinstance(subject, NotMeasured):
                return subject.reason
        if rows.weight is not None:
            return "not defined for weighted rows; CAL001 and CAL003 are"
        missing = sum(
            int((~s.valid).sum()) for s in subjects.values() if isinstance(s, Predictions)
        )
        if missing:
            return f"{missing} answers are missing or invalid; no worst case stands for them"
        if len(rows) < 2 * self.bins:
            return f"{len(rows)} rows; {self.bins} bins need {2 * self.bins} at least"
        if rows.cluster is not None and _units(rows) < FEWEST_CLUSTERS:
            return f"{_units(rows)} clusters; at least {FEWEST_CLUSTERS} are needed for an interval"
        return None

    def _unseen(self, error: float, units: int, level: float) -> float:
        """How far a squared error may lie off although no draw shows it.

        When no row differs, every draw is the same; yet a share z²/(n + z²) of the population may
        answer otherwise (Tango's bound), at worst all in one bin. That moves the bin's gap, of
        root mean square √error, by bins·share.
        """
        z = normal_quantile(tail(level))
        share = z * z / (units + z * z)
        return 2 * share * math.sqrt(max(error, 0.0)) + self.bins * share * share

    def _sums(self, present: "dict[Subject, Predictions]", rows: Rows) -> tuple[Floats, list[int]]:
        """(N, sum of 3 bins per subject) indicator, confidence and correctness by bin."""
        columns, sizes = [], []
        for subject in present.values():
            confidence, correct = subject.confidence, subject.answer == rows.label
            codes = stats.equal_mass_bins(confidence, self.bins)
            hot = np.eye(int(codes.max()) + 1)[codes]
            columns.append(np.hstack([hot, hot * confidence[:, None], hot * correct[:, None]]))
            sizes.append(3 * hot.shape[1])
        return np.hstack(columns), sizes

    def _figures(
        self, subjects: "dict[Subject, Predictions | NotMeasured]", evidence: Evidence
    ) -> tuple[Figure, ...]:
        marks, errors = [], []
        for who, subject in subjects.items():
            if not isinstance(subject, Predictions) or not subject.valid.any():
                continue
            valid = subject.valid
            confidence = subject.confidence[valid]
            correct = (subject.answer == evidence.rows.label)[valid]
            mass = stats.reliability(
                confidence, correct, stats.equal_mass_bins(confidence, self.bins)
            )
            width = stats.reliability(
                confidence, correct, stats.equal_width_bins(confidence, self.bins)
            )
            errors.append(
                (
                    who,
                    int(valid.sum()),
                    stats.expected_calibration_error(mass),
                    stats.expected_calibration_error(width),
                )
            )
            for n, mean, accuracy in zip(mass.count, mass.confidence, mass.accuracy, strict=True):
                low, high = wilson(float(n * accuracy), float(n), evidence.level)
                marks.append((who, float(mean), float(accuracy), low, high, int(n)))
        return (
            Figure(
                name="reliability",
                chart="reliability",
                title=f"Accuracy by confidence, {self.bins} bins of equal mass",
                columns=("subject", "confidence", "accuracy", "low", "high", "n"),
                rows=tuple(marks),
            ),
            Figure(
                name="expected-calibration-error",
                chart="table",
                title="Expected calibration error: shown, never checked (it is biased upwards)",
                columns=("subject", "rows answered", "equal mass", "equal width"),
                rows=tuple(errors),
            ),
        )


def _units(rows: Rows) -> int:
    return len(rows) if rows.cluster is None else len(np.unique(rows.cluster))


def _probabilistic(kind: object) -> Predictions | NotMeasured:
    if not isinstance(kind, Predictions):
        return absence(kind)
    return kind if kind.probabilities is not None else NotMeasured(NO_PROBABILITIES)


def _scores(
    subjects: Mapping[Subject, Predictions | NotMeasured],
    evidence: Evidence,
    score: Callable[[Predictions, Rows], Score],
) -> Scores:
    return {
        who: score(subject, evidence.rows) if isinstance(subject, Predictions) else subject
        for who, subject in subjects.items()
    }


def _brier(subject: Predictions, rows: Rows) -> Score:
    assert subject.probabilities is not None
    filled = np.where(subject.valid[:, None], subject.probabilities, 1 / len(rows.classes))
    return Score(values=stats.brier(filled, rows.label), valid=subject.valid, high=2.0)


def _gap(subject: Predictions, rows: Rows) -> Score:
    gap = np.where(subject.valid, subject.confidence, 0.0) - (subject.answer == rows.label)
    return Score(values=gap, valid=subject.valid, low=-1.0, high=1.0)
