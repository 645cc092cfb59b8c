"""What the suite reports."""

from kdaudit.results import Better, Endpoint

MEM001 = Endpoint(
    code="MEM001",
    metric="verbatim extraction",
    unit="share of training texts",
    better=Better.LOWER,
    keys=("@slices",),
    whole=True,
)
MEM002 = Endpoint(
    code="MEM002",
    metric="approximate extraction",
    unit="share of training texts",
    better=Better.LOWER,
    keys=("@slices",),
    whole=True,
)
MEM003 = Endpoint(
    code="MEM003",
    metric="student-only extraction",
    unit="share of training texts",
    better=Better.LOWER,
)
MEM004 = Endpoint(
    code="MEM004",
    metric="canary exposure",
    unit="bits",
    better=Better.LOWER,
    keys=("@slices",),
    whole=True,
)
MEM005 = Endpoint(
    code="MEM005",
    metric="membership inference, area under the ROC curve",
    unit="area",
    better=Better.LOWER,
    keys=("attack",),
)
MEM006 = Endpoint(
    code="MEM006",
    metric="members found at a false-positive rate of 1%",
    unit="share of training texts",
    better=Better.LOWER,
    keys=("attack",),
)
MEM007 = Endpoint(
    code="MEM007",
    metric="inherited extraction",
    unit="share of training texts the teacher extracts",
    better=Better.LOWER,
)
MEM008 = Endpoint(
    code="MEM008",
    metric="extraction of texts that were not trained on",
    unit="share of other texts",
    better=Better.LOWER,
)
ALL = (MEM001, MEM002, MEM003, MEM004, MEM005, MEM006, MEM007, MEM008)
