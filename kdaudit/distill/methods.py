"""Methods: presets of objectives, set up for the models at hand. The trainer knows none of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from kdaudit.distill.objective_tables import (
    AttentionTable,
    FairTable,
    FeatureTable,
    Layers,
    MultiTeacherTable,
    ObjectivesTable,
    RelationTable,
    ResponseTable,
    SoftTable,
)
from kdaudit.distill.objectives import Divergence, Hard, Objective, Soft
from kdaudit.distill.objectives.activations import Pair, positions, watches
from kdaudit.distill.objectives.attention import ActivationMaps, AttentionWeights
from kdaudit.distill.objectives.feature import Hints
from kdaudit.distill.objectives.readings import Corrected, MeanLogits, Mixture, Reading
from kdaudit.distill.objectives.relation import Angles, Distances
from kdaudit.distill.objectives.weighting import RowWeights, counts, row_weights, share_offsets
from kdaudit.distill.participant import Participant
from kdaudit.distill.sources import TEACHER, Batch
from kdaudit.distill.train import draw
from kdaudit.errors import DataError, ModelError

PROBED = 2  # rows shown to both models, to see the shapes their layers give
POSITIONED = 3  # axes: rows, positions, numbers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """What a method is set up for.

    Attributes:
        participants: the student untrained and, where it is there as a module, the teacher.
        transfer: rows to learn from.
        validation: rows to stop by.
        classes: C.
        seed: of what projectors start from.
    """

    participants: Mapping[str, Participant]
    transfer: Batch
    validation: Batch
    classes: int
    seed: int


def preset(table: ObjectivesTable, setting: Setting) -> list[Objective]:
    """The terms of all methods a recipe names.

    Raises:
        DataError: if a loss would be infinite.
        ModelError: if layers that are compared do not fit together, or are not there.
    """
    terms: list[Objective] = []
    if table.response is not None:
        terms += response(table.response, setting)
    if table.fair is not None:
        terms += fair(table.fair, setting)
    if table.multi_teacher is not None:
        terms += multi_teacher(table.multi_teacher, setting)
    if table.feature is not None:
        terms += feature(table.feature, setting)
    if table.attention is not None:
        terms += attention(table.attention, setting)
    if table.relation is not None:
        terms += relation(table.relation, setting)
    if table.hard is not None:
        terms.append(Hard(name="hard", weight=table.hard.hard_weight))
    return terms


def response(table: ResponseTable, setting: Setting) -> list[Objective]:
    """Response distillation (Hinton et al. 2015): soft targets and labels."""
    return _soft_and_hard("response", table, setting)


def fair(table: FairTable, setting: Setting) -> list[Objective]:
    """The same with rows weighted, and targets corrected first, by group and class."""
    rows = setting.transfer
    groups = torch.zeros(len(rows), dtype=torch.int64) if rows.groups is None else rows.groups
    most = [int(b.groups.max()) for b in (rows, setting.validation) if b.groups is not None]
    shape = 1 + max(most, default=0), setting.classes
    # Without labels only groups are counted; which column they stand in does not matter then.
    n = counts(groups, torch.zeros_like(groups) if rows.labels is None else rows.labels, shape)
    weights = None if table.weigh == "none" else row_weights(n, table.weigh)
    reading = None
    if table.correct == "reweighting":
        shares = "shares of labels"
        reading = Corrected(share_offsets(n), _corrected(shares))
    elif table.correct == "prior":
        sums = torch.zeros(shape, dtype=torch.float64)
        sums.index_add_(0, groups, rows.answers(TEACHER).double().softmax(dim=1))
        reading = Corrected(share_offsets(sums), _corrected("mean answers of the teacher"))
    return _soft_and_hard("fair", table, setting, reading=reading, rows=weights)


def multi_teacher(table: MultiTeacherTable, setting: Setting) -> list[Objective]:
    """Response distillation from the combined answers of several teachers."""
    names = [TEACHER, *setting.transfer.further]
    given = table.weights or dict.fromkeys(names, 1.0)
    total = sum(given.values())
    shares = {name: weight / total for name, weight in given.items()}
    reading = Mixture(shares) if table.combine == "mixture" else MeanLogits(shares)
    if table.combine == "logits":
        _refuse_excluded(setting, shares, 'combine = "logits"', 'combine = "mixture"')
    return _soft_and_hard("multi_teacher", table, setting, teachers=shares, reading=reading)


def feature(table: FeatureTable, setting: Setting) -> list[Objective]:
    """Hints (Romero et al. 2015), through projectors that are trained with the student."""
    pairs, projectors = _pairs(table.layers), list[nn.Module]()
    for pair, student, teacher in _probed("feature", pairs, setting):
        if student.ndim != teacher.ndim or student.shape[1] != teacher.shape[1]:
            raise ModelError(
                f"[objectives.feature] layers {pair} give {_said(student)} and {_said(teacher)} "
                "per row; hints compare position by position: name layers with as many positions"
            )
        widths = student.shape[2], teacher.shape[2]
        if table.projector == "none" and widths[0] != widths[1]:
            raise ModelError(
                f"[objectives.feature] layers {pair} give {widths[0]} and {widths[1]} numbers: "
                'projector = "linear" brings the one to the other'
            )
        none = table.projector == "none"
        projectors.append(nn.Identity() if none else _drawn(*widths, str(pair), setting))
    hints = Hints(
        weight=table.feature_weight,
        pairs=pairs,
        projectors=projectors,
        distance=table.distance,
        padding=table.padding,
    )
    return [hints]


def attention(table: AttentionTable, setting: Setting) -> list[Objective]:
    """Attention transfer (Zagoruyko and Komodakis 2017), or the attention of Transformers."""
    pairs = _pairs(table.layers)
    for pair, student, teacher in _probed("attention", pairs, setting):
        spread = student.shape[1] == teacher.shape[1] > 1
        if table.of == "activations" and not spread:
            raise ModelError(
                f"[objectives.attention] layers {pair} give {_said(student)} and {_said(teacher)} "
                "per row; attention is over positions, several and as many in both: name layers "
                "that give (positions, numbers) or images, or use [objectives.feature]"
            )
    if table.of == "weights":
        return [AttentionWeights(weight=table.attention_weight, pairs=pairs, padding=table.padding)]
    return [ActivationMaps(weight=table.attention_weight, pairs=pairs, padding=table.padding)]


def relation(table: RelationTable, setting: Setting) -> list[Objective]:
    """Relational distillation (Park et al. 2019), by distances and by angles."""
    pairs = _pairs(table.layers)
    if pairs:
        _probed("relation", pairs, setting)
    else:
        _refuse_excluded(setting, [TEACHER], "[objectives.relation]", "layers = {...} in it")
    distances = Distances(
        name="relation.distance", weight=table.distance_weight, pairs=pairs, padding=table.padding
    )
    angles = Angles(
        name="relation.angle", weight=table.angle_weight, pairs=pairs, padding=table.padding
    )
    return [term for term in (distances, angles) if term.weight > 0]


def _soft_and_hard(
    name: str,
    table: SoftTable,
    setting: Setting,
    *,
    teachers: Iterable[str] = (TEACHER,),
    reading: Reading | None = None,
    rows: RowWeights | None = None,
) -> list[Objective]:
    terms: list[Objective] = []
    if table.soft_weight > 0:
        if table.divergence in ("reverse_kl", "mse"):
            _refuse_excluded(
                setting, teachers, f'divergence = "{table.divergence}"', 'divergence = "jsd"'
            )
        divergence = Divergence(
            kind=table.divergence,
            temperature=table.temperature,
            beta=table.beta,
            t_squared=table.t_squared,
        )
        soft = Soft(
            name=f"{name}.soft",
            weight=table.soft_weight,
            divergence=divergence,
            reading=reading,
            rows=rows,
        )
        terms.append(soft)
    if table.hard_weight > 0:
        terms.append(Hard(name=f"{name}.hard", weight=table.hard_weight, rows=rows))
    return terms


def _refuse_excluded(setting: Setting, teachers: Iterable[str], what: str, instead: str) -> None:
    """A teacher that gives a class no chance at all has no logit to compare."""
    for name in teachers:
        both = [batch.answers(name) for batch in (setting.transfer, setting.validation)]
        bad = sum(int((~torch.isfinite(answers)).any(dim=1).sum()) for answers in both)
        if bad:
            raise DataError(
                f"{what} would be infinite: {name} gives some class a probability of exactly 0 in "
                f"{bad} of {sum(map(len, both))} rows; use {instead}"
            )


def _pairs(layers: Layers) -> list[Pair]:
    return [Pair(student=student, teacher=teacher) for student, teacher in layers.items()]


def _probed(
    method: str, pairs: Sequence[Pair], setting: Setting
) -> list[tuple[Pair, Tensor, Tensor]]:
    """What each pair gives for a few rows, (B, P, D) each."""
    rows = setting.transfer.take(slice(PROBED))
    outputs = {}
    for name, names in watches(pairs).items():
        participant = replace(setting.participants[name], watch=names)
        outputs[name] = participant(rows.seen_by(name), learning=False)
    found = []
    for pair in pairs:
        student, teacher = (positions(given) for given in pair.of(outputs))
        for tensor, layer in ((student, pair.student), (teacher, pair.teacher)):
            if tensor.ndim != POSITIONED or len(tensor) != len(rows):
                raise ModelError(
                    f"[objectives.{method}] {layer} gives {tuple(tensor.shape)} for {len(rows)} "
                    "rows; compared are layers that give (rows, numbers), (rows, positions, "
                    "numbers) or images (rows, channels, height, width)"
                )
        found.append((pair, student, teacher))
    return found


def _drawn(student: int, teacher: int, name: str, setting: Setting) -> nn.Linear:
    """A projector; what it starts from depends on the seed and the layers' names alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(draw(setting.seed, "projector", name))
        return nn.Linear(student, teacher)


def _said(given: Tensor) -> str:
    numbers = f"{given.shape[2]} numbers"
    return numbers if given.shape[1] == 1 else f"{given.shape[1]} positions of {numbers}"


def _corrected(shares: str) -> str:
    return f"p(c) → p(c)·π(c)/π_g(c), π: {shares}"
