"""The other half of the sample: fairness, hallucination, latency, and a stranger's suite."""

import math

from kdaudit.estimate import NotMeasured
from kdaudit.results import Figure, Finding, SuiteResult
from tests.reports.sample_suites import (
    HIGHER,
    LOWER,
    ROWS,
    ZERO,
    counted,
    estimate,
    other,
    share,
)

CONTRASTS = {
    ("FAI001", "dialect", "scots"): (-0.031, -0.058, 0.021, 402, "amplified"),
    ("FAI001", "dialect", "southern"): (0.012, 0.019, 0.014, 2011, "none"),
    ("FAI001", "age_band", "60+"): (-0.044, -0.041, 0.016, 611, "inherited"),
    ("FAI001", "age_band", "under 25"): (0.008, 0.047, 0.017, 733, "introduced"),
    ("FAI002", "dialect", "scots"): (-0.052, -0.013, 0.031, 96, "attenuated"),
    ("FAI002", "dialect", "southern"): (0.018, 0.011, 0.022, 402, "inconclusive"),
    ("FAI003", "dialect", "scots"): (0.006, -0.002, 0.012, 306, "none"),
    ("FAI004", "dialect", "scots"): (-0.021, -0.063, 0.024, 402, "amplified"),
    ("FAI005", "dialect", "scots"): (0.0, -0.047, 0.022, 402, "introduced"),
}
METRICS = {
    "FAI001": "selection-rate contrast",
    "FAI002": "true-positive-rate contrast",
    "FAI003": "false-positive-rate contrast",
    "FAI004": "accuracy contrast",
    "FAI005": "fidelity contrast",
}


def fairness() -> SuiteResult:
    method = "t, Welch"
    findings: list[Finding] = []
    rows: list[tuple[str | int | float | None, ...]] = []
    for (code, column, group), (t, s, half, n, label) in CONTRASTS.items():
        findings.append(
            other(
                code, METRICS[code], "share of rows", ZERO,
                (estimate(s, half * 1.1, n, method), estimate(t, half, n, method),
                 estimate(s - t, half * 0.9, n, method)),
                ((column, group),),
                note=f"Bias transfer: {label}.",
            )
        )  # fmt: skip
        label_text = f"{METRICS[code].removesuffix(' contrast')}, {column} = {group}"
        rows.append(
            (label_text, n, t, t - half, t + half, s, s - half * 1.1, s + half * 1.1, label)
        )
    small = NotMeasured("7 rows, fewer than the 10 a contrast needs")
    findings.append(
        other("FAI001", METRICS["FAI001"], "share of rows", ZERO, (small, small, small),
              (("dialect", "orcadian"),))
    )  # fmt: skip
    rows.append(
        ("selection-rate, dialect = orcadian", 7, None, None, None, None, None, None,
         "not evaluable")
    )  # fmt: skip
    columns = (
        "label", "n", "teacher", "teacher_low", "teacher_high",
        "student", "student_low", "student_high", "verdict",
    )  # fmt: skip
    figure = Figure(
        name="transfer",
        chart="contrasts",
        title="Each group minus the rest, teacher and student",
        columns=columns,
        rows=tuple(rows),
    )
    return SuiteResult(
        suite="fairness",
        codes=tuple(METRICS),
        findings=tuple(findings),
        figures=(figure,),
        notes=("Without a control, 'amplified' is said of this pair, not of distillation.",),
    )


def hallucination() -> SuiteResult:
    findings = (
        other(
            "HAL001", "incorrect answers", "share of rows", LOWER,
            (share(348, ROWS), share(264, ROWS), estimate(84 / ROWS, 0.0053, ROWS, "Tango score")),
        ),
        other(
            "HAL003", "out-of-scope claims", "share of rows", LOWER,
            (share(214, 500), share(131, 500), estimate(83 / 500, 0.036, 500, "Tango score")),
            note="Answered at the threshold 0.4, which was fixed on the validation split.",
        ),
    )  # fmt: skip
    rows = tuple(
        (subject, k / 40, risk * (k / 40) ** bend)
        for subject, risk, bend in (("student", 0.0773, 2.1), ("teacher", 0.0587, 2.6))
        for k in range(1, 41)
    )
    figure = Figure(
        name="risk_coverage",
        chart="curve",
        title="Share of wrong answers among those given, as fewer are declined",
        columns=("series", "x", "y"),
        rows=rows,
    )
    return SuiteResult(
        suite="hallucination",
        codes=("HAL001", "HAL002", "HAL003"),
        findings=findings,
        figures=(figure,),
    )


def latency() -> SuiteResult:
    findings = (
        other("LAT001", "speed-up", "times", HIGHER,
              (estimate(8.23, 0.31, 600, "paired bootstrap"), counted(1.0),
               NotMeasured("a speed-up is relative already"))),
        other("LAT002", "latency", "milliseconds", LOWER,
              (estimate(4.1, 0.12, 600, "order statistics"),
               estimate(33.4, 0.9, 600, "order statistics"),
               estimate(-29.3, 0.9, 600, "order statistics")), (("percentile", "p50"),)),
        other("LAT002", "latency", "milliseconds", LOWER,
              (estimate(6.74, 0.42, 600, "order statistics"),
               estimate(51.2, 3.3, 600, "order statistics"),
               estimate(-44.46, 3.3, 600, "order statistics")), (("percentile", "p95"),)),
        other("LAT003", "size", "bytes", LOWER,
              (counted(66_148_352), counted(438_012_774), counted(66_148_352 - 438_012_774))),
        other("LAT004", "peak memory", "bytes", LOWER,
              (NotMeasured("not measured on this platform"),
               NotMeasured("not measured on this platform"),
               NotMeasured("not measured on this platform"))),
        other("LAT006", "parameters", "count", LOWER,
              (counted(16_512_078), counted(109_482_240), counted(16_512_078 - 109_482_240))),
    )  # fmt: skip
    rows = tuple(
        (subject, middle * math.exp(spread * math.log((k + 0.5) / (59.5 - k)) / 2), (k + 1) / 60)
        for subject, middle, spread in (("student", 4.1, 0.33), ("teacher", 33.4, 0.29))
        for k in range(59)
    )
    figure = Figure(
        name="latency",
        chart="ecdf",
        title="Share of requests answered within a time, one at a time",
        columns=("subject", "milliseconds", "share"),
        rows=rows,
    )
    return SuiteResult(
        suite="latency",
        codes=("LAT001", "LAT002", "LAT003", "LAT004", "LAT006"),
        findings=findings,
        figures=(figure,),
        notes=("Closed loop, batch of one, 2 threads; teacher and student interleaved.",),
    )


def stranger() -> SuiteResult:
    """A suite kdaudit does not know, with a chart it does not know and no finding."""
    figure = Figure(
        name="flips",
        chart="sankey",
        title="The rows that flipped most often between seeds",
        columns=("row", "flips", "first seen"),
        rows=(("t-0193", 3, "seed 1"), ("t-2210", 2, None)),
    )
    return SuiteResult(suite="churn", findings=(), figures=(figure,))
