"""The example of the page on language models runs as it says."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.docs.test_documents import ROOT, marked

PAGE = ROOT / "docs" / "text-models.md"


def test_the_example_of_the_page_is_previewed_as_stated_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kdaudit: Callable[..., Any]
) -> None:
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-c", marked("models", PAGE)], check=True, capture_output=True)
    (tmp_path / "audit.toml").write_text(marked("audit.toml", PAGE), "utf-8")
    assert marked("dry run", PAGE) in kdaudit("run", "--dry-run").out
    assert kdaudit("power").code == 0
    said = kdaudit("run")
    # Five rows decide nothing, and a model of random weights may write no letter at all.
    assert said.code in (1, 3), said.out + said.err
    assert Path("kdaudit-out/capitals/evidence/student.likelihoods.parquet").exists()
