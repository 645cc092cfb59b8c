"""The model card as data: every number, order and sentence; templates only place them."""

from dataclasses import dataclass

from kdaudit.results import Results
from kdaudit.run import Run
from kdaudit_reports import caveats, drill, history, provenance, sections
from kdaudit_reports.consequences import Consequence, consequences
from kdaudit_reports.contract import Clause, clauses
from kdaudit_reports.decision import Decision, decision
from kdaudit_reports.index import Index, index
from kdaudit_reports.text import PROSE, clip, line, visible

MOST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Limitation:
    """A numbered limitation; ``target`` is the anchor of its evidence, or empty."""

    id: str
    severity: str
    text: str
    evidence: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the table of contents."""

    anchor: str
    title: str
    word: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Everything the template needs."""

    name: str
    date: str
    decision: Decision
    why_not: str
    rests: history.Pairs
    consequences: tuple[Consequence, ...]
    caveats: tuple[str, ...]
    contents: tuple[Entry, ...]
    clauses: tuple[Clause, ...]
    sections: tuple[sections.Section, ...]
    drill: drill.Drilled | None
    histories: tuple[history.History, ...]
    limitations: tuple[Limitation, ...]
    limitations_left: str
    people: tuple[provenance.Field, ...]
    missing: str
    inputs: tuple[provenance.Input, ...]
    models: tuple[provenance.Model, ...]
    data: history.Pairs
    environment: tuple[provenance.Listed, ...]
    method: tuple[str, ...]
    versions: str


def card(results: Results, run: Run, room: float = 1.0) -> Card:
    """Turn an audit into its card.

    Args:
        results: the audit.
        run: its circumstances.
        room: share of the usual number of rows, for a card that would be too large.
    """
    most = int(MOST * room)
    where = index(results)
    told = clauses(results, where, room)
    made = sections.sections(results, where, room)
    people = provenance.people(results)
    empty = sum(field.value is None for field in people)
    return Card(
        name=line(results.name),
        date=line(run.started),
        decision=decision(results, told, where),
        why_not=_why_not(results),
        rests=provenance.rests(results, run),
        consequences=consequences(results, where),
        caveats=caveats.caveats(results, run, told),
        contents=_contents(made, drilled=run.drill is not None),
        clauses=told,
        sections=made,
        drill=drill.drilled(run, where, most),
        histories=history.histories(results, run),
        limitations=_limitations(results, where, most),
        limitations_left=f"{len(results.limitations) - most:,} more are in results.json."
        if len(results.limitations) > most
        else "",
        people=people,
        missing=f"{empty} of {len(people)} fields are not provided." if empty else "",
        inputs=provenance.inputs(results),
        models=provenance.models(results),
        data=provenance.data(results, run),
        environment=provenance.environment(results, run),
        method=caveats.method(results),
        versions=", ".join(f"{line(k)} {line(v)}" for k, v in results.versions.items()),
    )


def _why_not(results: Results) -> str:
    """What stands in place of reasons where no check can block."""
    if any(check.declared for check in results.contract):
        return "No check was set to block, so none can hold the student back."
    return (
        "The audit file declares no [[contract]], so the numbers below are held against no limit "
        "of yours. Declare what the student must keep, and audit again."
    )


def _contents(made: tuple[sections.Section, ...], *, drilled: bool) -> tuple[Entry, ...]:
    return (
        Entry(anchor="decision", title="Decision"),
        Entry(anchor="meaning", title="What it does not mean"),
        Entry(anchor="contract", title="Contract"),
        *(Entry(anchor=s.anchor, title=s.title, word="crashed" if s.error else "") for s in made),
        *([Entry(anchor="drill", title="What it could have seen")] if drilled else []),
        Entry(anchor="lineage", title="Lineage"),
        Entry(anchor="limitations", title="Known limitations"),
        Entry(anchor="people", title="Written by people"),
        Entry(anchor="inputs", title="Inputs"),
        Entry(anchor="environment", title="Environment"),
        Entry(anchor="method", title="Method"),
    )


def _limitations(results: Results, where: Index, most: int) -> tuple[Limitation, ...]:
    return tuple(
        Limitation(
            id=line(limitation.id),
            severity=limitation.severity,
            text=clip(visible(limitation.text), PROSE),
            evidence=line(limitation.evidence, 200),
            target=where.anchors.get(limitation.evidence, ""),
        )
        for limitation in results.limitations[:most]
    )
