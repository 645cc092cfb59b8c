"""Where the models come from: teacher, targets, transfer data, student, and what else was tried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kdaudit.lineage import Arm, Comparison, Lineage, Searched
from kdaudit.results import Figure, Results, Subject
from kdaudit.run import Run
from kdaudit_reports.plots.cells import plain
from kdaudit_reports.plots.drawing import Picture
from kdaudit_reports.plots.figure import picture
from kdaudit_reports.text import PROSE, line

ARMS = {
    "main": "the recipe itself",
    "hard": "control: labels only, no teacher",
    "label_smoothing": "control: smoothed labels, no teacher",
    "shuffled": "control: teacher's targets shuffled",
}
METRICS = ("accuracy", "nll", "brier", "agreement")
NAMES = {"nll": "NLL", "brier": "Brier score", "agreement": "agreement with teacher"}
MOST_ARMS = 60
ROLES = {"teacher": "teacher", "student": "student", "baseline": "baseline"}

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One box of the drawn lineage.

    Attributes:
        joint: how it follows the one before: ``with`` it, from it ``to`` this, or empty.
    """

    role: str
    name: str
    facts: Pairs
    joint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRow:
    """One trained model."""

    kind: str
    meaning: str
    seed: int
    mark: str
    steps: str
    best: str
    converged: str
    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How one subject came to be."""

    role: str
    name: str
    absent: str
    nodes: tuple[Node, ...]
    formula: str
    facts: Pairs
    metrics: tuple[str, ...]
    arms: tuple[ArmRow, ...]
    left: str
    curves: tuple[Picture, ...]


def histories(results: Results, run: Run) -> tuple[History, ...]:
    """The student first: it is the one that ships."""
    order = ("student", "teacher", "baseline")
    ranked = sorted(results.subjects, key=lambda subject: order.index(subject.role))
    return tuple(_history(subject, run.lineage.get(subject.role)) for subject in ranked)


def pairs(mapping: Mapping[str, object], most: int = 60) -> Pairs:
    """A mapping of any values as text, in its own order.

    >>> pairs({"learning_rate": 0.001, "betas": [0.9, 0.99]})
    (('learning rate', '0.001'), ('betas', '0.9, 0.99'))
    """
    return tuple(
        (line(key.replace("_", " ")), line(_value(value), 400))
        for key, value in list(mapping.items())[:most]
    )


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return plain(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_value, value)) or "none"
    return "none" if value is None else str(value)


def _history(subject: Subject, lineage: Lineage | None) -> History:
    name = line(subject.name)
    if lineage is None:
        return History(
            role=subject.role,
            name=name,
            absent=f"the {subject.role} came through the {line(subject.adapter)} adapter without a "
            "lineage.json, so nothing is known of how it was trained",
            nodes=(),
            formula="",
            facts=(),
            metrics=(),
            arms=(),
            left="",
            curves=(),
        )
    epochs = [epoch for arm in lineage.arms for epoch in arm.curve]
    named = dict.fromkeys(key for epoch in epochs for key in epoch.validation)
    # The usual metrics first and in one order, whatever order the recipe logged them in.
    metrics = tuple(dict.fromkeys([*(m for m in METRICS if m in named), *named]))
    return History(
        role=subject.role,
        name=name,
        absent="",
        nodes=_nodes(lineage, name),
        formula=line(lineage.formula, PROSE),
        facts=_facts(lineage),
        metrics=tuple(NAMES.get(metric, line(metric)) for metric in metrics),
        arms=tuple(
            _arm(arm, metrics, _own(lineage), subject.role) for arm in lineage.arms[:MOST_ARMS]
        ),
        left=f"{len(lineage.arms) - MOST_ARMS:,} more arms are in lineage.json."
        if len(lineage.arms) > MOST_ARMS
        else "",
        curves=_curves(lineage, subject.role),
    )


def _nodes(lineage: Lineage, name: str) -> tuple[Node, ...]:
    facts = {
        "method": lineage.method,
        "parameters": lineage.parameters,
        "factory": lineage.factory,
        "digest": lineage.digest,
    }
    model = Node(role="model", name=name, joint="to", facts=pairs(facts))
    data = pairs(lineage.transfer)
    if lineage.teacher is None and lineage.targets is None:
        return Node(role="training data, no teacher", name="", facts=data), model
    teacher, targets = lineage.teacher or {}, lineage.targets
    return (
        Node(
            role="teacher",
            name=line(teacher.get("name", "not named")),
            facts=pairs({key: value for key, value in teacher.items() if key != "name"}),
        ),
        Node(role="transfer data", name="", joint="with", facts=data),
        Node(
            role="targets",
            name="stored answers of the teacher" if targets else "live answers of the teacher",
            joint="to",
            facts=pairs(targets) if targets else (),
        ),
        model,
    )


def _facts(lineage: Lineage) -> Pairs:
    return (
        *(_claim(comparison) for comparison in lineage.comparisons),
        *_search(lineage.search),
        *pairs(lineage.training),
        *pairs({f"{key} (model)": value for key, value in lineage.args.items()}),
        *pairs(lineage.source),
        *pairs(lineage.hardware),
        *pairs(lineage.versions),
        ("wall time", f"{lineage.wall_seconds:,.1f} s"),
        ("processor time", f"{lineage.cpu_seconds:,.1f} s"),
    )


def _claim(comparison: Comparison) -> tuple[str, str]:
    """A claim about the method, over seeds; not about the model that ships."""
    ends = (
        ""
        if comparison.low is None or comparison.high is None
        else f" [{comparison.low:+.4f}, {comparison.high:+.4f}]"
    )
    return (
        f"method against {line(comparison.control.replace('_', ' '))}",
        (
            f"{comparison.claim}: {comparison.measure} {comparison.difference:+.4f}{ends} at level "
            f"{comparison.level:.0%}, {comparison.seeds:,} seeds, {comparison.rows:,} rows, "
            f"{line(comparison.method)}; {line(comparison.reason)}"
        ),
    )


def _search(search: Searched | None) -> Pairs:
    if search is None:
        return ()
    return (
        (
            "search",
            (
                f"the best of {search.trials:,} trials ({line(search.sampler)}, seed "
                f"{search.seed}): {line(search.objective)} {search.value:.4f}, too good by being "
                "the best of many"
            ),
        ),
        ("searched", "; ".join(f"{line(k)}: {line(v)}" for k, v in search.space.items())),
    )


def _own(lineage: Lineage) -> str:
    """The kind of arm that became this model: a control's folder holds arms of that control."""
    kinds = [arm.kind for arm in lineage.arms]
    return "main" if "main" in kinds or not kinds else kinds[0]


def _arm(arm: Arm, metrics: Sequence[str], own: str, role: str) -> ArmRow:
    best = next((e for e in arm.curve if e.epoch == arm.best_epoch), None)
    values = best.validation if best is not None else {}
    mark = ""
    if arm.chosen:
        mark = "best of its seeds"
        if arm.kind == own:
            mark = "ships" if role == "student" else "this model"
    return ArmRow(
        kind=arm.kind.replace("_", " "),
        meaning=ARMS[arm.kind],
        seed=arm.seed,
        mark=mark,
        steps=f"{arm.steps:,}",
        best=f"{arm.best_epoch:,}",
        converged="yes"
        if arm.converged
        else f"no{arm.unconverged and ': '}{line(arm.unconverged)}",
        metrics=tuple(f"{values[m]:.4f}" if m in values else "none" for m in metrics),
    )


def _curves(lineage: Lineage, role: str) -> tuple[Picture, ...]:
    """Training loss of the model itself, and validation loss of every arm, chosen ones first."""
    own = _own(lineage)
    train = tuple(
        (part, epoch.epoch, value)
        for arm in lineage.arms
        if arm.chosen and arm.kind == own
        for epoch in arm.curve
        for part, value in epoch.train.items()
    )
    validation = tuple(
        (f"{arm.kind.replace('_', ' ')}, seed {arm.seed}", epoch.epoch, epoch.validation["nll"])
        for arm in sorted(lineage.arms, key=lambda arm: not arm.chosen)
        for epoch in arm.curve
        if "nll" in epoch.validation
    )
    figures = (
        Figure(
            name="train",
            chart="curve",
            title="Training loss of the model itself, by part and epoch",
            columns=("series", "x", "y"),
            rows=train,
        ),
        Figure(
            name="validation",
            chart="curve",
            title="Validation NLL of every arm, by epoch",
            columns=("series", "x", "y"),
            rows=validation,
        ),
    )
    return tuple(
        picture(figure, f"lineage-{role}-{figure.name}", ()) for figure in figures if figure.rows
    )
