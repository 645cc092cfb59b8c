"""Findings of many groups at once are those of each group by itself."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.view import Evidence, cells, crossed
from kdaudit.measure import (
    contrast_finding,
    contrast_findings,
    contrast_findings_over,
    mean_finding,
    mean_findings,
    mean_findings_over,
)
from kdaudit.results import Better, Endpoint, Finding
from kdaudit.scores import Score

Make = Callable[..., Evidence]
GROUPS = 4
WHERES = [(("group", str(group)),) for group in range(GROUPS)]


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """Rows of a few groups, of which some may be empty, and the scores of two or three subjects."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(2, 120))
    binary, sure = draw(st.booleans()), draw(st.booleans())
    scores: dict[str, Any] = {}
    for who in ("student", "teacher", "baseline"):
        values = rng.random(n) < 0.7 if binary else rng.normal(size=n).clip(-1, 1)
        valid = np.ones(n, np.bool_) if sure else rng.random(n) < 0.9
        scores[who] = Score(values=values, valid=valid, low=0.0 if binary else -1.0)
    for who in draw(st.sampled_from([(), ("baseline",), ("teacher",), ("student", "baseline")])):
        scores[who] = NotMeasured(f"no {who}")
    clusters = draw(st.sampled_from([None, n, n // 3 + 1]))
    return {
        "n": n,
        "better": draw(st.sampled_from(Better)),
        "scores": scores,
        "codes": rng.integers(draw(st.integers(-1, 0)), draw(st.integers(1, GROUPS)), n),
        "counts": rng.random(n) < 0.8 if draw(st.booleans()) else None,
        "cluster": None if clusters is None else rng.integers(0, clusters, n).tolist(),
        "weight": rng.choice([0.5, 1.0, 4.0], n).tolist() if draw(st.booleans()) else None,
    }


def alike(one: object, other: object) -> None:
    """Equal, numbers to twelve digits."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert isinstance(other, dict)
        assert one.keys() == other.keys()
        for name in one:
            alike(one[name], other[name])
    elif isinstance(one, tuple):
        assert isinstance(other, tuple)
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            alike(left, right)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-12, abs=1e-12)
    else:
        assert one == other


def same(found: list[Finding], each: list[Finding]) -> None:
    assert len(found) == len(each)
    for one, other in zip(found, each, strict=True):
        # Intervals follow from the basis; searches for their ends stop at a tolerance of their own.
        alike(asdict(one.basis), asdict(other.basis))
        assert (one.address, one.note) == (other.address, other.note)
        for who in ("student", "teacher", "baseline", "difference"):
            left, right = getattr(one, who), getattr(other, who)
            assert type(left) is type(right)
            if isinstance(left, Estimate):
                assert left.n == right.n
                assert (left.value, left.low, left.high) == pytest.approx(
                    (right.value, right.low, right.high), abs=1e-9
                )
            else:
                assert left == right


def made(evidence: Make, case: dict[str, Any]) -> tuple[Endpoint, Evidence]:
    nobody = [0] * case["n"]
    more = {name: case[name] for name in ("cluster", "weight") if case[name] is not None}
    endpoint = Endpoint(code="X001", metric="m", unit="u", better=case["better"])
    return endpoint, evidence(label=nobody, student=nobody, teacher=nobody, **more)


@given(case=cases())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_means_of_groups(evidence: Make, case: dict[str, Any]) -> None:
    endpoint, seen = made(evidence, case)
    scores, codes = case["scores"], case["codes"]
    found = mean_findings(endpoint, seen, scores, codes=codes, wheres=WHERES, note="so")
    each = [
        mean_finding(endpoint, seen, scores, where=where, rows=codes == group, note="so")
        for group, where in enumerate(WHERES)
    ]
    same(found, each)


@given(case=cases())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_contrasts_of_groups(evidence: Make, case: dict[str, Any]) -> None:
    case["better"] = Better.ZERO
    endpoint, seen = made(evidence, case)
    scores, codes, counts = case["scores"], case["codes"], case["counts"]
    found = contrast_findings(endpoint, seen, scores, codes=codes, wheres=WHERES, counts=counts)
    within = (codes >= 0) if counts is None else (codes >= 0) & counts
    each = [
        contrast_finding(
            endpoint,
            seen,
            scores,
            group=(codes == group) & within,
            rest=(codes != group) & within,
            where=where,
        )
        for group, where in enumerate(WHERES)
    ]
    same(found, each)


COLUMNS = (("a",), ("b",), ("a", "b"))


@given(case=cases(), plain=st.booleans())
@settings(
    deadline=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_several_groupings_in_one_pass(
    evidence: Make, case: dict[str, Any], *, plain: bool
) -> None:
    # Many times the rows, so that there are many to a cell.
    times, names = 120 // case["n"] * 4 + 4, np.array(["x", "y", "z", "w", None], dtype=object)
    if plain:  # what a single pass will do for
        case |= {"cluster": None, "weight": None}
    rows = {
        name: np.tile(case[name], times).tolist() for name in ("cluster", "weight") if case[name]
    }
    n = times * case["n"]
    counts = None if case["counts"] is None else np.tile(case["counts"], times)
    scores = {
        who: score
        if isinstance(score, NotMeasured)
        else replace(
            score,
            values=np.tile(score.values, times),
            valid=np.tile(score.valid | plain, times),
        )
        for who, score in case["scores"].items()
    }
    seen = evidence(
        label=[0] * n,
        student=[0] * n,
        teacher=[0] * n,
        attributes={
            "a": names[np.tile(case["codes"], times)].tolist(),
            "b": names[np.arange(n) % 2].tolist(),
        },
        slices=COLUMNS,
        **rows,
    )
    groupings = [crossed(seen.rows, columns) for columns in COLUMNS]
    endpoint = Endpoint(code="X001", metric="m", unit="u", better=case["better"])
    found = mean_findings_over(endpoint, seen, scores, groupings)
    zero = replace(endpoint, better=Better.ZERO)
    contrasts = contrast_findings_over(zero, seen, scores, groupings, counts)
    for number, (codes, wheres) in enumerate(groupings):
        same(found[number], mean_findings(endpoint, seen, scores, codes=codes, wheres=wheres))
        expected = contrast_findings(zero, seen, scores, codes=codes, wheres=wheres, counts=counts)
        same(contrasts[number], expected)


def test_cells_are_the_finest_groups_and_count_an_empty_cell(evidence: Make) -> None:
    seen = evidence(
        label=[0] * 240,
        student=[0] * 240,
        teacher=[0] * 240,
        attributes={"a": ["x", None, "y"] * 80, "b": ["u", "v"] * 120},
    )
    found = cells(seen.rows, ["b", "a"])
    assert found is not None
    assert len(found.row) == 6
    assert (found.code[found.row] == np.arange(6)).all()
    pairs = set(zip(found.code.tolist(), ["x", None, "y"] * 80, ["u", "v"] * 120, strict=True))
    assert len(pairs) == 6
    assert cells(seen.rows.take(np.arange(240) < 100), ["a", "b"]) is None


def test_a_subject_without_its_pair_has_a_contrast_and_no_rate_of_its_own(evidence: Make) -> None:
    seen = evidence(label=[0] * 4, student=[0] * 4, teacher=[0] * 4)
    student = Score(values=np.array([True, True, True, False]), valid=np.ones(4, np.bool_))
    scores: dict[Any, Any] = {
        "student": student,
        "teacher": NotMeasured("no teacher"),
        "baseline": NotMeasured("none"),
    }
    endpoint = Endpoint(code="X001", metric="m", unit="u", better=Better.ZERO)
    found = contrast_findings(
        endpoint, seen, scores, codes=np.array([0, 0, 1, 1]), wheres=WHERES[:2]
    )
    assert isinstance(found[0].student, Estimate)
    assert found[0].student.value == 0.5
    assert found[0].teacher == found[0].difference == NotMeasured("no teacher")
