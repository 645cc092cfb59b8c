"""From trained arms to the model folder, with its controls and its history."""

import hashlib
from collections.abc import Sequence

from kdaudit.distill.compare import comparisons
from kdaudit.distill.cost import cost
from kdaudit.distill.run import Run
from kdaudit.distill.task import Task
from kdaudit.lineage import Arm, ArmKind, Lineage, Searched
from kdaudit.models.folder import lineage_file, torch_files, weights_file


def chosen(runs: Sequence[Run], kind: ArmKind) -> Run:
    """The seed that is kept: the lowest validation loss; the first of equals."""
    return min((run for run in runs if run.kind == kind), key=lambda run: run.course.best_loss)


def export(
    task: Task, runs: Sequence[Run], name: str, recipe_digest: str
) -> tuple[dict[str, bytes], Lineage]:
    """All files of the folder by relative name, and the lineage of the student in it.

    The student lies at the top and the chosen seed of each control under ``controls/<kind>``, with
    a lineage of its own.

    Args:
        task: what was learnt.
        runs: every arm.
        name: of the folder.
        recipe_digest: SHA-256 of the recipe.
    """
    files, lineage = _folder(task, runs, "main", name, recipe_digest)
    for kind in task.recipe.kinds[1:]:
        own = [run for run in runs if run.kind == kind]
        control, _ = _folder(task, own, kind, f"{name}/controls/{kind}", recipe_digest)
        files |= {f"controls/{kind}/{file}": data for file, data in control.items()}
    return files, lineage


def _folder(
    task: Task, runs: Sequence[Run], kind: ArmKind, name: str, recipe_digest: str
) -> tuple[dict[str, bytes], Lineage]:
    kept, recipe = chosen(runs, kind), task.recipe
    files = torch_files(
        kept.weights,
        factory=task.factory,
        args=recipe.student.args,
        encoder=task.encoder,
        classes=task.classes,
    )
    named = [name for name, table in recipe.objectives if table is not None]
    taught = kind in ("main", "shuffled")
    trained = [one for run in runs for one in (*run.earlier, run)]
    lineage = Lineage(
        model=name,
        digest=hashlib.sha256(files["model.json"]).hexdigest(),
        parameters=kept.parameters,
        method=" + ".join(named) if kind == "main" else f"control: {kind}",
        formula=kept.formula,
        factory=task.factory.name,
        args=recipe.student.args,
        training={**recipe.train.learning(), "seeds": list(recipe.seeds)},
        teacher=task.teacher if taught else None,
        targets=task.targets if taught else None,
        transfer=task.rows,
        arms=tuple(arm(run, chosen=run is chosen(runs, run.kind)) for run in runs),
        comparisons=comparisons(task, runs) if kind == "main" else (),
        init=task.init,
        search=None if recipe.searched is None else Searched(**recipe.searched.model_dump()),
        source={"recipe": recipe_digest, **kept.environment["source"]},
        versions=kept.environment["versions"],
        hardware=kept.environment["hardware"],
        wall_seconds=round(sum(run.course.wall_seconds for run in trained), 3),
        cpu_seconds=round(sum(run.course.cpu_seconds for run in trained), 3),
        cost=cost(runs),
    )
    return {**files, "lineage.json": lineage_file(lineage)}, lineage


def arm(run: Run, *, chosen: bool) -> Arm:
    """What the lineage says of one trained model."""
    return Arm(
        kind=run.kind,
        seed=run.seed,
        chosen=chosen,
        digest=_digest(run),
        steps=run.course.steps,
        best_epoch=run.course.best_epoch,
        converged=not run.unconverged,
        curve=run.course.curve,
        unconverged=run.unconverged,
        generations=tuple(_digest(one) for one in run.earlier),
    )


def _digest(run: Run) -> str:
    return hashlib.sha256(weights_file(run.weights)).hexdigest()
