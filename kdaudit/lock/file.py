"""What ``lock.json`` holds: a promise made before there were results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from kdaudit.results import FORBID, Check, InputFile
from kdaudit.stats.spending import Spending


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFile:
    """``lock.json``.

    Attributes:
        made: UTC time, ISO 8601, to the second.
        kdaudit: the version that decides.
        name: of the audit.
        seed: of every random number.
        alpha: one-sided level of every check.
        looks: how many decisions alpha is shared among; None where each has it all.
        spending: how it is shared.
        contract: the checks, in order, the default one included.
        contract_digest: of the checks and alpha; results of this contract have the same.
        policies: ``[policy.NAME]``.
        suites: options by suite.
        data: ``[data]``: roles and splits.
        asked: ``[prompt]``, ``[lm_eval]``, ``[serving]`` and ``[cost]``: what models are asked,
            timed and priced by; None in locks of earlier versions.
        files: the data files that were read.
        split: digest of the ids and labels of the audited rows.
        rows: how many those are.
        decisions: how often they had decided already, as far as the store knew.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    format: Literal[1] = 1
    made: str
    kdaudit: str
    name: str
    seed: int
    alpha: float
    looks: int | None = None
    spending: Spending | None = None
    contract: tuple[Check, ...]
    contract_digest: str
    policies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    suites: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    data: Mapping[str, object] = field(default_factory=dict)
    asked: Mapping[str, Mapping[str, object]] | None = None
    files: tuple[InputFile, ...]
    split: str
    rows: int
    decisions: int
