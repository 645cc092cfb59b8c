"""What the suite can report, and the reasons it shares for not reporting it."""

from kdaudit.results import Better, Endpoint, Need

CAL001 = Endpoint(code="CAL001", metric="Brier score", unit="score, 0 to 2", better=Better.LOWER)
CAL002 = Endpoint(code="CAL002", metric="negative log-likelihood", unit="nats", better=Better.LOWER)
CAL003 = Endpoint(
    code="CAL003",
    metric="signed confidence gap",
    unit="share of rows",
    better=Better.ZERO,
    keys=("@slices", "@sensitive"),
    whole=True,
)
CAL004 = Endpoint(
    code="CAL004", metric="debiased squared calibration error", unit="score", better=Better.LOWER
)
CAL005 = Endpoint(
    code="CAL005",
    metric="signed gap of the favourable class",
    unit="share of rows",
    better=Better.ZERO,
    keys=("@sensitive",),
    whole=True,
)
CAL006 = Endpoint(
    code="CAL006",
    metric="debiased squared calibration error of the favourable class",
    unit="score",
    better=Better.LOWER,
)
CAL007 = Endpoint(
    code="CAL007",
    metric="area under the generalized risk-coverage curve",
    unit="score, 0 to 0.5",
    better=Better.LOWER,
)
CAL008 = Endpoint(
    code="CAL008",
    metric="Brier score after temperature scaling",
    unit="score, 0 to 2",
    better=Better.LOWER,
)

VALIDATION = Need(kind="predictions", split="validation", optional=True)
NO_PROBABILITIES = "the subject gives labels only; calibration needs probabilities"
NO_FAVOURABLE = "no favourable class is named as `positive` under [data]"
