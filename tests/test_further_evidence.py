"""Suites are given predictions on the validation split and on changed rows, where there are any."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from kdaudit.data.audit_file import AuditFile, parse
from kdaudit.data.dataset import from_table
from kdaudit.data.readers import Source
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Predictions
from kdaudit.evidence.store import Store
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.models.adapter import Columns, Outputs
from kdaudit.models.open import Opened
from kdaudit.models.predictions import PredictionsFile
from kdaudit.pipeline import Audited, run_plan
from kdaudit.plan import make_plan
from kdaudit.results import Endpoint, Need, SuiteResult

VALIDATION = Need(kind="predictions", split="validation", optional=True)
SWAPPED = Need(kind="predictions", variant="counterfactual", optional=True)
PREDICTIONS = Need(kind="predictions")


@dataclass
class Sexist:
    """Says yes to texts about a man; counts the rows it was shown."""

    shown: int = 0
    classes: tuple[str, ...] = ("no", "yes")
    columns: tuple[str, ...] = ()

    def identity(self) -> Mapping[str, str]:
        return {"sha256": "0" * 64}

    def predict(self, columns: Columns) -> Outputs:
        text = columns["text"].tolist()
        self.shown += len(text)
        yes = np.array([0.9 if " he " in f" {t} " else 0.2 for t in text])
        return Outputs(values=np.column_stack([1 - yes, yes]), space="probabilities")

    def parameters(self) -> None:
        return None

    def size(self) -> int:
        return 1


@dataclass
class Probe:
    """A suite that keeps what it was given."""

    name: ClassVar[str] = "probe"
    codes: ClassVar[tuple[Endpoint, ...]] = ()
    needed: tuple[Need, ...] = (PREDICTIONS, VALIDATION, SWAPPED)
    seen: list[Evidence] = field(default_factory=list)

    def needs(self) -> tuple[Need, ...]:
        return self.needed

    def run(self, evidence: Evidence, streams: Streams) -> SuiteResult:
        del streams
        self.seen.append(evidence)
        return SuiteResult(suite=self.name, findings=())


ROWS = 90
TABLE = pd.DataFrame(
    {
        "id": [f"r{i:03d}" for i in range(ROWS)],
        "text": ["he asks" if i % 3 else "they ask" for i in range(ROWS)],
        "label": np.where(np.arange(ROWS) % 2, "yes", "no"),
        "split": np.repeat(["audit", "val", "other"], ROWS // 3),
    }
)
DOCUMENT: dict[str, dict[str, object]] = {
    "audit": {"name": "a"},
    "teacher": {"predictions": "t"},
    "student": {"predictions": "s"},
    "data": {
        "path": "d",
        "id": "id",
        "label": "label",
        "inputs": ["text"],
        "split": {"column": "split", "audit": "audit", "validation": "val"},
        "counterfactual": {"swap": [["he", "she"]]},
    },
}


def run(
    store: Path | None, probe: Probe, student: Opened, document: Mapping[str, object] = DOCUMENT
) -> Audited:
    file = parse(dict(document), AuditFile, "a")
    dataset = from_table(Source(name="d", table=TABLE, sha256="d"), file.data, 0, Path())
    plan = replace(make_plan(file, Path()), suites=(probe,))
    teacher = Opened(kind="predictions", name="t", adapter=PredictionsFile(answers()))
    opened = {"teacher": teacher, "student": student}
    return run_plan(plan, dataset, opened, store=store and Store(store))  # type: ignore[arg-type]


def answers(rows: slice = slice(None)) -> Source:
    table = TABLE[["id"]].assign(score=0.6, prediction=TABLE.label)[["id", "prediction"]]
    return Source(name="t", table=table[rows], sha256="t")


def test_the_validation_rows_and_the_changed_rows_are_asked_once(tmp_path: Path) -> None:
    model, probe = Sexist(), Probe()
    student = Opened(kind="fake", name="s", adapter=model)
    first = run(tmp_path, probe, student)
    assert first.predicted["student"] == model.shown == ROWS
    assert run(tmp_path, probe, student).predicted["student"] == 0
    assert model.shown == ROWS

    evidence = probe.seen[0]
    assert evidence.validation is not None
    assert evidence.validation.rows.ids.tolist() == TABLE.id[30:60].tolist()
    there = evidence.validation[PREDICTIONS]
    assert isinstance(there.teacher, Predictions)
    assert isinstance(there.student, Predictions)
    assert there.teacher.answer.tolist() == [i % 2 for i in range(30, 60)]
    assert there.student.answer.tolist() == [int(i % 3 > 0) for i in range(30, 60)]

    swapped = evidence[SWAPPED].student
    assert isinstance(swapped, Predictions)
    assert swapped.answer.tolist() == [0] * 30
    assert evidence.changed("counterfactual").tolist() == [i % 3 > 0 for i in range(30)]
    recorded = evidence[SWAPPED].teacher
    assert isinstance(recorded, NotMeasured)
    assert "name a model that can be run" in recorded.reason


def test_answers_to_too_few_validation_rows_are_none_and_stop_nothing() -> None:
    probe = Probe()
    part = Opened(kind="predictions", name="s", adapter=PredictionsFile(answers(slice(0, 40))))
    run(None, probe, part)
    evidence = probe.seen[0]
    assert evidence.validation is not None
    student = evidence.validation[PREDICTIONS].student
    assert isinstance(student, NotMeasured)
    assert "10 of 30" in student.reason
    assert isinstance(evidence[PREDICTIONS].student, Predictions)


@pytest.mark.parametrize("need", [VALIDATION, SWAPPED])
def test_nothing_is_asked_that_no_suite_needs(tmp_path: Path, need: Need) -> None:
    model, probe = Sexist(), Probe(needed=(PREDICTIONS, need))
    run(tmp_path, probe, Opened(kind="fake", name="s", adapter=model))
    assert model.shown == 60
    assert (probe.seen[0].validation is None) == (need is SWAPPED)


def test_a_variant_nobody_declared_is_not_measured(tmp_path: Path) -> None:
    probe = Probe()
    data = {k: v for k, v in DOCUMENT["data"].items() if k != "counterfactual"}
    student = Opened(kind="fake", name="s", adapter=Sexist())
    run(tmp_path, probe, student, {**DOCUMENT, "data": data})
    assert isinstance(probe.seen[0][SWAPPED].student, NotMeasured)
    assert not probe.seen[0].changed("counterfactual").any()
