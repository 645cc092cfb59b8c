"""Bring each subject's answers onto the audited rows, strictly: by id, with one set of classes."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kdaudit.errors import DataError, examples
from kdaudit.evidence.kinds import Bools, Floats, Ints, Predictions
from kdaudit.models.adapter import Answers

EXACT = 1e-9
DENSE = 1_000_000  # cells of a table of classes that is solved exactly
MOST_NUMBERS = 200  # different labels from which on fractions are no names
SUM_TOLERANCE = 5e-3  # float16 probabilities over 150 classes add up to within this of one


def from_answers(
    answers: Answers, ids: npt.NDArray[np.object_], all_ids: npt.NDArray[np.object_], who: str
) -> Answers:
    """The answers to ``ids``, in their order; a missing one is a row of NaN, or None.

    Raises:
        DataError: for ids the data file does not have, or answers to fewer than half of the rows.
    """
    position = _positions(ids, answers.ids)
    present = position >= 0
    foreign: list[str] = []
    if np.count_nonzero(present) < len(answers.ids):  # else every answer is to one of these rows
        foreign = answers.ids[_positions(answers.ids, all_ids) < 0].tolist()
    if foreign:
        raise DataError(
            f"{who}: {len(foreign)} ids are not in the data file, e.g. {examples(foreign)}; "
            f"{_why_foreign(foreign, frozenset(all_ids))}"
        )
    _at_least_half(present, ids, who, "audited ids are")
    picked = np.maximum(position, 0)
    probabilities, labels = None, None
    if answers.probabilities is not None:
        probabilities = answers.probabilities[picked]
        probabilities[~present] = np.nan
    if answers.labels is not None:
        labels = answers.labels[picked]
        labels[~present] = None
    scores = {
        name: np.where(present, values[picked], np.nan) for name, values in answers.scores.items()
    }
    return Answers(
        ids=ids,
        classes=answers.classes,
        probabilities=probabilities,
        labels=labels,
        scores=scores,
        written=None if answers.written is None else answers.written.take(picked).without(~present),
        likelihoods=None
        if answers.likelihoods is None
        else answers.likelihoods.take(picked, present),
    )


def _positions(wanted: npt.NDArray[np.object_], among: npt.NDArray[np.object_]) -> Ints:
    """(N,) where each string stands ``among`` others; -1 where it does not."""
    # Arrow hashes bytes; an index of Python's strings takes four times as long.
    found = pc.index_in(
        pa.array(wanted, pa.large_string()), value_set=pa.array(among, pa.large_string())
    )
    return np.asarray(found.fill_null(-1), dtype=np.int64)


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
            wrong = wide[answered & ~valid]
            raise DataError(
                f"{who}: {len(wrong)} of {int(answered.sum())} rows are not "
                f"probabilities, e.g. {_short(wrong[0])} (they must be at least 0 and sum to 1). "
                f"{_what_instead(wrong)}"
            )
        # What sums to one already stays as it is, so evidence written and read again is the same.
        rounded = valid & (np.abs(total - 1) > EXACT)
        probabilities = wide / np.where(rounded, total, 1.0)[:, None]
    probabilities[~valid] = np.nan
    return probabilities, valid


def _why_foreign(foreign: Sequence[str], all_ids: frozenset[str]) -> str:
    """One sentence: numbers are written in another way, or the file is about other rows."""
    known = {_plain(i): i for i in sorted(all_ids)}
    twin = next(((i, known[_plain(i)]) for i in foreign if _plain(i) in known), None)
    if twin is None:
        there = examples(sorted(all_ids)[:1])
        return f"those of the data look like {there}; were these answers made on other data?"
    if {f"{row:012d}" for row in (0, len(all_ids) - 1)} <= all_ids:
        return (
            "the data file names no id column, so its rows are numbered from '000000000000': add "
            "one, and name it as id under [data]"
        )
    return (
        f"{twin[0]!r} is {twin[1]!r} there: ids are compared as text. Read them as text wherever "
        "the files are made, so that zeros in front stay (pandas: read_csv(…, dtype=str)), or "
        "write them alike in both"
    )


def refuse_other_spelling(names: Sequence[str], labels: set[str], who: str, source: str) -> None:
    """Refuse a class that stands among the labels, written in another way.

    As the same number, in other letters (capitals, Unicode forms) or with blanks around it.

    Args:
        names: a subject's classes, after ``rename``.
        labels: of the data file.
        who: the subject, for the message.
        source: the data file, for the message.

    Raises:
        DataError: naming both spellings.

    >>> refuse_other_spelling(["0", "1"], {"0.0", "1.0"}, "[student] s.csv", "data.csv")
    Traceback (most recent call last):
    kdaudit.errors.DataError: [student] s.csv writes class '0.0' of data.csv as '0': ...
    """
    known = {_plain(label): label for label in sorted(labels)}
    for name in sorted(set(names) - labels):
        if (label := known.get(_plain(name))) is not None:
            raise DataError(
                f"{who} writes class {_seen(label, name)} of {source} as {_seen(name, label)}: "
                f"classes are compared as text. Write them alike in both{_how(label)}, or say "
                f'rename = {{ "{name}" = "{label}" }} under its table, for each class'
            )


def _how(label: str) -> str:
    number = _plain(label).lstrip("-").isdigit()
    return ", e.g. as whole numbers (pandas: .astype(int))" if number else ""


def refuse_regression(labels: npt.NDArray[np.object_], source: str) -> None:
    """Refuse labels that are measurements: hundreds of different fractions.

    Raises:
        DataError: saying how errors of numbers are audited.
    """
    told = pd.Series([label for label in labels.tolist() if label is not None], dtype=object)
    if not len(told):
        return
    names = pd.unique(told)
    if len(names) <= MOST_NUMBERS or 2 * len(names) < len(told):
        return
    numbers = pd.to_numeric(pd.Series(names, dtype=object), errors="coerce").to_numpy(np.float64)
    with np.errstate(invalid="ignore"):
        fractions = np.isfinite(numbers) & (numbers != np.trunc(numbers))
    if np.isnan(numbers).any() or 2 * fractions.sum() < len(names):
        return
    raise DataError(
        f"{source}: the labels are {len(names):,} different numbers, e.g. {examples(list(names))}: "
        "that is a regression. Save the error of each row as a column score_<name> of every "
        'subject, and declare it: [data.scores.<name>] better = "lower"'
    )


def refuse_two_spellings(labels: set[str], source: str) -> None:
    """Refuse two labels that look the same on paper: in two Unicode forms, or with blanks.

    Raises:
        DataError: naming both.
    """
    seen: dict[str, str] = {}
    for label in sorted(labels):
        form = unicodedata.normalize("NFC", label).strip()
        if form in seen:
            raise DataError(
                f"{source} labels rows as {_seen(seen[form], label)} and as "
                f"{_seen(label, seen[form])}, which look the same and would be two classes; write "
                "them alike (NFC, without blanks around them)"
            )
        seen[form] = label


def _seen(name: str, other: str) -> str:
    """A name in quotes; its letters by number where it looks like the other."""
    alike = unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", other)
    return ascii(name) if alike else repr(name)


def _plain(name: str) -> str:
    """A whole number without zeros in front and decimals; any other name in small letters, NFC.

    >>> [_plain(name) for name in ("007", "7.0", "7", "000", "a7", "0.50", "Cafe\u0301 ")]
    ['7', '7', '7', '0', 'a7', '0.50', 'café']
    """
    bare = unicodedata.normalize("NFC", name).strip()
    number = re.fullmatch(r"(-?)0*(\d+)(?:\.0*)?", bare, re.ASCII)
    return number[1] + number[2] if number else bare.casefold()


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
        mapped = ""
        if extra:
            mapped = (
                f'rename = {{ "{extra[0]}" = "{(missing or ["name"])[0]}" }} under its table maps '
                "one name to another"
            )
        added = ""
        if missing:
            added = f"a class that it never answers needs a column too, p_{missing[0]} = 0"
        remedy = "; ".join(filter(None, (mapped, added)))
        raise DataError(f"{who} {' and '.join(said)}; class sets must be equal: {remedy}")
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
    codes, found = pd.factorize(labels)
    named = [rename.get(label, label) for label in found]
    strange = sorted(set(named) - set(index))
    if strange:
        raise DataError(
            f"{who} answers {examples(strange)}, which no other subject and no label knows; "
            f'rename = {{ "{strange[0]}" = "…" }} under its table maps one name to another'
        )
    answer = np.array([*(index[label] for label in named), -1], dtype=np.int64)[codes]
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
    known = (label >= 0) & subject.valid
    size = len(subject.classes)
    if not known.any() or size < 2:
        return
    # The pairs that occur alone: a table of all of them is too large for thousands of classes.
    pairs, count = np.unique(subject.answer[known] * size + label[known], return_counts=True)
    answered, meant = pairs // size, pairs % size
    right, total = int(count[answered == meant].sum()), int(known.sum())
    most = np.zeros(size, np.int64)
    np.maximum.at(most, answered, count)
    enough = max(lift * total, rows)
    if most.sum() - right < enough:
        return
    taken = _assigned(answered, meant, count)
    best = int(count[taken].sum())
    if best - right < enough or best * 2 <= total:
        return
    moved = [
        f"{subject.classes[answered[k]]!r} for {subject.classes[meant[k]]!r}"
        for k in taken
        if answered[k] != meant[k]
    ]
    raise DataError(
        f"{who} looks as if its classes were in another order: reading {', '.join(moved[:4])} its "
        f"accuracy is {best / total:.3f} instead of {right / total:.3f}. Name the columns rightly, "
        "or map them with rename under its table"
    )


def refuse_uninformative(subject: Predictions, label: Ints, who: str, *, rows: int = 20) -> None:
    """Refuse a reference that answers one thing on every row: beside it, anything would pass.

    Raises:
        DataError: naming the answer.
    """
    known = (label >= 0) & subject.valid
    if np.count_nonzero(known) < rows or len(np.unique(label[known])) < 2:
        return
    answered = np.unique(subject.answer[subject.valid])
    if len(answered) > 1:
        return
    raise DataError(
        f"{who} answers {subject.classes[answered[0]]!r} on every row, and the labels are several: "
        "that is no reference to hold a student against. Look at how its answers were made; to "
        "audit a student by itself, give limits of the form at_least and at_most, and another "
        "teacher"
    )


def _assigned(answered: Ints, meant: Ints, count: Ints) -> Ints:
    """The pairs of classes that together hold most rows, each class in one pair at most."""
    one, rows = np.unique(answered, return_inverse=True)
    other, columns = np.unique(meant, return_inverse=True)
    if len(one) * len(other) <= DENSE:
        from scipy.optimize import linear_sum_assignment

        table = np.zeros((len(one), len(other)), np.int64)
        table[rows, columns] = count
        place = np.full(table.shape, -1, np.int64)
        place[rows, columns] = np.arange(len(count))
        found = place[linear_sum_assignment(-table)]
        return np.asarray(found[found >= 0], np.int64)
    # The most frequent first: of classes in another order it finds the order.
    free_one, free_other = np.ones(len(one), np.bool_), np.ones(len(other), np.bool_)
    taken = []
    for k in np.argsort(-count, kind="stable"):
        if free_one[rows[k]] and free_other[columns[k]]:
            free_one[rows[k]] = free_other[columns[k]] = False
            taken.append(int(k))
    return np.array(taken, np.int64)


def _at_least_half(present: Bools, ids: npt.NDArray[np.object_], who: str, what: str) -> None:
    if len(present) and present.sum() * 2 < len(present):
        first = str(ids[np.flatnonzero(~present)[0]])
        raise DataError(
            f"{who}: only {int(present.sum())} of {len(present)} {what} there and valid (first "
            f"without: {first!r}); fewer than half is not evidence. Record the rest, or check that "
            "the ids are the same"
        )


def _what_instead(wrong: Floats) -> str:
    """What rows that are no probabilities seem to be, and what to do about it."""
    total = wrong.sum(axis=1)
    positive = np.isfinite(total) & (wrong >= 0).all(axis=1)
    for whole, near, remedy in (
        (100.0, 1.0, "Are these percentages? Divide them by 100 before saving them"),
        (1.0, 0.1, "Were they rounded? Save more digits, or divide each row by its sum"),
    ):
        if 2 * np.count_nonzero(positive & (np.abs(total - whole) <= near)) > len(wrong):
            return remedy
    return "Are these logits? Apply softmax before saving them"


def _short(row: Floats) -> str:
    return "[" + ", ".join(f"{value:.4g}" for value in row[:4]) + (", …]" if len(row) > 4 else "]")
