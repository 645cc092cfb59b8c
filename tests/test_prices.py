"""What distillation cost: hours by the student's lineage at a price, and what was declared."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from kdaudit.data.audit_file import AuditFile, parse
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.prices import Prices
from kdaudit.plan import make_plan
from kdaudit.serving import prices


def priced(cost: dict[str, object] | None, student: dict[str, object]) -> Prices | None:
    listed = {"currency": "EUR", "source": "a list", "date": "2026-11-01"}
    raw = {
        "audit": {"name": "a"},
        "data": {"path": "x.csv", "label": "y"},
        "teacher": {"predictions": "t.csv"},
        "student": student,
        **({} if cost is None else {"cost": listed | cost}),
    }
    return prices(make_plan(parse(raw, AuditFile, "audit.toml"), Path()))


@pytest.mark.parametrize("key", ["path", "hf"])
def test_training_hours_come_from_the_lineage(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []

    def lineage(path: Path) -> object:
        seen.append(path)
        return SimpleNamespace(wall_seconds=9000.0)

    monkeypatch.setattr("kdaudit.serving.read_lineage", lineage)
    found = priced({"distillation": {"hourly": 4.0, "declared": 100.0}}, {key: "runs/s"})
    assert found is not None
    assert found.distillation == 110.0
    assert found.distillation_by == "100 declared, 2.50 hours of training at 4"
    assert found.source == "a list, 2026-11-01"
    assert seen == [Path("runs/s")]


def test_what_nobody_tells_is_not_provided() -> None:
    assert priced(None, {"predictions": "s.csv"}) is None
    bare = priced({}, {"predictions": "s.csv"})
    assert bare is not None
    assert isinstance(bare.distillation, NotMeasured)
    assert "NOT PROVIDED" in bare.distillation.reason
    assert bare.subjects == {}
    hours = priced({"distillation": {"hourly": 4.0}}, {"predictions": "s.csv"})
    assert hours is not None
    assert isinstance(hours.distillation, NotMeasured)
    assert "needs the student's lineage.json" in hours.distillation.reason
