"""The Markdown summary and the terminal's screen."""

from dataclasses import replace

import pytest

from kdaudit.results import InputFile, Limitation, Outcome, Results
from kdaudit.run import Run
from kdaudit_reports import markdown, terminal
from kdaudit_reports.advice import LABELLED


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


@pytest.mark.parametrize(
    ("outcome", "blocks", "advised"),
    [
        (Outcome.INCONCLUSIVE, True, True),
        (Outcome.INCONCLUSIVE, False, True),  # it warns, or a policy lets it pass
        (Outcome.FAIL, False, True),
        (Outcome.NOT_EVALUABLE, True, True),
        (Outcome.NOT_EVALUABLE, False, False),  # one of many members, and small
    ],
)
def test_open_members_say_what_to_do_next(
    outcome: Outcome, *, blocks: bool, advised: bool, results: Results, run: Run
) -> None:
    number = next(k for k, check in enumerate(results.contract) if check.each)
    one = next(v for v in results.verdicts if v.check == number)
    told = replace(results, verdicts=(replace(one, outcome=outcome, blocks=blocks),))
    assert ("Next: " in terminal.render(told, run)) is advised


@pytest.mark.parametrize(
    ("rows", "splits", "told"),
    [
        (100, {"audit": 100}, "Rows: 100 rows; "),
        (100, {"audit": 100, "transfer": 900}, "Rows: 100 rows; "),  # from a file of its own
        (1000, {"audit": 100}, "Rows: 100 rows of the audit split; "),
        (None, {"audit": 100}, "Rows: 100 rows; "),
        (None, {"audit": 100, "transfer": 900}, "Rows: 100 rows of the audit split; "),
    ],
)
def test_a_split_is_spoken_of_only_where_there_is_one(
    rows: int | None, splits: dict[str, int], told: str, results: Results, run: Run
) -> None:
    file = InputFile(role="data", name="d.csv", sha256="0", rows=rows)
    summary = replace(results.data, rows=100, splits=splits, clusters=None)
    text = terminal.render(replace(results, inputs=(file,), data=summary), run)
    assert told in text


def test_more_rows_are_asked_for_with_the_label_that_counts(results: Results, run: Run) -> None:
    for code, label in LABELLED.items():
        where = (("sex", "f"),)
        finding = replace(results.findings()[0], code=code, where=where)
        check = replace(results.contract[0], code=code, each=("sex",))
        verdict = replace(
            results.verdicts[0],
            check=0,
            address=finding.address,
            outcome=Outcome.NOT_EVALUABLE,
            needed_n=10**6,
        )
        suite = replace(results.suites[0], codes=(code,), findings=(finding,))
        told = replace(results, contract=(check,), suites=(suite,), verdicts=(verdict,))
        text = " ".join(terminal.render(told, run).split())
        assert f"rows with sex = f and {label} to those that are audited." in text


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
    assert "488 more lines of it, none worse" in text


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
