"""What the audit read and ran on, and what only a person can say of it."""

from dataclasses import dataclass

from kdaudit.results import InputFile, Look, Results, Subject
from kdaudit.run import Run, Wear
from kdaudit_reports.history import Pairs, pairs
from kdaudit_reports.text import PROSE, clip, line, listing, plural, visible

LABELS = {"human": "labelled by people", "outcome": "labels are observed outcomes"}

PEOPLE = (
    ("owner", "Owner", "who answers for this model"),
    ("contact", "Contact", "where to ask, and to report harm"),
    ("version", "Version", "which release of the student this is"),
    ("licence", "Licence", "terms of the student, and what the teacher's terms allow"),
    ("intended_use", "Intended use", "what it is for, and for whom"),
    ("out_of_scope_use", "Out-of-scope use", "what it must not be used for"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field a person writes; ``value`` is None where nobody has."""

    key: str
    title: str
    hint: str
    value: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One file that was read."""

    role: str
    name: str
    sha256: str
    rows: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One subject, and what its identity rests on."""

    role: str
    name: str
    adapter: str
    digest: str
    details: Pairs
    details_summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A titled list of names and values."""

    title: str
    pairs: Pairs
    empty: str


def people(results: Results) -> tuple[Field, ...]:
    """Fields of ``[card]``, filled or not."""
    fields = []
    for key, title, hint in PEOPLE:
        value = getattr(results.card, key)
        told = clip(visible(value.strip()), PROSE) if value and value.strip() else None
        fields.append(Field(key=key, title=title, hint=hint, value=told))
    return tuple(fields)


def inputs(results: Results) -> tuple[Input, ...]:
    """Files in the order they were declared."""
    return tuple(
        Input(
            role=line(file.role),
            name=line(file.name, 200),
            sha256=line(file.sha256),
            rows=f"{file.rows:,}" if file.rows is not None else "not counted",
        )
        for file in results.inputs
    )


def models(results: Results) -> tuple[Model, ...]:
    """Teacher, student, baseline."""
    return tuple(
        Model(
            role=subject.role,
            name=line(subject.name, 200),
            adapter=line(subject.adapter),
            digest=line(subject.digest),
            details=pairs(subject.details),
            details_summary=plural(len(subject.details), "detail"),
        )
        for subject in results.subjects
    )


def data(results: Results, run: Run) -> Pairs:
    """The audited split in numbers."""
    told = results.data
    splits = (f"{name} {rows:,}" for name, rows in told.splits.items())
    clusters = "rows are taken as independent"
    if told.clusters is not None:
        clusters = f"{told.clusters:,} clusters: rows of one cluster are not independent"
    classes = plural(len(told.classes), "class", "classes")
    pairs = (
        ("audited rows", f"{told.rows:,}"),
        ("of them out of scope", f"{told.out_of_scope:,}"),
        ("independence", clusters),
        ("weights", "rows are weighted" if told.weighted else "every row counts once"),
        ("labels", labels(results)),
        ("classes", f"{classes}: {_names(told.classes, 24)}"),
        ("favourable class", _names(told.positive, 24)),
        ("rows per split", ", ".join(splits)),
        ("sensitive columns", _names(told.sensitive, 24)),
        ("slice columns", _names(told.slices, 24)),
        ("lock", locked(results)),
        ("test wear", "not counted" if run.wear is None else wear(run.wear)),
    )
    return tuple((name, line(value, PROSE) or "none") for name, value in pairs)


def labels(results: Results) -> str:
    """Where the right answers come from."""
    told = _labelled_by(results)
    if results.data.labelled is None:
        return told
    rows = f"{results.data.labelled:,} of {results.data.rows:,} rows"
    return f"{told}, {rows} (`kdaudit label`)"


def _labelled_by(results: Results) -> str:
    source = results.data.label_source
    if source is None:
        return "who labelled them is NOT PROVIDED"
    if source.startswith("model:"):
        return f"labels are answers of the model {line(source.removeprefix('model:'))}"
    return LABELS.get(source, f"labels from {line(source)}")


def environment(results: Results, run: Run) -> tuple[Listed, ...]:
    """Versions, machine, time, and how many rows were predicted for it."""
    seconds = {stage: f"{value:,.1f} s" for stage, value in run.seconds.items()}
    rows = {
        role: f"{run.predicted.get(role, 0):,} predicted, {run.reused.get(role, 0):,} reused"
        for role in dict.fromkeys([*run.predicted, *run.reused])
    }
    return (
        Listed(title="Machine", pairs=pairs(run.environment), empty="nothing was recorded"),
        Listed(
            title="Versions",
            pairs=pairs({**run.packages, **results.versions}),
            empty="no version was recorded",
        ),
        Listed(title="Time by stage", pairs=pairs(seconds), empty="no stage was timed"),
        Listed(title="Rows per subject", pairs=pairs(rows), empty="no row was predicted"),
        Listed(title="Source", pairs=pairs(run.source), empty="the audit file is not under git"),
    )


def rests(results: Results, run: Run) -> Pairs:
    """What the decision rests on, for the first screen of every report."""
    main = _main_file(results)
    rows = plural(results.data.rows, "row")
    if results.data.clusters is not None:
        rows += f" in {plural(results.data.clusters, 'cluster')}"
    models = f"{_name(results, 'teacher')} → {_name(results, 'student')}"
    if results.only is not None:
        models = f"{_name(results, results.only)}, the {results.only} alone"
    if not results.subjects:
        models = "none"
    pairs = [
        ("Rows", f"{rows}{_of(results)}; {labels(results)}"),
        ("Data", f"{line(main.name, 60)}, sha256 {line(main.sha256)[:12]}…" if main else "none"),
        ("Models" if results.only is None else "Model", models),
    ]
    if subject(results, "baseline") is not None:
        pairs.append(("Baseline", _name(results, "baseline")))
    version = results.versions.get("kdaudit")
    pairs.append(
        ("Measured", line(run.started) + (f", kdaudit {line(version)}" if version else ""))
    )
    if run.decided_by is not None:
        pairs.append(("Decided again", line(run.decided_by, 300)))
    if results.lock is not None:
        pairs.append(("Lock", locked(results)))
    if results.look is not None:
        pairs.append(("Look", look(results.look, results.alpha)))
    if run.wear is not None:
        pairs.append(("Test wear", wear(run.wear)))
    return tuple(pairs)


def locked(results: Results) -> str:
    """Whether contract and data were fixed before there were results."""
    if results.lock is None:
        return "no lock: nothing shows that the contract came before the results"
    made, digest = line(results.lock.made), line(results.lock.digest)[:12]
    return f"decided under a lock made at {made}, sha256 {digest}…"


def look(taken: Look, alpha: float) -> str:
    """Which of several looks this was, and what of alpha is gone and left."""
    return (
        f"look {taken.number:,} of {taken.of:,} ({taken.spending}): it had {alpha:.3g} of alpha = "
        f"{taken.alpha:g}, and {taken.left:.3g} is left"
    )


def wear(worn: Wear) -> str:
    """How often the audited rows have decided."""
    times = "once" if worn.decisions == 1 else f"{worn.decisions:,} times"
    return f"this audit split has decided {times} ({plural(worn.students, 'student')})"


def _of(results: Results) -> str:
    """What the audited rows are a part of; without a declared split they are all there are."""
    whole = _main_file(results)
    audited = results.data.splits.get("audit", results.data.rows)
    if whole is not None and whole.rows is not None:
        split = audited < whole.rows
    else:
        split = set(results.data.splits) > {"audit"}
    return " of the audit split" if split else ""


def _main_file(results: Results) -> InputFile | None:
    return next((f for f in results.inputs if f.role == "data"), next(iter(results.inputs), None))


def subject(results: Results, role: str) -> Subject | None:
    """The subject with a role."""
    return next((s for s in results.subjects if s.role == role), None)


def _name(results: Results, role: str) -> str:
    found = subject(results, role)
    return line(found.name, 60) if found is not None else "none"


def _names(names: tuple[str, ...], most: int) -> str:
    return listing(map(line, names), most) or "none declared"
