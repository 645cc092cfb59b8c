"""Power before any model runs: from the rows alone, and an assumed share of differing answers.

How many rows a check has, in which groups and clusters they lie and with which labels, is in the
data. What models will answer is not, so two are made up on these very rows: one that is right on
90 % of them, and one that differs from it, for better and for worse alike, on the assumed share.
Every suite measures them, so what a check can show is worked out as it is after an audit.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kdaudit.assemble import assemble
from kdaudit.basis import ORDER, Subject
from kdaudit.data.audit_file import read_audit_file
from kdaudit.data.dataset import Dataset, load
from kdaudit.errors import ConfigError
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Predictions
from kdaudit.pipeline import measure
from kdaudit.plan import Plan, make_plan
from kdaudit.power import Reach, reaches
from kdaudit.results import Results
from kdaudit.run_folder import RunFolder
from kdaudit.stats.random import stream
from kdaudit.subjects import label_codes

ASSUMED = (0.05, 0.1)  # share of rows that only one of the two gets right
RIGHT = 0.9  # share of rows that the made-up teacher gets right
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
    frame = dataset.frame("audit")
    assert frame.labels is not None  # an audited row without a label was refused
    labels = {str(label) for label in frame.labels[~frame.out_of_scope]}
    classes = tuple(sorted(labels | set(plan.file.data.positive)))
    codes = label_codes(frame, classes)
    rng = stream(plan.file.audit.seed, "power", f"{share:g}")
    teacher = rng.random(len(codes)) < min(RIGHT, 1 - share / 2)
    right: dict[Subject, npt.NDArray[np.bool_]] = {"teacher": teacher}
    for who in ("student", "baseline"):
        if who == "student" or plan.file.baseline is not None:
            right[who] = _other(teacher, share, rng)
    subjects: dict[Subject, Predictions | NotMeasured] = {
        who: _made_up(codes, right[who], classes, rng)
        if who in right
        else NotMeasured("the audit has no baseline")
        for who in ORDER
    }
    untimed = NotMeasured("nothing is timed before the models run")
    evidence = assemble(plan, dataset, classes, subjects, untimed)
    suites = measure(plan, evidence)
    return reaches(plan.contract, suites, plan.file.audit.alpha, discordance=share)


def _other(
    right: npt.NDArray[np.bool_], share: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Who is right where another one is, but for ``share`` of the rows: half gains, half losses."""
    other = right.copy()
    for was in (True, False):
        rows = np.flatnonzero(right == was)
        count = min(round(len(right) * share / 2), len(rows))
        other[rng.choice(rows, count, replace=False)] = not was
    return other


def _made_up(
    codes: npt.NDArray[np.int64],
    right: npt.NDArray[np.bool_],
    classes: tuple[str, ...],
    rng: np.random.Generator,
) -> Predictions:
    """Answers that are right where said, by subjects that are about as sure as they are right."""
    n, many = len(codes), len(classes)
    # The class after the right one, so that two who are both wrong agree.
    answer = np.where(right, codes, codes + 1) % max(many, 1)
    sure = np.clip(rng.normal(RIGHT, UNSURE, n), 1 / many + 0.01, 0.999)
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
    plan = make_plan(file, base)
    return before(plan, load(file, base), shares or ASSUMED), file.audit.alpha
