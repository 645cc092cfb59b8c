"""One audit, link by link: ask every subject once, measure, decide."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from kdaudit.assemble import assemble
from kdaudit.basis import ORDER, Subject
from kdaudit.compared_runs import compare
from kdaudit.contract import NEEDS_A_STUDENT, STRICT, Policy
from kdaudit.data.audit_file import SubjectTable
from kdaudit.data.dataset import Dataset
from kdaudit.data.frame import Frame, split_digest
from kdaudit.data.judged import judged_digest
from kdaudit.data.readers import Source
from kdaudit.decision import decided
from kdaudit.errors import ConfigError, ExitCode, KdauditError
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Footprint, Generations, Likelihoods, Predictions, RowScores
from kdaudit.evidence.partly_labelled import needs_label
from kdaudit.evidence.serving import Serving, paired
from kdaudit.evidence.store import Store
from kdaudit.evidence.view import PREDICTIONS, SCORES, SERVING, Evidence, Kind, Streams, Trio
from kdaudit.further_evidence import further, wanted
from kdaudit.governance.environment import versions
from kdaudit.language.asking import asking
from kdaudit.language.protected import protected
from kdaudit.language.silent import without_silent
from kdaudit.language.written import (
    evidence_of,
    likelihoods,
    likelihoods_of,
    questions,
    with_judge,
    written,
)
from kdaudit.models.adapter import Adapter, Recorded, Runnable, Weighable, Writer
from kdaudit.models.benchmark_run import BenchmarkRun
from kdaudit.models.open import Opened, open_model
from kdaudit.models.recorded_file import RecordedFile
from kdaudit.models.recorded_language import RecordedLanguage
from kdaudit.only import teacher_alone
from kdaudit.plan import Plan
from kdaudit.progress import Progress, silent
from kdaudit.results import (
    CardText,
    DataSummary,
    InputFile,
    Look,
    Need,
    Outcome,
    Results,
    Suite,
    SuiteResult,
)
from kdaudit.results import Subject as Identity
from kdaudit.results_file import canonical
from kdaudit.sampled import with_sample
from kdaudit.serving import Service, prices, service
from kdaudit.subjects import Asked, agree, ask, identity, scored, with_unknown_named
from kdaudit.wear import Ledger

UNTIMED = "language models are timed where [serving] asks for it, or read from files of `timings`"
WORKERS = 2  # files read, and suites measured, at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Audited:
    """An audit's results and what a run folder needs beside them.

    Attributes:
        results: the pure part.
        dataset: the frames.
        subjects: aligned predictions by role, on the whole audit frame.
        scores: declared scores per row, by role, likewise.
        written: texts of language models, by role, likewise.
        likelihoods: of language models, by role, likewise.
        asked: by role.
        evidence: what the suites were given.
        predicted: rows each subject was run on just now; of a language model, requests.
        reused: likewise those whose evidence was in the store.
    """

    results: Results
    dataset: Dataset
    subjects: Mapping[Subject, Predictions | NotMeasured]
    scores: Mapping[Subject, RowScores | NotMeasured]
    written: Mapping[Subject, Generations | NotMeasured]
    likelihoods: Mapping[Subject, Likelihoods | NotMeasured]
    asked: Mapping[Subject, Asked]
    evidence: Evidence
    predicted: Mapping[str, int] = field(default_factory=dict)
    reused: Mapping[str, int] = field(default_factory=dict)


def audit_file(
    plan: Plan,
    dataset: Dataset,
    *,
    store: Store,
    progress: Progress = silent,
    policy: Policy = STRICT,
    retime: bool = False,
) -> Audited:
    """Audit the models that an audit file names; they are already distilled.

    Args:
        plan: what the audit file asks for.
        dataset: its data, read.
        store: where evidence is kept.
        progress: told what goes on.
        policy: which undecided outcomes block.
        retime: time the models anew, whatever the store has.

    Raises:
        KdauditError: for whatever the user can mend.
    """
    file = plan.file
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
    frame = dataset.frame("audit")
    compared = compare(opened, plan.file.data)
    if compared is not None:
        plan = replace(plan, file=plan.file.model_copy(update={"data": compared.data}))
    file = plan.file
    asked = ask_all(plan, dataset, opened, store, progress)
    classes, subjects = agree(asked, frame, file.data)
    served = service(plan, asked, frame, store, progress, retime=retime)
    timings, timed = _timings(plan, asked, frame, store, progress, served, retime=retime)
    others: dict[Need, Trio] = {} if served.trio is None else {SERVING: served.trio}
    ran_off: Counter[str] = Counter()
    for need in wanted(plan, dataset):
        others[need], computed = further(need, plan, dataset, asked, classes, store, progress)
        ran_off.update(computed)
    scores = scored(asked, file.data)
    others[SCORES] = Trio(**scores)
    texts = without_silent(written(asked), frame.answers)
    others |= evidence_of(texts, questions(frame), file.data.grading)
    likely = likelihoods(asked)
    others |= likelihoods_of(likely)
    everyone = with_judge(
        tuple(identity(role, one) for role, one in asked.items()), texts, file.data.grading
    )
    plan, look = _look(plan, everyone, frame, store)
    file = plan.file
    benchmarks = None if compared is None else compared.on(frame.ids)
    evidence = assemble(plan, dataset, classes, subjects, timings, others, benchmarks)
    evidence = replace(evidence, prices=prices(plan))
    if dataset.protected is not None:
        shown, computed = protected(
            dataset.protected, asked, level=evidence.level, store=store, progress=progress
        )
        evidence = replace(evidence, protected=shown)
        ran_off.update({str(role): n for role, n in computed.items()})
    suites = measure(plan, evidence)
    measured = Results(
        name=file.audit.name,
        only=plan.only,
        seed=file.audit.seed,
        alpha=file.audit.alpha,
        versions=versions(),
        inputs=_inputs(dataset, asked, served),
        subjects=everyone,
        data=_summary(plan, dataset, classes, evidence),
        suites=suites,
        contract=plan.contract,
        lock=plan.lock,
        look=look,
        card=CardText(**file.card.model_dump()),
        verdicts=(),
        outcome=Outcome.NOT_EVALUABLE,
        exit_code=int(ExitCode.UNDECIDED),
        limitations=(),
    )
    results = canonical(decided(measured, policy))
    running = {r: one for r, one in asked.items() if not isinstance(one.opened.adapter, Recorded)}
    predicted = {str(role): one.predicted + ran_off[role] for role, one in running.items()} | timed
    predicted |= {} if served.timed is None else {"serving": served.timed}
    reused = {
        str(role): (len(frame) if one.requests is None else one.requests) - one.predicted
        for role, one in running.items()
    }
    return Audited(
        results=results,
        dataset=dataset,
        subjects=subjects,
        scores=scores,
        written=texts,
        likelihoods=likely,
        asked=asked,
        evidence=evidence,
        predicted=predicted,
        reused=reused,
    )


def _look(
    plan: Plan, subjects: Sequence[Identity], frame: Frame, store: Store | None
) -> tuple[Plan, Look | None]:
    """The plan at the share of alpha that this look at the rows may spend, and the look."""
    audit = plan.file.audit
    if plan.only is not None or (audit.looks is None and store is None):
        return plan, None
    if store is None:
        raise ConfigError(
            f"[audit] looks = {audit.looks}: looks are counted in the store beside an audit file; "
            "audit with `kdaudit run`"
        )
    ledger, judged = Ledger.of(store), judged_digest(plan.file.data, frame)
    taken = ledger.take(audit, plan.contract, subjects, split_digest(frame), judged)
    if taken is None:
        return plan, None
    look, alpha = taken
    return plan.at(alpha), look


def ask_all(
    plan: Plan,
    dataset: Dataset,
    opened: Mapping[Subject, Opened],
    store: Store | None,
    progress: Progress,
) -> dict[Subject, Asked]:
    """Everyone's answers to the audited rows; files are read side by side, models run in turn."""

    def one(role: Subject) -> Asked:
        model, frame = opened[role], dataset.frame("audit")
        total = len(frame)
        if isinstance(model.adapter, Writer):
            questions = asking(plan.file, frame, PREDICTIONS, f"[{role}] {model.name}")
            total = questions.requests(model.adapter)
        advance = progress(f"asking the {role}", total)
        return ask(role, model, plan, dataset, store, advance)

    roles = [role for role in ORDER if role in opened]
    if not all(isinstance(model.adapter, Recorded) for model in opened.values()):
        found = {role: one(role) for role in roles}
    else:
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            found = dict(zip(roles, pool.map(one, roles), strict=True))
    return with_unknown_named(found, dataset, plan.file.data)


def measure(plan: Plan, evidence: Evidence) -> tuple[SuiteResult, ...]:
    """What every suite finds in the evidence; a suite that crashes says so."""
    streams = Streams(plan.file.audit.seed)
    if plan.only is None:
        # Suites know nothing of each other and every stream is named, so their order is no matter;
        # numpy computes outside the interpreter's lock.
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            return tuple(pool.map(lambda suite: _measured(suite, evidence, streams), plan.suites))
    # One model alone has no differences: what is known of it is known of the labelled rows.
    seen = evidence.sampled if isinstance(evidence.sampled, Evidence) else evidence
    return tuple(
        teacher_alone(partial(_run, suite, streams=streams), seen, suite.needs())
        for suite in plan.suites
    )


def _measured(suite: Suite, evidence: Evidence, streams: Streams) -> SuiteResult:
    """What a suite finds; of partly labelled rows also in those that stand for all."""
    found = _run(suite, evidence, streams)
    if evidence.sampled is None or found.error is not None:
        return found
    return with_sample(found, evidence, partial(_run, suite, streams=streams))


def _timings(
    plan: Plan,
    asked: Mapping[Subject, Asked],
    frame: Frame,
    store: Store | None,
    progress: Progress,
    served: Service,
    *,
    retime: bool,
) -> tuple[Kind | NotMeasured, dict[str, int]]:
    """Time the pair on requests of the audit split, where both run here."""
    wanted = any(need.kind == "timings" for suite in plan.suites for need in suite.needs())
    if not wanted or store is None:
        return NotMeasured("recorded answers carry no timing"), {}
    if plan.only is not None:
        return NEEDS_A_STUDENT, {}
    trio = served.trio
    if trio and isinstance(trio.student, Serving) and isinstance(trio.teacher, Serving):
        footprints = {
            role: Footprint(
                parameters=adapter.parameters(),
                bytes=adapter.size(),
                peak_memory=None,
                base_memory=None,
            )
            for role, one in asked.items()
            if isinstance(adapter := one.opened.adapter, Weighable)
        }
        return paired(trio.student, trio.teacher, footprints), {}
    models: dict[str, Runnable] = {}
    for role in ("teacher", "student"):
        opened = asked[role].opened
        if isinstance(opened.adapter, Writer):
            return NotMeasured(UNTIMED), {}
        if not isinstance(opened.adapter, Runnable):
            return NotMeasured(f"the {role} is a {opened.kind} file, which carries no timing"), {}
        models[role] = opened.adapter
    from kdaudit.evidence.timings import record_timings
    from kdaudit.models.footprint import footprint

    def weigh() -> dict[str, Footprint]:
        return {
            role: footprint(
                model, getattr(plan.file, role).options, base=plan.base, columns=frame.inputs
            )
            for role, model in models.items()
        }

    timings, computed = record_timings(
        models["teacher"],
        models["student"],
        frame.inputs,
        seed=plan.file.audit.seed,
        store=store,
        weigh=weigh,
        anew=retime,
        progress=progress,
    )
    return timings, {"timings": computed}


def _run(suite: Suite, evidence: Evidence, streams: Streams) -> SuiteResult:
    codes = tuple(endpoint.code for endpoint in suite.codes)
    try:
        found = suite.run(evidence, streams)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a plugin's bug is no verdict
        said = str(error) if isinstance(error, KdauditError) else f"{type(error).__name__}: {error}"
        return SuiteResult(suite=suite.name, codes=codes, findings=(), error=said)
    foreign = sorted({finding.code for finding in found.findings} - set(codes))
    if foreign:
        said = f"it reports {', '.join(foreign)}, which it does not declare"
        return SuiteResult(suite=suite.name, codes=codes, findings=(), error=said)
    return replace(found, suite=suite.name, codes=codes)


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
        ungrouped={
            name: int((column.codes < 0).sum())
            for name, column in evidence.rows.attributes.items()
            if (column.codes < 0).any()
        },
        splits={name: len(part) for name, part in dataset.frames.items()},
        sensitive=data.sensitive,
        slices=data.slice_columns,
        digest=split_digest(frame),
        labelled=None if frame.labelled is None else int(frame.labelled.sum()),
        judged=judged_digest(data, frame),
        alone=_alone(frame, evidence),
        learnt=_learnt(dataset),
    )


def _learnt(dataset: Dataset) -> int | None:
    """Audited rows whose inputs are those of a row that a student learns from, or is chosen by."""
    audited = dataset.frame("audit")
    others = [frame for name, frame in dataset.frames.items() if name != "audit" and frame.inputs]
    if not others or not audited.inputs:
        return None
    known = {row for frame in others for row in frame.rows().tolist()}
    return sum(row in known for row in audited.rows().tolist())


def _alone(frame: Frame, evidence: Evidence) -> int | None:
    """Labelled rows that stand for themselves although all subjects answer them alike."""
    listed = frame.listed
    if listed is None or listed.stands_for is None or frame.labelled is None:
        return None
    own = listed.stands_for[~frame.out_of_scope] == 1
    return int(np.count_nonzero(own & ~needs_label(evidence[PREDICTIONS])))


def _inputs(
    dataset: Dataset, asked: Mapping[Subject, Asked], served: Service
) -> tuple[InputFile, ...]:
    files = [
        InputFile(role=role, name=source.name, sha256=source.sha256, rows=len(source.table))
        for role, source in (*dataset.sources, *served.files)
    ]
    for role, one in asked.items():
        files += [
            InputFile(role=role, name=source.name, sha256=source.sha256, rows=len(source.table))
            for source in _sources(one.opened.adapter)
        ]
    return tuple(files)


def _sources(adapter: Adapter) -> tuple[Source, ...]:
    """The files that hold recorded answers."""
    if isinstance(adapter, RecordedLanguage):
        return adapter.generations.source, adapter.likelihoods.source
    return (adapter.source,) if isinstance(adapter, RecordedFile | BenchmarkRun) else ()
