"""The decision and the contract as Markdown, for a job summary or a pull request.

GitHub drops a summary over 1 MiB without failing the job, so this one stops well before.
"""

import re
from collections.abc import Iterable, Iterator

from kdaudit.results import Results
from kdaudit.run import Run
from kdaudit_reports.consequences import consequences
from kdaudit_reports.contract import Clause, clauses
from kdaudit_reports.decision import Decision, decision
from kdaudit_reports.index import index
from kdaudit_reports.provenance import rests
from kdaudit_reports.text import PROSE, line, plural, visible

CAP = 900 * 1024
ROOM = 200  # for the note that says what was left out
SPECIAL = re.compile(r"([\\`*_\[\]#~$])")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "@": "&#64;"}
AUTOLINK = re.compile(r"\b(https?|ftp|mailto|xmpp|www)([:.])", re.IGNORECASE)


def render(results: Results, run: Run) -> str:
    """Render the summary. Pure: same arguments, same bytes."""
    where = index(results)
    told = clauses(results, where)
    lines = [
        *_head(results, run, decision(results, told, where)),
        "",
        "### In plain counts",
        "",
        *(
            f"* **{escape(c.figure)}** {escape(c.of)} {escape(c.text)}"
            for c in consequences(results, where)
        ),
        "",
        "### Contract",
        "",
        *_contract(told),
        "",
        "### Known limitations",
        "",
        *_limitations(results),
    ]
    return _capped(lines)


def escape(text: str) -> str:
    r"""Text that Markdown, HTML and GitHub's extras leave as it is, on one line.

    >>> escape("a|b <img src=x> *c* @me https://x")
    'a&#124;b &lt;img src=x&gt; \\*c\\* &#64;me https&#58;//x'
    >>> escape("1. one"), escape("- two"), escape("1.5 points")
    ('1\\. one', '\\- two', '1.5 points')
    """
    told = " ".join(visible(text).split())
    told = "".join(ENTITIES.get(character, character) for character in SPECIAL.sub(r"\\\1", told))
    told = AUTOLINK.sub(lambda found: f"{found[1]}&#{ord(found[2])};", told)
    # What would start a list, a rule or a heading line.
    told = re.sub(r"^([-+=])", r"\\\1", told)
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", told)


def _head(results: Results, run: Run, made: Decision) -> Iterator[str]:
    yield f"## {escape(made.headline)}"
    yield ""
    name = escape(line(results.name))
    yield f"**{name}**: {escape(made.detail)} {escape(made.warnings)}".rstrip()
    yield ""
    for reason in made.reasons:
        yield f"* **{reason.word}** {_code(reason.code)} {escape(reason.text)}"
    if made.more:
        yield f"* {escape(made.more)}"
    if made.reasons:
        yield ""
    yield "; ".join(f"{escape(name)}: {escape(value)}" for name, value in rests(results, run)) + "."


def _contract(told: Iterable[Clause]) -> Iterator[str]:
    rows = [row for clause in told for row in _rows(clause)]
    if not rows:
        yield "No contract was declared; nothing was held against a limit."
        return
    yield "| outcome | check | agreed | measured | next |"
    yield "| --- | --- | --- | --- | --- |"
    yield from rows


def _rows(clause: Clause) -> Iterator[str]:
    agreed = f"{escape(clause.statement)} ({escape(clause.severity)})"
    if clause.grouped:
        yield _cells(f"**{clause.word}**", _code(clause.code), agreed, clause.tally, "")
    for member in (*clause.open, *clause.passed):
        measured = escape(member.measured)
        if member.n:
            measured += f" {escape(member.quantity)}; {escape(member.n)}"
        yield _cells(
            member.word,
            _code(member.address),
            "" if clause.grouped else agreed,
            measured,
            escape(member.advice),
        )


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _limitations(results: Results) -> Iterator[str]:
    if not results.limitations:
        yield "None was generated or written, which is not a claim that there are none."
    for limitation in results.limitations:
        text = escape(line(limitation.text, PROSE))
        evidence = escape(line(limitation.evidence, 200))
        yield f"* **{escape(limitation.id)}** ({limitation.severity}) {text} Evidence: {evidence}"


def _capped(lines: list[str]) -> str:
    size = 0
    for number, text in enumerate(lines):
        size += len(text.encode()) + 1
        if size > CAP - ROOM:
            left = plural(len(lines) - number, "more line")
            return "\n".join([*lines[:number], "", f"Shortened: {left} are on the card."]) + "\n"
    return "\n".join(lines) + "\n"
