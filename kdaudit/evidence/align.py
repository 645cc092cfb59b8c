"""Bring each subject's answers onto the audited rows, strictly: by id, with one set of classes."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdaudit.errors import DataError, examples
from kdaudit.evidence.kinds import Bools, Floats, Ints, Predictions
from kdaudit.models.adapter import Answers

EXACT = 1e-9
SUM_TOLERANCE = 5e-3  # float16 probabilities over 150 classes add up to within this of one


def from_answers(
    answers: Answers, ids: npt.NDArray[np.object_], all_ids: frozenset[str], who: str
) -> Answers:
    """The answers to ``ids``, in their order; a missing one is a row of NaN, or None.

    Raises:
        DataError: for ids the data file does not have, or answers to fewer than half of the rows.
    """
    foreign = [i for i in answers.ids.tolist() if i not in all_ids]
    if foreign:
        raise DataError(
            f"{who}: {len(foreign)} ids are not in the data file, e.g. {examples(foreign)}; "
            "were these predictions made on other data?"
        )
    position = pd.Index(answers.ids).get_indexer(pd.Index(ids))
    present = position >= 0
    _at_least_half(present, ids, who, "ids of the audit split are")
    picked = np.maximum(position, 0)
    probabilities, labels = None, None
    if answers.probabilities is not None:
        probabilities = answers.probabilities[picked].copy()
        probabilities[~present] = np.nan
    if answers.labels is not None:
        labels = answers.labels[picked].copy()
        labels[~present] = None
    return Answers(ids=ids, classes=answers.classes, probabilities=probabilities, labels=labels)


def probabilities_of(
    values: npt.NDArray[np.floating], space: str, who: str
) -> tuple[Floats, Bools]:
    """Probabilities from what a model answered, and which rows are valid answers.

    Args:
        values: (N, C) logits or claimed probabilities.
        space: ``logits`` or ``probabilities``.
        who: for messages.

    Returns:
        (N, C) float64 rows that sum to one exactly enough, NaN where invalid; (N,) validity.

    Raises:
        DataError: if most rows are no probabilities: they are logits, or another thing.
    """
    wide = np.asarray(values, dtype=np.float64)
    finite: Bools = np.asarray(np.isfinite(wide).all(axis=1), dtype=np.bool_)
    if space == "logits":
        safe = np.where(finite[:, None], wide, 0.0)
        exponent = np.exp(safe - safe.max(axis=1, keepdims=True))
        probabilities = exponent / exponent.sum(axis=1, keepdims=True)
        valid: Bools = finite
    else:
        total = np.where(finite, np.where(finite[:, None], wide, 0.0).sum(axis=1), np.nan)
        with np.errstate(invalid="ignore"):
            valid = finite & (wide >= 0).all(axis=1) & (np.abs(total - 1) <= SUM_TOLERANCE)
        answered = ~np.isnan(wide).all(axis=1)
        if answered.any() and not valid.sum() >= 0.5 * answered.sum():
            row = int(np.flatnonzero(answered & ~valid)[0])
            raise DataError(
                f"{who}: {int((answered & ~valid).sum())} of {int(answered.sum())} rows are not "
                f"probabilities, e.g. {_short(wide[row])} (they must be at least 0 and sum to 1). "
                "Are these logits? Apply softmax before saving them"
            )
        # What sums to one already stays as it is, so evidence written and read again is the same.
        rounded = valid & (np.abs(total - 1) > EXACT)
        probabilities = wide / np.where(rounded, total, 1.0)[:, None]
    probabilities[~valid] = np.nan
    return probabilities, valid


def predictions(  # noqa: PLR0913  # one argument per fact about the subject
    *,
    probabilities: Floats | None,
    labels: npt.NDArray[np.object_] | None,
    given: Sequence[str],
    classes: Sequence[str],
    rename: Mapping[str, str],
    threshold: float | None,
    positive: Sequence[str],
    who: str,
) -> Predictions:
    """One subject's predictions in the audit's order of classes.

    Args:
        probabilities: (N, C) in the order of ``given``, NaN rows invalid; or None.
        labels: (N,) strings or None where the answer is missing; or None.
        given: the subject's own class names.
        classes: the audit's classes.
        rename: from the subject's names to the audit's.
        threshold: the favourable class is answered from this probability on (two classes).
        positive: the favourable classes.
        who: for messages.

    Raises:
        DataError: for a class too many or too few, naming it.
    """
    names = [rename.get(name, name) for name in given]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{who}: after rename the class {repeated[0]!r} stands twice")
    if labels is not None:
        if threshold is not None:
            raise DataError(f"{who} gives labels only; a threshold needs probabilities")
        return _from_labels(labels, rename, classes, who)
    assert probabilities is not None
    missing, extra = sorted(set(classes) - set(names)), sorted(set(names) - set(classes))
    if missing or extra:
        said = [f"lacks {examples(missing)}"] if missing else []
        said += [f"has {examples(extra)} which the others lack"] if extra else []
        raise DataError(
            f"{who} {' and '.join(said)}; class sets must be equal: "
            f'rename = {{ "{(extra or ["NAME"])[0]}" = "{(missing or ["name"])[0]}" }} '
            "under its table maps one name to another"
        )
    ordered = probabilities[:, [names.index(name) for name in classes]]
    valid: Bools = np.asarray(~np.isnan(ordered).any(axis=1), dtype=np.bool_)
    answer = np.where(valid, np.argmax(np.where(valid[:, None], ordered, 0.0), axis=1), -1)
    if threshold is not None:
        answer = _by_threshold(ordered, valid, classes, positive, threshold, who)
    return Predictions(
        classes=tuple(classes), answer=answer.astype(np.int64), probabilities=ordered
    )


def _from_labels(
    labels: npt.NDArray[np.object_],
    rename: Mapping[str, str],
    classes: Sequence[str],
    who: str,
) -> Predictions:
    index = {name: i for i, name in enumerate(classes)}
    named = [None if label is None else rename.get(label, label) for label in labels]
    strange = sorted({label for label in named if label is not None and label not in index})
    if strange:
        raise DataError(
            f"{who} answers {examples(strange)}, which no other subject and no label knows; "
            f'rename = {{ "{strange[0]}" = "…" }} under its table maps one name to another'
        )
    answer = np.array([-1 if label is None else index[label] for label in named], dtype=np.int64)
    return Predictions(classes=tuple(classes), answer=answer, probabilities=None)


def _by_threshold(  # the facts of one decision rule
    probabilities: Floats,
    valid: Bools,
    classes: Sequence[str],
    positive: Sequence[str],
    threshold: float,
    who: str,
) -> Ints:
    if len(classes) != 2 or len(positive) != 1:
        raise DataError(
            f"{who}: a threshold needs two classes and one `positive` under [data]; there are "
            f"{len(classes)} classes and {len(positive)} favourable ones"
        )
    favourable = list(classes).index(positive[0])
    with np.errstate(invalid="ignore"):
        yes = probabilities[:, favourable] >= threshold
    return np.where(valid, np.where(yes, favourable, 1 - favourable), -1)


def refuse_too_few(subject: Predictions, ids: npt.NDArray[np.object_], who: str) -> None:
    """Refuse a subject that answered fewer than half of the rows validly."""
    _at_least_half(subject.valid, ids, who, "rows have an answer that is")


def refuse_mixed_up_classes(
    subject: Predictions, label: Ints, who: str, *, lift: float = 0.25, rows: int = 20
) -> None:
    """Refuse answers that only make sense with the classes in another order.

    A permutation of the answers that lifts accuracy by ``lift`` and at least ``rows`` rows, to more
    than one half, does not happen to a model that merely errs.

    Raises:
        DataError: naming the permutation.
    """
    from scipy.optimize import linear_sum_assignment

    known = (label >= 0) & subject.valid
    size = len(subject.classes)
    if not known.any() or size < 2:
        return
    counts = np.bincount(subject.answer[known] * size + label[known], minlength=size * size)
    counts = counts.reshape(size, size)
    answered, meant = linear_sum_assignment(-counts)
    right, best, total = int(np.trace(counts)), int(counts[answered, meant].sum()), int(known.sum())
    if best - right < max(lift * total, rows) or best * 2 <= total:
        return
    moved = [
        f"{subject.classes[a]!r} for {subject.classes[m]!r}"
        for a, m in zip(answered, meant, strict=True)
        if a != m and counts[a, m] > 0
    ]
    raise DataError(
        f"{who} looks as if its classes were in another order: reading {', '.join(moved[:4])} its "
        f"accuracy is {best / total:.3f} instead of {right / total:.3f}. Name the columns rightly, "
        "or map them with rename under its table"
    )


def _at_least_half(present: Bools, ids: npt.NDArray[np.object_], who: str, what: str) -> None:
    if len(present) and present.sum() * 2 < len(present):
        first = str(ids[np.flatnonzero(~present)[0]])
        raise DataError(
            f"{who}: only {int(present.sum())} of {len(present)} {what} there and valid (first "
            f"without: {first!r}); fewer than half is not evidence. Record the rest, or check that "
            "the ids are the same"
        )


def _short(row: Floats) -> str:
    return "[" + ", ".join(f"{value:.4g}" for value in row[:4]) + (", …]" if len(row) > 4 else "]")
