import math

import numpy as np
import pytest
from sklearn.metrics import log_loss

from kdaudit.stats.likelihood import negative_log_likelihood


@pytest.mark.parametrize("classes", [2, 5])
def test_it_is_scikit_learns(classes: int) -> None:
    rng = np.random.default_rng(classes)
    probabilities = rng.dirichlet(np.ones(classes), 300)
    labels = rng.integers(0, classes, 300)
    expected = log_loss(labels, probabilities, labels=list(range(classes)))
    found = negative_log_likelihood(probabilities, labels, 1e-12)
    assert found.mean() == pytest.approx(expected, rel=1e-9)


def test_certainty_scores_best_and_worst() -> None:
    found = negative_log_likelihood([[1.0, 0.0], [0.0, 1.0]], [0, 0], 1e-12)
    assert found == pytest.approx([0, -math.log(1e-12)])
    assert math.copysign(1, found[0]) == 1


def test_a_label_not_among_the_classes_costs_the_most() -> None:
    assert negative_log_likelihood([[0.5, 0.5]], [-1], 1e-6) == pytest.approx([13.8155106])


@pytest.mark.parametrize("clip", [0.0, 1.0, -0.1])
def test_a_clip_that_is_none_is_refused(clip: float) -> None:
    with pytest.raises(ValueError, match="clip is a probability"):
        negative_log_likelihood([[0.5, 0.5]], [0], clip)
