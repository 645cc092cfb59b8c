"""The decision in about one screen of plain text, without colour or markup."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from kdaudit.results import WORST_FIRST, Outcome, Results
from kdaudit.run import Run
from kdaudit_reports.contract import Clause, Line, clauses
from kdaudit_reports.decision import decision
from kdaudit_reports.index import index
from kdaudit_reports.provenance import rests
from kdaudit_reports.text import line, plural

WIDTH = 100
WORD = 16
MOST_OPEN = 12


def render(results: Results, run: Run) -> str:
    """Render the summary. Pure: same arguments, same bytes."""
    where = index(results)
    told = clauses(results, where)
    made = decision(results, told, where)
    head = [f"{line(results.name)}: {made.headline}", made.detail, made.warnings]
    ground = [f"{name}: {value}" for name, value in rests(results, run)]
    body = list(_contract(told))
    counts = (
        f"{plural(len(results.contract), 'check')}, {plural(len(results.findings()), 'finding')}, "
        f"{plural(len(results.limitations), 'limitation')} on the card."
    )
    crashed = [
        f"The {line(suite.suite)} suite crashed: {line(suite.error, 300)}"
        for suite in results.suites
        if suite.error is not None
    ]
    parts = ([*filter(None, head)], ground, body, crashed, [counts])
    paragraphs = ("\n".join(_wrapped(part)) for part in parts if part)
    return "\n\n".join(paragraphs) + "\n"


def _contract(told: Sequence[Clause]) -> Iterator[str]:
    """Open lines with their reason, worst clause first; what passed in one line per check."""
    if not told:
        yield "No contract was declared; nothing was held against a limit."
    wide = max((len(_name(clause)) for clause in told), default=0)
    wide = min(wide, 40)
    chosen = _worst(told)
    for number, clause in enumerate(told):
        limit = f"{clause.tally}; {clause.limit}" if clause.grouped else ""
        single = next(iter((*clause.open, *clause.passed)), None)
        if not clause.grouped and single is not None:
            limit = _held(clause, single)
        mark = "" if clause.blocking else f" ({clause.severity} only)"
        yield f"{clause.word:<{WORD}}{_name(clause):<{wide}}  {limit}{mark}"
        for place, open_line in enumerate(clause.open):
            if (number, place) in chosen:
                yield from _open(clause, open_line)
        shown = sum((number, place) in chosen for place in range(len(clause.open)))
        hidden = len(clause.open) - shown + clause.hidden
        if hidden:
            yield f"{' ' * WORD}{plural(hidden, 'more line')} of it, none worse: see results.json."


def _worst(told: Sequence[Clause]) -> set[tuple[int, int]]:
    """The open lines that are shown, as (clause, place in it): the worst outcomes first."""
    lines = [
        (WORST_FIRST.index(line_.outcome), not line_.blocks, number, place)
        for number, clause in enumerate(told)
        for place, line_ in enumerate(clause.open)
    ]
    return {(number, place) for *_, number, place in sorted(lines)[:MOST_OPEN]}


def _open(clause: Clause, open_line: Line) -> Iterator[str]:
    indent = " " * WORD
    if clause.grouped:
        place = open_line.place or open_line.address
        told = f"{open_line.measured} {open_line.quantity}" if open_line.n else "not measured"
        yield f"  {open_line.word:<{WORD - 2}}{place}: {told}"
    aside = f" ({open_line.aside}; it blocks under every policy)" if open_line.aside else ""
    yield f"{indent}{open_line.reason}{aside}"
    small = open_line.outcome is Outcome.NOT_EVALUABLE and not open_line.blocks
    if open_line.advice and not small:  # small members are listed, and nobody waits for them
        yield f"{indent}Next: {open_line.advice}"


def _held(clause: Clause, held: Line) -> str:
    told = f"{held.measured} {held.quantity}" if held.n else "not measured"
    return f"{told}; {clause.limit}"


def _name(clause: Clause) -> str:
    return f"{clause.code} each {clause.by}" if clause.grouped else _address(clause)


def _address(clause: Clause) -> str:
    single = next(iter((*clause.open, *clause.passed)), None)
    return single.address if single is not None else clause.code


def _wrapped(lines: Sequence[str]) -> Iterator[str]:
    for text in lines:
        if not text:
            continue
        indent = len(text) - len(text.lstrip(" "))
        after = " " * max(indent, WORD)
        yield from wrap(
            text,
            WIDTH,
            subsequent_indent=after,
            replace_whitespace=False,
            drop_whitespace=True,
            break_on_hyphens=False,
        )
