"""How a model came to be: from what, on what, by which loss, and what else was tried."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from kdaudit.results import FORBID

ArmKind = Literal["main", "hard", "label_smoothing", "shuffled"]
Claim = Literal["BEATS", "NO BEATS", "INCONCLUSIVE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One point of a loss curve."""

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    epoch: int
    train: Mapping[str, float]  # loss parts by objective name, and "total"
    validation: Mapping[str, float]  # accuracy, nll, brier and, with a teacher, agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One trained model: the recipe itself (``main``) or a control, under one seed."""

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    kind: ArmKind
    seed: int
    chosen: bool  # best validation loss among the seeds of its kind; of ``main``, what ships
    digest: str
    steps: int
    best_epoch: int
    converged: bool
    curve: tuple[Epoch, ...]
    unconverged: str = ""  # why it is not taken to have converged
    generations: tuple[str, ...] = ()  # weights of those it comes from, by digest, the first first


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A claim about the method: its arms against those of one control, paired over seeds.

    It speaks of what was measured on validation rows. What the audit says of the model that ships
    is another claim.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    control: ArmKind
    claim: Claim
    difference: float  # mean of the measure less the control's
    low: float | None  # None with fewer than two seeds
    high: float | None
    level: float
    seeds: int
    rows: int
    method: str
    reason: str
    measure: str = "validation accuracy"  # higher is better


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What was tried before a recipe was the best: its score there is the best of many."""

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    trials: int
    objective: str
    value: float
    sampler: str
    seed: int
    study: str
    space: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What training took, over all arms together; nothing in it is estimated by another machine."""

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    device: str
    precision: str
    accumulate: int
    processes: int
    flops: float | None  # operations of those who learn, forwards and backwards
    teacher_flops: float | None  # of teachers run in the loop; 0 where their answers were stored
    flops_by: str
    joules: Mapping[str, float]  # by counter
    joules_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The written history of one model folder (``lineage.json``)."""

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    format: Literal[1] = 1
    model: str
    digest: str
    parameters: int
    method: str
    formula: str
    factory: str
    args: Mapping[str, object]
    training: Mapping[str, object]  # optimiser, rates, batch size, epochs
    teacher: Mapping[str, str] | None  # name, adapter, digest
    targets: Mapping[str, str] | None  # evidence digest, rows
    transfer: Mapping[str, object]  # rows, digest, share of the audit split found in it
    arms: tuple[Arm, ...]
    comparisons: tuple[Comparison, ...] = ()
    init: Mapping[str, object] | None = None  # where the first weights come from, if not drawn
    search: Searched | None = None
    source: Mapping[str, str] = field(default_factory=dict)  # recipe sha256, commit
    versions: Mapping[str, str] = field(default_factory=dict)
    hardware: Mapping[str, str] = field(default_factory=dict)
    wall_seconds: float
    cpu_seconds: float
    cost: Cost | None = None

    @property
    def own(self) -> Arm | None:
        """The arm that became this model: a control's folder holds arms of that control alone."""
        kinds = [arm.kind for arm in self.arms]
        kind = "main" if "main" in kinds or not kinds else kinds[0]
        return next((arm for arm in self.arms if arm.chosen and arm.kind == kind), None)
