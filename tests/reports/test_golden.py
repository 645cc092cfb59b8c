"""Whole reports, byte for byte: a change of any word is a change someone reviews."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kdaudit.results import Results
from kdaudit.run import Run
from kdaudit_reports import html

Golden = Callable[[str, str], None]
Renderer = tuple[str, Callable[[Results, Run], str]]


def test_the_sample_renders_as_reviewed(
    renderer: Renderer, results: Results, run: Run, golden: Golden
) -> None:
    name, render = renderer
    golden(f"sample-{name}", render(results, run))


def test_an_audit_of_nothing_renders_as_reviewed(
    renderer: Renderer, nothing: tuple[Results, Run], golden: Golden
) -> None:
    name, render = renderer
    golden(f"nothing-{name}", render(*nothing))


def test_the_same_input_gives_the_same_bytes(
    renderer: Renderer, results: Results, run: Run
) -> None:
    _, render = renderer
    assert render(results, run) == render(results, run)


def test_golden_files_stay_small_enough_to_review(renderer: Renderer) -> None:
    folder = Path(__file__).parent / "golden"
    paths = [folder / f"{which}-{renderer[0]}" for which in ("sample", "nothing")]
    assert all(path.stat().st_size <= 200_000 for path in paths)


@pytest.mark.parametrize("word", ["http:", "https:", "src=", "<script", "javascript:", "@import"])
def test_the_card_reaches_for_nothing(
    word: str, results: Results, run: Run, nothing: tuple[Results, Run]
) -> None:
    assert word not in html.render(results, run)
    assert word not in html.render(*nothing)
