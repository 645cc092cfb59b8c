"""What six suites might report of an intent classifier on 4,500 rows: findings and figures."""

import math
from collections.abc import Sequence

from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.results import Better, Figure, Finding, Fixed, SuiteResult, Where

LEVEL = 0.9
Z = 1.6448536269514722
ROWS = 4_500

HIGHER, LOWER, ZERO = Better.HIGHER, Better.LOWER, Better.ZERO
NOTHING = NotMeasured("the audit has no baseline for this endpoint")
BASIS = Fixed(level=LEVEL)


def estimate(value: float, half: float, n: int, method: str) -> Estimate:
    return Estimate(
        value=value, low=value - half, high=value + half, n=n, level=LEVEL, method=method
    )


def share(right: int, n: int) -> Estimate:
    """Wilson's interval of a share."""
    p, z2 = right / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Estimate(value=p, low=low, high=high, n=n, level=LEVEL, method="Wilson score")


def paired(student_only: int, teacher_only: int, n: int) -> Estimate:
    value = (student_only - teacher_only) / n
    half = Z * math.sqrt(((student_only + teacher_only) / n - value**2) / n)
    return estimate(value, half, n, "Tango score")


def counted(value: float, n: int = 1) -> Estimate:
    return Estimate(value=value, low=value, high=value, n=n, level=1.0, method="counted")


def scored(
    code: str,
    metric: str,
    counts: tuple[int, int, int, int],
    where: Where = (),
    note: str = "",
) -> Finding:
    """A finding of 0/1 scores from both right, student only, teacher only, neither."""
    both, student, teacher, neither = counts
    n = sum(counts)
    return Finding(
        code=code,
        where=where,
        metric=metric,
        unit="share of rows",
        better=HIGHER,
        student=share(both + student, n),
        teacher=share(both + teacher, n),
        baseline=share(both + student - max(1, neither // 9), n),
        difference=paired(student, teacher, n),
        basis=BASIS,
        note=note,
    )


def other(
    code: str,
    metric: str,
    unit: str,
    better: Better,
    sides: Sequence[Measurement],
    where: Where = (),
    note: str = "",
) -> Finding:
    """A finding from student, teacher and difference."""
    student, teacher, difference = sides
    return Finding(
        code=code,
        where=where,
        metric=metric,
        unit=unit,
        better=better,
        student=student,
        teacher=teacher,
        baseline=NOTHING,
        difference=difference,
        basis=BASIS,
        note=note,
    )


def accuracy() -> SuiteResult:
    flips = other(
        "ACC002",
        "negative flips",
        "share of rows",
        LOWER,
        (share(149, ROWS), counted(0.0, ROWS), estimate(149 / ROWS, 0.0044, ROWS, "Wilson score")),
    )
    invalid = other(
        "ACC003",
        "invalid or missing answers",
        "share of rows",
        LOWER,
        (counted(1 / ROWS, ROWS), counted(0.0, ROWS), counted(1 / ROWS, ROWS)),
        note="One row has a probability vector that does not sum to one; it counts as wrong.",
    )
    matrix = Figure(
        name="agreement",
        chart="matrix",
        title="Who is right, row by row",
        columns=("row", "column", "count"),
        rows=(
            ("teacher right", "student right", 4087),
            ("teacher right", "student wrong", 149),
            ("teacher wrong", "student right", 65),
            ("teacher wrong", "student wrong", 199),
        ),
    )
    return SuiteResult(
        suite="accuracy",
        codes=("ACC001", "ACC002", "ACC003"),
        findings=(scored("ACC001", "accuracy", (4087, 65, 149, 199)), flips, invalid),
        figures=(matrix,),
        notes=("Both models agree on 4,201 of 4,500 rows; agreement is not a gate.",),
    )


def calibration() -> SuiteResult:
    t = "paired t, 2,913 clusters"
    findings = (
        other(
            "CAL001", "Brier score", "score", LOWER,
            (estimate(0.1163, 0.0061, ROWS, t), estimate(0.0931, 0.0057, ROWS, t),
             estimate(0.0232, 0.0038, ROWS, t)),
        ),
        other(
            "CAL002", "negative log-likelihood", "nats", LOWER,
            (estimate(0.287, 0.021, ROWS, t), estimate(0.231, 0.019, ROWS, t),
             estimate(0.056, 0.012, ROWS, t)),
            note="For display only: no clipping of probabilities was declared.",
        ),
        other(
            "CAL003", "signed confidence gap", "share", ZERO,
            (estimate(-0.0312, 0.0063, ROWS, t), estimate(0.0089, 0.0055, ROWS, t),
             estimate(-0.0401, 0.0059, ROWS, t)),
            note="Negative: the student is right more often than it says.",
        ),
        other(
            "CAL004", "debiased squared calibration error", "score", LOWER,
            (NotMeasured("fewer than 15 bins hold 30 rows or more"),
             NotMeasured("fewer than 15 bins hold 30 rows or more"),
             NotMeasured("fewer than 15 bins hold 30 rows or more")),
        ),
    )  # fmt: skip
    rows: list[tuple[str | int | float | None, ...]] = []
    for subject, gap in (("student", 0.05), ("teacher", -0.01)):
        for k in range(10):
            said = 0.55 + 0.045 * k if k else 0.31
            right = min(0.985, said + gap * (1 - said) * 2)
            half = 0.09 - 0.008 * k
            n = 20 + 9 * k**2
            rows.append((subject, said, right, right - half, min(1.0, right + half), n))
    figure = Figure(
        name="reliability",
        chart="reliability",
        title="Said confidence and accuracy, in bins of equal width",
        columns=("subject", "confidence", "accuracy", "low", "high", "n"),
        rows=tuple(rows),
    )
    return SuiteResult(
        suite="calibration",
        codes=("CAL001", "CAL002", "CAL003", "CAL004"),
        findings=findings,
        figures=(figure,),
        notes=("Top-label calibration: the confidence is that of the class that was answered.",),
    )


CHANNELS = {
    "app": (1402, 18, 31, 49),
    "chat": (611, 13, 26, 40),
    "email": (803, 12, 26, 34),
    "phone": (402, 6, 41, 28),
    "web": (842, 16, 25, 44),
    "fax": (26, 0, 1, 4),
}


def intervals(name: str, title: str, findings: Sequence[Finding]) -> Figure:
    def cells(side: Measurement) -> tuple[float | None, float | None, float | None]:
        if isinstance(side, NotMeasured):
            return None, None, None
        return side.value, side.low, side.high

    rows = tuple(
        (
            ", ".join(f"{c}={v}" for c, v in f.where),
            f.student.n if isinstance(f.student, Estimate) else 0,
            *cells(f.student),
            *cells(f.teacher),
        )
        for f in findings
    )
    columns = (
        "label", "n", "student", "student_low", "student_high",
        "teacher", "teacher_low", "teacher_high",
    )  # fmt: skip
    return Figure(name=name, chart="intervals", title=title, columns=columns, rows=rows)


def slices() -> SuiteResult:
    by_channel = [
        scored("SLC001", "accuracy in the slice", counts, (("channel", channel),))
        for channel, counts in CHANNELS.items()
    ]
    classes = []
    for k in range(18):
        n = 20 + 13 * k
        lost = 2 + (k * 5) % 7
        counts = (n - lost - 4, k % 3, lost - k % 3, 4)
        classes.append(scored("SLC002", "class recall", counts, (("label", f"intent_{k:02d}"),)))
    empty = NotMeasured("no audited row carries this label")
    classes.append(
        other("SLC002", "class recall", "share of rows", HIGHER, (empty, empty, empty),
              (("label", "intent_18"),))
    )  # fmt: skip
    frequency = [
        scored("SLC003", "recall by class frequency", counts, (("frequency", band),))
        for band, counts in {
            "head": (2301, 29, 58, 71),
            "torso": (1298, 24, 49, 79),
            "tail": (488, 12, 42, 49),
        }.items()
    ]
    return SuiteResult(
        suite="slices",
        codes=("SLC001", "SLC002", "SLC003"),
        findings=(*by_channel, *classes, *frequency),
        figures=(
            intervals("channel", "Accuracy in each declared slice", by_channel),
            intervals("label", "Recall of each class", classes),
        ),
        notes=("Slices are declared, not discovered; intervals are not simultaneous.",),
    )
