"""One rich audit and one with nothing in it; every renderer is tested on both."""

from dataclasses import replace

from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.results import (
    CardText,
    Check,
    DataSummary,
    InputFile,
    Limit,
    Limitation,
    Lock,
    Outcome,
    Results,
    Severity,
    Subject,
    SuiteResult,
    Verdict,
)
from kdaudit.run import Run
from tests.reports import sample_more, sample_suites

PASS, FAIL = Outcome.PASS, Outcome.FAIL
OPEN, NONE = Outcome.INCONCLUSIVE, Outcome.NOT_EVALUABLE

SUITES: tuple[SuiteResult, ...] = (
    sample_suites.accuracy(),
    sample_suites.calibration(),
    sample_suites.slices(),
    sample_more.fairness(),
    sample_more.hallucination(),
    sample_more.latency(),
    sample_more.stranger(),
)
FOUND = {finding.address: finding for suite in SUITES for finding in suite.findings}

CONTRACT = (
    Check(code="ACC001", limit=Limit.MARGIN, value=0.01),
    Check(code="ACC001", limit=Limit.KEEP, value=0.95, against="baseline"),
    Check(code="CAL001", limit=Limit.MARGIN, value=0.03),
    Check(code="SLC001", each=("channel",), limit=Limit.MARGIN, value=0.03),
    Check(code="FAI001", each=("dialect",), limit=Limit.MARGIN, value=0.03),
    Check(code="LAT001", limit=Limit.AT_LEAST, value=4.0),
    Check(code="CAL002", limit=Limit.AT_MOST, value=0.35),
    Check(code="LAT003", limit=Limit.AT_MOST, value=50e6, severity=Severity.WARN),
    Check(code="ACC003", limit=Limit.AT_MOST, value=0.001, min_n=2, declared=False),
)


def worse(address: str) -> Measurement:
    """What a margin holds: how much worse the student is."""
    difference = FOUND[address].difference
    if isinstance(difference, NotMeasured) or FOUND[address].better != "higher":
        return difference
    return replace(difference, value=-difference.value, low=-difference.high, high=-difference.low)


def verdict(
    check: int,
    address: str,
    outcome: Outcome,
    measured: Measurement,
    *,
    needed: int | None = None,
    blocks: bool | None = None,
    because: str = "",
) -> Verdict:
    limit = CONTRACT[check].value
    told = because
    if isinstance(measured, Estimate) and not because:
        told = (
            f"{FOUND[address].metric}: {measured.value:.6g} [{measured.low:.6g}, "
            f"{measured.high:.6g}], {limit:.6g} allowed"
        )
        told += {FAIL: "; beyond the limit (Holm p = 0.0012 over 11)"}.get(outcome, "")
        if outcome is OPEN:
            told += f"; not decided (Holm p = 0.41); about {needed or 0:,} rows would decide"
    return Verdict(
        check=check,
        address=address,
        outcome=outcome,
        measured=measured,
        limit=limit,
        needed_n=needed,
        blocks=outcome is not PASS if blocks is None else blocks,
        reason=told,
    )


KEPT = Estimate(value=1.0106, low=0.9987, high=1.0227, n=4_500, level=0.9, method="Tang score")
SCOTS = Estimate(
    value=0.027, low=0.0061, high=0.0479, n=402, level=0.9,
    method="intersection-union of t, Welch",
)  # fmt: skip
SOUTH = Estimate(
    value=0.007, low=-0.0071, high=0.0211, n=2011, level=0.9,
    method="intersection-union of t, Welch",
)  # fmt: skip
DISPLAY = NotMeasured("NLL is for display only where no clipping of probabilities is declared")
TOO_FEW = NotMeasured("7 rows, fewer than the 10 a contrast needs")

VERDICTS = (
    verdict(0, "ACC001", FAIL, worse("ACC001")),
    verdict(1, "ACC001", PASS, KEPT),
    verdict(2, "CAL001", PASS, worse("CAL001")),
    verdict(3, "SLC001[channel=app]", PASS, worse("SLC001[channel=app]")),
    verdict(3, "SLC001[channel=chat]", OPEN, worse("SLC001[channel=chat]"), needed=1_840),
    verdict(3, "SLC001[channel=email]", PASS, worse("SLC001[channel=email]")),
    verdict(3, "SLC001[channel=phone]", FAIL, worse("SLC001[channel=phone]")),
    verdict(3, "SLC001[channel=web]", PASS, worse("SLC001[channel=web]")),
    verdict(
        3, "SLC001[channel=fax]", NONE, worse("SLC001[channel=fax]"), needed=50, blocks=False,
        because="31 rows, fewer than min_n = 50; about 50 rows like these are needed",
    ),
    verdict(4, "FAI001[dialect=scots]", OPEN, SCOTS, needed=5_210),
    verdict(4, "FAI001[dialect=southern]", PASS, SOUTH),
    verdict(
        4, "FAI001[dialect=orcadian]", NONE, TOO_FEW, blocks=False, because=TOO_FEW.reason
    ),
    verdict(5, "LAT001", PASS, FOUND["LAT001"].student),
    verdict(6, "CAL002", NONE, DISPLAY, because=DISPLAY.reason),
    verdict(7, "LAT003", FAIL, FOUND["LAT003"].student, blocks=False),
    verdict(8, "ACC003", PASS, FOUND["ACC003"].student),
)  # fmt: skip

RESULTS = Results(
    name="support-intents",
    lock=Lock(digest="5d1f" * 16, made="2026-11-18T16:02:11Z"),
    seed=7,
    alpha=0.05,
    versions={"kdaudit": "0.1.0", "numpy": "2.4.6", "scipy": "1.17.1"},
    inputs=(
        InputFile(role="data", name="tickets.parquet",
                  sha256="3f2a91c6d8e04b7f5a1c9d2e6b8f7a3c4d5e6f708192a3b4c5d6e7f8091a2b3c",
                  rows=27_000),
        InputFile(role="baseline", name="previous.parquet",
                  sha256="aa07f2be19d3c4056e7f8192a3b4c5d6e7f8091a2b3c4d5e6f70819203f2a91c",
                  rows=4_500),
    ),
    subjects=(
        Subject(role="teacher", adapter="path", name="intents-large", digest="51c0de77aa10b2f4"),
        Subject(role="student", adapter="path", name="intents-small", digest="9f2c44b1d09e7c5a",
                details={"threshold": "0.4", "dtype": "float32"}),
        Subject(role="baseline", adapter="predictions", name="release 2026-08",
                digest="aa07f2be19d3c405"),
    ),
    data=DataSummary(
        rows=4_500, out_of_scope=500, clusters=2_913, weighted=False,
        classes=tuple(f"intent_{k:02d}" for k in range(19)), positive=("intent_03",),
        label_source="outcome", ungrouped={},
        splits={"audit": 4_500, "validation": 4_500, "transfer": 18_000},
        sensitive=("dialect", "age_band"), slices=("channel",),
    ),
    suites=SUITES,
    contract=CONTRACT,
    verdicts=VERDICTS,
    outcome=FAIL,
    exit_code=1,
    limitations=(
        Limitation(id="L-001", severity="high", evidence="ACC001",
                   text="ACC001 does not meet its limit: worse than the teacher by 1.87 points."),
        Limitation(id="L-002", severity="high", evidence="SLC001[channel=phone]",
                   text="Calls (channel = phone) lose 7.3 points of accuracy."),
        Limitation(id="L-003", severity="medium", evidence="SLC001[channel=fax]",
                   text="31 rows of channel = fax are too few to judge; about 50 are needed."),
        Limitation(id="L-004", severity="medium", evidence="CAL002",
                   text="NLL was measured for display only."),
        Limitation(id="L-005", severity="low", evidence="owner",
                   text="The tickets are from one country and one year."),
    ),
    card=CardText(
        owner="Marta Lindqvist, support engineering",
        version="2026-11",
        intended_use="Routing of support tickets written in English to one of 19 queues.\n"
        "A person reads every ticket before it is answered.",
    ),
)  # fmt: skip

MINIMAL_RESULTS = Results(
    name="empty",
    seed=0,
    alpha=0.05,
    versions={},
    inputs=(),
    subjects=(),
    data=DataSummary(
        rows=0, out_of_scope=0, clusters=None, weighted=False, classes=(), positive=(),
        label_source="human", ungrouped={}, splits={}, sensitive=(), slices=(),
    ),
    suites=(),
    contract=(),
    verdicts=(),
    outcome=NONE,
    exit_code=3,
    limitations=(),
    card=CardText(),
)  # fmt: skip
MINIMAL_RUN = Run(started="2026-11-20T09:14:03Z", seconds={}, environment={}, packages={})
