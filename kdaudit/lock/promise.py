"""The lock: contract, data and options, written down before there are results.

A contract that was written after the numbers were seen proves little. ``lock.json`` says what was
promised and when; an audit that is held to it is refused when anything of that has changed, and
its results name the lock. The lock's digest is that of the file, so ``sha256sum`` can check it.
"""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from kdaudit.data.audit_file import AuditFile, SubjectTable, read_audit_file
from kdaudit.data.dataset import Dataset, load
from kdaudit.data.frame import split_digest
from kdaudit.data.labels import ROLES
from kdaudit.errors import ConfigError, KdauditError
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import file_digest, json_digest
from kdaudit.governance.environment import utc_now
from kdaudit.lock.file import LockFile
from kdaudit.models.open import open_model
from kdaudit.plan import make_plan
from kdaudit.results import Check, InputFile, Lock, address
from kdaudit.results_file import contract_digest, dump
from kdaudit.results_file import load as load_file
from kdaudit.wear import Ledger

REFERENCES = ("teacher", "baseline")
ASKED = ("prompt", "lm_eval", "serving", "cost")
LATER = (*REFERENCES, *ROLES)  # roles of files that may be made after the lock


def lock(path: Path, out: Path) -> LockFile:
    """Write down what the audit file at ``path`` promises; never over an existing lock.

    Raises:
        KdauditError: for an audit file or data that are wrong, or a lock that is there already.
    """
    file, base = read_audit_file(path), path.parent
    made = utc_now()
    dataset = load(file, base, to_label=True)
    promised = promise(file, base, dataset, made)
    try:
        with out.open("x", encoding="utf-8") as handle:
            handle.write(dump(promised))
    except FileExistsError:
        raise ConfigError(
            f"{out} exists already, and a lock is not written over; name another file with -o"
        ) from None
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror}") from None
    return promised


def promise(file: AuditFile, base: Path, dataset: Dataset, made: str) -> LockFile:
    """Everything that decides an audit beside the student.

    Args:
        file: the audit file.
        base: its folder.
        dataset: its data, read.
        made: UTC time, ISO 8601.
    """
    plan, frame = make_plan(file, base), dataset.frame("audit")
    split = split_digest(frame)
    return LockFile(
        made=made,
        kdaudit=version("kdaudit"),
        name=file.audit.name,
        seed=file.audit.seed,
        alpha=file.audit.alpha,
        looks=file.audit.looks,
        spending=None if file.audit.looks is None else file.audit.spending,
        contract=plan.contract,
        contract_digest=contract_digest(plan.contract, file.audit.alpha),
        policies={name: table.model_dump() for name, table in file.policy.items()},
        suites={suite.name: file.suites.get(suite.name, {}) for suite in plan.suites},
        data=file.data.model_dump(mode="json", exclude_none=True),
        asked={
            name: table.model_dump(mode="json", exclude_none=True)
            for name in ASKED
            if (table := getattr(file, name)) is not None
        },
        files=tuple(
            InputFile(role=role, name=source.name, sha256=source.sha256, rows=len(source.table))
            for role, source in dataset.sources
        )
        + tuple(_references(file, base)),
        split=split,
        rows=len(frame),
        decisions=Ledger.of(Store.beside(base)).wear(split).decisions,
    )


def _references(file: AuditFile, base: Path) -> Iterator[InputFile]:
    """What students are held against, where it is there already: a weaker teacher is a new deal."""
    for role in REFERENCES:
        table: SubjectTable | None = getattr(file, role)
        if table is None or table.distill is not None:
            continue
        try:
            opened = open_model(role, table, base)
        except KdauditError:
            continue  # not made yet
        how = [dict(opened.adapter.identity()), table.threshold, table.rename]
        yield InputFile(role=role, name=opened.name, sha256=json_digest(how), rows=None)


def held_to(path: Path, file: AuditFile, base: Path, dataset: Dataset) -> Lock:
    """The lock at ``path``, if audit file and data are still what was promised.

    Raises:
        ConfigError: if there is none, or naming everything that has changed.
        DamagedError: if it is no lock.
    """
    if not path.is_file():
        raise ConfigError(f"there is no lock {path}; `kdaudit lock` writes one")
    promised = load_file(LockFile, path)
    changed = list(changes(promised, promise(file, base, dataset, promised.made)))
    if changed:
        raise ConfigError(
            f"{path.name}, made {promised.made}, no longer holds: {'; '.join(changed)}. Undo that, "
            "or lock anew before the next measurement; what is decided then is another promise"
        )
    return Lock(digest=file_digest(path), made=promised.made)


def changes(promised: LockFile, found: LockFile) -> Iterator[str]:
    """Everything in which an audit differs from what was promised, in words."""
    for name in ("name", "seed", "alpha", "looks", "spending", "kdaudit"):
        yield from _value(name, getattr(promised, name), getattr(found, name))
    yield from _checks(promised.contract, found.contract)
    yield from _table("[data]", promised.data, found.data)
    if promised.asked is not None and found.asked is not None:
        for name in ASKED:
            one, other = promised.asked.get(name, {}), found.asked.get(name, {})
            yield from _table(f"[{name}]", one, other)
    yield from _tables("suites", promised.suites, found.suites)
    yield from _tables("policy", promised.policies, found.policies)
    before = {one.role: f"{one.name} with sha256 {one.sha256}" for one in promised.files}
    after = {
        one.role: f"{one.name} with sha256 {one.sha256}"
        for one in found.files
        # A teacher, or labels, that were made after the promise were no part of it.
        if one.role in before or one.role not in LATER
    }
    yield from _table("the file of", before, after)
    if promised.split != found.split:
        yield (
            f"the ids or labels of the audited rows changed ({promised.rows:,} rows with digest "
            f"{promised.split[:12]}…, now {found.rows:,} with {found.split[:12]}…)"
        )


def _checks(before: tuple[Check, ...], after: tuple[Check, ...]) -> Iterator[str]:
    for number in range(max(len(before), len(after))):
        old = before[number] if number < len(before) else None
        new = after[number] if number < len(after) else None
        if old != new:
            yield (
                f"check {number + 1} was {'absent' if old is None else _said(old)} and is "
                f"{'absent' if new is None else _said(new)}"
            )


def _said(check: Check) -> str:
    place = address(check.code, check.where or tuple((column, "*") for column in check.each))
    parts = [f"{place} {check.limit} {check.value:g} against {check.against}"]
    parts += [f"min_n {check.min_n}", f"small {check.small}", f"severity {check.severity}"]
    return f"({', '.join(parts)})"


def _tables(
    kind: str, before: Mapping[str, Mapping[str, object]], after: Mapping[str, Mapping[str, object]]
) -> Iterator[str]:
    for name in sorted({*before, *after}):
        if name not in after or name not in before:
            yield f"[{kind}.{name}] was {'added' if name in after else 'taken out'}"
        else:
            yield from _table(f"[{kind}.{name}]", before[name], after[name])


def _table(name: str, before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    for key in sorted({*before, *after}):
        yield from _value(f"{name} {key}", before.get(key), after.get(key))


def _value(name: str, before: object, after: object) -> Iterator[str]:
    # As JSON would have them: a list that was read back is a tuple.
    if json_digest(before) != json_digest(after):
        yield f"{name} was {_shown(before)} and is {_shown(after)}"


def _shown(value: object) -> str:
    return "not set" if value is None else str(value)
