"""The objectives of a recipe: a table per method, checked key by key. No PyTorch here."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kdaudit.data.audit_file import Names, Table

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
DivergenceName = Literal["forward_kl", "reverse_kl", "jsd", "mse"]
Layers = dict[str, str]  # a module of the student = a module of the teacher


class SoftTable(Table):
    """What every method with soft targets says: how far from them, and how much that counts."""

    divergence: DivergenceName = "forward_kl"
    beta: float = Field(default=0.5, ge=0, le=1)
    temperature: float = Field(default=3.0, gt=0, allow_inf_nan=False)
    t_squared: bool = True
    reduction: Literal["mean_over_rows"] = "mean_over_rows"
    soft_weight: Weight = 0.7
    hard_weight: Weight = 0.3

    @model_validator(mode="after")
    def _weighs_something(self) -> Self:
        if not self.soft_weight + self.hard_weight > 0:
            raise ValueError("soft_weight and hard_weight are both 0: nothing would be learnt")
        return self

    @model_validator(mode="after")
    def _says_nothing_that_has_no_effect(self) -> Self:
        if "beta" in self.model_fields_set and self.divergence != "jsd":
            raise ValueError(f'beta belongs to divergence = "jsd", not {self.divergence}')
        idle = {"temperature", "t_squared"} & self.model_fields_set
        if idle and self.divergence == "mse":
            raise ValueError(
                f'divergence = "mse" compares logits as they are: take {min(idle)} out'
            )
        return self


class ResponseTable(SoftTable):
    """``[objectives.response]``: the teacher's softened answers, and the labels."""


class FairTable(SoftTable):
    """``[objectives.fair]``: the same, rows weighted and targets corrected by group and class."""

    group: Names = ()
    weigh: Literal["none", "groups", "classes", "reweighing"] = "groups"
    correct: Literal["none", "reweighting", "prior"] = "none"

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.weigh == "none" and self.correct == "none":
            raise ValueError(
                "weigh and correct are both none: that is [objectives.response]; weigh rows by "
                "groups, classes or reweighing, or correct the targets by reweighting or prior"
            )
        if not self.group and (self.weigh != "classes" or self.correct != "none"):
            raise ValueError(
                'name the columns that make a group, e.g. group = ["dialect"]; they stand under '
                "sensitive or slices in the audit file"
            )
        return self

    @property
    def reads_labels(self) -> bool:
        """Whether weights or corrections are counted from labels."""
        return self.weigh in ("classes", "reweighing") or self.correct == "reweighting"


class MultiTeacherTable(SoftTable):
    """``[objectives.multi_teacher]``: the answers of several teachers, combined."""

    weights: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default_factory=dict
    )
    combine: Literal["mixture", "logits"] = "mixture"


class HardTable(Table):
    """``[objectives.hard]``: the labels."""

    hard_weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class FeatureTable(Table):
    """``[objectives.feature]``: what the teacher's layers give, through a projector."""

    layers: Layers = Field(min_length=1)
    feature_weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    distance: Literal["mse", "cosine"] = "mse"
    projector: Literal["linear", "none"] = "linear"
    padding: int | None = None


class AttentionTable(Table):
    """``[objectives.attention]``: where the teacher's layers are active, or what they attend to."""

    layers: Layers = Field(min_length=1)
    of: Literal["activations", "weights"] = "activations"
    attention_weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    padding: int | None = None


class RelationTable(Table):
    """``[objectives.relation]``: distances and angles among rows, of layers or of logits."""

    layers: Layers = Field(default_factory=dict)
    distance_weight: Weight = 25.0
    angle_weight: Weight = 50.0
    padding: int | None = None

    @model_validator(mode="after")
    def _weighs_something(self) -> Self:
        if not self.distance_weight + self.angle_weight > 0:
            raise ValueError("distance_weight and angle_weight are both 0")
        if self.padding is not None and not self.layers:
            raise ValueError("padding belongs to layers of several positions; name layers")
        return self


class ObjectivesTable(Table):
    """``[objectives]``: the methods whose loss terms are added up."""

    response: ResponseTable | None = None
    fair: FairTable | None = None
    multi_teacher: MultiTeacherTable | None = None
    feature: FeatureTable | None = None
    attention: AttentionTable | None = None
    relation: RelationTable | None = None
    hard: HardTable | None = None

    @model_validator(mode="after")
    def _trains_the_output(self) -> Self:
        given = self.named
        if not given:
            raise ValueError(
                "name one: [objectives.response] to distil, [objectives.hard] to train"
            )
        if not {"response", "fair", "multi_teacher", "hard"} & set(given):
            raise ValueError(
                f"{' and '.join(given)} alone would leave the student's last layer as it was "
                "drawn: add [objectives.response] or [objectives.hard]"
            )
        return self

    @property
    def named(self) -> tuple[str, ...]:
        """The methods there are."""
        return tuple(name for name, table in self if table is not None)

    @property
    def taught(self) -> bool:
        """Whether a teacher is needed."""
        return self.named != ("hard",)

    @property
    def layered(self) -> tuple[str, ...]:
        """The methods that look inside the teacher, so that it must be there as a module."""
        inside = ("feature", "attention", *(["relation"] if self._relates_layers else []))
        return tuple(name for name in self.named if name in inside)

    @property
    def _relates_layers(self) -> bool:
        return self.relation is not None and bool(self.relation.layers)

    def reading_labels(self) -> Iterator[tuple[str, str]]:
        """Each method that reads labels, and what to write in its table so that it does not."""
        for name, table in self:
            if isinstance(table, SoftTable) and table.hard_weight > 0:
                yield name, f"set hard_weight = 0 under [objectives.{name}]"
        if self.fair is not None and self.fair.reads_labels:
            yield "fair", 'weigh by "groups" and correct by "prior" or "none" in [objectives.fair]'
        if self.hard is not None:
            yield "hard", "take [objectives.hard] out"
