"""``[serving]`` and ``[cost]``: how models are timed under load, and what serving costs."""

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Scenario = Literal["single-stream", "server", "offline"]
Scenarios = Annotated[
    tuple[Scenario, ...],
    BeforeValidator(lambda given: [given] if isinstance(given, str) else given),
    Field(min_length=1),
]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServingTable(_Table):
    """``[serving]``: language models that can be asked here are timed as they write."""

    scenarios: Scenarios = ("single-stream",)
    requests: int = Field(default=300, ge=2, strict=True)
    rate: Positive | None = None

    @model_validator(mode="after")
    def _says_how_often_requests_come(self) -> Self:
        if ("server" in self.scenarios) != (self.rate is not None):
            raise ValueError(
                'rate, in requests per second, goes with scenarios = [..., "server"]: models at '
                "different rates are not compared"
            )
        if len(set(self.scenarios)) < len(self.scenarios):
            raise ValueError(f"scenarios are named once, got {list(self.scenarios)}")
        return self


class PriceTable(_Table):
    """``[cost.teacher]``, ``[cost.student]``, ``[cost.baseline]``."""

    hourly: NotNegative | None = None
    utilisation: float | None = Field(default=None, gt=0, le=1)
    per_million_in: NotNegative = 0.0
    per_million_out: NotNegative = 0.0

    @model_validator(mode="after")
    def _has_a_price(self) -> Self:
        if (self.hourly is None) != (self.utilisation is None):
            raise ValueError(
                "hourly and utilisation go together: the price of an hour of the machine, and the "
                "share of its hours, above 0 and at most 1, in which it serves requests"
            )
        if self.hourly is None and not self.model_fields_set & {
            "per_million_in",
            "per_million_out",
        }:
            raise ValueError(
                "a price is hourly with utilisation, or per_million_in and per_million_out"
            )
        return self


class DistillationTable(_Table):
    """``[cost.distillation]``: the student's training hours at a price, and what else it took."""

    hourly: NotNegative | None = None
    declared: NotNegative | None = None

    @model_validator(mode="after")
    def _has_a_price(self) -> Self:
        if self.hourly is None and self.declared is None:
            raise ValueError("give hourly, a price of an hour of training, or declared, a sum")
        return self


class CostTable(_Table):
    """``[cost]``."""

    currency: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    date: dt.date
    teacher: PriceTable | None = None
    student: PriceTable | None = None
    baseline: PriceTable | None = None
    distillation: DistillationTable | None = None
