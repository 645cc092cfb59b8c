"""The Markdown summary and the terminal's screen."""

from dataclasses import replace

import pytest

from kdaudit.results import Limitation, Outcome, Results
from kdaudit.run import Run
from kdaudit_reports import markdown, terminal


def test_the_summary_stays_under_what_github_accepts(results: Results, run: Run) -> None:
    many = tuple(
        Limitation(id=f"L-{k:05d}", text="é" * 3_000, evidence="owner") for k in range(1_000)
    )
    text = markdown.render(replace(results, limitations=many), run)
    assert len(text.encode()) <= 900 * 1024
    assert "Shortened: " in text.splitlines()[-1]


def test_the_summary_opens_with_the_decision(results: Results, run: Run) -> None:
    first = markdown.render(results, run).splitlines()[0]
    assert first == "## Do not ship: 4 of 8 blocking checks are not met"


def test_the_terminal_shows_measured_limit_and_reason_of_open_lines(
    results: Results, run: Run
) -> None:
    text = " ".join(terminal.render(results, run).split())
    assert "1.9 points [1.3, 2.4] worse than the teacher's; allowed: at most 1.0 point" in text
    assert "beyond the limit (Holm p = 0.0012 over 11)" in text
    assert "9 checks, 53 findings, 5 limitations on the card." in text


def test_the_terminal_leaves_the_last_line_to_the_command(results: Results, run: Run) -> None:
    text = terminal.render(results, run)
    assert "card:" not in text
    assert text.endswith("\n")


def test_the_terminal_is_about_one_screen_however_many_lines_are_open(
    results: Results, run: Run
) -> None:
    verdict = replace(results.verdicts[4], outcome=Outcome.INCONCLUSIVE)
    text = terminal.render(replace(results, verdicts=(verdict,) * 500), run)
    lines = text.splitlines()
    assert len(lines) < 100
    assert max(map(len, lines)) <= 100
    assert "488 more lines, none worse" in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a|b", "a&#124;b"),
        ("<b>", "&lt;b&gt;"),
        ("*x* _y_ `z`", r"\*x\* \_y\_ \`z\`"),
        ("[a](b)", r"\[a\](b)"),
        ("# one", r"\# one"),
        ("- one", r"\- one"),
        ("1. one", r"1\. one"),
        ("1.5 points", "1.5 points"),
        ("@team", "&#64;team"),
        ("https://x", "https&#58;//x"),
        ("WWW.x", "WWW&#46;x"),
        ("two\nlines", "two lines"),
        ("a\\|b", r"a\\&#124;b"),
    ],
)
def test_markdown_is_escaped(text: str, told: str) -> None:
    assert markdown.escape(text) == told
