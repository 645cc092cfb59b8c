"""What every table with soft targets says. No PyTorch here."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kdaudit.data.audit_file import Table

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
# Hotter, float32 rounds the differences away; `mse` is the limit.
Temperature = Annotated[float, Field(gt=0, le=1000)]
DivergenceName = Literal["forward_kl", "reverse_kl", "jsd", "mse"]
Layers = dict[str, str]  # a module of the student = a module of the teacher


class SoftTable(Table):
    """What every method with soft targets says: how far from them, and how much that counts."""

    divergence: DivergenceName = "forward_kl"
    beta: float = Field(default=0.5, ge=0, le=1)
    temperature: Temperature = 3.0
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
