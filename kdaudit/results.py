"""What suites report, and what an audit is: types only, no arithmetic."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from kdaudit.errors import unknown
from kdaudit.estimate import Measurement, NotMeasured
from kdaudit.stats.dependence import Dependence
from kdaudit.stats.least_ratio import Ratios

if TYPE_CHECKING:
    from kdaudit.evidence.view import Evidence, Streams

Where = tuple[tuple[str, str], ...]
OTHER = "other group"  # in the address of two groups: the one that the other is held against
FORBID: dict[str, str] = {"extra": "forbid"}


class Better(StrEnum):
    """Which way is better. ``zero`` is for contrasts: the nearer to none, the better."""

    HIGHER = "higher"
    LOWER = "lower"
    ZERO = "zero"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Paired counts of 0/1 scores, one row each, unweighted and unclustered.

    Attributes:
        n11: rows where student and teacher score 1.
        n10: rows where only the student scores 1.
        n01: rows where only the teacher scores 1.
        n00: rows where both score 0.
        baseline: the same four counts for (student, baseline), or None without a baseline.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    n11: int
    n10: int
    n01: int
    n00: int
    baseline: tuple[int, int, int, int] | None = None
    kind: Literal["table"] = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """Means of additive scores, jointly over (student, teacher[, baseline]).

    Attributes:
        mean: (S,) means, or contrasts of means, S = 2 or 3.
        covariance: (S, S) covariance of those means; cluster-robust where clusters are declared.
        df: degrees of freedom of Student's t.
        n: rows; of a contrast, those of the side that has fewer.
        clusters: independent units: rows, or clusters where they are declared; of a contrast,
            those of the smaller side.
        span: how far one unit's answer can move its score; widens every interval by terms of
            order z·span/effective, so that few or no differing answers never read as certainty.
        unknown: (S,) the most each mean could move had the answers that are missing or invalid
            been given; 0 where the endpoint has a worst score to put in their place.
        filled: (S,) how far the worst scores that stand for such answers may have moved each
            mean, and so have hidden some of its spread; empty where nothing was filled in.
        effective: units of equal weight that would say as much (Kish: 1/Σp² for shares p), of a
            contrast those of the side that says less; None where all weigh the same.
        largest: share of the heaviest unit in its mean, of a contrast the larger of both sides';
            None where all weigh the same.
        scale: ``log`` where the means are logarithms of ratios and the finding prints the ratio.
        clustered: whether the units are declared clusters.
        bounds: least and greatest possible value of each mean; own values are printed within them.
        dependence: how rows hang together that are clustered or weigh differently; None where they
            are independent and weigh the same, and in files of before it was known.
        own_known: whether the means are those of the subjects; else only their differences are,
            since rows without a label stand in them on which all subjects answer alike.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    df: float
    n: int
    clusters: int
    span: float
    unknown: tuple[float, ...]
    filled: tuple[float, ...] = ()
    effective: float | None = None
    largest: float | None = None
    scale: Literal["identity", "log"] = "identity"
    clustered: bool = False
    bounds: tuple[float, float] | None = None
    dependence: Dependence | None = None
    own_known: bool = True
    kind: Literal["means"] = "means"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """The finding's own intervals are all there is: it can be checked at their level only.

    Attributes:
        level: two-sided level of those intervals; 1 for counted values, which hold at every level.
        baseline: student minus baseline, where there is a baseline.
        incomplete: whether answers are missing, so that what is undecided may be so for that.
        df: degrees of freedom by which the tails beyond the interval are judged; None for those of
            a normal distribution.
        least_p: the least p-value that can be told, as of so many bootstrap draws; None in files of
            before it was known, whose tails beyond ``level`` are not told.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    level: float
    baseline: Measurement | None = None
    incomplete: bool = False
    df: float | None = None
    least_p: float | None = None
    kind: Literal["fixed"] = "fixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastRatio:
    """A ratio to the most selected group: of each subject to its own, whichever that truly is.

    Attributes:
        student: its ratios to the other groups, or why there are none.
        teacher: likewise.
        baseline: likewise.
        versus_teacher: the student's ratios over the teacher's ratio to the group that the teacher
            selects most, for ``keep``; or why there are none.
        versus_baseline: likewise.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    student: Ratios | NotMeasured
    teacher: Ratios | NotMeasured
    baseline: Ratios | NotMeasured
    versus_teacher: Ratios | NotMeasured
    versus_baseline: Ratios | NotMeasured
    kind: Literal["least_ratio"] = "least_ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartlyLabelled:
    """Differences on all rows, own values on those that were labelled as a sample of all.

    Where all subjects answer alike, a label changes no difference of theirs.

    Attributes:
        compared: what differences rest on; own values do not follow from it.
        own: what own values, and shares of a reference, rest on; or why there are none.
        open: rows without a label on which the subjects do not answer alike; each counts against
            the student.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    compared: Table | Means
    own: Table | Means | NotMeasured
    open: int = 0
    kind: Literal["partly_labelled"] = "partly_labelled"


Basis = Table | Means | Fixed | LeastRatio | PartlyLabelled | NotMeasured


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a suite says became of something between teacher and student, as data.

    Attributes:
        name: the word, such as ``amplified``.
        about: what it is said of, such as ``bias transfer``.
        says: the claim as a clause, for the limitations of the card; empty where it is no harm.
        harm: whether it names a harm: one that the student adds, or that it passes on.
        inherited: whether the harm is the teacher's too.
        p: one-sided p-value that it is not so, before any correction; None where nothing is
            claimed.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    name: str
    about: str
    says: str = ""
    harm: bool = False
    inherited: bool = False
    p: float | None = None


def address(code: str, where: Where) -> str:
    """Print the address of a finding: the only key for streams, JUnit, SARIF and waivers.

    >>> address("SLC001", (("channel", "web"),))
    'SLC001[channel=web]'
    >>> address("ACC001", ())
    'ACC001'
    """
    inside = ",".join(f"{column}={value}" for column, value in where)
    return f"{code}[{inside}]" if inside else code


POOL = re.compile(r"all under \d+ rows$")  # the value of `together`; data may not hold it


def together(columns: Sequence[str], min_n: int) -> Where:
    """The address of all groups of some columns that have fewer than ``min_n`` rows, as one.

    >>> address("SLC001", together(["region"], 50))
    'SLC001[region=all under 50 rows]'
    """
    return tuple((column, f"all under {min_n} rows") for column in sorted(columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One measured comparison of student with teacher (and baseline) at one address.

    Attributes:
        code: stable code, e.g. ``SLC001``.
        where: sorted (column, value) pairs; empty for the whole split.
        metric: the field's name for what is measured.
        unit: what one unit of the value is, e.g. ``share of rows``.
        better: which way is better.
        student: the student's own value.
        teacher: the teacher's.
        baseline: the third subject's.
        difference: student minus teacher.
        basis: what every interval can be recomputed from without rows; ``NotMeasured`` where the
            numbers are for display only and the reason says why.
        note: one sentence that the reader of this number must see, or empty.
        label: what became of it between teacher and student, where the suite says so.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    code: str
    where: Where = ()
    metric: str
    unit: str
    better: Better
    student: Measurement
    teacher: Measurement
    baseline: Measurement
    difference: Measurement
    basis: Basis
    note: str = ""
    label: Label | None = None

    def __post_init__(self) -> None:
        if list(self.where) != sorted(self.where):
            raise ValueError(f"where must be sorted by column, got {self.where}")

    @property
    def address(self) -> str:
        """The printed address, e.g. ``SLC001[channel=web]``."""
        return address(self.code, self.where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Plot data: numbers only; a renderer decides how they look.

    Attributes:
        name: unique within its suite.
        chart: the shape of the data: ``reliability``, ``intervals``, ``matrix``, ``histogram``,
            ``curves`` or ``table``; a renderer that does not know a shape prints the rows.
        title: a sentence that says what is shown.
        columns: names of the columns of ``rows``.
        rows: one tuple per mark; text, numbers or None for "none".
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    name: str
    chart: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float | None, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteResult:
    """Everything one suite learned: numbers only, no formatting."""

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    suite: str
    codes: tuple[str, ...] = ()  # the endpoints the suite declares, measured or not
    findings: tuple[Finding, ...]
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    error: str | None = None  # a crashed suite: the one line that says how


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Evidence a suite reads: one kind, on one split, as it is or through a variant."""

    kind: Literal[
        "predictions",
        "scores",
        "timings",
        "generations",
        "grades",
        "likelihoods",
        "refusals",
        "serving",
    ]
    split: Literal["audit", "validation", "transfer"] = "audit"
    variant: str = "as-is"
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One code a suite can report, declared before anything runs.

    Attributes:
        code: the stable code.
        metric: the field's name for what is measured.
        unit: what one unit of the value is.
        better: which way is better.
        keys: what addresses its findings: column names, or ``@slices`` and ``@sensitive`` for the
            columns the audit file declares; empty for one finding over the whole split.
        whole: whether there is also a finding with no ``where`` beside those of ``keys``.
        pairs: whether a check can hold each group against each other one (``pairs = true``).
        searched: whether its addresses are what a search finds, so that no check can name them.
    """

    code: str
    metric: str
    unit: str
    better: Better
    keys: tuple[str, ...] = ()
    whole: bool = False
    pairs: bool = False
    searched: bool = False

    def finding(
        self,
        *,
        where: Where = (),
        student: Measurement,
        teacher: Measurement,
        baseline: Measurement,
        difference: Measurement,
        basis: Basis,
        note: str = "",
    ) -> Finding:
        """What was measured of this endpoint at one address."""
        return Finding(
            code=self.code,
            where=where,
            metric=self.metric,
            unit=self.unit,
            better=self.better,
            student=student,
            teacher=teacher,
            baseline=baseline,
            difference=difference,
            basis=basis,
            note=note,
        )


class Suite(Protocol):
    """A plugin that turns evidence into findings: a frozen dataclass whose fields are its options.

    ``run`` may not read files, print, or draw random numbers other than from ``streams``.
    Its module docstring is its page in the manual.
    """

    name: ClassVar[str]
    codes: ClassVar[tuple[Endpoint, ...]]

    def needs(self) -> tuple[Need, ...]:
        """What evidence the suite reads."""
        ...

    def run(self, evidence: "Evidence", streams: "Streams") -> SuiteResult:
        """Measure. An unmet need becomes ``NotMeasured`` findings, not an exception."""
        ...


class Outcome(StrEnum):
    """What became of one check, or of all."""

    PASS = "pass"  # noqa: S105  # a word, not a secret
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_EVALUABLE = "not_evaluable"
    ERROR = "error"


WORST_FIRST = (
    Outcome.ERROR,
    Outcome.FAIL,
    Outcome.INCONCLUSIVE,
    Outcome.NOT_EVALUABLE,
    Outcome.PASS,
)


class Severity(StrEnum):
    """Whether a check that is not met stops the release."""

    BLOCK = "block"
    WARN = "warn"
    INFO = "info"


class Limit(StrEnum):
    """How a check states its limit."""

    MARGIN = "margin"  # worse than the reference by at most this
    KEEP = "keep"  # at least this share of the reference
    AT_MOST = "at_most"  # the student's own value
    AT_LEAST = "at_least"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One declared limit of the contract.

    Attributes:
        code: which endpoint.
        where: exactly this address, or empty.
        each: one member per value of these columns; two columns cross.
        limit: how the limit is stated.
        value: the limit, in the endpoint's unit (a share of the reference for ``keep``).
        against: the reference of ``margin`` and ``keep``.
        min_n: members with fewer rows cannot pass; they fail where harm is shown.
        small: whether members below ``min_n`` block or are left to the limitations.
        pairs: whether each group is also held against each other group, not only against the rest.
        severity: whether it blocks.
        declared: False for the check that every audit has by default.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    code: str
    where: Where = ()
    each: tuple[str, ...] = ()
    limit: Limit
    value: float
    against: Literal["teacher", "baseline"] = "teacher"
    min_n: int = 50
    small: Literal["list", "block"] = "list"
    pairs: bool = False
    severity: Severity = Severity.BLOCK
    declared: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one check says of one finding.

    Attributes:
        check: position in ``Results.contract``.
        address: the finding's address.
        outcome: pass, fail, inconclusive, not_evaluable or error.
        measured: the quantity that is held against the limit: for ``margin`` how much worse the
            student is than the reference (positive is worse; for ``zero`` |S| - |T|), for
            ``keep`` its share of the reference, otherwise its own value (its size, for ``zero``);
            the interval is two-sided at 1 - 2 alpha.
        limit: the limit on the same scale as ``measured``.
        p_exceeded: one-sided p-value that the limit is exceeded, before Holm; None if none.
        needed_n: rows that would decide it with chance 0.8, if what was seen is true; None where
            that is more than ten times the rows at hand, or no number is enough.
        blocks: whether this verdict keeps the contract from being met.
        reason: one sentence with the unrounded interval and limit.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    check: int
    address: str
    outcome: Outcome
    measured: Measurement
    limit: float
    p_exceeded: float | None = None
    needed_n: int | None = None
    blocks: bool = True
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limitation:
    """A numbered sentence on the card, generated or written by the owner, with its evidence."""

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    id: str  # L-001 ...
    text: str
    evidence: str  # an address, a file, or "owner"
    severity: Literal["high", "medium", "low"] = "medium"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """One file the audit read."""

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    role: str
    name: str  # as written in the audit file: never a path of this machine
    sha256: str
    rows: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One audited model, and what its identity rests on."""

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    role: Literal["teacher", "student", "baseline"]
    adapter: str
    name: str
    digest: str
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSummary:
    """The audited split in numbers."""

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    rows: int
    out_of_scope: int
    clusters: int | None
    weighted: bool
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    label_source: str | None
    ungrouped: Mapping[str, int]  # rows whose cell is empty, by slice or sensitive column
    splits: Mapping[str, int]
    sensitive: tuple[str, ...]
    slices: tuple[str, ...]
    digest: str | None = None  # of the ids and labels of all audited rows
    labelled: int | None = None  # rows with a label, where not all have one
    learnt: int | None = None  # audited rows that a transfer or validation row is equal to
    alone: int | None = None  # labelled rows that stand for themselves though all answer them alike
    judged: str | None = None  # digest of how rows are weighed, grouped and partly labelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What was promised before there were results: ``kdaudit lock``, and the audit was held to it.

    Attributes:
        digest: SHA-256 of what was locked: contract, data, seed, options.
        made: UTC time, ISO 8601, to the second.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    digest: str
    made: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One of several looks that an audit split was promised, and the chance of error it spent.

    The results' own ``alpha`` is what this look spent.

    Attributes:
        number: of this look, from 1.
        of: looks that ``[audit] looks`` allows.
        spending: the function that shares alpha among them (`kdaudit.stats.spending`).
        alpha: chance of error of all looks together.
        left: of it, for the looks still to come.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    number: int
    of: int
    spending: Literal["pocock", "obrien-fleming"]
    alpha: float
    left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CardText:
    """What only a person can write; None prints NOT PROVIDED."""

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    owner: str | None = None
    contact: str | None = None
    version: str | None = None
    licence: str | None = None
    intended_use: str | None = None
    out_of_scope_use: str | None = None
    limitations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """An audit: a pure function of evidence, roles, options, contract, seed and versions.

    Same inputs, same bytes; clock, machine and durations live in `kdaudit.run.Run`.

    Format 1 was decided by other rules: its findings are read and decided anew (`kdaudit.stored`).
    """

    __pydantic_config__: ClassVar[dict[str, str]] = FORBID

    format: Literal[1, 2] = 2
    name: str
    only: Literal["teacher"] | None = None  # whose values stand in the student's place, if alone
    seed: int
    alpha: float
    versions: Mapping[str, str]
    inputs: tuple[InputFile, ...]
    subjects: tuple[Subject, ...]
    data: DataSummary
    suites: tuple[SuiteResult, ...]
    contract: tuple[Check, ...]
    policy: str | None = None  # the name of the one that was applied
    lock: Lock | None = None
    look: Look | None = None  # where the split was promised several; ``alpha`` is then its share
    verdicts: tuple[Verdict, ...]
    outcome: Outcome
    exit_code: int
    limitations: tuple[Limitation, ...]
    card: CardText

    def findings(self) -> tuple[Finding, ...]:
        """All findings of all suites, in order."""
        return tuple(finding for suite in self.suites for finding in suite.findings)

    @property
    def declared_alpha(self) -> float:
        """The ``alpha`` of the audit file: of all looks together, where there may be several."""
        return self.alpha if self.look is None else self.look.alpha

    def finding(self, address: str) -> Finding:
        """The finding at ``address``, e.g. ``results.finding("SLC001[channel=web]")``.

        Raises:
            KeyError: if nothing was measured there.
        """
        for finding in self.findings():
            if finding.address == address:
                return finding
        code = address.partition("[")[0]
        known = [finding.address for finding in self.findings() if finding.code == code]
        raise KeyError(unknown("address", address, known))
