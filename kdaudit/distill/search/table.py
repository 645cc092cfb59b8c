"""``[search]`` of a recipe: what is tried, how, and how often. No PyTorch and no Optuna here."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from kdaudit.data.audit_file import Table

Sampler = Literal["tpe", "random", "grid"]
TRIED = ("student", "objectives", "train", "teacher_text", "on_policy")


class RangeTable(Table):
    """Numbers from ``low`` to ``high``: whole ones where both ends are written as whole numbers.

    Attributes:
        low: the least.
        high: the most; included.
        log: draw evenly by ratio instead of by difference.
        points: how many of them a grid tries, spread evenly.
    """

    low: int | float
    high: int | float
    log: bool = False
    points: int = Field(default=4, ge=2, le=1000)

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not self.low < self.high:
            raise ValueError("low must be below high")
        if self.log and not self.low > 0:
            raise ValueError("log = true needs low above 0")
        return self

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)


Dimension = RangeTable | Annotated[tuple[JsonValue, ...], Field(min_length=1)]


def _is_tried(path: str) -> str:
    root, _, rest = path.partition(".")
    if root not in TRIED or not rest:
        raise ValueError(
            "name a field of [student], [objectives.NAME] or [train], of a language model also of "
            f'[teacher_text] or [on_policy], e.g. "train.learning_rate"; {path!r} is none'
        )
    return path


class SearchTable(Table):
    """``[search]``.

    Attributes:
        sampler: ``tpe`` learns from earlier trials, ``random`` does not, ``grid`` tries every
            combination.
        trials: how many, over all machines and sittings; a smaller grid ends earlier.
        seed: of what is drawn.
        pruner: ``median`` stops a trial whose best validation score so far is below the median of
            what others had at that epoch.
        storage: URL of a database that several machines share, as Optuna takes it; without it a
            SQLite file in the store.
        space: what to try, by dotted name of a field: a list of values, or a range. Without it the
            usual ranges of what the recipe names.
    """

    sampler: Sampler = "tpe"
    trials: int = Field(default=30, ge=1)
    seed: int = Field(default=0, ge=0)
    pruner: Literal["median", "none"] = "median"
    storage: str | None = None
    space: dict[Annotated[str, AfterValidator(_is_tried)], Dimension] = Field(default_factory=dict)


class SearchedTable(Table):
    """``[searched]``: written by a search into the recipe it ends with, and kept in the lineage."""

    trials: int = Field(ge=1)
    objective: str
    value: float
    sampler: Sampler
    seed: int
    study: str
    space: dict[str, str]
