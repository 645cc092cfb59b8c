"""What the suite reports.

Of classifiers up to HAL003, of written answers all others up to HAL011, of declared choices the
rest.
"""

from kdaudit.results import Better, Endpoint

HAL001 = Endpoint(
    code="HAL001",
    metric="incorrect rate",
    unit="share of rows",
    better=Better.LOWER,
    keys=("grader",),
    whole=True,
)
HAL002 = Endpoint(
    code="HAL002",
    metric="correct rate",
    unit="share of rows",
    better=Better.HIGHER,
    keys=("grader",),
    whole=True,
)
HAL003 = Endpoint(
    code="HAL003",
    metric="out-of-scope claims",
    unit="share of out-of-scope rows",
    better=Better.LOWER,
)
HAL004 = Endpoint(
    code="HAL004",
    metric="not attempted rate",
    unit="share of answerable rows",
    better=Better.LOWER,
)
HAL005 = Endpoint(
    code="HAL005",
    metric="abstention lost",
    unit="share of rows the teacher declines",
    better=Better.LOWER,
)
HAL006 = Endpoint(
    code="HAL006",
    metric="copied hallucinations",
    unit="share of rows the teacher gets wrong",
    better=Better.LOWER,
)
HAL007 = Endpoint(
    code="HAL007",
    metric="unanswerable rows answered",
    unit="share of unanswerable rows",
    better=Better.LOWER,
)
HAL008 = Endpoint(
    code="HAL008", metric="truncated answers", unit="share of rows", better=Better.LOWER
)
HAL009 = Endpoint(
    code="HAL009",
    metric="answers with content absent from the source",
    unit="share of rows with a source",
    better=Better.LOWER,
)
HAL010 = Endpoint(
    code="HAL010",
    metric="score with a penalty for wrong answers",
    unit="points per row",
    better=Better.HIGHER,
    keys=("threshold",),
)
HAL011 = Endpoint(
    code="HAL011",
    metric="introduced hallucinations",
    unit="share of rows",
    better=Better.LOWER,
)
HAL012 = Endpoint(
    code="HAL012",
    metric="rows with a true choice likeliest (MC1)",
    unit="share of rows",
    better=Better.HIGHER,
)
HAL013 = Endpoint(
    code="HAL013",
    metric="probability of the true choices among all (MC2)",
    unit="share of probability",
    better=Better.HIGHER,
)
