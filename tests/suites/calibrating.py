"""The calibration suite on made evidence."""

from typing import Any

import numpy as np

from kdaudit.evidence.view import Evidence, Streams
from kdaudit.results import SuiteResult
from kdaudit_suites.calibration import Calibration

Array = np.ndarray[Any, Any]


def run(evidence: Evidence) -> SuiteResult:
    """With few replicates: these tests look at values and reasons."""
    return Calibration(replicates=200).run(evidence, Streams(7))


def draw(seed: int, n: int = 400, classes: int = 2) -> tuple[Array, Array, Array]:
    """Labels, a student and a calibrated teacher that know nothing of each other."""
    rng = np.random.default_rng(seed)
    student, teacher = rng.dirichlet(np.ones(classes), (2, n))
    label = np.array([rng.choice(classes, p=p) for p in teacher])
    return label, student, teacher
