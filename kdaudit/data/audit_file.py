"""The audit file: TOML that names data, subjects, suites and contract, checked key by key."""

import math
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from kdaudit.data.prompt_table import PromptTable, columns
from kdaudit.data.serving_tables import CostTable, ServingTable
from kdaudit.errors import ConfigError, unknown
from kdaudit.stats.spending import Spending

T = TypeVar("T", bound=BaseModel)


class Table(BaseModel):
    """A TOML table: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _one_or_many(value: object) -> object:
    """One name, or a list of names; labels and cells are text, so a bare number is one too."""
    many = value if isinstance(value, list | tuple) else [value]
    return [str(one) if isinstance(one, bool | int) else one for one in many]


def _bracketed(value: object) -> object:
    if isinstance(value, dict):  # pydantic listens to ValueError
        raise ValueError(  # noqa: TRY004
            "write [[contract]] with two brackets: there may be many checks"
        )
    return value


RUNS = ("lm-eval:", "inspect:")  # earlier runs of benchmarks, whose rows are the data
Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]
TEXT_PARTS = ("length", "negation", "rare")  # what is derived from a text column
Share = Annotated[float, Field(gt=0, lt=1)]


def _names_a_folder(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise ValueError(
            "it names the run folder: up to 100 letters, digits, dots, dashes or underscores"
        )
    return name


class AuditTable(Table):
    """``[audit]``."""

    name: Annotated[str, AfterValidator(_names_a_folder)]
    format: Literal[1] = 1
    seed: int = Field(default=0, ge=0)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    looks: int | None = Field(default=None, ge=1, le=1000, strict=True)
    spending: Spending = "pocock"

    @model_validator(mode="after")
    def _spends_on_looks(self) -> Self:
        if self.looks is None and "spending" in self.model_fields_set:
            raise ValueError(
                "spending shares alpha among several looks at the same rows: say how many, e.g. "
                "looks = 10"
            )
        return self


class ColumnSplit(Table):
    """``split``: the values of a column that make up each split."""

    column: str
    audit: Names
    validation: Names = ()
    transfer: Names = ()


class HashSplit(Table):
    """``split``: shares drawn by a hash of the id, or of the cluster where there is one."""

    by: Literal["hash"]
    audit: Share
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _leaves_a_transfer_set(self) -> Self:
        if not self.audit + self.validation <= 1:
            raise ValueError("audit and validation are shares of the rows; together at most 1")
        return self


def _which_split(value: object) -> str:
    return "HashSplit" if isinstance(value, dict) and "by" in value else "ColumnSplit"


Split = Annotated[
    Annotated[ColumnSplit, Tag("ColumnSplit")] | Annotated[HashSplit, Tag("HashSplit")],
    Discriminator(_which_split),
]


class TransferTable(Table):
    """``[data.transfer]``: another file to distil on, labelled or not."""

    path: str
    id: str | None = None
    label: str | None = None


class LabelsTable(Table):
    """``[data.labels]``: a file of labels of some of the audited rows; `kdaudit label` begins it.

    ``weights`` is a file with the id of every listed row and ``stands_for``, how many rows it
    stands for.
    """

    path: str
    id: str | None = None
    label: str = "label"
    weights: str | None = None


class ProtectedTable(Table):
    """``[data.protected]``: texts that no model should be able to give away."""

    path: str
    text: str = "text"
    prefix_words: int = Field(default=50, ge=1)
    suffix_words: int = Field(default=50, ge=1)
    slices: Names = ()


class ScoreTable(Table):
    """``[data.scores.NAME]``: what the column ``score_NAME`` of every subject's file holds."""

    better: Literal["higher", "lower"]
    low: float
    high: float

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(
                f"low and high are the least and the greatest possible score; got {self.low} "
                f"and {self.high}"
            )
        return self


class CounterfactualTable(Table):
    """``[data.counterfactual]``: terms of the text inputs that change places."""

    swap: Annotated[tuple[tuple[str, str], ...], Field(min_length=1)]
    columns: Names = ()


class GradingTable(Table):
    """``[data.grading]``: who grades what language models wrote."""

    by: str = "short-answer"
    judge: str | None = None
    related: bool | None = None
    refusals: str = "lexical"

    @model_validator(mode="after")
    def _names_the_judge(self) -> Self:
        if (self.by == "judge") != (self.judge is not None):
            raise ValueError('by = "judge" and judge = "its name" go together')
        return self


def _is_a_source(source: str) -> str:
    if source not in ("human", "outcome") and not source.startswith("model:"):
        raise ValueError("known: human, outcome, model:NAME")
    return source


def _cut(rule: object) -> object:
    if rule is False:
        return rule
    if isinstance(rule, int) and not isinstance(rule, bool) and 2 <= rule <= 20:
        return rule
    if isinstance(rule, list | tuple) and rule:
        numbers = [float(x) for x in rule if isinstance(x, int | float) and math.isfinite(x)]
        rising = all(low < high for low, high in pairwise(numbers))
        if len(numbers) == len(rule) and rising:
            return tuple(numbers)
    raise ValueError(
        "say how many bands (2 to 20), or where bands begin, rising, e.g. [18, 40, 65], or false "
        "to keep the values"
    )


Bands = Annotated[int | tuple[float, ...] | Literal[False], BeforeValidator(_cut)]


class DataTable(Table):
    """``[data]``."""

    path: str
    id: str | None = None
    label: str | None = None
    label_source: Annotated[str, AfterValidator(_is_a_source)] | None = None
    labels: LabelsTable | None = None
    positive: Names = ()
    inputs: Names = ()
    sensitive: Names = ()
    slices: Names = ()
    text: Names = ()
    time: str | None = None
    bands: dict[str, Bands] = Field(default_factory=dict)
    cluster: str | None = None
    weight: str | None = None
    out_of_scope: str | None = None
    split: Split | None = None
    transfer: TransferTable | None = None
    protected: ProtectedTable | None = None
    counterfactual: CounterfactualTable | None = None
    scores: dict[str, ScoreTable] = Field(default_factory=dict)
    answers: str | None = None
    source: str | None = None
    choices: str | None = None
    stereotyped: str | None = None
    unknown: str | None = None
    grading: GradingTable | None = None

    @model_validator(mode="after")
    def _names_each_attribute_once(self) -> Self:
        named = (*self.slices, *self.sensitive)
        for name in self.derived_columns:
            if name in named:
                raise ValueError(f"{name} is derived from text or time already; take it out")
        cut = (*named, *(f"{name}.length" for name in self.text))
        for name in self.bands:
            if name not in cut:
                raise ValueError(f"bands: {unknown('column to cut', name, cut)}")
        return self

    @model_validator(mode="after")
    def _names_choices(self) -> Self:
        for role in ("stereotyped", "unknown"):
            if getattr(self, role) is not None and self.choices is None:
                raise ValueError(f"{role} names one of a row's choices: name their column, choices")
        return self

    @model_validator(mode="after")
    def _knows_whose_labels_come_later(self) -> Self:
        if self.labels is None:
            return self
        if self.label_source not in ("human", "outcome"):
            raise ValueError(
                "labels: some rows only are labelled, so nothing can show that the labels are no "
                'copies of answers: say label_source = "human" or "outcome"'
            )
        if self.out_of_scope is not None:
            raise ValueError(
                "labels: whether a row is out of scope must be known of all rows; take "
                "out_of_scope out, or label every row"
            )
        return self

    @property
    def derived_columns(self) -> tuple[str, ...]:
        """Attributes that follow from ``text`` and ``time``."""
        of_text = (f"{name}.{part}" for name in self.text for part in TEXT_PARTS)
        return (*of_text, *(() if self.time is None else (f"{self.time}.period",)))

    @property
    def slice_columns(self) -> tuple[str, ...]:
        """Every attribute by which slices are made."""
        return (*self.slices, *self.derived_columns)


class SubjectTable(BaseModel):
    """``[teacher]``, ``[student]``, ``[baseline]``: one adapter key, its options, and these."""

    model_config = ConfigDict(extra="allow", frozen=True)

    distill: str | None = None
    control: Literal["hard", "label_smoothing", "shuffled"] | None = None
    threshold: Share | None = None
    rename: dict[str, str] = Field(default_factory=dict)
    timings: str | None = None
    hardware: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _names_one_model(self) -> Self:
        if self.distill is not None and self.options:
            raise ValueError(
                f"distill names the model already; take {', '.join(sorted(self.options))} out"
            )
        return self

    @model_validator(mode="after")
    def _says_where_it_was_timed(self) -> Self:
        if self.timings is not None and self.hardware is None:
            raise ValueError(
                f"timings = {self.timings!r} were taken elsewhere: say on what, e.g. "
                'hardware = "Pixel 8, 4 threads"'
            )
        return self

    @property
    def options(self) -> dict[str, Any]:
        """The adapter key and its options."""
        return dict(self.model_extra or {})


class CheckTable(Table):
    """``[[contract]]``: one limit."""

    check: str
    margin: float | None = Field(default=None, ge=0, strict=True)
    keep: float | None = Field(default=None, gt=0, strict=True)
    at_most: float | None = Field(default=None, strict=True)
    at_least: float | None = Field(default=None, strict=True)
    against: Literal["teacher", "baseline"] | None = None
    where: dict[str, str | int | float | bool] = Field(default_factory=dict)
    each: Names = ()
    min_n: int = Field(default=50, ge=2, strict=True)
    small: Literal["list", "block"] = "list"
    pairs: bool = False
    severity: Literal["block", "warn", "info"] = "block"

    @model_validator(mode="after")
    def _states_one_limit(self) -> Self:
        given = [
            k for k in ("margin", "keep", "at_most", "at_least") if getattr(self, k) is not None
        ]
        if len(given) != 1:
            raise ValueError(
                "exactly one of margin, keep, at_most, at_least says the limit; "
                f"got {', '.join(given) or 'none'}"
            )
        if not math.isfinite(getattr(self, given[0])):
            raise ValueError(f"{given[0]} must be a finite number, got {getattr(self, given[0])}")
        if self.against and given[0] in ("at_most", "at_least"):
            raise ValueError(
                f"against goes with margin or keep; {given[0]} holds the student alone"
            )
        if self.where and self.each:
            raise ValueError("where names one slice and each names many: give one of them")
        return self


class LmEvalTable(Table):
    """``[lm_eval]``: tasks that lm-eval runs on every subject."""

    tasks: Annotated[Names, Field(min_length=1)]
    num_fewshot: int | None = Field(default=None, ge=0)
    limit: int | None = Field(default=None, gt=0)
    batch_size: int = Field(default=8, gt=0)


class PolicyTable(Table):
    """``[policy.NAME]``: what blocks where this policy is asked for."""

    inconclusive: Literal["block", "warn"] = "block"
    not_evaluable: Literal["block", "warn"] = "block"


class CardTable(Table):
    """``[card]``: what only a person can write."""

    owner: str | None = None
    contact: str | None = None
    version: str | None = None
    licence: str | None = None
    intended_use: str | None = None
    out_of_scope_use: str | None = None
    limitations: Names = ()


class AuditFile(Table):
    """A whole audit file (format 1)."""

    audit: AuditTable
    data: DataTable
    teacher: SubjectTable
    student: SubjectTable | None = None
    students: dict[Annotated[str, AfterValidator(_names_a_folder)], SubjectTable] = Field(
        default_factory=dict
    )
    baseline: SubjectTable | None = None
    lm_eval: LmEvalTable | None = None
    prompt: PromptTable | None = None
    serving: ServingTable | None = None
    cost: CostTable | None = None
    suites: dict[str, dict[str, Any]] = Field(default_factory=dict)
    contract: Annotated[tuple[CheckTable, ...], BeforeValidator(_bracketed)] = ()
    policy: dict[str, PolicyTable] = Field(default_factory=dict)
    card: CardTable = Field(default_factory=CardTable)

    @model_validator(mode="after")
    def _says_what_is_right(self) -> Self:
        texts = self.data.answers or self.data.choices or self.prompt
        scored = self.data.scores or texts or self.data.path.startswith(RUNS)
        if self.data.label is None and self.data.labels is None and not scored:
            raise ValueError(
                "data.label is missing: the column of the right answers; or say under "
                "[data.labels] which file will hold them: `kdaudit label` writes the few rows "
                "that need one"
            )
        return self

    @model_validator(mode="after")
    def _shows_inputs(self) -> Self:
        template = None if self.prompt is None else self.prompt.template
        if template is None:
            return self
        named = columns(template)
        for name in named:
            if name not in self.data.inputs:
                known = self.data.inputs
                raise ValueError(f"prompt.template: {unknown('column of inputs', name, known)}")
        if not named and not self.data.choices:
            raise ValueError(
                "prompt.template names no column, so every row would be asked the same; put one of "
                f"the inputs in braces, e.g. {{{next(iter(self.data.inputs), 'question')}}}"
            )
        return self

    @model_validator(mode="after")
    def _names_one_student_or_several(self) -> Self:
        if self.student is not None and self.students:
            raise ValueError("[student] names one student and [students.NAME] several: keep one")
        return self

    @model_validator(mode="after")
    def _baseline_is_there_when_asked_for(self) -> Self:
        if self.baseline is None and any(check.against == "baseline" for check in self.contract):
            raise ValueError('a check says against = "baseline", but there is no [baseline]')
        named = {f"students.{name}": table for name, table in self.students.items()}
        for role, table in {"teacher": self.teacher, "student": self.student, **named}.items():
            if table is not None and table.control:
                raise ValueError(f"[{role}] control: a control can only be the [baseline]")
        table = self.baseline
        if table is not None and table.control and not (table.distill or table.options):
            raise ValueError(
                '[baseline] control: say of which recipe, e.g. distill = "recipe.toml"'
            )
        return self


def read_audit_file(path: Path) -> AuditFile:
    """Read and check an audit file.

    Raises:
        ConfigError: naming the file, the key, the value and what is known.
    """
    raw = read_toml(path, "audit file")
    if "objectives" in raw:
        audit = path.parent / str(raw.get("audit", "audit.toml"))
        raise ConfigError(
            f"{path.name} is a recipe, not an audit file: `kdaudit distill {path}` trains it, "
            f"`kdaudit run {audit}` audits what it makes"
        )
    return parse(raw, AuditFile, str(path.name))


def read_toml(path: Path, what: str, *, start: str = "`kdaudit init` writes") -> dict[str, Any]:
    """Read a TOML file; ``start`` says what gives one, for the message that there is none.

    Raises:
        ConfigError: if it is missing, a folder, not UTF-8 or not TOML.
    """
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name the {what} in it")
    if not path.exists():
        raise ConfigError(f"there is no {what} {path}; {start} one to start from")
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error


def parse(raw: dict[str, Any], model: type[T], name: str) -> T:
    """Validate a TOML document, turning the first problem into one sentence.

    Raises:
        ConfigError: naming the key, the value and the nearest known key.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{name}: {_sentence(error, model)}") from None


def _sentence(error: ValidationError, model: type[BaseModel]) -> str:
    problems = error.errors(include_url=False)
    # Of a union's complaints, the one that got furthest is about what the user meant.
    first = max(problems, key=lambda p: (p["type"] == "extra_forbidden", len(p["loc"])))
    location = [part for part in first["loc"] if not _is_branch(part)]
    key = ".".join(f" number {part + 1}" if isinstance(part, int) else part for part in location)
    key = key.replace(". ", " ")
    if first["type"] == "extra_forbidden":
        known = _known_keys(model, location[:-1])
        place, _, _ = key.rpartition(str(location[-1]))
        where = f" in {place.rstrip('.')}" if place else ""
        return unknown(f"key{where}", str(location[-1]), known)
    if first["type"] == "missing":
        return f"{key} is missing"
    message = first["msg"].removeprefix("Value error, ")
    value = first["input"]
    shown = f", got {value!r}" if not isinstance(value, dict) and key else ""
    return f"{key}: {message}{shown}" if key else message


def _is_branch(part: object) -> bool:
    """Whether pydantic named a member of a union rather than a key."""
    return isinstance(part, str) and part in {"ColumnSplit", "HashSplit"}


def _known_keys(model: type[BaseModel], path: list[int | str]) -> list[str]:
    current: Any = model
    for part in path:
        if isinstance(part, int) or part not in current.model_fields:
            continue  # a position, or a name that the user chose
        annotation = current.model_fields[part].annotation
        found = [t for t in _flat(annotation) if isinstance(t, type) and issubclass(t, BaseModel)]
        if not found:
            return []
        if len(found) > 1:
            return sorted({name for member in found for name in member.model_fields})
        current = found[0]
    return list(current.model_fields)


def _flat(annotation: Any) -> list[Any]:
    inner = get_args(annotation)
    return [annotation] if not inner else [leaf for part in inner for leaf in _flat(part)]
