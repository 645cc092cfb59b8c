"""``[targets]``: what of a teacher's answers is kept, and when it is asked. No PyTorch here."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kdaudit.data.audit_file import Table

Temperature = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class TargetsTable(Table):
    """``[targets]`` of a recipe; the defaults are what a recipe without it does."""

    kind: Literal["full", "top_k", "label"] | None = None  # None: all that there is
    k: int | None = Field(default=None, ge=1)
    temperatures: tuple[Temperature, ...] = ()
    dtype: Literal["float16", "float32"] = "float32"
    record: bool = True
    live: bool = False
    views: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _says_what_is_truncated(self) -> Self:
        if self.kind == "top_k":
            if self.k is None or not self.temperatures:
                raise ValueError(
                    'kind = "top_k" needs k and temperatures, e.g. k = 64, temperatures = [1.0, '
                    "2.0]: what was left out cannot be softened later"
                )
            if len(set(self.temperatures)) < len(self.temperatures):
                raise ValueError(f"temperatures must differ, got {list(self.temperatures)}")
            return self
        idle = {"k", "temperatures", "dtype"} & self.model_fields_set
        if idle:
            raise ValueError(f'{min(idle)} belongs to kind = "top_k"')
        return self

    @model_validator(mode="after")
    def _sees_augmented_rows_in_one_way(self) -> Self:
        if self.live and self.views is not None:
            raise ValueError(
                "live asks the teacher about every batch anew and views stores its answers to some "
                "views: keep one of them"
            )
        if self.live and not self.record:
            raise ValueError("live runs the teacher, and record = false forbids it: keep one")
        if self.live and self.kind == "top_k":
            raise ValueError(
                'live answers are not stored, so there is nothing to truncate: take kind = "top_k" '
                "out"
            )
        return self

    @property
    def sees_views(self) -> bool:
        """Whether the teacher is asked about augmented rows."""
        return self.live or self.views is not None
