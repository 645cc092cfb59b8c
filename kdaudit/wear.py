"""How often an audit split has decided: the ledger of the store.

Whoever tries student after student on the same rows will find one that passes by luck. The rows
cannot know; the store can. One line per decision, only ever appended, so writers may race; equal
decisions are counted once, since running again is free and decides nothing new.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from kdaudit.errors import DamagedError, DataError, writing
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import json_digest
from kdaudit.results import Results
from kdaudit.results_file import contract_digest
from kdaudit.run import Wear

FORMAT = 1  # 1: split, student, contract, against, outcome, time


@dataclass(frozen=True, slots=True)
class Ledger:
    """``decisions.jsonl`` of a store."""

    path: Path

    @classmethod
    def of(cls, store: Store) -> "Ledger":
        """The ledger of a store; it need not exist yet."""
        return cls(store.root / "decisions.jsonl")

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
        student = next((s.digest for s in results.subjects if s.role == "student"), None)
        split = results.data.digest
        if student is None or split is None:
            return None
        # The same contract against another teacher or baseline is another decision.
        references = [s.digest for s in results.subjects if s.role != "student"]
        contract = contract_digest(results.contract, results.alpha)
        made = (student, contract, json_digest(references))
        known = self._decisions(split)
        if made not in known:
            self._append(
                {
                    "format": FORMAT,
                    "split": split,
                    "student": made[0],
                    "contract": made[1],
                    "against": made[2],
                    "outcome": str(results.outcome),
                    "time": time,
                }
            )
        decisions = known | {made}
        return Wear(decisions=len(decisions), students=len({one[0] for one in decisions}))

    def wear(self, split: str) -> Wear:
        """How often a split has decided so far.

        Raises:
            DamagedError: for a line that kdaudit did not write.
            DataError: for a folder in its place.
        """
        known = self._decisions(split)
        return Wear(decisions=len(known), students=len({one[0] for one in known}))

    def _decisions(self, split: str) -> set[tuple[str, str, str]]:
        if not self.path.exists():
            return set()
        found = set()
        if self.path.is_dir():
            raise DataError(f"{self.path} is a folder; kdaudit keeps a file there: move it")
        for number, line in enumerate(self.path.read_bytes().splitlines(), 1):
            if not line.strip():
                continue
            try:
                said = json.loads(line)
                if said["split"] == split:
                    found.add((str(said["student"]), str(said["contract"]), str(said["against"])))
            except (ValueError, LookupError, TypeError) as error:
                raise DamagedError(
                    f"line {number} of {self.path} is not what kdaudit wrote; restore the file "
                    "from a copy (without it, nobody knows how often these rows have decided)"
                ) from error
        return found

    def _append(self, line: dict[str, object]) -> None:
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
