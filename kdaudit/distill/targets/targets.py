"""The teacher's answers to the rows a student learns from, looked up by content or id.

A model's answers are its recording in the store, found by the digest of what it was shown; answers
from a file are found by id. Never by position: the orders of two files agree until they do not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from kdaudit.data.audit_file import AuditFile
from kdaudit.data.frame import Frame
from kdaudit.distill.targets.forms import Targets, from_file, labels_only, logarithm, truncated
from kdaudit.distill.targets.table import TargetsTable
from kdaudit.errors import DataError, examples
from kdaudit.evidence import record_truncated as truncating
from kdaudit.evidence.align import probabilities_of
from kdaudit.evidence.kinds import Floats
from kdaudit.evidence.record import Question, Recording, record, stored
from kdaudit.evidence.record_truncated import Ask, Kept, record_truncated
from kdaudit.evidence.store import Store
from kdaudit.evidence.truncated import TopK, Truncated, truncate
from kdaudit.language.asking import Asking, asking, tell
from kdaudit.language.requests import Requests, requests
from kdaudit.models.adapter import Adapter, Answers, Columns, Runnable, Writer
from kdaudit.progress import Advance
from kdaudit.results import Need

AS_IT_IS = TargetsTable()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Teacher:
    """Who is asked, and how to find its answers.

    Attributes:
        name: as the audit file says it.
        adapter: a model, or a file of its answers.
        id_column: of such a file.
        two_classes: (favourable, other), for a file with one score.
        keep: what of its answers is kept, and whether it may be run.
        rename: from its classes to those of the labels.
        audit: the audit file, whose ``[prompt]`` makes a language model a classifier.
    """

    name: str
    adapter: Adapter
    id_column: str
    two_classes: Sequence[str]
    keep: TargetsTable = AS_IT_IS
    rename: Mapping[str, str] = field(default_factory=dict)
    audit: AuditFile | None = None

    def answers(
        self, frame: Frame, split: str, store: Store, advance: Advance, variant: str = "as-is"
    ) -> Targets:
        """Ask it the rows of a frame, or find the answers it gave before.

        Args:
            frame: the rows.
            split: their name; part of the evidence's key.
            store: of recordings.
            advance: told of every row.
            variant: how the rows were changed; part of the evidence's key.

        Raises:
            DataError: if any row has no valid answer, or the answers are not in the store and the
                teacher may not be run.
        """
        adapter = self.adapter
        if isinstance(adapter, Writer):
            found = self._named(adapter, frame, split, store, advance)
        elif not isinstance(adapter, Runnable):
            answers = adapter.answers(self.id_column, self.two_classes)
            evidence = adapter.identity()["sha256"]
            found = from_file(answers, frame.ids, self.keep, evidence, self.name)
        elif self.keep.kind == "top_k":
            ask = self.ask(adapter, frame, split, variant)
            found = self._truncated(adapter, ask, frame, store, advance)
        else:
            asked = self.question(adapter, frame, split, variant)
            found = self._whole(asked, frame, store, advance)
        lacking = torch.isnan(found.values).any(dim=1).numpy()
        if lacking.any():
            raise DataError(
                f"[teacher] {self.name} has no valid answer to {int(lacking.sum())} of the "
                f"{len(frame)} {split} rows, e.g. {examples(frame.ids[lacking].tolist())}; a "
                "student cannot learn from those: record them, or leave the rows out of the split"
            )
        whole = found.kind == "full"
        return labels_only(found) if whole and self.keep.kind == "label" else found

    def now(self, columns: Columns) -> Targets:
        """Ask a model about rows that are stored nowhere.

        Raises:
            DataError: if one of them has no valid answer.
        """
        assert isinstance(self.adapter, Runnable)
        outputs = self.adapter.predict(columns)
        values, valid = probabilities_of(outputs.values, outputs.space, self.name)
        if not valid.all():
            raise DataError(
                f"[teacher] {self.name} has no valid answer to {int((~valid).sum())} of "
                f"{len(valid)} changed rows: let augment change less"
            )
        classes = tuple(self.adapter.classes)
        found = Targets(values=logarithm(values), classes=classes, evidence="")
        return labels_only(found) if self.keep.kind == "label" else found

    def left(self, model: Writer, frame: Frame, split: str, store: Store) -> Requests:
        """What a language model would still be asked; nothing is asked."""
        asked = self._asking(frame)
        return requests(model, asked, store, subject="teacher", name=self.name, split=split)

    def _asking(self, frame: Frame) -> Asking:
        assert self.audit is not None
        # Whichever rows these are, they are not the audited ones: nothing but a class is asked for.
        need = Need(kind="predictions", split="transfer")
        return asking(self.audit, frame, need, f"[teacher] {self.name}")

    def _named(
        self, model: Writer, frame: Frame, split: str, store: Store, advance: Advance
    ) -> Targets:
        """The class that a language model names for each row."""
        asked = self._asking(frame)
        lacking = self.left(model, frame, split, store).to_ask
        if lacking and not self.keep.record:
            raise DataError(
                f"[teacher] {self.name} was not asked {lacking} of the {split} rows, and record = "
                "false under [targets] forbids it: run `kdaudit targets --record`"
            )
        told = tell(model, asked, store=store, progress=advance)
        answers = Answers(
            ids=frame.ids, classes=asked.classes, probabilities=None, labels=told.labels
        )
        return from_file(answers, frame.ids, self.keep, told.digest, self.name)

    def question(self, model: Runnable, frame: Frame, split: str, variant: str) -> Question:
        """What a model is asked whose whole answers are kept."""
        return Question(
            model=model, columns=frame.inputs, rows=frame.rows(), split=split, variant=variant
        )

    def ask(self, model: Runnable, frame: Frame, split: str, variant: str) -> Ask:
        """What a model is asked whose answers are truncated."""
        assert self.keep.k is not None
        return Ask(
            who=model.identity(),
            rows=frame.rows(),
            split=split,
            vocabulary=len(model.classes),
            top=TopK(k=self.keep.k, temperatures=self.keep.temperatures, dtype=self.keep.dtype),
            variant=variant,
            classes=model.classes,
        )

    def _whole(self, asked: Question, frame: Frame, store: Store, advance: Advance) -> Targets:
        def facts(found: Recording) -> Mapping[str, object]:
            return self._accuracy(found.values.argmax(axis=1), found.classes, frame)

        if self.keep.record:
            recording = record(asked, store=store, progress=advance, facts=facts)
        else:
            recording = stored(asked, store=store)
        values, _ = probabilities_of(recording.values, recording.space, self.name)
        return Targets(
            values=logarithm(by_content(recording.rows, values, asked.rows)),
            classes=recording.classes,
            evidence=recording.digest,
        )

    def _truncated(
        self, model: Runnable, ask: Ask, frame: Frame, store: Store, advance: Advance
    ) -> Targets:
        def answer(span: slice) -> list[Truncated]:
            columns = {name: column[span] for name, column in frame.inputs.items()}
            return truncate(logits_of(model, columns), ask.top).each()

        def facts(kept: Kept) -> Mapping[str, object]:
            likeliest = kept.of(ask.rows.tolist())[0].ids[:, 0]
            return self._accuracy(likeliest, ask.classes, frame)

        if self.keep.record:
            kept = record_truncated(ask, answer, store=store, progress=advance, facts=facts)
        else:
            kept = truncating.stored(ask, store)
        return truncated(kept.of(ask.rows.tolist())[0], ask.classes, kept.digest)

    def _accuracy(
        self, answer: npt.NDArray[np.int64], classes: Sequence[str], frame: Frame
    ) -> Mapping[str, object]:
        """What the manifest says of the answers, where there are labels."""
        if frame.labels is None:
            return {}
        names = np.array([self.rename.get(one, one) for one in classes], dtype=object)
        return {"accuracy": round(float(np.mean(names[answer] == frame.labels)), 6)}


def logits_of(model: Runnable, columns: Columns) -> Floats:
    """(N, C) what a model answers, as logits; log-probabilities where it gives probabilities."""
    outputs = model.predict(columns)
    values = np.asarray(outputs.values, dtype=np.float64)
    if outputs.space == "logits":
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms: Floats = np.log(values)
    return logarithms


def by_content(
    recorded: npt.NDArray[np.object_], values: Floats, rows: npt.NDArray[np.object_]
) -> Floats:
    """Answers to ``rows``, by the digest of what was shown; NaN where there is none.

    Args:
        recorded: (M,) digests of the rows that were recorded.
        values: (M, C) answers to them.
        rows: (N,) digests of the rows that are asked for.

    >>> known, values = np.array([b"a", b"b"]), np.array([[1.0], [2.0]])
    >>> by_content(known, values, np.array([b"b", b"c"])).tolist()
    [[2.0], [nan]]
    """
    place: Mapping[bytes, int] = {row: i for i, row in enumerate(recorded.tolist())}
    index = np.array([place.get(row, -1) for row in rows.tolist()], dtype=np.int64)
    return np.where(index[:, None] >= 0, values[index], np.nan)
