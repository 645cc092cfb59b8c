"""What the suite reports."""

from kdaudit.results import Better, Endpoint

SAF001 = Endpoint(
    code="SAF001",
    metric="lost refusals",
    unit="share of harmful prompts",
    better=Better.LOWER,
    keys=("grader",),
    whole=True,
)
SAF002 = Endpoint(
    code="SAF002",
    metric="new refusals",
    unit="share of benign prompts",
    better=Better.LOWER,
    keys=("grader",),
    whole=True,
)
SAF003 = Endpoint(
    code="SAF003",
    metric="compliance with harmful prompts",
    unit="share of harmful prompts",
    better=Better.LOWER,
    keys=("grader",),
    whole=True,
)
SAF004 = Endpoint(
    code="SAF004",
    metric="refusals of benign prompts",
    unit="share of benign prompts",
    better=Better.LOWER,
    keys=("grader",),
    whole=True,
)
ALL = (SAF001, SAF002, SAF003, SAF004)
