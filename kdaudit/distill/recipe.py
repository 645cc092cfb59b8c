"""The recipe: TOML that says how one student is distilled, checked key by key. No PyTorch here."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator

from kdaudit.data.audit_file import Names, SubjectTable, Table, parse, read_toml
from kdaudit.distill.methods.tables import ObjectivesTable
from kdaudit.distill.search.table import SearchedTable, SearchTable
from kdaudit.distill.targets.table import TargetsTable
from kdaudit.distill.transformers.table import TransformerTable
from kdaudit.errors import ConfigError
from kdaudit.lineage import ArmKind

if TYPE_CHECKING:
    from kdaudit.distill.language.recipe import LanguageRecipe


def _counted(value: object) -> object:
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if value < 1:
        raise ValueError("say how many seeds, at least 1, or which, e.g. [0, 1, 2]")
    return list(range(value))


def _is_not_the_first(name: str) -> str:
    if name in ("teacher", "past") or not name.isidentifier():
        raise ValueError(
            "further teachers have names of letters, digits and underscores, other than teacher, "
            "which is the audit file's, and past, which is the student's own"
        )
    return name


def _differ(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must differ, got {list(seeds)}")
    return seeds


Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...],
    BeforeValidator(_counted, json_schema_input_type=int | list[int]),
    Field(min_length=1),
    AfterValidator(_differ),
]


class StudentTable(Table):
    """``[student]``: code is ``module:function``, in a file beside the recipe or installed."""

    factory: str = ""
    args: dict[str, JsonValue] = Field(default_factory=dict)
    inputs: Names = ()
    encode: str | None = None
    fit: str | None = None
    augment: str | None = None
    transformer: TransformerTable | None = None

    @model_validator(mode="after")
    def _is_one_kind_of_model(self) -> Self:
        if self.transformer is None and not self.factory:
            raise ValueError(
                'say what builds it: factory = "module:function", or [student.transformer]'
            )
        own = {"factory", "args", "encode", "fit"} & self.model_fields_set
        if self.transformer is not None and own:
            raise ValueError(f"[student.transformer] says what the student is: take {min(own)} out")
        return self

    @model_validator(mode="after")
    def _fits_for_an_encoder(self) -> Self:
        if self.fit is not None and self.encode is None:
            raise ValueError("fit makes the state that encode is given, but there is no encode")
        return self


Schedule = Literal["constant", "linear", "cosine"]
Precision = Literal["no", "bf16"]
TrackerName = Literal["tensorboard", "mlflow", "wandb"]


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
    precision: Precision = "no"
    accumulate: int = Field(default=1, ge=1)
    threads: int = Field(default=1, ge=1, le=256)
    trackers: tuple[TrackerName, ...] = ()

    def learning(self) -> dict[str, object]:
        """What the trained weights depend on."""
        said = self.model_dump(exclude={"trackers"})
        later = {"precision": "no", "accumulate": 1}  # as if they had not been asked for
        return {name: value for name, value in said.items() if later.get(name, ...) != value}


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
    targets: TargetsTable = Field(default_factory=TargetsTable)
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
    def _has_targets_of_what_is_shown(self) -> Self:
        augment = self.student.augment
        if self.targets.model_fields_set and not self.soft:
            raise ValueError("[targets] are a teacher's, and this recipe has none: take it out")
        if augment is None and self.targets.sees_views:
            raise ValueError(
                "[targets] live and views are of augmented rows: say how they are changed, as "
                'augment = "module:function" under [student]'
            )
        if augment is not None and self.soft and not self.targets.sees_views:
            raise ValueError(
                f"[student] augment = {augment!r} changes what the student is shown, and the "
                "stored targets are of the rows as they are: say live = true, which asks the "
                "teacher about every batch, or views = 8, which stores its answers to that many "
                "views of each row, under [targets]"
            )
        return self

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.controls is not None and not self.objectives.controls:
            raise ValueError(
                "[controls] show what is learnt besides labels, and this recipe learns no more: "
                "take the table out, or add [objectives.response]"
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
            "hard": controls.hard,
            "label_smoothing": controls.label_smoothing > 0,
            "shuffled": controls.shuffled,
        }
        sound = ("main", *self.objectives.controls)
        return tuple(kind for kind, asked in wanted.items() if asked and kind in sound)


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


def out_folder(path: Path, recipe: "Recipe | LanguageRecipe") -> Path:
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
    from kdaudit.distill.language.recipe import is_language, read_language_recipe

    recipe = base / table.distill
    causal = is_language(recipe)
    folder = out_folder(recipe, (read_language_recipe if causal else read_recipe)(recipe))
    if table.control is not None:
        folder = folder / "controls" / table.control
    kept = table.model_dump(exclude={"distill"})
    adapter = "hf" if causal else "path"  # what is written is a folder of Transformers
    return SubjectTable.model_validate({**kept, adapter: os.path.relpath(folder, base)})
