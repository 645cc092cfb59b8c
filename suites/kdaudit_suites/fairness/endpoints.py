"""What the fairness suite can report, declared before anything runs."""

from kdaudit.results import Better, Endpoint, Need

COUNTERFACTUAL = Need(kind="predictions", variant="counterfactual", optional=True)

SENSITIVE = ("@sensitive",)


def _contrast(code: str, metric: str, of: str = "rows", unit: str = "share") -> Endpoint:
    return Endpoint(
        code=code,
        metric=f"{metric} contrast",
        unit=f"{unit} of {of}",
        better=Better.ZERO,
        keys=SENSITIVE,
        pairs=True,
    )


FAI001 = _contrast("FAI001", "selection-rate")
FAI002 = _contrast("FAI002", "true-positive-rate", of="rows with a favourable label")
FAI003 = _contrast("FAI003", "false-positive-rate", of="rows with a label that is not favourable")
FAI004 = _contrast("FAI004", "accuracy")
FAI005 = _contrast("FAI005", "fidelity")
FAI006 = _contrast("FAI006", "confidence-gap")
FAI007 = _contrast("FAI007", "negative-flip")
# Lower, not zero: the sign is in the measure already. Above 0 the associations of the data come
# out stronger; below it they come out weaker, which is no harm of this kind.
FAI008 = Endpoint(
    code="FAI008",
    metric="directional bias amplification",
    unit="share of rows",
    better=Better.LOWER,
    keys=("attribute",),
)
FAI009 = Endpoint(
    code="FAI009",
    metric="impact ratio to the most selected group",
    unit="ratio",
    better=Better.HIGHER,
    keys=SENSITIVE,
)
FAI010 = Endpoint(
    code="FAI010", metric="counterfactual flips", unit="share of rows", better=Better.LOWER
)
FAI011 = Endpoint(
    code="FAI011",
    metric="impact ratio to the rest",
    unit="ratio",
    better=Better.HIGHER,
    keys=SENSITIVE,
)
FAI012 = Endpoint(
    code="FAI012",
    metric="counterfactual shift of the favourable probability",
    unit="share of rows",
    better=Better.ZERO,
    keys=SENSITIVE,
    whole=True,
)

ALL = (
    FAI001,
    FAI002,
    FAI003,
    FAI004,
    FAI005,
    FAI006,
    FAI007,
    FAI008,
    FAI009,
    FAI010,
    FAI011,
    FAI012,
)
