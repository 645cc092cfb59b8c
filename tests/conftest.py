"""Small worlds that several tests share: tables, evidence, findings, and the command line."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.kinds import Predictions
from kdaudit.evidence.view import Category, Evidence, Rows, Streams, Trio
from kdaudit.measure import finding_of
from kdaudit.results import Better, Endpoint, Finding, Means, Need, Results, Table
from kdaudit.tables import audit

settings.register_profile("kdaudit", derandomize=True, deadline=None, max_examples=30)
settings.load_profile("kdaudit")

PREDICTIONS = Need(kind="predictions")
LEVEL = 0.9  # two-sided, of alpha = 0.05


class Printed(NamedTuple):
    """What one command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line of standard output."""
        return self.out.splitlines()[-1]


@dataclass(frozen=True, kw_only=True)
class World:
    """Tables of one audit in memory, and how to run it."""

    data: pd.DataFrame
    teacher: pd.DataFrame
    student: pd.DataFrame
    baseline: pd.DataFrame | None
    roles: Mapping[str, Any]

    def audit(self, contract: Sequence[Mapping[str, Any]] = (), **changed: Any) -> Results:
        """Audit these tables, or these with some of them changed."""
        tables = {
            name: changed.pop(name, getattr(self, name))
            for name in ("data", "teacher", "student", "baseline")
        }
        return audit(**tables, contract=contract, **(dict(self.roles) | changed))


def _world(
    seed: int = 0,
    *,
    n: int = 120,
    classes: int = 2,
    clusters: int = 0,
    weighted: bool = False,
    labels_only: bool = False,
    baseline: bool = False,
    outside: int = 0,
    teacher_right: float = 0.85,
    student_right: float = 0.8,
    sharpness: float = 2.0,
) -> World:
    """Draw an audit; every probability, group, cluster and weight is random.

    Args:
        seed: of everything.
        n: rows in scope.
        classes: 2 or more; the first is the favourable one.
        clusters: how many, of uneven size; 0 for none.
        weighted: whether there is a weight column.
        labels_only: whether the files hold ``prediction`` only.
        baseline: whether there is a third subject.
        outside: rows of no class.
        teacher_right: how often the teacher is right.
        student_right: how often the student is, where the teacher is; half as often elsewhere.
        sharpness: how sure the subjects are.
    """
    rng = np.random.default_rng(seed)
    names = [f"c{i}" for i in range(classes)]
    label = np.concatenate([rng.integers(classes, size=n), np.full(outside, classes)])
    total = n + outside
    order = rng.permutation(total)
    label = label[order]
    data = pd.DataFrame(
        {
            "id": [f"r{i:05d}" for i in range(total)],
            "label": [[*names, "none"][i] for i in label],
            "sex": rng.choice(["f", "m"], total, p=[0.4, 0.6]),
            "age": rng.choice(["old", "young"], total),
            "channel": rng.choice(["app", "shop", "web"], total, p=[0.2, 0.3, 0.5]),
        }
    )
    roles: dict[str, Any] = {
        "sensitive": ["sex", "age"],
        "slices": ["channel"],
        "positive": names[0],
        "id": "id",
    }
    if clusters:
        share = rng.dirichlet(np.full(clusters, 2.0))
        data["user"] = rng.choice(clusters, total, p=share)
        roles["cluster"] = "user"
    if weighted:
        data["w"] = rng.uniform(0.2, 3.0, total)
        roles["weight"] = "w"
    if outside:
        roles["out_of_scope"] = "none"

    def answers(right: np.ndarray[Any, Any]) -> pd.DataFrame:
        wrong = (label + rng.integers(1, max(classes, 2), size=total)) % classes
        guess = np.where(label < classes, np.where(right, label % classes, wrong), wrong)
        logits = rng.normal(size=(total, classes))
        logits[np.arange(total), guess] = logits.max(axis=1) + rng.exponential(sharpness, total)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        p = odds / odds.sum(axis=1, keepdims=True)
        if labels_only:
            return pd.DataFrame({"id": data.id, "prediction": [names[i] for i in p.argmax(axis=1)]})
        return pd.DataFrame(p, columns=[f"p_{name}" for name in names]).assign(id=data.id)

    right = rng.random(total) < teacher_right
    keeps = rng.random(total) < np.where(right, student_right, student_right / 2)
    return World(
        data=data,
        teacher=answers(right),
        student=answers(keeps),
        baseline=answers(rng.random(total) < teacher_right) if baseline else None,
        roles=roles,
    )


def _evidence(
    *,
    label: Sequence[int],
    student: Sequence[int] | np.ndarray[Any, Any] | None,
    teacher: Sequence[int] | np.ndarray[Any, Any] | None,
    baseline: Sequence[int] | np.ndarray[Any, Any] | None = None,
    classes: Sequence[str] = ("a", "b"),
    attributes: Mapping[str, Sequence[str | None]] | None = None,
    slices: Sequence[tuple[str, ...]] = (),
    sensitive: Sequence[tuple[str, ...]] = (),
    positive: Sequence[int] = (),
    cluster: Sequence[int] | None = None,
    weight: Sequence[float] | None = None,
    outside: Evidence | None = None,
    unlabelled: NotMeasured | None = None,
    training_counts: Sequence[int] | None = None,
    rejecting: Sequence[int] = (),
    level: float = LEVEL,
) -> Evidence:
    """Evidence from lists: a subject is (N,) class codes (-1: no answer), (N, C) or None."""

    def subject(given: Any) -> Predictions | NotMeasured:
        if given is None:
            return NotMeasured("the subject is absent")
        values = np.asarray(given)
        if values.ndim == 1:
            return Predictions(
                classes=tuple(classes), answer=values.astype(np.int64), probabilities=None
            )
        valid = ~np.isnan(values).any(axis=1)
        answer = np.where(valid, np.argmax(np.nan_to_num(values), axis=1), -1)
        return Predictions(
            classes=tuple(classes), answer=answer.astype(np.int64), probabilities=values.copy()
        )

    def column(cells: Sequence[str | None]) -> Category:
        values = tuple(sorted({cell for cell in cells if cell is not None}))
        codes = [-1 if cell is None else values.index(cell) for cell in cells]
        return Category(np.array(codes, dtype=np.int64), values)

    rows = Rows(
        ids=np.array([f"{i:05d}" for i in range(len(label))], dtype=object),
        label=np.asarray(label, dtype=np.int64),
        classes=tuple(classes),
        positive=tuple(positive),
        weight=None if weight is None else np.asarray(weight, dtype=np.float64),
        cluster=None if cluster is None else np.asarray(cluster, dtype=np.int64),
        attributes={name: column(cells) for name, cells in (attributes or {}).items()},
        slices=tuple(slices),
        sensitive=tuple(sensitive),
        training_counts=None
        if training_counts is None
        else np.asarray(training_counts, dtype=np.int64),
        rejecting=tuple(rejecting),
    )
    trio = Trio(student=subject(student), teacher=subject(teacher), baseline=subject(baseline))
    return Evidence(
        rows=rows, level=level, outside=outside, unlabelled=unlabelled, kinds={PREDICTIONS: trio}
    )


def _finding(
    basis: Table | Means,
    better: Better = Better.HIGHER,
    *,
    code: str = "ACC001",
    where: tuple[tuple[str, str], ...] = (),
) -> Finding:
    """A finding whose numbers follow from ``basis``, as suites make them."""
    endpoint = Endpoint(code=code, metric="metric", unit="unit", better=better)
    evidence = _evidence(label=[0], student=[0], teacher=[0])
    return finding_of(endpoint, evidence, basis, where)


@pytest.fixture(scope="session")
def world() -> Callable[..., World]:
    """Make a `World`."""
    return _world


@pytest.fixture(scope="session")
def evidence() -> Callable[..., Evidence]:
    """Make `Evidence` from lists."""
    return _evidence


@pytest.fixture(scope="session")
def finding() -> Callable[..., Finding]:
    """Make a `Finding` from its basis."""
    return _finding


@pytest.fixture
def kdaudit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Printed]:
    """Run the command line in this process: ``kdaudit("run", path)``."""

    def call(*words: str | Path) -> Printed:
        from kdaudit.cli.app import main

        monkeypatch.setattr("sys.argv", ["kdaudit", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code = ended.value.code
        return Printed(0 if code is None else int(code), printed.out, printed.err)

    return call


def _signs_the_contract(name: str) -> None:
    """What every suite must do, whoever wrote it."""
    from kdaudit import registry

    cls = registry.load(registry.GROUPS.suites, name)
    suite = registry.build_suite(name, {})
    page = inspect.getmodule(cls).__doc__ or ""
    for heading in ("Findings", "Options", "Source", "Limits"):
        assert f"\n{heading}" in page, f"{name}: its manual has no {heading}"
    assert cls.__dataclass_params__.frozen
    assert suite.name == name
    declared = {endpoint.code for endpoint in suite.codes}
    assert declared
    rng = np.random.default_rng(3)
    full: dict[str, Any] = {
        "label": [0, 1] * 40,
        "student": rng.dirichlet([1, 1], 80),
        "teacher": rng.dirichlet([1, 1], 80),
        "attributes": {"sex": ["f", "m"] * 40},
        "slices": [("sex",)],
        "sensitive": [("sex",)],
        "positive": [0],
    }
    streams = Streams(seed=5)
    first = suite.run(_evidence(**full), streams)
    assert first == suite.run(_evidence(**full), streams), "the same seed gave another result"
    assert {finding.code for finding in first.findings} <= declared
    alone: dict[str, Any] = {
        "label": [0],
        "student": [[0.8, 0.2]],
        "teacher": [[0.7, 0.3]],
        "positive": [0],
    }
    for finding in suite.run(_evidence(**alone), streams).findings:
        for measured in (finding.student, finding.difference):
            certain = (
                isinstance(measured, Estimate)
                and measured.low == measured.high
                and measured.level < 1
            )
            assert not certain, f"{finding.address} is certain of one row"
    for absent in ("student", "teacher"):
        found = suite.run(_evidence(**(full | {absent: None})), streams)
        assert found.error is None
        for finding in found.findings:
            assert isinstance(finding.difference, NotMeasured), finding.address
    nothing = _evidence(**full, unlabelled=NotMeasured("labels are copies"))
    assert {f.code for f in suite.run(nothing, streams).findings} <= declared


@pytest.fixture(scope="session")
def signs_the_contract() -> Callable[[str], None]:
    """Check one installed suite by name."""
    return _signs_the_contract


def value_of(measured: Measurement) -> float:
    """The value of a measurement that must be there."""
    assert not isinstance(measured, NotMeasured), measured.reason
    return measured.value
