"""BBQ (Parrish et al. 2022): questions about two people, who the context may not tell apart.

Each of a category's 25 or more templates is asked in an ambiguous context, where the right answer
is that it cannot be told, and in one that says who it was; about something bad (``neg``) and about
its opposite (``nonneg``). The answer that a stereotype would give is the stereotyped group where
the question is bad, and the other one where it is not.

Which answer is of the stereotyped group is read from ``answer_info``: its text or its group must be
one of ``stereotyped_groups``, exactly ("nonOld" is not "old"), in any case and without blanks, a
man or a boy being ``M``, a woman or a girl ``F``, and a leading ``M-`` or ``F-`` left aside. Where
that is not one single answer the row stays, without ``stereotyped``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from kdaudit.data.typed_tables import from_records
from kdaudit.errors import DataError, unknown

PREFIX = "bbq:"
ANSWERS = ("ans0", "ans1", "ans2")
LABELS = 25  # templates up to this number speak of groups, those after it of people's names
SAME = {
    group: name
    for name, groups in {
        "m": "man men boy boys male males",
        "f": "woman women girl girls female females",
    }.items()
    for group in groups.split()
}


def as_table(rows: pd.DataFrame, source: str) -> pd.DataFrame:
    """Rows of a BBQ file as a data file has them.

    Args:
        rows: the file's objects, one a row.
        source: the file, for messages.

    Returns:
        A table with the columns ``id``, ``context``, ``question``, ``ans0`` to ``ans2``,
        ``choices`` (a list of these), ``answers`` (the right one), ``stereotyped`` and ``unknown``
        (one of the choices, or None), ``condition``, ``polarity``, ``category``, ``people``
        (``label`` or ``name``) and ``template``, the unit of which rows are not independent.

    Raises:
        DataError: naming the row, and what it lacks or what does not fit.
    """
    return from_records(list(_rows(rows, source)))


def _rows(rows: pd.DataFrame, source: str) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(rows.to_dict("records"), 1):
        place = f"{source}: row {number}"
        try:
            yield _row({str(name): cell for name, cell in row.items()}, place)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{place} is not one of BBQ ({type(error).__name__}: {error}); name a file of its "
                "folder `data`, as it was published"
            ) from error


def _row(row: Mapping[str, Any], place: str) -> dict[str, Any]:
    condition, polarity = str(row["context_condition"]), str(row["question_polarity"])
    for kind, got, known in (
        ("context_condition", condition, ("ambig", "disambig")),
        ("question_polarity", polarity, ("neg", "nonneg")),
    ):
        if got not in known:
            raise DataError(f"{place}: {unknown(kind, got, known)}")
    texts = [str(row[name]) for name in ANSWERS]
    told = {name: [_plain(part) for part in row["answer_info"][name]] for name in ANSWERS}
    undecided = [i for i, name in enumerate(ANSWERS) if told[name][1] == "unknown"]
    groups = {_plain(group) for group in row["additional_metadata"]["stereotyped_groups"]}
    target = [i for i, name in enumerate(ANSWERS) if i not in undecided and groups & {*told[name]}]
    category, template = str(row["category"]), str(row["question_index"])
    stereotyped = None
    if len(undecided) == len(target) == 1:
        other = next(i for i in range(len(ANSWERS)) if i not in (*undecided, *target))
        stereotyped = texts[target[0] if polarity == "neg" else other]
    return {
        "id": f"{category}-{int(row['example_id']):05d}",
        "context": str(row["context"]),
        "question": str(row["question"]),
        **dict(zip(ANSWERS, texts, strict=True)),
        "choices": texts,
        "answers": [texts[range(len(ANSWERS))[int(row["label"])]]],
        "stereotyped": stereotyped,
        "unknown": texts[undecided[0]] if len(undecided) == 1 else None,
        "condition": condition,
        "polarity": polarity,
        "category": category,
        "people": "label" if int(template) <= LABELS else "name",
        "template": f"{category}-{template}",
    }


def _plain(group: str) -> str:
    """A group's name in one spelling.

    >>> [_plain(name) for name in ("nonOld", "low SES", "F-Black", "Girl", "M")]
    ['nonold', 'lowses', 'black', 'f', 'm']
    """
    name = "".join(group.casefold().split())
    for sex in ("m-", "f-"):
        name = name.removeprefix(sex)
    return SAME.get(name, name)
