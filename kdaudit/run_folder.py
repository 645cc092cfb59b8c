"""The run folder: everything an auditor needs, written whole or not at all."""

import json
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kdaudit.drill.drilled import Drill
from kdaudit.errors import DamagedError, DataError, writing
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Generations, Likelihoods, Predictions, RowScores, Strings
from kdaudit.evidence.store import write_atomically
from kdaudit.evidence.view import PREDICTIONS, Evidence, Role
from kdaudit.governance.digest import file_digest
from kdaudit.models.predictions import SCORE
from kdaudit.pipeline import Audited
from kdaudit.results import Results
from kdaudit.results_file import canonical, dump, load
from kdaudit.run import Run
from kdaudit.stored import verified

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
        return verified(load(Results, self.path / "results.json"), self.path / "results.json")

    def run(self) -> Run:
        """The circumstances of the run that is stored, lineage included.

        Raises:
            DamagedError: if they are missing, or not what kdaudit wrote.
        """
        if not (self.path / "run.json").exists():
            raise DamagedError(f"{self.path} has lost its run.json; run the audit again")
        run, results = load(Run, self.path / "run.json"), self.path / "results.json"
        if run.drill is None or (results.exists() and file_digest(results) == run.drill.results):
            return run
        return replace(run, drill=None)  # of other results

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
        with (
            writing(self.path),
            tempfile.TemporaryDirectory(dir=self.path.parent, prefix=".kdaudit-") as scratch,
            ThreadPoolExecutor(max_workers=1) as beside,
        ):
            fresh = Path(scratch) / "run"
            fresh.mkdir()
            # Arrow compresses outside the interpreter's lock, while cards are rendered.
            evidence = beside.submit(_write_evidence, audited, fresh / "evidence")
            shutil.copyfile(audit_file, fresh / "audit.toml")
            (fresh / "results.json").write_text(dump(audited.results), "utf-8")
            (fresh / "run.json").write_text(dump(run), "utf-8")
            if "student" in run.lineage:
                (fresh / "lineage.json").write_text(dump(run.lineage["student"]), "utf-8")
            if run.drill is not None:
                (fresh / "drill.json").write_text(dump(run.drill), "utf-8")
            if student is not None:
                shutil.copytree(
                    student, fresh / "student", ignore=shutil.ignore_patterns("controls")
                )
            for name, renderer in RENDERED.items():
                (fresh / name).write_text(renderers[renderer](audited.results, run), "utf-8")
            evidence.result()
            self._swap(fresh, Path(scratch) / "old")

    def add_drill(self, drill: Drill, renderers: dict[str, Render]) -> Run:
        """Keep a drill of the stored results beside them, and render again what tells of it.

        Args:
            drill: of these results.
            renderers: by name, of `RENDERED`.

        Returns:
            The circumstances, with the drill.
        """
        results, run = self.results(), canonical(replace(self.run(), drill=drill))
        with writing(self.path):
            write_atomically(self.path / "drill.json", dump(drill).encode())
            for name, renderer in RENDERED.items():
                write_atomically(self.path / name, renderers[renderer](results, run).encode())
            # Last: until here the folder has no drill, and the same command makes it again.
            write_atomically(self.path / "run.json", dump(run).encode())
        return run

    def refuse_foreign(self, name: str, only: str | None) -> None:
        """Refuse to write over anything but a run of the same audit; asked before any training.

        Args:
            name: of the audit.
            only: the one subject that is audited alone, or None for a pair.

        Raises:
            DataError: if the path is a file, a folder that kdaudit did not write, or the run of
                another audit.
        """
        if not self.path.exists():
            return
        results = self.path / "results.json"
        if not self.path.is_dir() or (not results.exists() and any(self.path.iterdir())):
            raise DataError(
                f"{self.path} exists and is no run folder; name another with -o, or move it"
            )
        stored = _whose(results)
        if stored is not None and stored != (name, only):
            raise DataError(
                f"{self.path} holds the run of {_in_words(*stored)}, not of "
                f"{_in_words(name, only)}; name another folder with -o, or move it"
            )

    def _swap(self, fresh: Path, old: Path) -> None:
        if self.path.exists():
            self.path.rename(old)
        fresh.rename(self.path)


def _whose(results: Path) -> tuple[str, str | None] | None:
    """Audit and lone subject of stored results; None where damage hides them: a run mends it."""
    try:
        said = json.loads(results.read_bytes())
        return str(said["name"]), said["only"]
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _in_words(name: str, only: str | None) -> str:
    return f"the audit {name!r}" + (f" of the {only} only" if only else "")


def _write_evidence(audited: Audited, folder: Path) -> None:
    """Every subject's aligned answers and scores, as files that an audit elsewhere can read."""
    folder.mkdir()
    for role, subject in audited.subjects.items():
        ids, scores = audited.dataset.frame("audit").ids, audited.scores[role]
        columns = answer_columns(subject) | score_columns(scores)
        if columns:
            table = pa.table({"id": pa.array(ids, pa.string()), **columns})
            table = _with_validation(table, audited.evidence.validation, role)
            pq.write_table(table, folder / f"{role}.predictions.parquet", compression="zstd")
        texts = audited.written[role]
        if isinstance(texts, Generations):
            pq.write_table(
                text_table(ids, texts), folder / f"{role}.generations.parquet", compression="zstd"
            )
        likely, choices = audited.likelihoods[role], audited.dataset.frame("audit").choices
        if isinstance(likely, Likelihoods) and choices is not None:
            pq.write_table(
                likelihood_table(ids, choices, likely),
                folder / f"{role}.likelihoods.parquet",
                compression="zstd",
            )


def _with_validation(table: pa.Table, validation: Evidence | None, role: Role) -> pa.Table:
    """The table with the answers to validation rows, on which a temperature was fitted."""
    subject = None if validation is None else validation[PREDICTIONS].of(role)
    if validation is None or not isinstance(subject, Predictions):
        return table
    columns = {"id": pa.array(validation.rows.ids, pa.string()), **answer_columns(subject)}
    return pa.concat_tables([table, pa.table(columns)], promote_options="default")


def answer_columns(subject: Predictions | NotMeasured) -> dict[str, pa.Array]:
    """Predictions as columns that an audit elsewhere can read: p_<class>, or prediction."""
    if isinstance(subject, NotMeasured):
        return {}
    if subject.probabilities is None:
        names = [subject.classes[i] if i >= 0 else None for i in subject.answer]
        return {"prediction": pa.array(names, pa.string())}
    return {
        f"p_{name}": pa.array(subject.probabilities[:, i], from_pandas=False)
        for i, name in enumerate(subject.classes)
    }


def text_table(ids: Strings, texts: Generations) -> pa.Table:
    """Written answers as a file that an audit elsewhere can read: one row per answer."""
    samples = [
        (i, number, text)
        for i, more in zip(ids, texts.samples, strict=True)
        for number, text in enumerate(more, 1)
    ]
    first = {
        "id": pa.array(ids, pa.string()),
        "text": pa.array(texts.text, pa.string()),
        "truncated": pa.array(texts.truncated),
        "tokens": pa.array(texts.tokens, from_pandas=True),
        "judge": pa.array(texts.judge, pa.string()),
        "human": pa.array(texts.human, pa.string()),
        "repeat": pa.array(np.zeros(len(ids), np.int64)),
    }
    others = {
        "id": pa.array([i for i, _, _ in samples], pa.string()),
        "text": pa.array([text for _, _, text in samples], pa.string()),
        "repeat": pa.array([number for _, number, _ in samples], pa.int64()),
    }
    return pa.concat_tables([pa.table(first), pa.table(others)], promote_options="default")


def likelihood_table(ids: Strings, choices: Strings, likely: Likelihoods) -> pa.Table:
    """Likelihoods as a file that an audit elsewhere can read: one row per choice of a row."""
    columns = {
        "id": pa.array(np.repeat(ids, np.diff(likely.start)), pa.string()),
        "number": pa.array([i for some in choices for i in range(len(some))], pa.int64()),
        "choice": pa.array([choice for some in choices for choice in some], pa.string()),
        "logprob": pa.array(likely.logprob, from_pandas=True),
        "tokens": pa.array(likely.tokens, from_pandas=True),
        "greedy": pa.array(likely.greedy),
    }
    if likely.each is not None:
        start = pa.array(likely.each.start)
        for name in ("logprob", "mean", "deviation"):
            values = pa.array(getattr(likely.each, name), from_pandas=True)
            columns[f"token_{name}"] = pa.LargeListArray.from_arrays(start, values)
    return pa.table(columns)


def score_columns(scores: RowScores | NotMeasured) -> dict[str, pa.Array]:
    """Scores per row as columns score_<name>; none is empty."""
    if isinstance(scores, NotMeasured):
        return {}
    return {
        f"{SCORE}{name}": pa.array(values, from_pandas=True)
        for name, values in scores.values.items()
    }
