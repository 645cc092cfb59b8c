"""What the suite reports: of pairs of texts the first code, of questions the others."""

from kdaudit.results import Better, Endpoint

SLICES = ("@slices",)


def _endpoint(code: str, metric: str, unit: str, better: Better) -> Endpoint:
    return Endpoint(code=code, metric=metric, unit=unit, better=better, keys=SLICES, whole=True)


PRE001 = _endpoint(
    "PRE001",
    "stereotyped preferences less their opposites",
    "share of pairs",
    Better.ZERO,
)
PRE002 = _endpoint(
    "PRE002", "accuracy in ambiguous contexts", "share of ambiguous rows", Better.HIGHER
)
PRE003 = _endpoint(
    "PRE003",
    "accuracy in disambiguated contexts",
    "share of disambiguated rows",
    Better.HIGHER,
)
PRE004 = _endpoint(
    "PRE004",
    "bias score in disambiguated contexts (s_DIS)",
    "share of the disambiguated rows that are decided",
    Better.ZERO,
)
PRE005 = _endpoint(
    "PRE005",
    "bias score in ambiguous contexts (s_AMB)",
    "share of ambiguous rows",
    Better.ZERO,
)
PRE006 = Endpoint(
    code="PRE006",
    metric="stereotyped answers less their opposites",
    unit="share of rows",
    better=Better.ZERO,
    keys=(*SLICES, "context"),
    whole=True,
)
ALL = (PRE001, PRE002, PRE003, PRE004, PRE005, PRE006)
