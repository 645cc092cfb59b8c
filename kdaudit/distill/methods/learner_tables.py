"""Methods that change who teaches, who learns, or what is shown: a table each. No PyTorch here."""

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from kdaudit.data.audit_file import Table
from kdaudit.distill.methods.soft_table import Layers, SoftTable, Weight

Finite = Annotated[float, Field(allow_inf_nan=False)]
Spread = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, le=10)]


class SelfTable(SoftTable):
    """``[objectives.self]``: the student's own answers of before, and the labels."""

    past: Literal["born_again", "ema", "snapshot"] = Field(default="born_again", alias="from")
    generations: int = Field(default=1, ge=1, le=20)
    decay: float = Field(default=0.99, gt=0, lt=1)

    @model_validator(mode="after")
    def _says_only_what_its_past_has(self) -> Self:
        for key, past in (("generations", "born_again"), ("decay", "ema")):
            if key in self.model_fields_set and self.past != past:
                raise ValueError(f'{key} belongs to from = "{past}", not "{self.past}"')
        if not self.soft_weight > 0:
            raise ValueError("soft_weight = 0 learns nothing of the past: use [objectives.hard]")
        return self

    @property
    def chain(self) -> int:
        """Generations after the first; 0 where a student learns from its own past as it goes."""
        return self.generations if self.past == "born_again" else 0


class OnlineTable(SoftTable):
    """``[objectives.online]``: others that learn at the same time, and the labels."""

    peers: int = Field(default=1, ge=1, le=16)
    factory: str | None = None
    args: dict[str, JsonValue] | None = None
    teacher_learns: bool = False

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        idle = {"peers", "factory", "args"} & self.model_fields_set
        if self.teacher_learns and idle:
            raise ValueError(
                f"{min(idle)} is of peers, which are drawn anew, and teacher_learns follows the "
                "audit file's teacher: take one of them out"
            )
        if not self.hard_weight > 0 or not self.soft_weight > 0:
            raise ValueError(
                "those who learn at the same time learn labels, and from each other: hard_weight "
                "and soft_weight must both be above 0"
            )
        return self


class AdversarialTable(Table):
    """``[objectives.adversarial]``: who is teacher, and who student? A network that asks."""

    layers: Layers = Field(default_factory=dict)
    adversarial_weight: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    hidden: int = Field(default=64, ge=1)
    learning_rate: Rate = 1e-3
    penalty: Weight = 1.0
    padding: int | None = None

    @model_validator(mode="after")
    def _pads_layers(self) -> Self:
        if self.padding is not None and not self.layers:
            raise ValueError("padding belongs to layers of several positions; name layers")
        return self


class DataFreeTable(SoftTable):
    """``[objectives.data_free]``: inputs that are drawn, and what the teacher says of them."""

    soft_weight: Weight = 1.0
    hard_weight: Weight = 0.0
    inputs: Literal["moment_matched", "learned"] = "moment_matched"
    rows: int | None = Field(default=None, ge=2)
    moments: Literal["transfer", "teacher"] = "transfer"
    mean: Finite | tuple[Finite, ...] | None = None
    std: Spread | tuple[Spread, ...] | None = None
    latent: int = Field(default=32, ge=1)
    hidden: int = Field(default=128, ge=1)
    learning_rate: Rate = 1e-3
    gap_weight: Weight = 1.0
    confidence_weight: Weight = 1.0
    balance_weight: Weight = 1.0

    @model_validator(mode="after")
    def _has_no_labels(self) -> Self:
        if self.hard_weight > 0:
            raise ValueError("rows that are drawn have no labels: set hard_weight = 0")
        return self

    @model_validator(mode="after")
    def _knows_its_moments_once(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std belong together: a number, or one per encoded feature")
        if self.mean is not None and "moments" in self.model_fields_set:
            raise ValueError("moments says where mean and std come from, and both are given")
        return self

    @model_validator(mode="after")
    def _has_a_network_only_where_it_learns(self) -> Self:
        of_network = {"latent", "hidden", "learning_rate"}
        of_network |= {"gap_weight", "confidence_weight", "balance_weight"}
        idle = of_network & self.model_fields_set
        if idle and self.inputs != "learned":
            raise ValueError(f'{min(idle)} belongs to inputs = "learned", not "{self.inputs}"')
        if self.gap_weight + self.confidence_weight + self.balance_weight <= 0:
            raise ValueError("all weights of the generator are 0: it would learn nothing")
        return self


class ReversedRolesTable(SoftTable):
    """``[objectives.reversed_roles]``: the audit file's student teaches, its teacher learns."""
