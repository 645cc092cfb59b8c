"""Power before any model runs: from the rows alone, and an assumed share of differing answers.

How many rows a check has, in which groups and clusters they lie and with which labels, is in the
data. What models will answer is not, so two are made up on these very rows: one that is right on
90 % of them (by its class, its text, or the choice it holds likeliest), and one that differs from
it, for better and for worse alike, on the assumed share. Every suite measures them, so what a check
can show is worked out as it is after an audit.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kdaudit.assemble import assemble
from kdaudit.basis import ORDER, Subject
from kdaudit.data.audit_file import read_audit_file
from kdaudit.data.dataset import Dataset, load
from kdaudit.data.frame import Frame, split_digest
from kdaudit.errors import ConfigError
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Ints, Predictions
from kdaudit.evidence.partly_labelled import needs_label, sample_of
from kdaudit.evidence.store import Store
from kdaudit.evidence.view import PREDICTIONS, Evidence
from kdaudit.pipeline import measure
from kdaudit.plan import Plan, make_plan
from kdaudit.power.checks import Reach, reaches
from kdaudit.power.made_up_texts import made_up
from kdaudit.results import Check, Results
from kdaudit.run_folder import RunFolder
from kdaudit.stats.random import stream
from kdaudit.subjects import label_codes
from kdaudit.wear import Ledger

ASSUMED = (0.05, 0.1)  # share of rows that only one of the two gets right
RIGHT = 0.9  # share of rows that the made-up teacher gets right
MOST_EXCHANGES = 1_000
UNSEEN = "nothing is known of it before it was seen; ask for the power of the run folder"
UNGRADED = (
    "what people will grade is not known before they did; ask for the power of the run folder"
)
UNDRAWN = NotMeasured(
    "it needs labels that stand for all rows: `kdaudit label --sample N` draws N rows for it"
)
TINY = 1e-9  # less than this is rounding
UNSURE = 0.05  # spread of the confidence of the made-up subjects


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What every check can show, for one share of differing rows; None where it was seen."""

    assumed: float | None
    reaches: tuple[Reach, ...]


def before(plan: Plan, dataset: Dataset, shares: tuple[float, ...]) -> tuple[Shown, ...]:
    """What every check could show, for each assumed share of differing rows.

    Raises:
        ConfigError: for a share outside (0, 1).
    """
    for share in shares:
        if not 0 < share < 1:
            raise ConfigError(f"a share of differing rows lies between 0 and 1, got {share:g}")
    return tuple(Shown(assumed=share, reaches=_before(plan, dataset, share)) for share in shares)


def after(results: Results) -> tuple[Shown, ...]:
    """What every check could show, at the differences and spreads that were seen."""
    found = reaches(results.contract, results.suites, results.alpha)
    return (Shown(assumed=None, reaches=found),)


def _before(plan: Plan, dataset: Dataset, share: float) -> tuple[Reach, ...]:
    data = plan.file.data
    listed = dataset.frame("audit").listed
    frame = _made_up_labels(dataset.frame("audit"), data.positive)
    dataset = replace(dataset, frames={**dataset.frames, "audit": frame})
    known = frame.labels is not None
    labels = set() if frame.labels is None else set(map(str, frame.labels[~frame.out_of_scope]))
    classes = tuple(sorted(labels | set(data.positive))) if known else ()
    codes = label_codes(frame, classes)
    strata = _strata(frame, codes)
    teacher = _teacher(strata, share)
    student = _other(teacher, strata, share)
    # To differ from teacher and baseline alike on the assumed share, these two are right alike.
    right: dict[Subject, Bools] = {"teacher": teacher, "student": student}
    if plan.file.baseline is not None:
        right["baseline"] = teacher
    subjects: dict[Subject, Predictions | NotMeasured] = {
        who: _made_up(codes, right[who], classes, stream(0, "power", who))
        if who in right and known
        else NotMeasured(UNSEEN if who in right else "the audit has no baseline")
        for who in ORDER
    }
    untimed = NotMeasured("nothing is timed before the models run")
    asks = data.answers or data.choices or plan.file.prompt
    texts = made_up(frame, right, data.grading) if asks else {}
    evidence = assemble(plan, dataset, classes, subjects, untimed, texts)
    if listed is not None:
        scope = np.flatnonzero(~frame.out_of_scope)
        evidence = _as_listed(
            evidence, None if listed.stands_for is None else listed.stands_for[scope]
        )
    suites = measure(plan, evidence)
    found = reaches(plan.contract, suites, plan.file.audit.alpha, discordance=share)
    return tuple(
        replace(one, reason=UNGRADED)
        if one.reason and _by_people(plan.contract[one.check])
        else one
        for one in found
    )


def _made_up_labels(frame: Frame, positive: tuple[str, ...]) -> Frame:
    """The rows with labels for those that have none yet, as frequent as those that are known."""
    labels = frame.labels
    if frame.listed is None or labels is None:
        return frame
    known = [label for label in labels if label is not None]
    classes = [*positive, "another class"] if positive else ["one class", "another class"]
    filled = np.resize(np.array(known or classes, dtype=object), len(labels))
    there = np.array([label is not None for label in labels], dtype=np.bool_)
    return replace(frame, labels=np.where(there, labels, filled), listed=None)


def _as_listed(evidence: Evidence, stands_for: Floats | None) -> Evidence:
    """Evidence as it will be once the rows that are listed, and those that differ, are labelled."""
    if stands_for is None:
        return replace(
            evidence,
            rows=replace(evidence.rows, labelled=needs_label(evidence[PREDICTIONS])),
            unlabelled=UNDRAWN,
            sampled=UNDRAWN,
        )
    drawn: Bools = stands_for > 0
    return replace(
        evidence,
        rows=replace(evidence.rows, labelled=drawn | needs_label(evidence[PREDICTIONS])),
        unlabelled=UNDRAWN,
        sampled=sample_of(evidence, drawn, stands_for),
    )


def _by_people(check: Check) -> bool:
    """Whether people's grades decide it."""
    return ("grader", "corrected") in check.where


@dataclass(frozen=True, slots=True, kw_only=True)
class _Strata:
    """Rows that share their label and every group.

    Attributes:
        cell: (N,) the stratum of each row.
        groups: (C, A) per stratum, its group in each of A columns; numbered through, no number in
            two columns.
    """

    cell: Ints
    groups: Ints


def _strata(frame: Frame, codes: Ints) -> _Strata:
    columns = [codes + 1, *(one.codes + 1 for one in frame.attributes.values())]
    found, cell = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    first = np.cumsum([0, *(found[:, :-1].max(axis=0) + 1)])
    return _Strata(cell=cell.reshape(-1), groups=(found + first).astype(np.int64))


def _teacher(strata: _Strata, share: float) -> Bools:
    """Right on 90 % of the rows, or on fewer where that leaves too few to be gained."""
    n = len(strata.cell)
    wrong = max(n - round(RIGHT * n), round(n * share / 2))
    return ~_spread(np.ones(n, np.bool_), wrong, strata, "teacher")


def _other(right: Bools, strata: _Strata, share: float) -> Bools:
    """Who is right where another one is, but for ``share`` of the rows: half gains, half losses."""
    other = right.copy()
    for was, which in ((True, "losses"), (False, "gains")):
        count = min(round(len(right) * share / 2), int((right == was).sum()))
        other[_spread(right == was, count, strata, which)] = not was
    return other


def _spread(among: Bools, count: int, strata: _Strata, which: str) -> Bools:
    """Choose rows so that every label and group gets its share of them, as near as can be.

    No seed of the audit enters: what a check can show is a matter of its rows. Within a stratum
    the rows are drawn, or clusters would be more alike than answers make them.

    Args:
        among: (N,) the rows to choose from.
        count: how many, at most as many as there are.
        strata: of the rows.
        which: names the draw.

    Returns:
        (N,) true for ``count`` rows.
    """
    chosen = np.zeros(len(among), np.bool_)
    rows = np.flatnonzero(among)
    if not count:
        return chosen
    room = np.bincount(strata.cell[rows], minlength=len(strata.groups))
    takes = _balanced(room, count, strata.groups)
    drawn = stream(0, "power", which).random(len(rows))
    ordered = rows[np.lexsort((drawn, strata.cell[rows]))]
    within = np.arange(len(rows)) - np.repeat(np.cumsum(room) - room, room)
    chosen[ordered[within < np.repeat(takes, room)]] = True
    return chosen


def _balanced(room: Ints, count: int, groups: Ints) -> Ints:
    """(C,) how many of each stratum's (C,) rows: even over the strata, then over their groups.

    Strata can be of one row each; so one at a time is exchanged for one elsewhere, as long as the
    squared excess of the groups falls.

    >>> strata = np.array([[0, 2], [0, 3], [1, 2], [1, 3]])  # two columns of two groups
    >>> _balanced(np.array([5, 5, 5, 5]), 2, strata).tolist()
    [1, 0, 0, 1]
    """
    total = int(room.sum())
    takes = np.diff(np.cumsum(room) * count // total, prepend=0)
    fair = np.bincount(groups.ravel(), np.repeat(room * count / total, groups.shape[1]))
    for _ in range(MOST_EXCHANGES):
        excess = np.bincount(groups.ravel(), np.repeat(takes, groups.shape[1])) - fair
        score = excess[groups].sum(axis=1)
        giver = int(np.argmax(np.where(takes > 0, score, -np.inf)))
        cost = score - score[giver] + (groups != groups[giver]).sum(axis=1)
        taker = int(np.argmin(np.where(takes < room, cost, np.inf)))
        if cost[taker] >= -TINY:
            break
        takes[giver] -= 1
        takes[taker] += 1
    return takes


def _made_up(
    codes: Ints,
    right: Bools,
    classes: tuple[str, ...],
    rng: np.random.Generator,
) -> Predictions:
    """Answers that are right where said, by subjects that are about as sure as they are right."""
    from scipy.special import ndtri

    n, many = len(codes), len(classes)
    # The class after the right one, so that two who are both wrong agree.
    answer = np.where(right, codes, codes + 1) % max(many, 1)
    # Every quantile once, and cut alike at both ends: the mean is that of the curve.
    off = np.clip(UNSURE * ndtri((rng.permutation(n) + 0.5) / n), RIGHT - 0.999, 0.999 - RIGHT)
    sure = np.maximum(RIGHT + off, 1 / many + 0.01)
    probabilities = np.repeat(((1 - sure) / max(many - 1, 1))[:, None], many, axis=1)
    probabilities[np.arange(n), answer] = sure if many > 1 else 1.0
    return Predictions(classes=classes, answer=answer.astype(np.int64), probabilities=probabilities)


def power_of(target: Path, shares: tuple[float, ...]) -> tuple[tuple[Shown, ...], float]:
    """What the checks of an audit file or of a run folder can show, and their alpha.

    Args:
        target: an audit file, whose rows are read; or a run folder.
        shares: assumed shares of differing rows, for an audit file; `ASSUMED` where empty.

    Raises:
        KdauditError: for whatever the user can mend.
    """
    if target.is_dir():
        if shares:
            raise ConfigError("--discordance is for an audit file; a run folder has seen its share")
        results = RunFolder(target).results()
        return after(results), results.alpha
    file, base = read_audit_file(target), target.parent
    dataset = load(file, base, to_label=True)
    plan = at_next_look(make_plan(file, base), dataset)
    return before(plan, dataset, shares or ASSUMED), plan.file.audit.alpha


def at_next_look(plan: Plan, dataset: Dataset) -> Plan:
    """The plan at the level at which one more student would be judged on the audited rows."""
    ledger = Ledger.of(Store.beside(plan.base))
    return plan.at(ledger.next_alpha(split_digest(dataset.frame("audit")), plan.file.audit))
