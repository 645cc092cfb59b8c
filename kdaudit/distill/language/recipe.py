"""The recipe of a language model: TOML with a ``[language]`` table. No PyTorch here."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from kdaudit.data.audit_file import Table, parse, read_toml
from kdaudit.distill.methods.soft_table import SoftTable, Temperature
from kdaudit.distill.recipe import Seeds, TrainTable
from kdaudit.distill.search.table import SearchedTable, SearchTable
from kdaudit.lineage import ArmKind

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class LanguageTable(Table):
    """``[language]``: text files and how they become blocks."""

    text: tuple[str, ...] = Field(min_length=1)
    validation: Share = 0.1
    block: Annotated[int, Field(ge=2)] = 256
    packing: bool = True


class CausalTable(Table):
    """``[teacher]``: a folder that Transformers wrote."""

    folder: str


class CausalStudentTable(Table):
    """``[student]``: a folder, some of its layers, or a configuration with drawn weights."""

    folder: str | None = None
    layers: tuple[Annotated[int, Field(ge=0)], ...] = ()
    drop: Count | None = None
    config: dict[str, JsonValue] | None = None
    tokenizer: str | None = None

    @model_validator(mode="after")
    def _begins_somewhere(self) -> Self:
        if (self.folder is None) == (self.config is None):
            raise ValueError(
                'a student begins as folder = "…", of which layers = [0, 2] are kept, or from '
                'drawn weights as config = { model_type = "llama", … }: give one of the two'
            )
        if self.drop is not None and (self.layers or self.config is not None):
            raise ValueError(
                "drop = 3 leaves out the three layers of a folder that matter least to the text: "
                "take layers and config out, or drop"
            )
        if self.layers and self.config is not None:
            raise ValueError("layers are cut from a folder; a config says how many it has")
        if len(set(self.layers)) < len(self.layers):
            raise ValueError(f"layers must differ, got {list(self.layers)}")
        return self


class TokensTable(SoftTable):
    """``[objectives.tokens]``: the next token, by the teacher's distribution and by the text."""

    temperature: Temperature = 1.0
    reduction: Literal["mean_over_positions"] = "mean_over_positions"  # type: ignore[assignment]
    top_k: Count | None = None

    @model_validator(mode="after")
    def _compares_distributions(self) -> Self:
        if self.divergence == "mse":
            raise ValueError(
                "mse compares logits, and those of a vocabulary are never held: use forward_kl, "
                "reverse_kl or jsd"
            )
        return self


class PreferenceTable(Table):
    """``[objectives.preference]``: candidates that the teacher ranks, best against worst."""

    preference_weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    beta: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    candidates: Annotated[int, Field(ge=2)] = 4
    prompts: Count = 256
    prompt_tokens: Count = 16
    tokens: Count = 32
    temperature: Temperature = 1.0


class LanguageObjectives(Table):
    """``[objectives]`` of a language model."""

    tokens: TokensTable
    preference: PreferenceTable | None = None


class TeacherTextTable(Table):
    """``[teacher_text]``: what the teacher writes is learnt instead of the text."""

    tokens: Count = 128
    prompt_tokens: Count = 16
    per_prompt: Count = 1
    temperature: float = Field(default=1.0, ge=0, le=1000)
    seed: Annotated[int, Field(ge=0)] = 0
    check: str | None = None
    reasoning: Literal["keep", "strip"] = "keep"
    marks: tuple[str, str] = ("<think>", "</think>")


class OnPolicyTable(Table):
    """``[on_policy]``: a share of the batches is written by the student."""

    share: float = Field(default=0.5, gt=0, le=1)
    tokens: Count = 32
    prompt_tokens: Count = 16
    temperature: Temperature = 1.0


class LanguageControls(Table):
    """``[controls]``: students of the same budget without the teacher."""

    hard: bool = True


class LanguageRecipe(Table):
    """A whole recipe of a language model (format 1)."""

    format: Literal[1] = 1
    seeds: Seeds = (0,)
    out: str | None = None
    language: LanguageTable
    teacher: CausalTable | None = None
    student: CausalStudentTable
    objectives: LanguageObjectives
    teacher_text: TeacherTextTable | None = None
    on_policy: OnPolicyTable | None = None
    train: TrainTable = Field(default_factory=TrainTable)
    controls: LanguageControls | None = None
    search: SearchTable | None = None
    searched: SearchedTable | None = None

    @model_validator(mode="after")
    def _asks_a_teacher_that_is_there(self) -> Self:
        if self.taught and self.teacher is None:
            raise ValueError(
                'a teacher is needed: folder = "…" under [teacher], or soft_weight = 0 under '
                "[objectives.tokens] to learn from the text alone"
            )
        if not self.taught and (self.teacher is not None or self.controls is not None):
            raise ValueError(
                "nothing is learnt from a teacher here: take [teacher] and [controls] out, or give "
                "soft_weight under [objectives.tokens]"
            )
        return self

    @model_validator(mode="after")
    def _can_judge_what_the_student_writes(self) -> Self:
        tokens = self.objectives.tokens
        if self.on_policy is not None and not tokens.soft_weight:
            raise ValueError("[on_policy] texts have no labels: give soft_weight, or take it out")
        if self.on_policy is not None and tokens.top_k is not None:
            raise ValueError(
                "[on_policy] texts are new at every step, so nothing of them can be stored: take "
                "top_k out"
            )
        return self

    @model_validator(mode="after")
    def _writes_into_a_block(self) -> Self:
        tables = {
            "teacher_text": self.teacher_text,
            "on_policy": self.on_policy,
            "objectives.preference": self.objectives.preference,
        }
        for name, table in tables.items():
            if table is not None and table.prompt_tokens + table.tokens > self.language.block:
                raise ValueError(
                    f"prompt_tokens + tokens of [{name}] are more than block = "
                    f"{self.language.block} under [language]"
                )
        return self

    @property
    def taught(self) -> bool:
        """Whether a teacher is needed."""
        soft = self.objectives.tokens.soft_weight > 0
        return soft or self.teacher_text is not None or self.objectives.preference is not None

    @property
    def kinds(self) -> tuple[ArmKind, ...]:
        """The recipe itself and its control."""
        controls = self.controls or LanguageControls()
        return ("main", "hard") if self.taught and controls.hard else ("main",)

    @property
    def method(self) -> str:
        """In words."""
        parts = {
            "logits" if self.objectives.tokens.top_k is None else "top-k logits": (
                self.objectives.tokens.soft_weight > 0
            ),
            "sequence-level": self.teacher_text is not None,
            "on-policy": self.on_policy is not None,
            "preference": self.objectives.preference is not None,
        }
        return " + ".join(name for name, used in parts.items() if used) or "next token"


def is_language(path: Path) -> bool:
    """Whether the recipe at ``path`` is that of a language model."""
    return "language" in _raw(path)


def read_language_recipe(path: Path) -> LanguageRecipe:
    """Read and check a recipe.

    Raises:
        ConfigError: naming the file, the key, the value and what is known.
    """
    return parse(_raw(path), LanguageRecipe, path.name)


def _raw(path: Path) -> dict[str, Any]:
    return read_toml(path, "recipe", start="docs/recipes.md shows")
