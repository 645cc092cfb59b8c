"""Regulations as dated data: what a rule defines, in which words, as of when."""

import pkgutil
import tomllib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """Definitions of one rule.

    Attributes:
        name: of the rule.
        dated: ISO date of the text that the definitions follow.
        source: its citation.
        ratio: how the rule defines an impact ratio.
        may_leave_out: share of the rows below which a category may be left out of the ratios, with
            a justification; its rows and its rate must be shown all the same.
        threshold: a ratio below it is evidence of adverse impact; None where the rule names none.
        says: sentences that a reader of its table must see.
    """

    name: str
    dated: str
    source: str
    ratio: str
    may_leave_out: float
    threshold: float | None = None
    says: tuple[str, ...] = ()


def load(name: str) -> Pack:
    """Read a pack that lies in this package, e.g. ``ll144``.

    >>> load("ll144").may_leave_out
    0.02
    """
    # As an import does: the pack is part of the suite's code, not of what it measures.
    data = pkgutil.get_data(__name__, f"packs/{name}.toml")
    assert data is not None  # it ships in the wheel
    raw = tomllib.loads(data.decode("utf-8"))
    return Pack(**(raw | {"says": tuple(raw["says"])}))


LL144 = load("ll144")
