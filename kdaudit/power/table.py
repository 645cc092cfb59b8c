"""The power of every check, as text and as JSON."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from kdaudit.power.checks import Reach
from kdaudit.power.planning import RIGHT, Shown
from kdaudit.printed import printed

HEAD = ("check", "limit", "n", "passes", "tightest limit", "harm seen", "rows needed")
SAYS = (
    "passes: chance that a student just like its reference passes. tightest limit: what such a "
    "student passes with chance 0.8.\nharm seen: the least true value that is shown to be beyond "
    "the limit with chance 0.8. rows needed: for passes = 0.8.\n"
    "Exact for right and wrong answers without clusters or weights; elsewhere approximate.\n"
)


def as_text(shown: Sequence[Shown], alpha: float) -> str:
    """One table per assumption."""
    return "\n".join(_tables(shown, alpha)) + "\n" + SAYS


def as_json(shown: Sequence[Shown], alpha: float) -> str:
    """The same numbers, unrounded."""
    said = {
        "alpha": alpha,
        "tables": [
            {"assumed_discordance": one.assumed, "checks": [asdict(reach) for reach in one.reaches]}
            for one in shown
        ],
    }
    return json.dumps(said, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def _tables(shown: Sequence[Shown], alpha: float) -> Iterator[str]:
    for one in shown:
        if one.assumed is None:
            yield (
                "If as many rows differ as were seen to, for better and worse alike, "
                f"alpha = {alpha:g}:"
            )
        else:
            yield (
                f"If {one.assumed:.1%} of the rows differ (for better and worse alike), the "
                f"reference is right on {RIGHT:.0%}, alpha = {alpha:g}:"
            )
        yield ""
        yield from _aligned([HEAD, *map(_row, one.reaches)])
        yield ""


def _row(reach: Reach) -> tuple[str, ...]:
    mark = "" if reach.blocks else " (does not block)"
    head = (reach.address, f"{reach.limit}{mark}", f"{reach.n:,}" if reach.n else "-")
    if reach.reason:
        needed = f"{reach.needed_n:,}" if reach.needed_n else "-"
        return (*head, "-", "-", "-", f"{needed}  {reach.reason}")
    return (
        *head,
        "-" if reach.passes is None else _chance(reach.passes),
        _number(reach.smallest),
        _number(reach.harm),
        "no number" if reach.needed_n is None else f"{reach.needed_n:,}",
    )


def _chance(share: float) -> str:
    """Two digits that never round a chance to a certainty.

    >>> _chance(0.9999), _chance(0.004), _chance(0.5)
    ('>0.99', '<0.01', '0.50')
    """
    if share >= 0.995:
        return ">0.99"
    return "<0.01" if share < 0.005 else f"{share:.2f}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


def _aligned(written: Sequence[tuple[str, ...]]) -> Iterator[str]:
    rows = [tuple(map(printed, row)) for row in written]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEAD) - 1)]
    for row in rows:
        cells = [
            cell.ljust(width) if k < 2 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        yield "  ".join([*cells, row[-1]]).rstrip()
