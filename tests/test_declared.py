"""A contract that cannot be meant is refused before any model runs, and the culprit is named."""

from pathlib import Path
from typing import Any

import pytest

from kdaudit.data.audit_file import AuditFile, parse
from kdaudit.declared import crosses
from kdaudit.errors import ConfigError
from kdaudit.plan import Plan, make_plan
from kdaudit.results import Limit, Severity

DATA = {
    "path": "data.csv",
    "label": "label",
    "sensitive": ["sex", "age"],
    "slices": ["channel"],
    "positive": "yes",
}


def plan(*contract: dict[str, Any], data: dict[str, Any] | None = None) -> Plan:
    subject = {"predictions": "p.csv"}
    document = {
        "audit": {"name": "a"},
        "data": DATA | (data or {}),
        "teacher": subject,
        "student": subject,
        "baseline": subject,
        "contract": list(contract),
    }
    return make_plan(parse(document, AuditFile, "audit.toml"), Path())


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"check": "ACC0001", "margin": 0.1},
        r"number 1: unknown check 'ACC0001'\. Did you mean 'ACC001'",
    ),
    ({"check": "ACC001", "at_most": 0.9}, "at_most would ask for a worse student.*use at_least"),
    ({"check": "CAL001", "at_least": 0.9}, "at_least would ask for a worse student.*use at_most"),
    ({"check": "FAI001", "at_least": 0.9, "each": ["sex"]}, "use at_most"),
    ({"check": "FAI001", "keep": 0.9, "each": ["sex"]}, "keep is a share of a score"),
    ({"check": "ACC002", "keep": 0.9}, "use margin or at_most"),
    (
        {"check": "FAI001", "at_most": -0.1, "each": ["sex"]},
        "off the scale|cannot be negative",
    ),
    ({"check": "CAL003", "at_most": -0.1}, "off the scale|cannot be negative"),
    ({"check": "ACC001", "margin": 3}, "write 0.03 for three points"),
    ({"check": "ACC001", "keep": 97}, "keep = 97 asks for more than the reference; write 0.97"),
    ({"check": "FAI001", "margin": 0.1}, r"say each = \[\"sex\"\] or where"),
    ({"check": "SLC001", "margin": 0.1}, r"SLC001\[channel=…\]"),
    ({"check": "SLC001", "margin": 0.1, "each": ["chanel"]}, "Did you mean 'channel'.*as slices"),
    ({"check": "FAI001", "margin": 0.1, "each": ["channel"]}, "Known: age, sex.*as sensitive"),
    ({"check": "ACC001", "margin": 0.1, "each": ["sex"]}, "unknown column in each 'sex'.*none"),
    ({"check": "SLC002", "margin": 0.1, "where": {"channel": "web"}}, "in where.*Known: label"),
    ({"check": "ACC001"}, "exactly one of margin, keep, at_most, at_least.*got none"),
    ({"check": "ACC001", "margin": 0.1, "keep": 0.9}, "got margin, keep"),
    ({"check": "ACC001", "margin": -0.1}, "greater than or equal to 0, got -0.1"),
    ({"check": "ACC001", "margin": float("nan")}, "got nan"),
    ({"check": "ACC001", "margin": float("inf")}, "finite number, got inf"),
    ({"check": "ACC001", "at_least": float("nan")}, "finite number, got nan"),
    ({"check": "ACC001", "keep": 0}, "greater than 0"),
    ({"check": "ACC001", "at_least": 0.9, "against": "teacher"}, "holds the student alone"),
    ({"check": "ACC001", "margin": 0.1, "against": "control"}, "'teacher' or 'baseline'"),
    ({"check": "FAI001", "margin": 0.1, "each": ["sex"], "where": {"age": "old"}}, "one of them"),
    ({"check": "ACC001", "margin": 0.1, "min_n": 1}, "greater than or equal to 2, got 1"),
    ({"check": "ACC001", "margin": 0.1, "severity": "fatal"}, "'block', 'warn' or 'info'"),
    ({"check": "ACC001", "margn": 0.1}, "unknown key.*'margn'.*Did you mean 'margin'"),
    ({"margin": 0.1}, "check is missing"),
]


@pytest.mark.parametrize(("check", "words"), REFUSED, ids=lambda given: str(given)[:60])
def test_a_check_that_cannot_be_meant_is_refused(check: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        plan(check)


def test_the_number_of_the_culprit_is_counted_from_one() -> None:
    with pytest.raises(ConfigError, match=r"\[\[contract\]\] number 2"):
        plan({"check": "ACC001", "margin": 0.1}, {"check": "XYZ001", "margin": 0.1})


def test_columns_that_no_one_declared_are_asked_for() -> None:
    with pytest.raises(ConfigError, match="needs columns: name them as sensitive under"):
        plan({"check": "FAI001", "margin": 0.1}, data={"sensitive": []})


def test_every_audit_has_a_check_for_answers_left_out_unless_it_declares_its_own() -> None:
    (own, default) = plan({"check": "ACC001", "margin": 0.1}).contract
    assert own.declared
    assert not default.declared
    assert (default.code, default.limit, default.value) == ("ACC003", Limit.AT_MOST, 0.001)
    assert default.severity is Severity.BLOCK
    (own,) = plan({"check": "ACC003", "at_most": 0.02}).contract
    assert own.value == 0.02
    assert [check.declared for check in plan().contract] == [False]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("web", "web"),
        (3, "3"),
        (3.0, "3"),
        (2.5, "2.5"),
        (True, "True"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_values_in_where_are_compared_as_strings(cell: object, text: str) -> None:
    made = plan({"check": "SLC001", "margin": 0.1, "where": {"channel": cell}})
    assert made.contract[0].where == (("channel", text),)


def test_where_is_sorted_by_column_whatever_the_order_in_the_file() -> None:
    made = plan({"check": "FAI001", "margin": 0.1, "where": {"sex": "f", "age": "old"}})
    assert made.contract[0].where == (("age", "old"), ("sex", "f"))


def test_only_crossings_that_a_check_asks_for_are_measured() -> None:
    made = plan(
        {"check": "FAI001", "margin": 0.1, "each": ["sex", "age"]},
        {"check": "FAI002", "margin": 0.1, "each": ["age", "sex"]},
        {"check": "SLC001", "margin": 0.1, "each": ["channel"]},
    )
    assert crosses(made.contract, ("sex", "age")) == (("sex",), ("age",), ("age", "sex"))
    assert crosses(made.contract, ("channel",)) == (("channel",),)


def test_two_suites_cannot_report_one_code(monkeypatch: pytest.MonkeyPatch) -> None:
    from kdaudit import registry

    known = registry.available(registry.GROUPS.suites)
    twin = known | {"twin": known["accuracy"]}
    monkeypatch.setattr(registry, "available", lambda _group: twin)
    with pytest.raises(ConfigError, match="two suites report ACC001; take one out"):
        plan()
