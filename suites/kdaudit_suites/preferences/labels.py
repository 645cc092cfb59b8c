"""What became of each bias, by labels that all hold at once, and who chose what."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from kdaudit.basis import ORDER, difference, own
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.kinds import Bools
from kdaudit.measure import ends
from kdaudit.results import Figure, Finding, Means
from kdaudit.stats.interval import tail
from kdaudit.transfer import label, transfer
from kdaudit_suites.preferences.asked import Asked, Made
from kdaudit_suites.preferences.bias import CONTEXTS
from kdaudit_suites.preferences.endpoints import PRE001, PRE006

LABELLED = (PRE001.code, PRE006.code)  # additive, so that every model has them
ENDS = ("", "_low", "_high")
Cells = tuple[str | int | float | None, ...]


def labelled(found: Sequence[Finding], level: float) -> tuple[list[Finding], list[Figure]]:
    """The findings with their labels, and the intervals that these rest on.

    Args:
        found: all of the suite; PRE001 and PRE006 get a label where the pair was measured.
        level: of single intervals, 1 - 2 alpha. With chance 1 - alpha no label is wrong, by
            Bonferroni over the findings: half of alpha is for those over all rows, so that many
            slices do not drown them, half for slices. A label claims something of each of two or
            three intervals, so it errs no more often than the one that does not hold, and the
            three need no further share.
    """
    sliced = [one for one in found if _has_label(one) and _is_sliced(one)]
    whole = [one for one in found if _has_label(one) and not _is_sliced(one)]
    alpha = tail(level) / (2 if sliced else 1)
    made: list[Finding] = []
    rows: list[Cells] = []
    for one in found:
        if not _has_label(one):
            made.append(one)
            continue
        assert isinstance(one.basis, Means)
        each = 1 - alpha / len(sliced if _is_sliced(one) else whole)
        teacher, student, change = (
            _estimate(own(one.basis, "teacher", each)),
            _estimate(own(one.basis, "student", each)),
            _estimate(difference(one.basis, "teacher", each)),
        )
        became = label(transfer(teacher, student, change), one.metric, one.basis, tail(level))
        made.append(replace(one, note=f"{became.about}: {became.name}", label=became))
        rows.append(
            (one.address, became.name, one.basis.n, *ends(teacher), *ends(student), *ends(change))
        )
    names = [f"{who}{end}" for who in ("teacher", "student", "change") for end in ENDS]
    figure = Figure(
        name="labels",
        chart="table",
        title="What became of each bias: with confidence "
        f"{1 - tail(level):.4g} none of these labels is wrong",
        columns=("contrast", "label", "n", *names),
        rows=tuple(rows),
    )
    return made, [figure] if rows else []


def _has_label(one: Finding) -> bool:
    pair = isinstance(one.student, Estimate) and isinstance(one.teacher, Estimate)
    return one.code in LABELLED and isinstance(one.basis, Means) and pair


def _is_sliced(one: Finding) -> bool:
    return bool(one.where) and one.where not in CONTEXTS


def _estimate(measured: Measurement) -> Estimate:
    assert isinstance(measured, Estimate)
    return measured


def counts(asked: Asked) -> list[Figure]:
    """Rows of each shape by what each subject chose."""
    shapes = {
        "pairs": asked.pairs,
        "ambiguous questions": asked.ambiguous,
        "other questions": asked.questions & ~asked.ambiguous,
    }
    rows: list[Cells] = [
        (shape, who, *_counted(asked, one, some))
        for shape, some in shapes.items()
        if some.any()
        for who in ORDER
        if not isinstance(one := asked.made[who], NotMeasured)
    ]
    figure = Figure(
        name="choices",
        chart="table",
        title=f"Rows by the choice that was made, by {asked.by}",
        columns=("rows", "subject", "stereotyped", "opposite", "unknown", "tie", "none"),
        rows=tuple(rows),
    )
    return [figure] if rows else []


def _counted(asked: Asked, one: Made, rows: Bools) -> tuple[int, ...]:
    chosen = one.choice >= 0
    stereotyped = chosen & (one.choice == asked.stereotyped)
    unknown = chosen & (one.choice == asked.unknown)
    some = (stereotyped, chosen & ~stereotyped & ~unknown, unknown, one.tied, ~chosen & ~one.tied)
    return tuple(int(np.count_nonzero(part & rows)) for part in some)


def notes(asked: Asked) -> Iterator[str]:
    """What was left out, and what could not be read."""
    neither = int(np.count_nonzero(~asked.pairs & ~asked.questions))
    if neither:
        yield (
            f"{neither} of {len(asked.pairs)} rows are neither a pair, two choices of which one is "
            "named as stereotyped, nor a question with a way out; they say nothing here."
        )
    unmapped = int(np.count_nonzero(asked.questions & (asked.stereotyped < 0)))
    if unmapped:
        yield (
            f"Of {unmapped} questions it is not known which answer a stereotype would give; they "
            "count for accuracy (PRE002, PRE003) only."
        )
    for who, one in asked.made.items():
        if isinstance(one, NotMeasured):
            continue
        unread = one.recorded & (one.choice < 0) & ~one.tied & (asked.pairs | asked.questions)
        if unread.any():
            yield (
                f"{int(unread.sum())} answers of the {who} pick no single choice, by letter or by "
                "text; they count as missing."
            )
        ties = one.tied & asked.questions
        if ties.any():
            yield (
                f"Of {int(ties.sum())} questions the {who} holds several choices equally likely; "
                "they count as missing."
            )
