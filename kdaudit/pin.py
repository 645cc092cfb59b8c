"""Pin a slice that a search found: from now on the contract holds it.

A search draws other rows next time, and may not find again what it found once. What was confirmed
once is a place to watch: as a check of SLC001 it is measured in every later audit, on all its rows.
"""

import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kdaudit.data.audit_file import AuditFile, parse, read_audit_file
from kdaudit.declared import checks
from kdaudit.errors import ConfigError, unknown
from kdaudit.evidence.store import write_atomically
from kdaudit.plan import make_plan
from kdaudit.results import Check, Finding, Limit, Results, address
from kdaudit.run_folder import RunFolder

FOUND, HELD = "SLC004", "SLC001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """What was written.

    Attributes:
        path: the audit file.
        entry: the lines that were added to it.
        advice: how to keep the slice the same in later audits, or empty.
    """

    path: Path
    entry: str
    advice: str


def pin(
    slice_address: str,
    place: Path,
    *,
    margin: float | None = None,
    at_least: float | None = None,
) -> Pinned:
    """Add a check of a confirmed slice to an audit file; everything else in it stays as it is.

    Args:
        slice_address: as the card prints it, e.g. ``SLC004[channel=web,product=x]``.
        place: the run folder that has it, or the audit file, whose default run folder is then read.
        margin: the check's limit; without any it is that of the contract's check of slices, or of
            accuracy.
        at_least: another kind of limit.

    Raises:
        ConfigError: for a slice that was not confirmed, is pinned already or has columns that the
            audit file does not declare, and for a limit that is none.
        DataError: where there is no run.
    """
    path, folder = _places(place)
    file, results = read_audit_file(path), folder.results()
    finding = _confirmed(results, slice_address)
    _refuse_undeclared(finding, file, path)
    if any(c.check == HELD and _same(c.where, finding) for c in file.contract):
        pinned = address(HELD, finding.where)
        raise ConfigError(f"{path.name} has a check of {pinned} already; nothing was written")
    limit = _limit(results, margin, at_least)
    entry = _entry(finding, limit, results.name)
    text = path.read_bytes().decode("utf-8")
    ending = "\r\n" if "\r\n" in text else "\n"
    gap = "" if text.endswith("\n") else ending
    added = text + gap + ending + entry.replace("\n", ending)
    _refuse_broken(added, path)
    write_atomically(path, added.encode("utf-8"))
    return Pinned(path=path, entry=entry, advice=_advice(results, finding, file))


def _places(place: Path) -> tuple[Path, RunFolder]:
    """The audit file and the run folder."""
    if place.is_file():
        name = read_audit_file(place).audit.name
        return place, RunFolder(place.parent / "kdaudit-out" / name)
    folder = RunFolder(place)
    name = folder.results().name
    beside = [path for path in sorted(place.resolve().parents[1].glob("*.toml")) if _is(path, name)]
    if len(beside) != 1:
        told = "several audit files" if beside else "no audit file"
        raise ConfigError(
            f"{told} beside {place} with [audit] name = {name!r}; name the audit file instead"
        )
    return beside[0], folder


def _is(path: Path, name: str) -> bool:
    try:
        table = tomllib.loads(path.read_text("utf-8")).get("audit")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False
    return isinstance(table, dict) and table.get("name") == name


def _confirmed(results: Results, slice_address: str) -> Finding:
    if not slice_address.startswith(f"{FOUND}["):
        raise ConfigError(
            f"{slice_address!r} is no slice that a search found; its address begins with {FOUND}[, "
            "as the card prints it"
        )
    known = {f.address: f for f in results.findings() if f.code == FOUND and f.where}
    if slice_address in known:
        return known[slice_address]
    if slice_address in _leads(results):
        raise ConfigError(
            f"{slice_address} is a lead: one half of the rows shows it and the other does not "
            "confirm it; what is not confirmed is not pinned"
        )
    raise ConfigError(unknown("confirmed slice", slice_address, known))


def _leads(results: Results) -> Iterable[str]:
    for suite in results.suites:
        for figure in suite.figures:
            if figure.name == "discovered":
                yield from (str(row[0]) for row in figure.rows)


def _refuse_undeclared(finding: Finding, file: AuditFile, path: Path) -> None:
    declared = {*file.data.slice_columns, *file.data.sensitive, "label"}
    for column, _ in finding.where:
        if column not in declared:
            raise ConfigError(
                f"{path.name} declares no column {column!r}; add it to slices under [data] and pin "
                "again"
            )


def _same(where: dict[str, str | int | float | bool], finding: Finding) -> bool:
    return {column: str(value) for column, value in where.items()} == dict(finding.where)


def _limit(results: Results, margin: float | None, at_least: float | None) -> tuple[str, float]:
    if margin is not None and at_least is not None:
        raise ConfigError("give --margin or --at-least, not both")
    if margin is not None:
        return "margin", margin
    if at_least is not None:
        return "at_least", at_least
    check = _own_margin(results.contract)
    if check is None:
        raise ConfigError(
            "the contract has no margin for slices or accuracy to go by; say one, e.g. --margin "
            "0.03"
        )
    return "margin", check.value


def _own_margin(contract: Iterable[Check]) -> Check | None:
    """The contract's own idea of how much worse is too much: of slices first, then of accuracy."""
    margins = [c for c in contract if c.limit is Limit.MARGIN and c.against == "teacher"]
    for code in (HELD, "ACC001"):
        for check in margins:
            if check.code == code:
                return check
    return None


def _entry(finding: Finding, limit: tuple[str, float], name: str) -> str:
    where = ", ".join(f"{_key(column)} = {_text(value)}" for column, value in finding.where)
    return (
        f"[[contract]]  # found and confirmed by the search of {name}\n"
        f'check = "{HELD}"\n'
        f"where = {{ {where} }}\n"
        f"{limit[0]} = {limit[1]!r}\n"
    )


def _text(word: str) -> str:
    # A TOML basic string is a JSON string, but for DEL, which JSON leaves as it is.
    return json.dumps(word, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _refuse_broken(text: str, path: Path) -> None:
    """The file as it would be must say what is meant, before it is written."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"a check cannot be added to {path.name} ({error}); write its checks as [[contract]]"
        ) from None
    file = parse(raw, AuditFile, path.name)
    endpoints = {e.code: e for suite in make_plan(file, path.parent).suites for e in suite.codes}
    checks(file.contract, endpoints, file.data)


def _advice(results: Results, finding: Finding, file: AuditFile) -> str:
    """Bands of quantiles move with the rows, and a slice pinned to one of them would be lost."""
    edges = {
        str(row[0]): str(row[3])
        for suite in results.suites
        for figure in suite.figures
        if figure.name == "derived"
        for row in figure.rows
        if row[3] is not None
    }
    told = [
        f"{_key(column)} = [{edges[column]}]"
        for column, _ in finding.where
        if column in edges and not isinstance(file.data.bands.get(column), tuple)
    ]
    if not told:
        return ""
    return (
        "bands follow the quantiles of these rows; so that later audits have the same ones, add "
        f"under [data.bands]: {'; '.join(told)}"
    )
