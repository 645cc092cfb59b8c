"""Plugins are found by name, refused with the reason, and never imported for being listed."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from kdaudit import registry
from kdaudit.errors import ConfigError

SUITES = registry.GROUPS.suites


def test_the_built_in_plugins_come_through_entry_points() -> None:
    assert set(registry.available(SUITES)) >= {
        "accuracy",
        "calibration",
        "fairness",
        "hallucination",
        "latency",
        "memorisation",
        "safety",
        "slices",
    }
    assert set(registry.available(registry.GROUPS.models)) >= {"predictions", "path", "sklearn"}
    assert set(registry.available(registry.GROUPS.reports)) >= {"card", "terminal", "junit"}


@pytest.mark.parametrize(
    ("group", "name", "words"),
    [
        (SUITES, "calibraton", "unknown suite 'calibraton'. Did you mean 'calibration'"),
        (registry.GROUPS.models, "sklern", "unknown model 'sklern'. Did you mean 'sklearn'"),
        (registry.GROUPS.reports, "cart", "unknown report 'cart'. Did you mean 'card'"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(group: str, name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        registry.load(group, name)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bin": 3}, r"unknown option of \[suites.calibration\] 'bin'. Did you mean 'bins'"),
        ({"bins": 1}, "bins must be at least 2, got 1"),
        ({"bins": 15.5}, "bins: Input should be a valid integer, got 15.5"),
        ({"bins": "15"}, "bins: Input should be a valid integer, got '15'"),
        ({"bins": True}, "bins: Input should be a valid integer, got True"),
        ({"clip": 0.7}, "clip must lie between 0 and 0.5, got 0.7"),
        ({"clip": float("nan")}, "clip must lie between 0 and 0.5, got nan"),
        ({"replicates": float("inf")}, "replicates: Input should be a valid integer, got inf"),
        ({"name": "x"}, "unknown option of .* 'name'"),
    ],
)
def test_an_option_that_a_suite_does_not_take_is_refused(
    options: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        registry.build_suite("calibration", options)


def test_lists_become_tuples_and_whole_numbers_pass_for_fractions() -> None:
    suite = registry.build_suite("latency", {"percentiles": [50, 99]})
    assert suite.percentiles == (50, 99)  # type: ignore[attr-defined]
    assert registry.build_suite("hallucination", {"abstain_below": 1}).name == "hallucination"


PLUGIN = """
from dataclasses import dataclass
{top}
class NotADataclass:
    pass
"""


@pytest.mark.parametrize(
    ("top", "target", "words"),
    [
        ("import no_such_library", "NotADataclass", "No module named 'no_such_library'; `pip"),
        ("", "Missing", "has no attribute 'Missing'"),
        ("raise ValueError('broken')", "NotADataclass", "importing it raised ValueError: broken"),
        ("raise SystemExit(0)", "NotADataclass", "importing it raised SystemExit: 0"),
        ("", "NotADataclass", "must be a dataclass whose fields are its options"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, top: str, target: str, words: str
) -> None:
    (tmp_path / "broken_plugin.py").write_text(PLUGIN.format(top=top), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_plugin", raising=False)
    point = EntryPoint("broken", f"broken_plugin:{target}", SUITES)
    monkeypatch.setattr(registry, "available", lambda _group: {"broken": point})
    with pytest.raises(ConfigError, match=words):
        registry.build_suite("broken", {})
    monkeypatch.delitem(sys.modules, "broken_plugin", raising=False)


def test_two_distributions_cannot_claim_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("accuracy", f"{module}:Accuracy", SUITES) for module in ("ours", "theirs")]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == SUITES else [])
    with pytest.raises(ConfigError, match="ours:Accuracy and theirs:Accuracy; uninstall one"):
        registry.available(SUITES)
    points[1] = points[0]  # the same one, seen twice on the path
    assert list(registry.available(SUITES)) == ["accuracy"]


def test_listing_plugins_imports_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: EntryPoint) -> None:
        pytest.fail("a plugin was imported")

    monkeypatch.setattr(EntryPoint, "load", refuse)
    assert registry.available(SUITES)
