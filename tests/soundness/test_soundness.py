"""Every case of the pack ends as its table says; no policy and no re-decision lets one pass."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.soundness import language, pack
from tests.soundness.pack import Case, Inputs, good

CASES = pack.CASES | language.CASES

README = Path(__file__).parent / "README.md"


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_it_ends_as_documented(case: Case, tmp_path: Path, kdaudit: Callable[..., Any]) -> None:
    said = kdaudit("run", case.make().write(tmp_path))
    assert said.code == case.code, said.out + said.err
    if case.outcome == "REFUSED":
        assert "Traceback" not in said.err
        assert not (tmp_path / "kdaudit-out").exists()
    else:
        assert said.out.strip().splitlines()[-1].startswith(case.outcome)


def test_no_policy_lets_it_pass(case: Case, tmp_path: Path, kdaudit: Callable[..., Any]) -> None:
    said = kdaudit("run", case.make().write(tmp_path), "--policy", "lenient")
    assert (said.code == 0) == (case.code == 0 or case.lenient), said.out + said.err


def test_a_suite_that_crashes_is_no_verdict(
    tmp_path: Path, kdaudit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr("kdaudit_suites.calibration.Calibration.run", crash)
    said = kdaudit("run", good().write(tmp_path))
    assert said.code == 70
    assert "out of luck" in said.out + said.err
    assert "Traceback" not in said.out + said.err


def test_the_table_is_that_of_the_code() -> None:
    rows = [
        f"| `{name}` | {case.wrong} | {case.outcome} | {case.code} |"
        for name, case in CASES.items()
    ]
    text = README.read_text("utf-8")
    head, _, _ = text.partition("|---|---|---|---|\n")
    assert text == head + "|---|---|---|---|\n" + "\n".join(rows) + "\n"


def test_what_is_unbroken_passes_for_what_it_is() -> None:
    made: Inputs = good()
    assert len(made.data) == len(made.teacher) == len(made.student) == 600
