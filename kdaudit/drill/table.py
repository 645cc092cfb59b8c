"""A drill as text for a terminal."""

from collections.abc import Iterator, Sequence

from kdaudit.drill.drilled import Drill, Planted, chance, closing, in_words
from kdaudit.printed import printed

HEAD = ("harm", "rows", "shown", "held back", "noticed most by")
SAYS = (
    "shown: a check fails that would not fail without the harm. held back: a check that would pass "
    "no longer does.\nThe audit can be relied on where the interval begins at 80% or above."
)


def as_text(drill: Drill) -> str:
    """The table, what could not have been seen, and what could not be tried."""
    return "\n".join(map(printed, _lines(drill))) + "\n"


def _lines(drill: Drill) -> Iterator[str]:
    yield f"{drill.trials:,} resamples of the audited rows, {100 * drill.level:.3g}% intervals:"
    yield ""
    yield from _aligned([HEAD, *map(_row, drill.planted)])
    yield ""
    yield from SAYS.splitlines()
    yield f"Without any harm {chance(drill.unharmed)} of the resamples meet the contract."
    groups = {"unseen": "Could have gone unseen:", "held back": "Held back, but not shown:"}
    for word, title in groups.items():
        found = [one for one in drill.planted if one.noticed == word]
        if found:
            yield ""
            yield title
            yield from (f"  {in_words(one)}" for one in found)
    if drill.omitted:
        yield ""
        yield "Not tried:"
        yield from (f"  {one.kind}: {one.reason}" for one in drill.omitted)
    yield ""
    yield closing(drill)


def _row(one: Planted) -> tuple[str, ...]:
    best = one.by[0].address if one.by else "-"
    return (one.harm, f"{one.rows:,}", chance(one.seen), chance(one.stopped), best)


def _aligned(written: Sequence[tuple[str, ...]]) -> Iterator[str]:
    rows = [tuple(map(printed, row)) for row in written]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
