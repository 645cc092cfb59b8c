"""Fixtures of the report tests: one rich audit, one empty one, every renderer, golden files.

`KDAUDIT_UPDATE_GOLDEN=1 pytest tests/reports` accepts what is rendered now; review the diff.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kdaudit.results import Results
from kdaudit.run import Run

# Helpers beside the tests are imported by their path from the root of the repository.
sys.path.insert(0, str(Path(__file__).parents[2]))

from kdaudit_reports import html, junit, markdown, terminal
from tests.reports import chromium, sample, sample_run

Render = Callable[[Results, Run], str]

RENDERERS: dict[str, Render] = {
    "card.html": html.render,
    "junit.xml": junit.render,
    "summary.md": markdown.render,
    "terminal.txt": terminal.render,
}
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def results() -> Results:
    return sample.RESULTS


@pytest.fixture
def run() -> Run:
    return sample_run.RUN


@pytest.fixture
def nothing() -> tuple[Results, Run]:
    return sample.MINIMAL_RESULTS, sample.MINIMAL_RUN


@pytest.fixture(params=RENDERERS)
def renderer(request: pytest.FixtureRequest) -> tuple[str, Render]:
    return request.param, RENDERERS[request.param]


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("KDAUDIT_UPDATE_GOLDEN") == "1":
            path.write_text(text, encoding="utf-8", newline="\n")
        assert path.exists(), f"{path} is missing; set KDAUDIT_UPDATE_GOLDEN=1"
        expected = path.read_bytes().decode("utf-8")
        assert text == expected, f"{path} differs; set KDAUDIT_UPDATE_GOLDEN=1 and review the diff"

    return compare


@pytest.fixture(scope="session")
def browser() -> Iterator[chromium.Browser]:
    if chromium.installed() is None:
        pytest.skip("chromium is not installed")
    with chromium.Browser() as page:
        yield page
