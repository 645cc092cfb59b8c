"""An audit: evidence in, results out. The Python call and the command line meet here."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd

from kdaudit.basis import ORDER, Subject
from kdaudit.contract import STRICT, Policy, judge, overall
from kdaudit.data.audit_file import AuditFile, SubjectTable, parse
from kdaudit.data.dataset import Dataset, from_table, load
from kdaudit.data.frame import Frame
from kdaudit.data.readers import Source
from kdaudit.declared import crosses
from kdaudit.errors import ConfigError, KdauditError
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Footprint, Predictions
from kdaudit.evidence.store import Store
from kdaudit.evidence.view import Evidence, Kind, Rows, Streams, Trio
from kdaudit.governance.environment import versions
from kdaudit.limitations import limitations
from kdaudit.models.adapter import Runnable
from kdaudit.models.open import Opened, open_model
from kdaudit.models.predictions import PredictionsFile
from kdaudit.plan import Plan, make_plan
from kdaudit.progress import Progress, silent
from kdaudit.results import (
    CardText,
    DataSummary,
    InputFile,
    Need,
    Results,
    Suite,
    SuiteResult,
)
from kdaudit.subjects import Asked, agree, ask, identity, label_codes

PREDICTIONS = Need(kind="predictions")
TIMINGS = Need(kind="timings")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Audited:
    """An audit's results and what a run folder needs beside them.

    Attributes:
        results: the pure part.
        dataset: the frames.
        subjects: aligned predictions by role, on the whole audit frame.
        asked: by role.
        predicted: rows each subject was run on just now.
        reused: rows whose evidence was in the store.
    """

    results: Results
    dataset: Dataset
    subjects: Mapping[Subject, Predictions | NotMeasured]
    asked: Mapping[Subject, Asked]
    predicted: Mapping[str, int] = field(default_factory=dict)
    reused: Mapping[str, int] = field(default_factory=dict)


class Roles(TypedDict, total=False):
    """Keywords of `audit`: the keys of ``[audit]``, ``[data]``, ``[suites]`` and ``[card]``."""

    name: str
    seed: int
    alpha: float
    id: str
    label: str
    label_source: str
    positive: str | Sequence[str]
    sensitive: Sequence[str]
    slices: Sequence[str]
    cluster: str
    weight: str
    out_of_scope: str
    suites: Mapping[str, Mapping[str, Any]]
    card: Mapping[str, Any]
    classes: Sequence[str]


Table = pd.DataFrame | np.ndarray[Any, Any]


def audit(
    *,
    data: pd.DataFrame,
    teacher: Table,
    student: Table,
    baseline: Table | None = None,
    contract: Sequence[Mapping[str, Any]] = (),
    **roles: Unpack[Roles],
) -> Results:
    """Audit a student against its teacher from tables in memory.

    Args:
        data: one row per example: the label (column ``label`` unless ``label=`` names another), and
            the columns that ``id``, ``sensitive``, ``slices``, ``cluster`` and ``weight`` name.
        teacher: a DataFrame with the id column and ``p_<class>`` per class, one ``score`` or
            ``prediction``; or an array in the order of ``data``: (N, C) probabilities with
            ``classes=``, (N,) scores of the favourable class, or (N,) labels.
        student: likewise.
        baseline: likewise; the previous release, or a control.
        contract: checks, each with the keys of ``[[contract]]``.
        roles: see `Roles`; the keys of the audit file.

    Raises:
        ConfigError: for a role or check that does not exist.
        DataError: for tables that do not fit each other.

    >>> rng = np.random.default_rng(0)
    >>> data = pd.DataFrame({"label": rng.choice(["no", "yes"], 400)})
    >>> right = np.where(data.label == "yes", 0.8, 0.2)
    >>> student = np.where(rng.random(400) < 0.05, 1 - right, right)
    >>> teacher = np.where(rng.random(400) < 0.05, 1 - right, right)
    >>> check = {"check": "ACC001", "margin": 0.1}
    >>> results = audit(data=data, teacher=teacher, student=student, contract=[check],
    ...                 positive="yes")
    >>> results.outcome.value, results.finding("ACC001").difference.method
    ('pass', 'Tango score')
    """
    name = "data"
    raw = _as_document(dict(roles), contract, with_baseline=baseline is not None)
    file = parse(raw, AuditFile, "kdaudit.audit")
    if not isinstance(data, pd.DataFrame):
        raise ConfigError(f"data must be a DataFrame, got {type(data).__name__}")
    plan = make_plan(file, Path())
    dataset = from_table(
        Source(name=name, table=data, sha256=_table_digest(data)),
        file.data,
        file.audit.seed,
        Path(),
    )
    column = file.data.id or "id"
    ids = data[column].to_numpy() if column in data.columns else _positions(len(data))
    classes = [str(c) for c in roles.get("classes", ())]
    opened = {}
    for role, table in (("teacher", teacher), ("student", student), ("baseline", baseline)):
        if table is not None:
            frame = _as_table(table, ids, column, classes, role)
            source = Source(name=role, table=frame, sha256=_table_digest(frame))
            opened[role] = Opened(kind="predictions", name=role, adapter=PredictionsFile(source))
    return run_plan(plan, dataset, opened).results  # type: ignore[arg-type]


def audit_file(
    plan: Plan,
    *,
    store: Store,
    progress: Progress = silent,
    policy: Policy = STRICT,
    retime: bool = False,
) -> Audited:
    """Audit the models that an audit file names; they are already distilled.

    Args:
        plan: what the audit file asks for.
        store: where evidence is kept.
        progress: told what goes on.
        policy: which undecided outcomes block.
        retime: time the models anew, whatever the store has.

    Raises:
        KdauditError: for whatever the user can mend.
    """
    file = plan.file
    dataset = load(file, plan.base)
    opened: dict[Subject, Opened] = {}
    for role in ORDER:
        table: SubjectTable | None = getattr(file, role)
        if table is not None:
            opened[role] = open_model(role, table, plan.base)
    return run_plan(
        plan, dataset, opened, store=store, progress=progress, policy=policy, retime=retime
    )


def run_plan(
    plan: Plan,
    dataset: Dataset,
    opened: Mapping[Subject, Opened],
    *,
    store: Store | None = None,
    progress: Progress = silent,
    policy: Policy = STRICT,
    retime: bool = False,
) -> Audited:
    """Ask every subject once, measure, decide."""
    file, frame = plan.file, dataset.frame("audit")
    asked: dict[Subject, Asked] = {}
    for role in ORDER:
        if role in opened:
            table = getattr(file, role)
            advance = progress(f"asking the {role}", len(frame))
            asked[role] = ask(role, table, opened[role], dataset, file.data, store, advance)
    classes, subjects = agree(asked, frame, file.data)
    timings, timed = _timings(plan, asked, frame, store, progress, retime=retime)
    evidence = _evidence(plan, dataset, classes, subjects, timings)
    streams = Streams(file.audit.seed)
    suites = tuple(_run(suite, evidence, streams) for suite in plan.suites)
    verdicts = judge(plan.contract, suites, file.audit.alpha, policy)
    outcome, code = overall(plan.contract, verdicts, suites)
    summary = _summary(plan, dataset, classes, evidence)
    identities = tuple(identity(role, one) for role, one in asked.items())
    results = Results(
        name=file.audit.name,
        seed=file.audit.seed,
        alpha=file.audit.alpha,
        versions=versions(),
        inputs=_inputs(dataset, asked),
        subjects=identities,
        data=summary,
        suites=suites,
        contract=plan.contract,
        verdicts=verdicts,
        outcome=outcome,
        exit_code=int(code),
        limitations=limitations(
            contract=plan.contract,
            verdicts=verdicts,
            suites=suites,
            data=summary,
            subjects=identities,
            written=file.card.limitations,
        ),
        card=CardText(**file.card.model_dump()),
    )
    ran = {role: one for role, one in asked.items() if isinstance(one.opened.adapter, Runnable)}
    predicted = {str(role): one.predicted for role, one in ran.items()} | timed
    reused = {str(role): len(frame) - one.predicted for role, one in ran.items()}
    return Audited(
        results=results,
        dataset=dataset,
        subjects=subjects,
        asked=asked,
        predicted=predicted,
        reused=reused,
    )


def _timings(
    plan: Plan,
    asked: Mapping[Subject, Asked],
    frame: Frame,
    store: Store | None,
    progress: Progress,
    *,
    retime: bool,
) -> tuple[Kind | NotMeasured, dict[str, int]]:
    """Time the pair on requests of the audit split, where both run here."""
    wanted = any(need.kind == "timings" for suite in plan.suites for need in suite.needs())
    pair = {role: asked[role].opened for role in ("teacher", "student") if role in asked}  # type: ignore[index]
    if not wanted or store is None:
        return NotMeasured("recorded answers carry no timing"), {}
    for role, one in pair.items():
        if not isinstance(one.adapter, Runnable):
            return NotMeasured(f"the {role} is a {one.kind} file, which carries no timing"), {}
    from kdaudit.evidence.timings import record_timings
    from kdaudit.models.footprint import footprint

    def weigh() -> dict[str, Footprint]:
        return {
            role: footprint(
                one.adapter,  # type: ignore[arg-type]  # both are runnable, as was just seen
                getattr(plan.file, role).options,
                base=plan.base,
                columns=frame.inputs,
            )
            for role, one in pair.items()
        }

    timings, computed = record_timings(
        pair["teacher"].adapter,  # type: ignore[arg-type]
        pair["student"].adapter,  # type: ignore[arg-type]
        frame.inputs,
        seed=plan.file.audit.seed,
        store=store,
        weigh=weigh,
        anew=retime,
        progress=progress,
    )
    return timings, {"timings": computed}


def _evidence(
    plan: Plan,
    dataset: Dataset,
    classes: tuple[str, ...],
    subjects: Mapping[Subject, Predictions | NotMeasured],
    timings: Kind | NotMeasured,
) -> Evidence:
    data, frame = plan.file.data, dataset.frame("audit")
    rows = Rows(
        ids=frame.ids,
        label=label_codes(frame, classes),
        classes=classes,
        positive=tuple(classes.index(name) for name in data.positive),
        weight=frame.weight,
        cluster=frame.cluster,
        attributes=frame.attributes,
        slices=crosses(plan.contract, data.slices),
        sensitive=crosses(plan.contract, data.sensitive),
        training_counts=_training_counts(dataset, classes),
        rejecting=tuple(i for i, name in enumerate(classes) if name == data.out_of_scope),
    )
    level = 1 - 2 * plan.file.audit.alpha
    timed = Trio(
        student=timings, teacher=timings, baseline=NotMeasured("only teacher and student are timed")
    )

    def view(part: Rows, keep: "np.ndarray[Any, np.dtype[np.bool_]]") -> Evidence:
        trio = Trio(
            **{r: s if isinstance(s, NotMeasured) else s.take(keep) for r, s in subjects.items()}
        )
        return Evidence(rows=part, level=level, kinds={PREDICTIONS: trio, TIMINGS: timed})

    outside = frame.out_of_scope
    if outside.all():
        raise ConfigError(
            f"[data] out_of_scope = {data.out_of_scope!r} takes in every audited row; none is left"
        )
    inside = view(rows.take(~outside), ~outside)
    return Evidence(
        rows=inside.rows,
        level=level,
        outside=view(rows.take(outside), outside) if outside.any() else None,
        unlabelled=_unlabelled(inside),
        kinds=inside.kinds,
    )


def _unlabelled(evidence: Evidence) -> NotMeasured | None:
    """Why labels cannot be compared with, if they cannot."""
    rows = evidence.rows
    if len(np.unique(rows.label)) < 2:
        only = rows.classes[int(rows.label[0])]
        return NotMeasured(
            f"every audited row has the label {only!r}; one class says nothing of the others"
        )
    teacher = evidence[PREDICTIONS].teacher
    if isinstance(teacher, Predictions):
        answered = teacher.valid
        if answered.any() and np.array_equal(teacher.answer[answered], rows.label[answered]):
            return NotMeasured(
                "the labels equal the teacher's answers on every row: they would measure imitation, "
                "not truth; label the rows independently"
            )
    return None


def _training_counts(
    dataset: Dataset, classes: tuple[str, ...]
) -> "np.ndarray[Any, np.dtype[np.int64]] | None":
    frame = dataset.frames.get("transfer")
    if frame is None or frame.labels is None:
        return None
    counts = pd.Series(frame.labels[~frame.out_of_scope]).value_counts()
    return np.array([int(counts.get(name, 0)) for name in classes], dtype=np.int64)


def _run(suite: Suite, evidence: Evidence, streams: Streams) -> SuiteResult:
    codes = tuple(endpoint.code for endpoint in suite.codes)
    try:
        found = suite.run(evidence, streams)
        foreign = sorted({f.code for f in found.findings} - set(codes))
        if foreign:
            raise ConfigError(f"it reports {', '.join(foreign)}, which it does not declare")
    except (Exception, SystemExit) as error:  # a plugin's bug must not look like a verdict
        said = str(error) if isinstance(error, KdauditError) else f"{type(error).__name__}: {error}"
        return SuiteResult(suite=suite.name, codes=codes, findings=(), error=said)
    return SuiteResult(
        suite=suite.name,
        codes=codes,
        findings=found.findings,
        figures=found.figures,
        notes=found.notes,
    )


def _summary(
    plan: Plan, dataset: Dataset, classes: tuple[str, ...], evidence: Evidence
) -> DataSummary:
    data, frame = plan.file.data, dataset.frame("audit")
    return DataSummary(
        rows=len(evidence.rows),
        out_of_scope=int(frame.out_of_scope.sum()),
        clusters=None if evidence.rows.cluster is None else len(np.unique(evidence.rows.cluster)),
        weighted=frame.weight is not None,
        classes=classes,
        positive=data.positive,
        label_source=data.label_source,
        splits={name: len(part) for name, part in dataset.frames.items()},
        sensitive=data.sensitive,
        slices=data.slices,
    )


def _inputs(dataset: Dataset, asked: Mapping[Subject, Asked]) -> tuple[InputFile, ...]:
    files = [
        InputFile(role=role, name=source.name, sha256=source.sha256, rows=len(source.table))
        for role, source in dataset.sources
    ]
    for role, one in asked.items():
        adapter = one.opened.adapter
        if isinstance(adapter, PredictionsFile):
            source = adapter.source
            files.append(
                InputFile(role=role, name=source.name, sha256=source.sha256, rows=len(source.table))
            )
    return tuple(files)


def _as_document(
    roles: dict[str, Any], contract: Sequence[Mapping[str, Any]], *, with_baseline: bool
) -> dict[str, Any]:
    """The keywords as an audit file would say them."""
    roles.pop("classes", None)
    top = {key: roles.pop(key) for key in ("seed", "alpha") if key in roles}
    subject = {"predictions": "in memory"}
    document = {
        "audit": {"name": roles.pop("name", "audit"), **top},
        "suites": roles.pop("suites", {}),
        "card": roles.pop("card", {}),
        "contract": [dict(check) for check in contract],
        "teacher": subject,
        "student": subject,
        "data": {"path": "data", "label": "label", **roles},
    }
    return document | ({"baseline": subject} if with_baseline else {})


def _as_table(
    table: Table, ids: "np.ndarray[Any, Any]", column: str, classes: list[str], role: str
) -> pd.DataFrame:
    if isinstance(table, pd.DataFrame):
        return table
    values = np.asarray(table)
    if len(values) != len(ids):
        raise ConfigError(f"{role} has {len(values)} rows, data has {len(ids)}")
    if values.ndim == 2:
        if values.shape[1] != len(classes):
            raise ConfigError(
                f"{role} has {values.shape[1]} columns of probabilities; name them in order, e.g. "
                f"classes = ['a', 'b'] (got {len(classes)} names)"
            )
        frame = pd.DataFrame(values, columns=[f"p_{name}" for name in classes])
    else:
        kind = "score" if values.dtype.kind == "f" else "prediction"
        frame = pd.DataFrame({kind: values})
    return frame.assign(**{column: ids})


def _positions(n: int) -> "np.ndarray[Any, Any]":
    return np.array([f"{i:012d}" for i in range(n)], dtype=object)


def _table_digest(table: pd.DataFrame) -> str:
    digest = hashlib.sha256("\x1f".join(map(str, table.columns)).encode())
    for column in table.columns:
        digest.update(
            pd.util.hash_array(table[column].astype(str).to_numpy(dtype=object)).tobytes()
        )
    return digest.hexdigest()
