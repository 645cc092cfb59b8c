"""The objectives of a recipe: a table per method, checked key by key. No PyTorch here."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kdaudit.data.audit_file import Names, Table
from kdaudit.distill.methods.learner_tables import (
    AdversarialTable,
    DataFreeTable,
    OnlineTable,
    ReversedRolesTable,
    SelfTable,
)
from kdaudit.distill.methods.soft_table import Layers, SoftTable, Weight

OUTPUT = (  # methods that say what to answer
    "response",
    "fair",
    "multi_teacher",
    "self",
    "online",
    "data_free",
    "reversed_roles",
    "hard",
)
BY_ROW = (  # those that learn what a teacher says of each row, which a control can shuffle
    "response",
    "fair",
    "multi_teacher",
    "feature",
    "attention",
    "relation",
    "data_free",
    "reversed_roles",
)
BESIDE_DATA_FREE = {"data_free", "feature", "attention", "relation", "adversarial"}


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
    self: SelfTable | None = None
    online: OnlineTable | None = None
    adversarial: AdversarialTable | None = None
    data_free: DataFreeTable | None = None
    reversed_roles: ReversedRolesTable | None = None
    hard: HardTable | None = None

    @model_validator(mode="after")
    def _trains_the_output(self) -> Self:
        given = self.named
        if not given:
            raise ValueError(
                "name one: [objectives.response] to distil, [objectives.hard] to train"
            )
        if not set(OUTPUT) & set(given):
            raise ValueError(
                f"{' and '.join(given)} alone would leave the student's last layer as it was "
                "drawn: add [objectives.response] or [objectives.hard]"
            )
        return self

    @model_validator(mode="after")
    def _is_asked_of_one_teacher(self) -> Self:
        given = set(self.named)
        twice = given & {"response", "fair", "multi_teacher"}
        if self.reversed_roles is not None and twice:
            raise ValueError(
                "with reversed_roles the audit file's student is the only one that answers, and "
                f"[objectives.{min(twice)}] would learn its answers again: take one of them out"
            )
        if self.reversed_roles is not None and self.online is not None:
            raise ValueError(
                "reversed_roles learns from a model that is there, online from others that learn "
                "now: use one of them"
            )
        strange = given - BESIDE_DATA_FREE
        if self.data_free is not None and strange:
            raise ValueError(
                f"data_free shows rows that are drawn, and [objectives.{min(strange)}] needs "
                "labels or answers of stored rows: take one of them out"
            )
        return self

    @model_validator(mode="after")
    def _has_a_first_generation(self) -> Self:
        others = set(OUTPUT) & set(self.named) - {"self"}
        if self.self is not None and self.self.hard_weight == 0 and not others:
            raise ValueError(
                "self with hard_weight = 0 would learn from nothing but an untrained model: raise "
                "hard_weight, or add [objectives.response]"
            )
        return self

    @property
    def named(self) -> tuple[str, ...]:
        """The methods there are."""
        return tuple(name for name, table in self if table is not None)

    @property
    def taught(self) -> bool:
        """Whether a teacher is needed."""
        return bool(set(self.named) - {"hard", "self", "online"}) or self._teacher_learns

    @property
    def live(self) -> tuple[str, ...]:
        """The methods that need the teacher itself, as a module, and not only its answers."""
        asked = {
            "feature": self.feature is not None,
            "attention": self.attention is not None,
            "relation": self.relation is not None and bool(self.relation.layers),
            "adversarial": self.adversarial is not None and bool(self.adversarial.layers),
            "data_free": self.data_free is not None,
            "online": self._teacher_learns,
        }
        return tuple(name for name in self.named if asked.get(name))

    @property
    def chain(self) -> int:
        """Generations after the first, each taught by the one before; 0 where there is no chain."""
        return 0 if self.self is None else self.self.chain

    @property
    def controls(self) -> tuple[str, ...]:
        """The controls that make sense.

        Those on labels do wherever there is more than labels to learn, and rows that have them; the
        shuffled one does where the answer to one row is learnt, and not by a teacher that learns.
        """
        labels = self.named != ("hard",) and self.data_free is None
        shuffled = bool(set(BY_ROW) & set(self.named)) and not self._teacher_learns
        return ("hard", "label_smoothing") * labels + ("shuffled",) * shuffled

    @property
    def _teacher_learns(self) -> bool:
        return self.online is not None and self.online.teacher_learns

    def reading_labels(self) -> Iterator[tuple[str, str]]:
        """Each method that reads labels, and what to write in its table so that it does not."""
        for name, table in self:
            if name == "online" and table is not None:
                yield name, "take [objectives.online] out: those who learn with it learn labels"
            elif isinstance(table, SoftTable) and table.hard_weight > 0:
                yield name, f"set hard_weight = 0 under [objectives.{name}]"
        if self.fair is not None and self.fair.reads_labels:
            yield "fair", 'weigh by "groups" and correct by "prior" or "none" in [objectives.fair]'
        if self.hard is not None:
            yield "hard", "take [objectives.hard] out"
