"""Asking for help, or the version, pays for none of the heavy libraries."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "fairlearn",
    "httpx2",
    "jinja2",
    "lm_eval",
    "matplotlib",
    "numpy",
    "optuna",
    "pandas",
    "pyarrow",
    "scipy",
    "sqlalchemy",
    "sklearn",
    "torch",
    "transformers",
}
SCRIPT = """
import json, sys
sys.argv = ["kdaudit", *{words!r}]
from kdaudit.cli.app import main
try:
    main()
except SystemExit as ended:
    code = ended.code
print("\\n" + json.dumps([code or 0, sorted({{m.partition(".")[0] for m in sys.modules}})]))
"""


def loaded(*words: str) -> tuple[int, set[str]]:
    script = SCRIPT.format(words=list(words))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    code, names = json.loads(done.stdout.splitlines()[-1])
    return code, set(names)


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("--version",),
        ("run", "--help"),
        ("search", "--help"),
        ("suites", "show", "--help"),
    ],
)
def test_help_loads_no_heavy_library(words: tuple[str, ...]) -> None:
    code, names = loaded(*words)
    assert code == 0
    assert "typer" in names  # the list is not empty for another reason
    assert not names & HEAVY


def test_importing_the_package_loads_no_heavy_library() -> None:
    script = "import kdaudit, sys; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not set(done.stdout.split()) & HEAVY


def test_an_audit_of_tables_loads_no_torch() -> None:
    script = """
import sys
import pandas as pd
import kdaudit
data = pd.DataFrame({"id": range(60), "label": ["a", "b"] * 30})
answers = pd.DataFrame({"id": range(60), "prediction": ["a", "b"] * 29 + ["a", "a"]})
kdaudit.audit(data=data, teacher=answers, student=answers, id="id")
assert "scipy" in sys.modules
print(*sorted({m.partition('.')[0] for m in sys.modules}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not set(done.stdout.split()) & {"torch", "transformers", "lm_eval", "accelerate"}
