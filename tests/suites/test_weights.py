"""Weights work in every finding of every suite, or it says why they do not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kdaudit import registry
from kdaudit.basis import ORDER
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.kinds import RowScores
from kdaudit.evidence.view import Evidence, Scale, Streams, Trio
from kdaudit.results import Finding, Need

Make = Callable[..., Evidence]
Array = np.ndarray[Any, Any]
SUITES = sorted(registry.available(registry.GROUPS.suites))
N, CLUSTERS = 400, 60
OPTIONS = {"accuracy": {"cost": {"a": {"b": 2.0}, "c": {"a": 5.0}}}}
COUNTERFACTUAL = Need(kind="predictions", variant="counterfactual")
SCORES = Need(kind="scores")
# A share of rows that were counted, whatever they weigh: no answer is missing less for being light.
COUNTED = "ACC003"


def made(
    evidence: Make, at: Array, weight: Array | None, *, clustered: bool = True, missing: int = 0
) -> Evidence:
    """All that suites ask for, on the rows ``at``, of which the first have no student's answer."""
    rng = np.random.default_rng(4)
    cluster = rng.integers(0, CLUSTERS, N)
    label = rng.choice(3, N, p=[0.5, 0.3, 0.2])

    def subject(right: float) -> Array:
        logits = rng.normal(size=(N, 3))
        logits[np.arange(N), np.where(rng.random(N) < right, label, rng.integers(0, 3, N))] += 2.5
        odds = np.exp(logits)
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def view(missing: int = 0, **more: Any) -> Evidence:
        who = {name: subject(right) for name, right in zip(ORDER, (0.8, 0.9, 0.7), strict=True)}
        who["student"][:missing] = np.nan
        return evidence(
            label=label[at],
            **{name: values[at] for name, values in who.items()},
            classes=("a", "b", "c"),
            cluster=cluster[at] if clustered else None,
            weight=weight,
            **more,
        )

    columns = {
        "sex": rng.choice(["f", "m"], N)[at].tolist(),
        "age": rng.choice(["old", "young", "middle"], N)[at].tolist(),
    }
    audited = view(
        missing,
        attributes=columns,
        slices=(("sex",), ("age",), ("age", "sex")),
        sensitive=(("sex",), ("age",)),
        positive=[0],
        outside=view(),
    )
    (swapped,) = view().kinds.values()
    per_row = {who: RowScores(values={"bleu": rng.random(N)[at]}) for who in ORDER}
    return replace(
        audited,
        rows=replace(audited.rows, scores={"bleu": Scale(better="higher", low=0.0, high=1.0)}),
        validation=view(),
        changes={COUNTERFACTUAL.variant: rng.random(N)[at] < 0.5},
        kinds={**audited.kinds, COUNTERFACTUAL: swapped, SCORES: Trio(**per_row)},
    )


def found(name: str, given: Evidence) -> dict[str, Finding]:
    suite = registry.build_suite(name, OPTIONS.get(name, {}))
    return {one.address: one for one in suite.run(given, Streams(seed=1)).findings}


def values(finding: Finding) -> dict[str, float | None]:
    parts = {who: getattr(finding, who) for who in (*ORDER, "difference")}
    return {who: one.value if isinstance(one, Estimate) else None for who, one in parts.items()}


def alike(one: Finding, other: Finding) -> None:
    for who, value in values(one).items():
        expected = values(other)[who]
        assert (value is None) == (expected is None), (one.address, who, one, other)
        if value is not None:
            assert value == pytest.approx(expected, rel=1e-9, abs=1e-9), (one.address, who)


@pytest.mark.parametrize("given", [{"clustered": False, "missing": 3}, {"clustered": True}])
@pytest.mark.parametrize("name", SUITES)
def test_equal_weights_change_no_value(evidence: Make, name: str, given: dict[str, Any]) -> None:
    at = np.arange(N)
    plain = found(name, made(evidence, at, None, **given))
    weighted = found(name, made(evidence, at, np.full(N, 2.0), **given))
    assert set(weighted) == set(plain)
    for address, finding in weighted.items():
        basis = finding.basis
        if isinstance(basis, NotMeasured) and "weighted" in basis.reason:
            continue  # it says why it has none
        alike(finding, plain[address])


@pytest.mark.parametrize(("row", "missing"), [(0, 3), (17, 0)])
@pytest.mark.parametrize("name", SUITES)
def test_a_row_of_twice_the_weight_is_that_row_twice(
    evidence: Make, name: str, row: int, missing: int
) -> None:
    heavy, at = np.ones(N), np.append(np.arange(N), row)
    heavy[row] = 2.0
    once = found(name, made(evidence, np.arange(N), heavy, missing=missing))
    twice = found(name, made(evidence, at, np.ones(N + 1), missing=missing))
    assert set(once) == set(twice)
    for address, finding in once.items():
        if address != COUNTED:
            alike(finding, twice[address])


def test_only_what_says_so_is_not_measured_with_weights(evidence: Make) -> None:
    weight = np.random.default_rng(0).lognormal(0, 1, N)
    for clustered in (False, True):
        given = made(evidence, np.arange(N), weight, clustered=clustered)
        absent = {
            finding.code: finding.basis.reason
            for name in SUITES
            for finding in found(name, given).values()
            if isinstance(finding.basis, NotMeasured) and not finding.code.startswith("LAT")
        }
        assert absent.keys() == {"CAL002", "CAL004", "CAL006"}
        assert "for display only" in absent["CAL002"]  # few rows, with or without weights
        for code in ("CAL004", "CAL006"):
            assert "not defined for weighted rows" in absent[code]
