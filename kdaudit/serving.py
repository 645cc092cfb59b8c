"""How the audited models serve, read from files or timed here as they write, and at what price."""

from collections.abc import Mapping
from dataclasses import dataclass

from kdaudit.basis import ORDER, Subject
from kdaudit.data.audit_file import SubjectTable
from kdaudit.data.frame import Frame
from kdaudit.data.prompt_table import PromptTable, prompts
from kdaudit.data.readers import Source
from kdaudit.data.serving_tables import CostTable
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.prices import Price, Prices
from kdaudit.evidence.serving import Serving, aligned
from kdaudit.evidence.serving_file import read_serving
from kdaudit.evidence.store import Store
from kdaudit.evidence.view import Trio
from kdaudit.models.adapter import Decoding, Streaming
from kdaudit.models.folder import read_lineage
from kdaudit.plan import Plan
from kdaudit.progress import Progress
from kdaudit.subjects import Asked

NO_BASELINE = NotMeasured("the audit has no baseline")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Service:
    """What is known of serving.

    Attributes:
        trio: by role, or None where nothing is known of anyone.
        files: that were read, by role.
        timed: requests that were sent just now; None where nobody is timed here.
    """

    trio: Trio | None
    files: tuple[tuple[str, Source], ...] = ()
    timed: int | None = None


def service(
    plan: Plan,
    asked: Mapping[Subject, Asked],
    frame: Frame,
    store: Store | None,
    progress: Progress,
    *,
    retime: bool,
) -> Service:
    """Read the files of timings, and time what streams where ``[serving]`` asks for it.

    Raises:
        DataError: for a file that cannot be what it says.
        ModelError: for a model that leaves half of the requests unanswered.
    """
    if not any(need.kind == "serving" for suite in plan.suites for need in suite.needs()):
        return Service(trio=None)
    found: dict[Subject, Serving | NotMeasured] = dict.fromkeys(ORDER, NO_BASELINE)
    files: list[tuple[str, Source]] = []
    live: dict[Subject, Streaming] = {}
    for role, one in asked.items():
        if one.table.timings is not None:
            assert one.table.hardware is not None  # the audit file says so
            found[role], source = read_serving(one.table.timings, plan.base, one.table.hardware)
            files.append((f"timings of the {role}", source))
        elif plan.file.serving is not None and isinstance(one.opened.adapter, Streaming):
            live[role] = one.opened.adapter
        else:
            found[role] = NotMeasured(f"nobody timed {one.opened.name}: it has no `timings`")
    timed = None
    if live and store is not None:
        measured, timed = _live(plan, asked, live, frame, store, progress, retime=retime)
        found |= measured
    if not any(isinstance(one, Serving) for one in found.values()):
        return Service(trio=None)
    return Service(trio=Trio(**aligned(found)), files=tuple(files), timed=timed)


def _live(
    plan: Plan,
    asked: Mapping[Subject, Asked],
    live: Mapping[Subject, Streaming],
    frame: Frame,
    store: Store,
    progress: Progress,
    *,
    retime: bool,
) -> tuple[dict[Subject, Serving], int]:
    from kdaudit.evidence.record_serving import record_serving

    table, prompt = plan.file.serving, plan.file.prompt or PromptTable()
    assert table is not None  # or nobody would be timed
    shown = prompts(prompt, frame.inputs, len(frame))
    return record_serving(
        live,
        list(zip(map(str, frame.ids), shown, strict=True)),
        Decoding(max_tokens=max(prompt.max_tokens, 1), stop=prompt.stop),
        table,
        elsewhere={
            role: asked[role].table.hardware
            for role in live
            if asked[role].opened.kind == "endpoint" or asked[role].table.hardware
        },
        seed=plan.file.audit.seed,
        store=store,
        anew=retime,
        progress=progress,
    )


def prices(plan: Plan) -> Prices | None:
    """The price table of the audit file, with what the student's lineage tells of its training.

    Raises:
        DamagedError: for a lineage that cannot be read.
    """
    table = plan.file.cost
    if table is None:
        return None
    tables = {role: getattr(table, role) for role in ORDER}
    made, by = _distillation(table, plan)
    return Prices(
        currency=table.currency,
        source=f"{table.source}, {table.date:%Y-%m-%d}",
        subjects={
            role: Price(
                hourly=one.hourly,
                utilisation=one.utilisation or 1.0,
                per_million_in=one.per_million_in,
                per_million_out=one.per_million_out,
            )
            for role, one in tables.items()
            if one is not None
        },
        distillation=made,
        distillation_by=by,
    )


def _distillation(table: CostTable, plan: Plan) -> tuple[float | NotMeasured, str]:
    declared = table.distillation
    if declared is None:
        reason = "what distillation cost is NOT PROVIDED: there is no [cost.distillation]"
        return NotMeasured(reason), ""
    parts = [] if declared.declared is None else [f"{declared.declared:g} declared"]
    total = declared.declared or 0.0
    if declared.hourly is not None:
        hours = _hours(plan.file.student, plan)
        if hours is None:
            reason = (
                "[cost.distillation] hourly needs the student's lineage.json, which tells how long "
                "it trained; declare a sum instead"
            )
            return NotMeasured(reason), ""
        total += hours * declared.hourly
        parts.append(f"{hours:.2f} hours of training at {declared.hourly:g}")
    return total, ", ".join(parts)


def _hours(student: SubjectTable | None, plan: Plan) -> float | None:
    """Of the training that made the student, by its lineage."""
    named = {} if student is None else student.options
    source = named.get("path") or named.get("hf")
    history = read_lineage(plan.base / source) if isinstance(source, str) else None
    return None if history is None else history.wall_seconds / 3600
