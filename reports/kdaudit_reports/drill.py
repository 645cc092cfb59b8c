"""What the audit could have seen: known harms, planted again and again, and who noticed."""

from dataclasses import dataclass

from kdaudit.drill.drilled import Drill, Noticed, Planted, chance, closing, in_words
from kdaudit.run import Run
from kdaudit_reports.index import Index
from kdaudit_reports.text import PROSE, line, plural, sentence

WORDS: dict[Noticed, str] = {
    "shown": "shown",
    "held back": "held back, not shown",
    "unseen": "could go unseen",
}
TONES: dict[Noticed, str] = {"shown": "pass", "held back": "inconclusive", "unseen": "fail"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One harm; ``target`` is the anchor of the finding whose check noticed it most often."""

    harm: str
    rows: str
    word: str
    tone: str
    shown: str
    held: str
    noticed: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A harm that the audit cannot be relied on to notice, or to show."""

    id: str
    severity: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """The section; ``left`` says how many trials are left to drill.json."""

    summary: str
    how: str
    trials: tuple[Trial, ...]
    left: str
    blind: tuple[Blind, ...]
    omitted: tuple[tuple[str, str], ...]


def drilled(run: Run, where: Index, most: int) -> Drilled | None:
    """The drill of an audit, or None where there was none.

    Args:
        run: with the drill.
        where: for the anchors of findings.
        most: rows of the table and sentences.
    """
    drill = run.drill
    if drill is None:
        return None
    order: dict[Noticed, int] = {"unseen": 0, "held back": 1}
    blind = sorted(
        (one for one in drill.planted if one.noticed in order), key=lambda one: order[one.noticed]
    )
    left = len(drill.planted) - most
    return Drilled(
        summary=closing(drill),
        how=_how(drill),
        trials=tuple(_trial(one, where) for one in drill.planted[:most]),
        left=f"{left:,} more are in drill.json." if left > 0 else "",
        blind=tuple(
            Blind(
                id=f"B-{number:03d}",
                severity="high" if one.noticed == "unseen" else "low",
                text=line(in_words(one), PROSE),
            )
            for number, one in enumerate(blind[:most], 1)
        ),
        omitted=tuple(
            (line(one.kind), sentence(line(one.reason, PROSE))) for one in drill.omitted[:most]
        ),
    )


def caveat(drill: Drill) -> str | None:
    """For the box under the decision: that harms could have gone unseen; None if none could."""
    unseen = sum(one.noticed == "unseen" for one in drill.planted)
    if not unseen:
        return None
    return (
        f"It would not have been stopped by every harm: of {len(drill.planted):,} that were "
        f"planted, {unseen:,} could have gone unseen; the drill below names them."
    )


def _how(drill: Drill) -> str:
    return (
        f"Each harm was planted in {plural(drill.trials, 'resample')} of the audited rows, and the "
        "contract decided with and without it. Shown: a check fails that would not fail without "
        "the harm. Held back: a check that would pass no longer does. The audit can be relied on "
        "where the interval, Wilson's at "
        f"{100 * drill.level:.3g}%, begins at 80% or above. Without any harm "
        f"{chance(drill.unharmed)} of the resamples meet the contract."
    )


def _trial(one: Planted, where: Index) -> Trial:
    best = one.by[0].address if one.by else ""
    return Trial(
        harm=line(one.harm, 200),
        rows=f"{one.rows:,}",
        word=WORDS[one.noticed],
        tone=TONES[one.noticed],
        shown=chance(one.seen),
        held=chance(one.stopped),
        noticed=line(best, 200) or "no check",
        target=where.anchors.get(best, ""),
    )
