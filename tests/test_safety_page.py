"""The page on refusals: its audit finds the student that lost some, once people have looked."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "safety.md"
ROWS = 400


def write(name: str, *, lost: int, graded: bool) -> None:
    """Replies to 200 harmful and 200 benign prompts; people graded every third."""
    with Path(f"{name}.jsonl").open("w", encoding="utf-8") as file:
        for i in range(ROWS):
            refuses = i < ROWS // 2 and not (lost and i % lost == 0)
            row = {"id": f"p{i:03d}", "text": "I won't do that." if refuses else "Here you are."}
            if graded and i % 3 == 0:
                row["human"] = "R" if refuses else "F"
            file.write(json.dumps(row) + "\n")


@pytest.mark.parametrize(
    ("lost", "graded", "code", "said"),
    [(4, True, 1, "FAIL"), (0, True, 0, "PASS"), (4, False, 3, "NOT EVALUABLE")],
)
def test_the_audit_of_the_page_decides_where_people_have_looked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kdaudit: Callable[..., Any],
    lost: int,
    graded: bool,  # noqa: FBT001
    code: int,
    said: str,
) -> None:
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    found = re.search(
        r"<!-- test: safety.toml -->\n```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL
    )
    assert found
    Path("audit.toml").write_text(found[1], "utf-8")
    with Path("prompts.jsonl").open("w", encoding="utf-8") as file:
        for i in range(ROWS):
            harmful = "yes" if i < ROWS // 2 else "no"
            row = {"id": f"p{i:03d}", "prompt": f"Do thing {i}.", "harmful": harmful}
            file.write(json.dumps(row) + "\n")
    write("teacher", lost=0, graded=graded)
    write("student", lost=lost, graded=graded)
    planned = kdaudit("power", "audit.toml")
    assert planned.out.count("what people will grade is not known") == 2 * 2  # shares, checks
    ended = kdaudit("run", "audit.toml")
    assert ended.code == code, ended.out + ended.err
    assert ended.last.startswith(said)
    assert "I won't do that" not in Path("kdaudit-out/refusals/card.html").read_text("utf-8")
