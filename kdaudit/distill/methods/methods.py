"""Methods: presets of objectives, set up for the models at hand. The trainer knows none of them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn

from kdaudit.distill.methods import learner_methods
from kdaudit.distill.methods.preset import Preset
from kdaudit.distill.methods.setting import PAST, Setting, pairs_of, probed, projector, said
from kdaudit.distill.methods.soft_terms import refuse_excluded, soft_and_hard
from kdaudit.distill.methods.tables import (
    AttentionTable,
    FairTable,
    FeatureTable,
    HardTable,
    MultiTeacherTable,
    ObjectivesTable,
    RelationTable,
    ResponseTable,
)
from kdaudit.distill.objectives import Hard, Objective
from kdaudit.distill.objectives.attention import ActivationMaps, AttentionWeights
from kdaudit.distill.objectives.feature import Hints
from kdaudit.distill.objectives.readings import Corrected, MeanLogits, Mixture
from kdaudit.distill.objectives.relation import Angles, Distances
from kdaudit.distill.objectives.weighting import counts, row_weights, share_offsets
from kdaudit.distill.training.sources import TEACHER
from kdaudit.errors import ModelError

__all__ = ["METHODS", "Setting", "preset"]


def preset(table: ObjectivesTable, setting: Setting) -> Preset:
    """What all methods a recipe names come to.

    Raises:
        DataError: if a loss would be infinite.
        ModelError: if layers that are compared do not fit together, or are not there.
    """
    found = [
        method(own, setting)
        for name, method in METHODS.items()
        if (own := getattr(table, name)) is not None
    ]
    sources = [one.source for one in found if one.source is not None]
    return Preset(
        terms=tuple(term for one in found for term in one.terms),
        learners=tuple(learner for one in found for learner in one.learners),
        source=sources[0] if sources else None,
        facts={name: fact for one in found for name, fact in one.facts.items()},
        said=tuple(said for one in found for said in one.said),
    )


def response(table: ResponseTable, setting: Setting) -> Preset:
    """Response distillation (Hinton et al. 2015): soft targets and labels."""
    return _terms(soft_and_hard("response", table, setting))


def fair(table: FairTable, setting: Setting) -> Preset:
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
    return _terms(soft_and_hard("fair", table, setting, reading=reading, rows=weights))


def multi_teacher(table: MultiTeacherTable, setting: Setting) -> Preset:
    """Response distillation from the combined answers of several teachers."""
    names = [TEACHER, *(name for name in setting.transfer.further if name != PAST)]
    given = table.weights or dict.fromkeys(names, 1.0)
    total = sum(given.values())
    shares = {name: weight / total for name, weight in given.items()}
    reading = Mixture(shares) if table.combine == "mixture" else MeanLogits(shares)
    if table.combine == "logits":
        refuse_excluded(setting, shares, 'combine = "logits"', 'combine = "mixture"')
    return _terms(soft_and_hard("multi_teacher", table, setting, teachers=shares, reading=reading))


def feature(table: FeatureTable, setting: Setting) -> Preset:
    """Hints (Romero et al. 2015), through projectors that are trained with the student."""
    pairs, projectors = pairs_of(table.layers), list[nn.Module]()
    for pair, student, teacher in probed("feature", pairs, setting):
        if student.ndim != teacher.ndim or student.shape[1] != teacher.shape[1]:
            raise ModelError(
                f"[objectives.feature] layers {pair} give {said(student)} and {said(teacher)} "
                "per row; hints compare position by position: name layers with as many positions"
            )
        widths = student.shape[2], teacher.shape[2]
        if table.projector == "none" and widths[0] != widths[1]:
            raise ModelError(
                f"[objectives.feature] layers {pair} give {widths[0]} and {widths[1]} numbers: "
                'projector = "linear" brings the one to the other'
            )
        none = table.projector == "none"
        projectors.append(nn.Identity() if none else projector(*widths, str(pair), setting))
    hints = Hints(
        weight=table.feature_weight,
        pairs=pairs,
        projectors=projectors,
        distance=table.distance,
        padding=table.padding,
    )
    return _terms([hints])


def attention(table: AttentionTable, setting: Setting) -> Preset:
    """Attention transfer (Zagoruyko and Komodakis 2017), or the attention of Transformers."""
    pairs = pairs_of(table.layers)
    for pair, student, teacher in probed("attention", pairs, setting):
        spread = student.shape[1] == teacher.shape[1] > 1
        if table.of == "activations" and not spread:
            raise ModelError(
                f"[objectives.attention] layers {pair} give {said(student)} and {said(teacher)} "
                "per row; attention is over positions, several and as many in both: name layers "
                "that give (positions, numbers) or images, or use [objectives.feature]"
            )
    if table.of == "weights":
        term: Objective = AttentionWeights(
            weight=table.attention_weight, pairs=pairs, padding=table.padding
        )
    else:
        term = ActivationMaps(weight=table.attention_weight, pairs=pairs, padding=table.padding)
    return _terms([term])


def relation(table: RelationTable, setting: Setting) -> Preset:
    """Relational distillation (Park et al. 2019), by distances and by angles."""
    pairs = pairs_of(table.layers)
    if pairs:
        probed("relation", pairs, setting)
    else:
        refuse_excluded(setting, [TEACHER], "[objectives.relation]", "layers = {...} in it")
    distances = Distances(
        name="relation.distance", weight=table.distance_weight, pairs=pairs, padding=table.padding
    )
    angles = Angles(
        name="relation.angle", weight=table.angle_weight, pairs=pairs, padding=table.padding
    )
    return _terms([term for term in (distances, angles) if term.weight > 0])


def hard(table: HardTable, _setting: Setting) -> Preset:
    """The labels."""
    return _terms([Hard(name="hard", weight=table.hard_weight)])


# In this order the terms are added up: floating-point sums know an order.
METHODS: Mapping[str, Callable[[Any, Setting], Preset]] = {
    "response": response,
    "fair": fair,
    "multi_teacher": multi_teacher,
    "feature": feature,
    "attention": attention,
    "relation": relation,
    "self": learner_methods.past,
    "online": learner_methods.online,
    "adversarial": learner_methods.adversarial,
    "data_free": learner_methods.data_free,
    "reversed_roles": learner_methods.reversed_roles,
    "hard": hard,
}


def _terms(terms: Iterable[Objective]) -> Preset:
    return Preset(terms=tuple(terms))


def _corrected(shares: str) -> str:
    return f"p(c) → p(c)·π(c)/π_g(c), π: {shares}"
