"""The run folder: everything an auditor needs, written whole or not at all."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from kdaudit.contract import judge
from kdaudit.errors import DamagedError, DataError
from kdaudit.evidence.kinds import Predictions
from kdaudit.pipeline import Audited
from kdaudit.results import Results
from kdaudit.results_file import dump, load
from kdaudit.run import Run

Render = Callable[[Results, Run], str]

RENDERED = {"card.html": "card", "junit.xml": "junit", "summary.md": "markdown"}


@dataclass(frozen=True, slots=True)
class RunFolder:
    """``kdaudit-out/<name>/``."""

    path: Path

    @property
    def card(self) -> Path:
        """The rendered card."""
        return self.path / "card.html"

    def results(self) -> Results:
        """The stored results.

        Raises:
            DataError: if there is no run here.
            DamagedError: if they are not what kdaudit wrote.
        """
        if not (self.path / "results.json").exists():
            raise DataError(f"{self.path} holds no results.json; `kdaudit run` makes one")
        results = load(Results, self.path / "results.json")
        again = judge(results.contract, results.suites, results.alpha)
        said = [replace(verdict, blocks=True) for verdict in results.verdicts]
        if said != [replace(verdict, blocks=True) for verdict in again]:
            raise DamagedError(
                f"{self.path / 'results.json'} was changed: its verdicts do not follow from its "
                "findings and its contract; run the audit again"
            )
        return results

    def run(self) -> Run:
        """The circumstances of the run that is stored, lineage included.

        Raises:
            DamagedError: if they are missing, or not what kdaudit wrote.
        """
        if not (self.path / "run.json").exists():
            raise DamagedError(f"{self.path} has lost its run.json; run the audit again")
        return load(Run, self.path / "run.json")

    def keep_if_equal(self, results: Results, run: Run) -> Run:
        """The stored run if its results are these, byte for byte: nothing new has happened."""
        stored = self.path / "results.json"
        if stored.exists() and stored.read_text("utf-8") == dump(results):
            try:
                return self.run()
            except DamagedError:
                return run
        return run

    def write(
        self,
        audited: Audited,
        run: Run,
        *,
        audit_file: Path,
        renderers: dict[str, Render],
        student: Path | None,
    ) -> None:
        """Write every file beside, then put them in place; a crash leaves the old folder.

        Args:
            audited: the audit.
            run: its circumstances.
            audit_file: copied, byte for byte.
            renderers: by name, of `RENDERED`.
            student: the student's model folder, copied, or None.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{self.path.parent} cannot be made ({error.strerror})") from None
        with tempfile.TemporaryDirectory(dir=self.path.parent, prefix=".kdaudit-") as scratch:
            fresh = Path(scratch) / "run"
            fresh.mkdir()
            shutil.copyfile(audit_file, fresh / "audit.toml")
            (fresh / "results.json").write_text(dump(audited.results), "utf-8")
            (fresh / "run.json").write_text(dump(run), "utf-8")
            (fresh / "evidence").mkdir()
            for role, subject in audited.subjects.items():
                if isinstance(subject, Predictions):
                    ids = audited.dataset.frame("audit").ids
                    name = f"{role}.predictions.parquet"
                    write_predictions(subject, ids, fresh / "evidence" / name)
            if "student" in run.lineage:
                (fresh / "lineage.json").write_text(dump(run.lineage["student"]), "utf-8")
            if student is not None:
                shutil.copytree(
                    student, fresh / "student", ignore=shutil.ignore_patterns("controls")
                )
            for name, renderer in RENDERED.items():
                (fresh / name).write_text(renderers[renderer](audited.results, run), "utf-8")
            self._swap(fresh, Path(scratch) / "old")

    def refuse_foreign(self) -> None:
        """Refuse to write over what is no run folder; asked before anything is trained.

        Raises:
            DataError: if the path is a file, or a folder that kdaudit did not write.
        """
        if not self.path.exists():
            return
        ours = self.path.is_dir() and (
            (self.path / "results.json").exists() or not any(self.path.iterdir())
        )
        if not ours:
            raise DataError(
                f"{self.path} exists and is no run folder; name another with -o, or move it"
            )

    def _swap(self, fresh: Path, old: Path) -> None:
        if self.path.exists():
            self.path.rename(old)
        fresh.rename(self.path)


def write_predictions(subject: Predictions, ids: npt.NDArray[np.object_], path: Path) -> None:
    """Write predictions as a file that an audit elsewhere can read: id and p_<class>."""
    columns: dict[str, object] = {"id": pa.array(ids.tolist(), pa.string())}
    if subject.probabilities is None:
        names = [subject.classes[i] if i >= 0 else None for i in subject.answer]
        columns["prediction"] = pa.array(names, pa.string())
    else:
        for i, name in enumerate(subject.classes):
            columns[f"p_{name}"] = pa.array(subject.probabilities[:, i], from_pandas=False)
    pq.write_table(pa.table(columns), path, compression="zstd")
