"""What the suite reports: of pairs that are timed, of what models weigh, of models that serve."""

from kdaudit.results import Better, Endpoint

LAT001 = Endpoint(code="LAT001", metric="speed-up", unit="times faster", better=Better.HIGHER)
LAT002 = Endpoint(
    code="LAT002",
    metric="latency percentile",
    unit="milliseconds",
    better=Better.LOWER,
    keys=("percentile",),
)
LAT003 = Endpoint(code="LAT003", metric="size on disk", unit="bytes", better=Better.LOWER)
LAT004 = Endpoint(code="LAT004", metric="peak memory", unit="bytes", better=Better.LOWER)
LAT005 = Endpoint(
    code="LAT005",
    metric="cost of 1,000 requests",
    unit="price of 1,000 requests",
    better=Better.LOWER,
)
LAT006 = Endpoint(code="LAT006", metric="parameters", unit="weights", better=Better.LOWER)
LAT007 = Endpoint(
    code="LAT007",
    metric="time to first token, percentile",
    unit="milliseconds",
    better=Better.LOWER,
    keys=("percentile", "scenario"),
)
LAT008 = Endpoint(
    code="LAT008",
    metric="time per output token, percentile",
    unit="milliseconds per token",
    better=Better.LOWER,
    keys=("percentile", "scenario"),
)
LAT009 = Endpoint(
    code="LAT009",
    metric="time to the whole answer, percentile",
    unit="milliseconds",
    better=Better.LOWER,
    keys=("percentile", "scenario"),
)
LAT010 = Endpoint(
    code="LAT010",
    metric="goodput",
    unit="share of requests within all limits",
    better=Better.HIGHER,
    keys=("scenario",),
)
LAT011 = Endpoint(
    code="LAT011",
    metric="throughput",
    unit="requests/s",
    better=Better.HIGHER,
    keys=("scenario",),
)
LAT012 = Endpoint(
    code="LAT012",
    metric="time per byte written, percentile",
    unit="milliseconds per byte",
    better=Better.LOWER,
    keys=("percentile", "scenario"),
)
LAT013 = Endpoint(
    code="LAT013", metric="tokens written", unit="mean per request", better=Better.LOWER
)
LAT014 = Endpoint(
    code="LAT014", metric="bytes written", unit="mean per request", better=Better.LOWER
)
LAT015 = Endpoint(
    code="LAT015",
    metric="break-even",
    unit="requests until distillation is paid for",
    better=Better.LOWER,
)
LAT016 = Endpoint(code="LAT016", metric="energy", unit="joules per request", better=Better.LOWER)

OF_PAIR = LAT001, LAT002
WEIGHED = LAT003, LAT004, LAT006
SERVED = LAT005, LAT007, LAT008, LAT009, LAT010, LAT011, LAT012, LAT013, LAT014, LAT015, LAT016
