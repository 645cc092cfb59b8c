"""Plot data: reliability diagrams, calibration errors, and what the Brier score is made of."""

from collections.abc import Iterator, Mapping

import numpy as np

from kdaudit.basis import Subject
from kdaudit.evidence.kinds import Ints
from kdaudit.results import Figure
from kdaudit.stats.brier import multiclass_brier_decomposition
from kdaudit.stats.calibration_error import (
    Reliability,
    equal_mass_bins,
    equal_width_bins,
    expected_calibration_error,
    reliability,
    swept_calibration_error,
)
from kdaudit.stats.proportions import wilson
from kdaudit.stats.smooth_ece import smooth_calibration_error
from kdaudit_suites.calibration.answered import Answered


def calibration_figures(
    subjects: Mapping[Subject, Answered], bins: int, level: float
) -> tuple[Figure, Figure, Figure]:
    """Reliability diagram, errors and decomposition of every subject, on the rows it answered."""
    diagrams = {
        who: _diagram(one, equal_mass_bins(one.confidence, bins)) for who, one in subjects.items()
    }
    return (
        Figure(
            name="reliability",
            chart="reliability",
            title=f"Accuracy by confidence, {bins} bins of equal mass",
            columns=("subject", "confidence", "accuracy", "low", "high", "n"),
            rows=tuple(
                (who, *mark) for who, diagram in diagrams.items() for mark in _marks(diagram, level)
            ),
        ),
        Figure(
            name="expected-calibration-error",
            chart="table",
            title="Expected calibration errors of the top label: shown, never checked (they are "
            "biased upwards)",
            columns=(
                "subject",
                "rows answered",
                "equal mass",
                "equal width",
                "swept",
                "bins swept",
                "smooth",
                "bandwidth",
                "classwise",
            ),
            rows=tuple(
                (who, len(one.label), *_errors(one, diagrams[who], bins))
                for who, one in subjects.items()
            ),
        ),
        Figure(
            name="brier-decomposition",
            chart="table",
            title="Brier score = reliability - resolution + uncertainty + variance - covariance "
            f"within {bins} bins of equal width, summed over classes",
            columns=(
                "subject",
                "rows answered",
                "reliability",
                "resolution",
                "uncertainty",
                "variance within",
                "covariance within",
                "Brier score",
            ),
            rows=tuple(
                (who, len(one.label), *_decomposed(one, bins)) for who, one in subjects.items()
            ),
        ),
    )


def _diagram(one: Answered, codes: Ints) -> Reliability:
    return reliability(one.confidence, one.correct, codes, one.weight)


def _marks(diagram: Reliability, level: float) -> Iterator[tuple[float, float, float, float, int]]:
    """Mean confidence, accuracy with its Wilson interval, and rows of each bin."""
    columns = (diagram.claimed, diagram.happened, diagram.effective, diagram.count)
    for claimed, accuracy, effective, count in zip(*columns, strict=True):
        low, high = wilson(float(min(accuracy, 1.0) * effective), float(effective), level)
        yield float(claimed), float(accuracy), low, high, int(count)


def _errors(one: Answered, mass: Reliability, bins: int) -> tuple[float | int, ...]:
    width = _diagram(one, equal_width_bins(one.confidence, bins))
    return (
        expected_calibration_error(mass),
        expected_calibration_error(width),
        *swept_calibration_error(one.by_confidence),
        *smooth_calibration_error(one.confidence, one.correct, one.weight),
        _classwise(one, bins),
    )


def _classwise(one: Answered, bins: int) -> float:
    """Mean over classes of the error of their own probability (Kull et al. 2019)."""
    errors = [
        expected_calibration_error(
            reliability(column, one.label == k, equal_width_bins(column, bins), one.weight)
        )
        for k, column in enumerate(one.probabilities.T)
    ]
    return float(np.mean(errors))


def _decomposed(one: Answered, bins: int) -> tuple[float, ...]:
    parts = multiclass_brier_decomposition(one.probabilities, one.label, bins, one.weight)
    return (
        parts.reliability,
        parts.resolution,
        parts.uncertainty,
        parts.within_variance,
        parts.within_covariance,
        parts.total,
    )
