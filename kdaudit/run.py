"""The circumstances of an audit: clock, machine, durations; everything `Results` must not hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from kdaudit.drill.drilled import Drill
from kdaudit.lineage import Lineage
from kdaudit.results import FORBID


@dataclass(frozen=True, slots=True, kw_only=True)
class Wear:
    """How often one audit split has decided, as far as its store knows.

    The more students are tried on the same rows, the likelier one of them passes by luck.

    Attributes:
        decisions: distinct pairs of a student and a contract, this one included.
        students: distinct students.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    decisions: int
    students: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of an audit (``run.json``, with ``lineage.json``, ``drill.json`` beside it).

    Attributes:
        started: UTC time, ISO 8601, to the second.
        seconds: wall time by stage.
        environment: Python, platform, processor, cores, memory, thread count, load.
        packages: versions of the libraries that computed.
        source: commit of the folder of the audit file, where it is a git checkout.
        predicted: rows each subject was run on in this execution.
        reused: rows whose evidence was already in the store.
        lineage: the history of each subject that has one, by role.
        wear: how often the audit split had decided when this was decided; None if not counted.
        decided_by: which contract decided, where that was done again from stored results.
        drill: what the audit could have seen, where that was tried.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    format: Literal[1] = 1
    started: str
    seconds: Mapping[str, float]
    environment: Mapping[str, str]
    packages: Mapping[str, str]
    source: Mapping[str, str] = field(default_factory=dict)
    predicted: Mapping[str, int] = field(default_factory=dict)
    reused: Mapping[str, int] = field(default_factory=dict)
    lineage: Mapping[str, Lineage] = field(default_factory=dict)
    wear: Wear | None = None
    decided_by: str | None = None
    drill: Drill | None = None
