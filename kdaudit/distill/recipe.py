"""The recipe: TOML that says how one student is distilled, checked key by key. No PyTorch here."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator

from kdaudit.data.audit_file import Names, SubjectTable, Table, parse, read_toml
from kdaudit.distill.objective_tables import ObjectivesTable
from kdaudit.distill.search_table import SearchedTable, SearchTable
from kdaudit.errors import ConfigError
from kdaudit.lineage import ArmKind


def _counted(value: object) -> object:
    return list(range(value)) if isinstance(value, int) and not isinstance(value, bool) else value


def _is_not_the_first(name: str) -> str:
    if name == "teacher" or not name.isidentifier():
        raise ValueError(
            "further teachers have names of letters, digits and underscores, other than teacher, "
            "which is the audit file's"
        )
    return name


Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...],
    BeforeValidator(_counted, json_schema_input_type=int | list[int]),
    Field(min_length=1),
]


class StudentTable(Table):
    """``[student]``: code is ``module:function``, in a file beside the recipe or installed."""

    factory: str
    args: dict[str, JsonValue] = Field(default_factory=dict)
    inputs: Names = ()
    encode: str | None = None
    fit: str | None = None

    @model_validator(mode="after")
    def _fits_for_an_encoder(self) -> Self:
        if self.fit is not None and self.encode is None:
            raise ValueError("fit makes the state that encode is given, but there is no encode")
        return self


Schedule = Literal["constant", "linear", "cosine"]


TeacherName = Annotated[str, AfterValidator(_is_not_the_first)]


class TrainTable(Table):
    """``[train]``."""

    optimiser: Literal["adam", "adamw"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0, le=10)
    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    epochs: int = Field(default=100, ge=1)
    batch_size: int = Field(default=64, ge=1)
    patience: int = Field(default=10, ge=1)
    schedule: Schedule = "constant"
    warmup: float = Field(default=0.0, ge=0, lt=1)
    clip: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    threads: int = Field(default=1, ge=1)


class ControlsTable(Table):
    """``[controls]``: students of the same budget without the thing under study."""

    hard: bool = True
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    shuffled: bool = True


class Recipe(Table):
    """A whole recipe (format 1)."""

    format: Literal[1] = 1
    audit: str
    seeds: Seeds = (0,)
    out: str | None = None
    student: StudentTable
    objectives: ObjectivesTable
    train: TrainTable = Field(default_factory=TrainTable)
    controls: ControlsTable | None = None
    teachers: dict[TeacherName, SubjectTable] = Field(default_factory=dict)
    search: SearchTable | None = None
    searched: SearchedTable | None = None

    @model_validator(mode="after")
    def _asks_every_teacher(self) -> Self:
        table, names = self.objectives.multi_teacher, {"teacher", *self.teachers}
        if table is None and self.teachers:
            raise ValueError(
                f"[teachers.{min(self.teachers)}] is asked by nobody: add "
                "[objectives.multi_teacher], or take the table out"
            )
        if table is not None and not self.teachers:
            raise ValueError(
                "[objectives.multi_teacher] combines teachers, and the audit file's is the only "
                'one: name another, e.g. path = "runs/other" under [teachers.other]'
            )
        if table is not None and table.weights and set(table.weights) != names:
            raise ValueError(
                "objectives.multi_teacher.weights: give each of "
                f"{', '.join(sorted(names))} a weight, or none of them"
            )
        return self

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must differ, got {list(self.seeds)}")
        if self.controls is not None and not self.soft:
            raise ValueError(
                "[controls] show what the teacher's answers add, and this recipe uses none: take "
                "the table out, or add [objectives.response]"
            )
        return self

    @property
    def soft(self) -> bool:
        """Whether a teacher is needed."""
        return self.objectives.taught

    @property
    def kinds(self) -> tuple[ArmKind, ...]:
        """The recipe itself and its controls; one that claims nothing of a teacher has none."""
        controls = self.controls or ControlsTable()
        wanted: dict[ArmKind, bool] = {
            "main": True,
            "hard": self.soft and controls.hard,
            "label_smoothing": self.soft and controls.label_smoothing > 0,
            "shuffled": self.soft and controls.shuffled,
        }
        return tuple(kind for kind, asked in wanted.items() if asked)


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        ConfigError: naming the file, the key, the value and what is known.
    """
    raw = read_toml(path, "recipe", start="docs/recipes.md shows")
    if isinstance(raw.get("audit"), dict) or "data" in raw:
        raise ConfigError(
            f"{path.name} is an audit file, not a recipe: `kdaudit run {path}` carries it out and "
            'trains what it says to `distill`; a recipe names it, as audit = "audit.toml"'
        )
    return parse(raw, Recipe, path.name)


def out_folder(path: Path, recipe: Recipe) -> Path:
    """Where the recipe at ``path`` writes its model folder: ``runs/<recipe>`` unless it says so."""
    return path.parent / (recipe.out or f"runs/{path.stem}")


def made(table: SubjectTable, base: Path) -> SubjectTable:
    """A subject with ``distill = "recipe.toml"``, as the model folder which that recipe writes.

    Args:
        table: a subject's table; one without ``distill`` comes back as it is.
        base: folder of the audit file.
    """
    if table.distill is None:
        return table
    recipe = base / table.distill
    folder = out_folder(recipe, read_recipe(recipe))
    if table.control is not None:
        folder = folder / "controls" / table.control
    kept = table.model_dump(exclude={"distill"})
    return SubjectTable.model_validate({**kept, "path": os.path.relpath(folder, base)})
