"""How often an audit split has decided, and what is left of its alpha: the ledger of the store.

Whoever tries student after student on the same rows will find one that passes by luck. The rows
cannot know; the store can. One line per decision, only ever appended, so writers may race; equal
decisions are counted once, since running again is free and decides nothing new. Where the audit
file promises a number of looks, every decision is one of them, and the order of the lines says
which: what a look may spend follows from the lines before it.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kdaudit.data.audit_file import AuditTable
from kdaudit.errors import ConfigError, DamagedError, DataError, writing
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import json_digest
from kdaudit.governance.environment import utc_now
from kdaudit.results import Check, Look, Results, Subject
from kdaudit.results_file import contract_digest
from kdaudit.run import Wear
from kdaudit.stats.spending import Spending, spent

FORMAT = 1  # 1: split, student, contract, against, outcome, time; later also alpha, looks, spending


class Decision(NamedTuple):
    """What makes a decision another one: the digests of student, contract and references."""

    student: str
    contract: str
    against: str


Promise = tuple[int, Spending] | None  # the looks that were promised, and how alpha is spent


class Entry(NamedTuple):
    """A decision under a promise: decided again without it, or under another, it is another one."""

    made: Decision
    promise: Promise


def _promise(audit: AuditTable) -> Promise:
    return None if audit.looks is None else (audit.looks, audit.spending)


class Terms(NamedTuple):
    """What a decision was promised; ``alpha`` is unknown in lines of earlier versions."""

    alpha: float | None
    looks: int | None
    spending: Spending


@dataclass(frozen=True, slots=True)
class Ledger:
    """``decisions.jsonl`` of a store."""

    path: Path

    @classmethod
    def of(cls, store: Store) -> "Ledger":
        """The ledger of a store; it need not exist yet."""
        return cls(store.root / "decisions.jsonl")

    def take(
        self,
        audit: AuditTable,
        contract: Sequence[Check],
        subjects: Sequence[Subject],
        split: str,
        judged: str | None,
    ) -> tuple[Look, float] | None:
        """Take the next look at a split, or find the one that the same decision took before.

        It is written down before anything is decided, so that no look goes uncounted.

        Args:
            audit: says how many looks there may be.
            contract: what will be decided.
            subjects: of whom.
            split: digest of the rows.
            judged: digest of how they are judged: see `kdaudit.results.DataSummary`.

        Returns:
            The look and its share of alpha, or None where none were promised or no student is
            decided.

        Raises:
            ConfigError: if all looks are taken, or alpha was spent before looks were promised; or
                if looks were promised of these rows, and are no longer.
            DamagedError: for a line that kdaudit did not write.
            DataError: if the ledger cannot be written, or is a folder.
        """
        made = _decision(contract, audit.alpha, subjects, judged)
        if made is None:
            return None
        if audit.looks is None:
            self._refuse_broken_promise(split, made)
            return None
        known = self._decisions(split)
        entry = Entry(made, _promise(audit))
        if entry not in known:
            _look(known.values(), audit)  # refuses before it is written down
            self._append(split, made, audit, outcome=None, time=utc_now())
            known = self._decisions(split)
        before = list(known)[: list(known).index(entry)]
        return _look([known[one] for one in before], audit)

    def _refuse_broken_promise(self, split: str, made: Decision) -> None:
        known = self._decisions(split)
        promised = [terms.looks for terms in known.values() if terms.looks is not None]
        if promised and Entry(made, None) not in known:
            raise ConfigError(
                f"these rows were promised [audit] looks = {promised[-1]}, and a decision without "
                "the promise would spend a whole alpha of its own; keep looks in the audit file"
            )

    def next_alpha(self, split: str, audit: AuditTable) -> float:
        """The one-sided level at which one more student would be judged on a split.

        Raises:
            ConfigError: if all looks are taken, or alpha was spent before looks were promised.
            DamagedError: for a line that kdaudit did not write.
            DataError: for a folder in its place.
        """
        if audit.looks is None:
            return audit.alpha
        return _look(self._decisions(split).values(), audit)[1]

    def record(self, results: Results, time: str) -> Wear | None:
        """Count a decision and say how often its split has decided.

        Args:
            results: what was decided.
            time: UTC, ISO 8601.

        Returns:
            The count with this decision, or None where no student was decided, or the split is
            not identified.

        Raises:
            DamagedError: for a line that kdaudit did not write.
            DataError: if the ledger cannot be written, or is a folder.
        """
        made = _decision(
            results.contract, results.declared_alpha, results.subjects, results.data.judged
        )
        split = results.data.digest
        if made is None or split is None:
            return None
        known = self._decisions(split)
        look = results.look
        promised = {} if look is None else {"looks": look.of, "spending": look.spending}
        terms = AuditTable.model_validate(
            {"name": "decided", "alpha": results.declared_alpha, **promised}
        )
        entry = Entry(made, _promise(terms))
        if entry not in known:
            self._append(split, made, terms, outcome=str(results.outcome), time=time)
        return _wear(one.made for one in (*known, entry))

    def wear(self, split: str) -> Wear:
        """How often a split has decided so far.

        Raises:
            DamagedError: for a line that kdaudit did not write.
            DataError: for a folder in its place.
        """
        return _wear(one.made for one in self._decisions(split))

    def _decisions(self, split: str) -> "dict[Entry, Terms]":
        """The decisions of a split, in their order."""
        if not self.path.exists():
            return {}
        found: dict[Entry, Terms] = {}
        if self.path.is_dir():
            raise DataError(f"{self.path} is a folder; kdaudit keeps a file there: move it")
        for number, line in enumerate(self.path.read_bytes().splitlines(), 1):
            if not line.strip():
                continue
            try:
                said = json.loads(line)
                if said["split"] == split:
                    made = Decision(
                        str(said["student"]), str(said["contract"]), str(said["against"])
                    )
                    terms = _terms(said)
                    promise = None if terms.looks is None else (terms.looks, terms.spending)
                    found.setdefault(Entry(made, promise), terms)
            except (ValueError, LookupError, TypeError) as error:
                raise DamagedError(
                    f"line {number} of {self.path} is not what kdaudit wrote; restore the file "
                    "from a copy (without it, nobody knows how often these rows have decided)"
                ) from error
        return found

    def _append(
        self, split: str, made: Decision, audit: AuditTable, *, outcome: str | None, time: str
    ) -> None:
        line = {
            "format": FORMAT,
            "split": split,
            **made._asdict(),
            "outcome": outcome,  # none where a look is taken, which is before it decides
            "time": time,
            "alpha": audit.alpha,
        }
        if audit.looks is not None:
            line |= {"looks": audit.looks, "spending": audit.spending}
        text = json.dumps(line, sort_keys=True) + "\n"
        with writing(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # One write of one short line at the end of the file: writers never mix theirs.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            handle = os.open(self.path, flags, 0o666)
            try:
                os.write(handle, text.encode())
            finally:
                os.close(handle)


def _decision(
    contract: Sequence[Check], alpha: float, subjects: Sequence[Subject], judged: str | None
) -> Decision | None:
    student = next((s.digest for s in subjects if s.role == "student"), None)
    if student is None:
        return None
    # The same contract against another teacher or baseline is another decision, and so it is with
    # other clusters, weights or labels of some rows.
    references = [s.digest for s in subjects if s.role != "student"]
    references += [] if judged is None else [judged]
    return Decision(student, contract_digest(contract, alpha), json_digest(references))


def _terms(said: dict[str, object]) -> Terms:
    """The terms of a line; earlier versions wrote none.

    Raises:
        TypeError: for terms that are no numbers.
        ValueError: likewise.
    """
    alpha, looks, spending = said.get("alpha"), said.get("looks"), said.get("spending")
    audit = AuditTable.model_validate(
        {"name": "line"}
        | ({} if alpha is None else {"alpha": alpha})
        | ({} if looks is None else {"looks": looks, "spending": spending})
    )
    return Terms(None if alpha is None else audit.alpha, audit.looks, audit.spending)


def _look(before: Iterable[Terms], audit: AuditTable) -> tuple[Look, float]:
    """The look that comes after some decisions, and its share of alpha."""
    assert audit.looks is not None
    number, gone, free = 1, 0.0, 0
    for terms in before:
        alpha = audit.alpha if terms.alpha is None else terms.alpha
        if terms.looks is None:
            gone += alpha
            free += 1
        else:
            gone += max(0.0, spent(alpha, min(1.0, number / terms.looks), terms.spending) - gone)
        number += 1
    if number > audit.looks:
        raise ConfigError(
            f"[audit] looks = {audit.looks}: these rows have decided {number - 1} times, and no "
            "look is left; audit the next student on fresh rows"
        )
    share = spent(audit.alpha, number / audit.looks, audit.spending) - gone
    if share <= 0:
        how = "were promised other looks before"
        if free:
            how = f"decided {'once' if free == 1 else f'{free} times'} outside of the promise"
        raise ConfigError(
            f"[audit] looks = {audit.looks}: these rows {how}, which spent {gone:.3g} of alpha "
            f"= {audit.alpha:g}, so this look has nothing left to spend; audit on fresh rows"
        )
    look = Look(
        number=number,
        of=audit.looks,
        spending=audit.spending,
        alpha=audit.alpha,
        left=max(0.0, audit.alpha - gone - share),
    )
    return look, share


def _wear(decisions: Iterable[Decision]) -> Wear:
    distinct = set(decisions)
    return Wear(decisions=len(distinct), students=len({one.student for one in distinct}))
