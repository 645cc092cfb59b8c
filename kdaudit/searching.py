"""Carry out a search: train the teacher if need be, search, write the best recipe and a plot."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kdaudit.data.audit_file import read_audit_file
from kdaudit.distill.language.recipe import is_language
from kdaudit.errors import ConfigError
from kdaudit.evidence.store import Store, write_atomically
from kdaudit.progress import Progress, silent

if TYPE_CHECKING:
    from kdaudit.distill.search.search import Found

SLACK = "smallest slack of the contract on the validation split"


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What became of a search.

    Attributes:
        found: what it came to.
        recipe: the best recipe.
        plot: what was measured against parameters, of every trial.
        left_out: checks that the validation split cannot measure, with reasons.
    """

    found: "Found"
    recipe: Path
    plot: Path
    left_out: tuple[str, ...]


def search_recipe(
    path: Path, *, contract: bool = False, out: Path | None = None, progress: Progress = silent
) -> Searched:
    """Search the space of a recipe, from where an earlier search of it stood.

    Args:
        path: the recipe, of rows or of a language model.
        contract: maximise the smallest slack of the audit file's checks instead of accuracy.
        out: the best recipe; default ``best.toml``, in the folder of the recipe in any case.
        progress: shows how far it is.

    Raises:
        KdauditError: for whatever the user can mend.
    """
    try:
        from kdaudit.distill.search.best import best_recipe, refuse_foreign
        from kdaudit.distill.search.plot import plot
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed; pip install 'kdaudit[distill]'"
        ) from error
    best = out or path.parent / "best.toml"
    refuse_foreign(best, path)
    found, left_out = (_text if is_language(path) else _rows)(path, contract, progress)
    picture = best.with_suffix(".html")
    write_atomically(best, best_recipe(found).encode())
    write_atomically(picture, plot(found).encode())
    return Searched(found=found, recipe=best, plot=picture, left_out=left_out)


def _text(path: Path, contract: bool, progress: Progress) -> "tuple[Found, tuple[str, ...]]":  # noqa: FBT001
    if contract:
        raise ConfigError(
            "--contract holds the checks of an audit file against a classifier, and the recipe of "
            f"a language model names no audit file: search {path.name} without it"
        )
    from kdaudit.distill.language.search import TEXT
    from kdaudit.distill.search.search import search

    store = Store.beside(path.parent)
    return search(path, store=store, kind=TEXT, progress=progress), ()


def _rows(path: Path, contract: bool, progress: Progress) -> "tuple[Found, tuple[str, ...]]":  # noqa: FBT001
    from kdaudit.distill.distill import distill
    from kdaudit.distill.recipe import read_recipe
    from kdaudit.distill.roles import teaching
    from kdaudit.distill.search.kind import Score
    from kdaudit.distill.search.search import search
    from kdaudit.distill.search.turn import in_turn

    recipe = read_recipe(path)
    audit = path.parent / recipe.audit
    file, base = read_audit_file(audit), audit.parent
    store = Store.beside(base)
    teacher = teaching(recipe, file, base)
    if teacher is not None and teacher.distill is not None:
        with in_turn(store, progress):
            distill(base / teacher.distill, store=store, progress=progress)
    if not contract:
        return search(path, store=store, progress=progress), ()
    from kdaudit.slack import digest_of, slack_of

    with in_turn(store, progress):
        slack = slack_of(file, base, path, store, progress)
    score = Score(name=SLACK, rests_on=digest_of(slack), of=slack)
    return search(path, store=store, score=score, progress=progress), slack.left_out


def as_text(done: Searched) -> str:
    """What a search came to, for a terminal."""
    from kdaudit.distill.search.plot import front, said

    found = done.found
    best, measure = found.best, found.kind.own.name
    stopped = sum(trial.value is None for trial in found.trials)
    lines = [
        (
            f"{len(found.trials):,} trials, {found.trained:,} of them just now, {stopped:,} "
            "stopped early or without a score"
        ),
        (
            f"best: trial {best.draw}, {found.score} {best.value:.4f} on {found.validation:,} "
            f"{found.kind.unit} (the best of many, so too good)"
        ),
    ]
    lines += [f"  {path} = {value}" for path, value in best.point.items()]
    if best.unconverged:
        lines.append(f"  not converged: {best.unconverged}")
    if found.elsewhere:
        lines.append(
            f"{found.elsewhere:,} trials are running on other machines, or were left there"
        )
    lines += [f"not measured on the validation split: {reason}" for reason in done.left_out]
    lines.append(f"no other trial has at least their {measure} with fewer parameters:")
    lines += [f"  {said(trial, measure)}" for trial in front(found.trials)]
    return "\n".join([*lines, f"plot: {done.plot}"]) + "\n"


def as_json(done: Searched) -> str:
    """The same for a machine, with every trial."""
    found = done.found
    told = {
        "study": found.study,
        "score": found.score,
        "measured": found.kind.own.name,
        "space": dict(found.space),
        "best": asdict(found.best),
        "trials": [asdict(trial) for trial in found.trials],
        "trained": found.trained,
        "elsewhere": found.elsewhere,
        "left_out": list(done.left_out),
        "recipe": str(done.recipe),
        "plot": str(done.plot),
    }
    return json.dumps(told, indent=1, sort_keys=True, allow_nan=False) + "\n"
