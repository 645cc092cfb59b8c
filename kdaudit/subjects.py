"""The audited models: opened, asked once on the audit split, and named by what they rest on."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdaudit.basis import ORDER, Subject
from kdaudit.data.audit_file import DataTable, SubjectTable
from kdaudit.data.dataset import Dataset
from kdaudit.data.frame import Frame
from kdaudit.data.prompt_table import PromptTable
from kdaudit.data.row_digests import row_digests
from kdaudit.data.variants import AS_IS, changed
from kdaudit.errors import DataError, ModelError, examples, unknown
from kdaudit.estimate import NotMeasured
from kdaudit.evidence import align
from kdaudit.evidence.choices import on_choices
from kdaudit.evidence.kinds import Floats, Generations, Likelihoods, Predictions, RowScores
from kdaudit.evidence.record import Question, record
from kdaudit.evidence.shuffled import refuse_shuffled
from kdaudit.evidence.store import Store
from kdaudit.evidence.unknown_answers import told, unknown_answers, without
from kdaudit.evidence.view import PREDICTIONS
from kdaudit.governance.digest import json_digest
from kdaudit.language.asking import asking, tell
from kdaudit.models.adapter import Adapter, Runnable, UnfitRowError, Writer
from kdaudit.models.folder import read_lineage
from kdaudit.models.open import Opened
from kdaudit.plan import Plan
from kdaudit.progress import Advance
from kdaudit.results import Need
from kdaudit.results import Subject as Identity


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """What one subject answered on the audit frame, still in its own classes.

    Attributes:
        table: its table in the audit file.
        opened: its model.
        classes: its own class names.
        probabilities: (N, C), NaN rows invalid; or None for labels only.
        labels: (N,) strings, or None.
        scores: by name, (N,) numbers per row, NaN where there is none.
        written: what a language model wrote, or None.
        likelihoods: how likely a language model holds the declared choices, or None.
        evidence: digest of the evidence.
        predicted: rows the model ran on just now; of a language model, requests.
        requests: different questions to a language model that is asked here; None of others.
        prompt: ``[prompt]``, for these.
        unknown: of answers in a file of labels, those that are no class, and their rows.
    """

    table: SubjectTable
    opened: Opened
    classes: tuple[str, ...]
    probabilities: Floats | None
    labels: npt.NDArray[np.object_] | None
    evidence: str
    predicted: int
    scores: Mapping[str, Floats] = field(default_factory=dict)
    written: Generations | None = None
    likelihoods: Likelihoods | None = None
    requests: int | None = None
    prompt: PromptTable | None = None
    unknown: dict[str, int] = field(default_factory=dict)

    @property
    def answers(self) -> bool:
        """Whether it says what class a row is, and not only a score."""
        return self.probabilities is not None or self.labels is not None

    @property
    def speaks(self) -> bool:
        """Whether it is a language model, of whatever kind its answers are."""
        return self.requests is not None or self.written is not None or self.likelihoods is not None


def ask(
    role: Subject,
    opened: Opened,
    plan: Plan,
    dataset: Dataset,
    store: Store | None,
    progress: Advance,
    need: Need = PREDICTIONS,
) -> Asked:
    """Ask one subject every row of a split, or read its recorded answers.

    Args:
        role: whose place it takes.
        opened: its model.
        plan: the audit.
        dataset: the rows.
        store: where evidence is kept.
        progress: called with the number of rows done since the last call.
        need: which split, and how its rows are changed before a model is shown them.

    Raises:
        DataError: for answers that do not fit the data.
        ModelError: for a model that does not answer as it should.
    """
    data, table = plan.file.data, getattr(plan.file, role)
    frame = dataset.frames[need.split]
    who = f"[{role}] {opened.name}"
    adapter = opened.adapter
    if isinstance(adapter, Runnable):
        if store is None:
            raise DataError(f"{who}: a model can only be run from an audit file")
        if not frame.inputs:
            raise DataError(f"{who}: name the columns the model is shown as `inputs` under [data]")
        try:
            recording = record(question(adapter, frame, need, data), store=store, progress=progress)
        except UnfitRowError as error:
            raise ModelError(f"{who}, id {frame.ids[error.row]!r}: {error.said}") from error
        probabilities, _ = align.probabilities_of(recording.values, recording.space, who)
        return Asked(
            table=table,
            opened=opened,
            classes=recording.classes,
            probabilities=probabilities,
            labels=None,
            evidence=recording.digest,
            predicted=recording.computed,
        )
    if isinstance(adapter, Writer):
        if store is None:
            raise DataError(f"{who}: a model can only be run from an audit file")
        asked = asking(plan.file, frame, need, who)
        told = tell(adapter, asked, store=store, progress=progress)
        return Asked(
            table=table,
            opened=opened,
            classes=asked.classes,
            probabilities=None,
            labels=told.labels,
            evidence=told.digest,
            predicted=told.asked,
            written=told.written,
            likelihoods=told.likelihoods,
            requests=told.requests,
            prompt=plan.file.prompt or PromptTable(),
        )
    if need.variant != AS_IS:
        raise DataError(
            f"{who} holds answers to the rows as they are; name a model that can be run to see it "
            f"on the {need.variant} rows"
        )
    answers = adapter.answers(data.id or "id", _two_classes(frame, data))
    placed = align.from_answers(answers, frame.ids, dataset.all_ids, who)
    claimed: Floats | None = None
    if placed.probabilities is not None:
        claimed, _ = align.probabilities_of(placed.probabilities, "probabilities", who)
    progress(len(frame))
    return Asked(
        table=table,
        opened=opened,
        classes=placed.classes,
        probabilities=claimed,
        labels=placed.labels,
        evidence=adapter.identity()["sha256"],
        predicted=0,
        scores=placed.scores,
        written=placed.written,
        likelihoods=None
        if placed.likelihoods is None
        else on_choices(placed.likelihoods, frame.choices, frame.ids, who),
    )


def with_unknown_named(
    asked: Mapping[Subject, Asked], dataset: Dataset, data: DataTable
) -> dict[Subject, Asked]:
    """Everyone's answers, with those named that are no class; a reference gave none there.

    A class is what a label of any split is called, a column of probabilities, or the favourable
    class; where not all rows have their label yet, also what two subjects answer.
    """
    known = set(data.positive)
    for frame in dataset.frames.values():
        known |= set() if frame.labels is None else {x for x in frame.labels if x is not None}
    for one in asked.values():
        if one.labels is None:
            known |= {one.table.rename.get(name, name) for name in one.classes}
    if dataset.frame("audit").listed is not None:
        known |= _answered_by_several(asked)
    found = dict(asked)
    for role, one in asked.items():
        if one.labels is None or one.opened.kind != "predictions" or not known:
            continue
        rename = one.table.rename
        spelled = {name for name in one.classes if rename.get(name, name) in known}
        unknown = unknown_answers(one.labels, spelled)
        if not unknown:
            continue
        align.refuse_other_spelling([*unknown], known, f"[{role}] {one.opened.name}", data.path)
        found[role] = replace(one, unknown=unknown)
        if role != "student":
            kept = tuple(name for name in one.classes if name in spelled)
            found[role] = replace(found[role], labels=without(one.labels, unknown), classes=kept)
    return found


def _answered_by_several(asked: Mapping[Subject, Asked]) -> set[str]:
    named = Counter(
        name
        for one in asked.values()
        for name in {one.table.rename.get(name, name) for name in one.classes}
    )
    return {name for name, subjects in named.items() if subjects > 1}


def question(model: Runnable, frame: Frame, need: Need, data: DataTable) -> Question:
    """What a need asks a model on this machine."""
    inputs = changed(frame.inputs, need.variant, data)
    return Question(
        model=model,
        columns=inputs,
        rows=row_digests(inputs, len(frame)),
        split=need.split,
        variant=need.variant,
    )


def agree(
    asked: Mapping[Subject, Asked], frame: Frame, data: DataTable
) -> tuple[tuple[str, ...], dict[Subject, Predictions | NotMeasured]]:
    """One set of classes for all subjects, and everyone's predictions in its order.

    Where all files hold scores per row and no answers, there are no classes.

    Raises:
        DataError: for class sets that differ, labels no subject knows, a favourable class that
            does not exist, classes in another order, or too few valid answers.
    """
    everyone: dict[Subject, Predictions | NotMeasured] = dict.fromkeys(
        ORDER, NotMeasured("the audit has no baseline")
    )
    for role, one in asked.items():
        if not one.answers:
            everyone[role] = scores_only(one)
    unclassed, asked = asked, {role: one for role, one in asked.items() if one.answers}
    if not asked:
        if not data.scores and not any(one.speaks for one in unclassed.values()):
            raise DataError(
                "the subjects' files hold columns score_NAME and no answers; say what they mean "
                'under [data.scores.NAME]: better = "higher", low = 0, high = 1'
            )
        return (), everyone
    named = {
        role: [one.table.rename.get(name, name) for name in one.classes]
        for role, one in asked.items()
    }
    # The teacher says what the classes are; who differs from it is named below.
    by_teacher: tuple[Subject, ...] = ("teacher", "student", "baseline")
    full = [set(named[r]) for r in by_teacher if r in asked and asked[r].labels is None]
    if frame.labels is None:
        role, one = next(iter(asked.items()))
        raise DataError(
            f"[{role}] {one.opened.name} answers with classes, and there is nothing to compare "
            "them with: name the column of the right ones as `label` under [data]"
        )
    labels = _labels(frame)
    align.refuse_two_spellings(labels, data.path)
    align.refuse_regression(frame.labels, data.path)
    for role, names in named.items():
        align.refuse_other_spelling(names, labels, f"[{role}] {asked[role].opened.name}", data.path)
    classes = full[0] if full else labels.union(*map(set, named.values()))
    source = data.path if data.labels is None else data.labels.path
    if data.labels is not None and not full:
        _refuse_unanswered(frame, labels.difference(*map(set, named.values())), source)
    _refuse_strange(frame, labels, classes, source)
    _refuse_favourable(classes, data)
    order = tuple(sorted(classes))
    named_predictions: dict[str, Predictions] = {}
    for role, one in asked.items():
        everyone[role] = named_predictions[f"[{role}] {one.opened.name}"] = aligned(
            role, one, order, frame, data
        )
    refuse_shuffled(named_predictions, _drawn_codes(frame, order))
    return order, everyone


def _refuse_strange(frame: Frame, labels: set[str], classes: set[str], source: str) -> None:
    """Refuse labels that are no class of the models.

    Raises:
        DataError: naming them.
    """
    strange = sorted(labels - classes)
    if not strange:
        return
    assert frame.labels is not None
    count = int(np.isin(frame.labels, strange).sum())
    raise DataError(
        f"{source}: {count} rows have the label {examples(strange)}, which is no class of "
        f"the models ({examples(sorted(classes), 5)}); rename the classes, or name the label "
        "as `out_of_scope` under [data]"
    )


def _refuse_unanswered(frame: Frame, unanswered: set[str], source: str) -> None:
    """Refuse labels that no subject answers anywhere: on such rows all are wrong alike.

    Raises:
        DataError: naming them, and how a class that is rare is made known.
    """
    if not unanswered:
        return
    assert frame.labels is not None
    count = int(np.isin(frame.labels, sorted(unanswered)).sum())
    raise DataError(
        f"{source}: {count} rows have the label {examples(sorted(unanswered))}, which no model "
        "answers on any row. Leave the cell empty where nobody can tell; if it is a class of the "
        "models, save their answers with a column p_<class> for each"
    )


def scored(
    asked: Mapping[Subject, Asked], data: DataTable
) -> dict[Subject, RowScores | NotMeasured]:
    """Everyone's declared scores per row; one off its scale is none.

    Raises:
        DataError: for a file that lacks a declared score.
    """
    everyone: dict[Subject, RowScores | NotMeasured] = dict.fromkeys(
        ORDER, NotMeasured("the audit has no baseline")
    )
    for role, one in asked.items():
        if isinstance(one.opened.adapter, Runnable | Writer):
            everyone[role] = NotMeasured("a model that is run here answers; it has no scores")
            continue
        lacking = sorted(set(data.scores) - set(one.scores))
        if lacking:
            raise DataError(
                f"[{role}] {one.opened.name} lacks the column score_{lacking[0]}, which "
                f"[data.scores.{lacking[0]}] declares"
            )
        everyone[role] = RowScores(
            values={
                name: np.where(
                    (one.scores[name] >= scale.low) & (one.scores[name] <= scale.high),
                    one.scores[name],
                    np.nan,
                )
                for name, scale in data.scores.items()
            }
        )
    return everyone


def _refuse_favourable(classes: set[str], data: DataTable) -> None:
    """Refuse favourable classes that do not exist, or are all there are."""
    for favourable in data.positive:
        if favourable not in classes:
            raise DataError(f"[data] positive: {unknown('class', favourable, classes)}")
    if classes and classes <= set(data.positive):
        raise DataError(
            f"[data] positive names every class ({examples(sorted(classes))}): then no answer is "
            "more favourable than another; name the favourable ones only"
        )


def scores_only(one: Asked) -> NotMeasured:
    """Why a subject without answers has no predictions."""
    held = "holds texts, not classes" if one.speaks else "holds scores per row, not answers"
    return NotMeasured(f"{one.opened.name} {held}")


def aligned(
    role: Subject, one: Asked, classes: tuple[str, ...], frame: Frame, data: DataTable
) -> Predictions:
    """One subject's predictions in the audit's order of classes.

    Raises:
        DataError: for other classes, classes in another order, or too few valid answers.
    """
    who = f"[{role}] {one.opened.name}"
    subject = align.predictions(
        probabilities=one.probabilities,
        labels=one.labels,
        given=one.classes,
        classes=classes,
        rename=one.table.rename,
        threshold=one.table.threshold,
        positive=data.positive,
        who=who,
    )
    align.refuse_too_few(subject, frame.ids, who)
    align.refuse_mixed_up_classes(subject, _drawn_codes(frame, classes), who)
    if role != "student":
        align.refuse_uninformative(subject, label_codes(frame, classes), who)
    return subject


def label_codes(frame: Frame, classes: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """(N,) index of each label in ``classes``; -1 for out-of-scope rows, and without classes."""
    if not classes:
        return np.full(len(frame), -1, dtype=np.int64)
    index = {name: i for i, name in enumerate(classes)}
    assert frame.labels is not None
    codes = np.full(len(frame), -1, dtype=np.int64)
    found, names = pd.factorize(frame.labels[~frame.out_of_scope])  # no label is -1
    numbers = np.array([*(index[name] for name in names), -1], dtype=np.int64)
    codes[~frame.out_of_scope] = numbers[found]
    return codes


def _drawn_codes(frame: Frame, classes: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """(N,) labels of rows that were not chosen for how subjects answer; -1 for all others.

    Among rows that were chosen since subjects differ there, they look worse than they are, as if
    their answers were mixed up.
    """
    codes = label_codes(frame, classes)
    if frame.listed is None:
        return codes
    drawn = frame.listed.stands_for
    return np.where(drawn is not None and drawn > 1, codes, -1)


def identity(role: Subject, one: Asked) -> Identity:
    """What the results say of a subject."""
    described = dict(one.opened.adapter.identity())
    # How answers are read is part of who is decided on: every threshold tried is another student.
    if one.table.threshold is not None:
        described["threshold"] = repr(one.table.threshold)
    if one.prompt is not None:
        described["prompt"] = json_digest(one.prompt.model_dump(mode="json"))
    if one.table.rename:
        described["rename"] = ", ".join(f"{a} = {b}" for a, b in sorted(one.table.rename.items()))
    unconverged = _unconverged(one.opened.adapter)
    said = {"not converged": unconverged} if unconverged else {}
    if one.unknown:
        said["answers no class"] = told(one.unknown)
    if one.requests is not None and one.written is not None and one.written.models:
        said["answered as"] = "; ".join(one.written.models)
    if one.prompt is not None:
        shown = one.prompt.model_dump(mode="json", exclude_defaults=True)
        said |= {
            f"[prompt] {key}": json.dumps(value, ensure_ascii=False) for key, value in shown.items()
        }
    return Identity(
        role=role,
        adapter=one.opened.kind,
        name=one.opened.name,
        digest=described["sha256"] if set(described) == {"sha256"} else json_digest(described),
        details={"evidence": one.evidence, **said, **described},
    )


def _unconverged(adapter: Adapter) -> str:
    """Why the training of a model folder is not taken to have converged, where it says so."""
    folder = getattr(adapter, "path", None)
    if not isinstance(folder, Path) or not (folder / "model.json").is_file():
        return ""
    history = read_lineage(folder)
    return "" if history is None or history.own is None else history.own.unconverged


def _labels(frame: Frame) -> set[str]:
    """The labels in scope."""
    assert frame.labels is not None
    found = pd.unique(frame.labels[~frame.out_of_scope])
    return {label for label in found if label is not None}


def _two_classes(frame: Frame, data: DataTable) -> tuple[str, ...]:
    """(favourable, other) where the labels have two classes and one favourable is named."""
    labels = set() if frame.labels is None else _labels(frame)
    others = sorted(labels - set(data.positive))
    if len(data.positive) != 1 or len(others) != 1:
        return ()
    return (data.positive[0], others[0])
