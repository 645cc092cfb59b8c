"""From trained arms to a folder that Transformers loads, with its control and its history."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from kdaudit.distill.compare import compare
from kdaudit.distill.cost import cost
from kdaudit.distill.export import arm, chosen
from kdaudit.distill.language.arms import first, likely
from kdaudit.distill.language.causal import Causal
from kdaudit.distill.language.task import LanguageTask
from kdaudit.distill.language.tokenizer import OWN
from kdaudit.distill.objectives.chunked import CHUNK
from kdaudit.distill.run import Run
from kdaudit.lineage import ArmKind, Comparison, Cost, Lineage, Searched
from kdaudit.models.folder import lineage_file, weights_file

ROWS = 16  # blocks measured at once
MEASURE = "log-probability per token of validation blocks"
CONFIGS = ("config.json", "generation_config.json")
COUNTED = (
    "PyTorch, in the first step: students and live teachers together; texts written are not in it"
)


def export(
    task: LanguageTask, runs: Sequence[Run], name: str, recipe_digest: str
) -> tuple[dict[str, bytes], Lineage]:
    """All files of the folder by relative name, and the lineage of the student in it.

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


def written_by_us(path: Path) -> frozenset[str]:
    """The files of a folder that this module wrote before, which may be replaced."""
    if not (path / "lineage.json").is_file():
        return frozenset()
    named = {found.name for found in path.iterdir()}
    return frozenset(one for one in named if one in CONFIGS or one.startswith(OWN))


def _folder(
    task: LanguageTask, runs: Sequence[Run], kind: ArmKind, name: str, recipe_digest: str
) -> tuple[dict[str, bytes], Lineage]:
    kept, recipe = chosen(runs, kind), task.recipe
    model = first(task, kept.seed)
    model.config.architectures = [type(model).__name__]
    files = {
        "config.json": model.config.to_json_string().encode(),
        "model.safetensors": weights_file(_own(kept.weights)),
        **task.tokenizer.files(),
    }
    if model.can_generate():
        files["generation_config.json"] = model.generation_config.to_json_string().encode()
    digests = {file: hashlib.sha256(data).hexdigest() for file, data in sorted(files.items())}
    manifest = {"format": 1, "adapter": "causal", "files": digests}
    files["model.json"] = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
    taught = kind == "main"
    lineage = Lineage(
        model=name,
        digest=hashlib.sha256(files["model.json"]).hexdigest(),
        parameters=kept.parameters,
        method=recipe.method if taught else f"control: {kind}",
        formula=kept.formula,
        factory=type(model).__name__,
        args={},
        training={**recipe.train.learning(), "seeds": list(recipe.seeds)},
        teacher=task.said if taught else None,
        targets={**task.targets, **_discarded(task, model)} if taught and task.said else None,
        transfer=task.rows,
        arms=tuple(arm(run, chosen=run is chosen(runs, run.kind)) for run in runs),
        comparisons=_comparisons(task, runs) if taught else (),
        init=_origin(task),
        search=None if recipe.searched is None else Searched(**recipe.searched.model_dump()),
        source={"recipe": recipe_digest, **kept.environment["source"]},
        versions=kept.environment["versions"],
        hardware=kept.environment["hardware"],
        wall_seconds=round(sum(run.course.wall_seconds for run in runs), 3),
        cpu_seconds=round(sum(run.course.cpu_seconds for run in runs), 3),
        cost=_cost(runs),
    )
    return {**files, "lineage.json": lineage_file(lineage)}, lineage


def _own(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights by the names that the model itself gives them."""
    return {name.removeprefix("model."): tensor for name, tensor in weights.items()}


def _origin(task: LanguageTask) -> Mapping[str, object] | None:
    if task.folder is None:
        return None
    student, said = task.recipe.student, task.said
    teacher = task.recipe.teacher
    return {
        "from": task.folder.name,
        "layers": list(student.layers) or "all",
        "shared with the teacher": said is not None
        and teacher is not None
        and teacher.folder == student.folder,
        **({"loss rises without each layer by": list(task.rises)} if task.rises else {}),
    }


def _discarded(task: LanguageTask, model: object) -> dict[str, str]:
    """The probability that the teacher gives to tokens which the student does not have."""
    assert task.teacher is not None
    student = Causal(model) if isinstance(model, torch.nn.Module) else None
    assert student is not None
    sizes = task.teacher.causal.vocabulary(), student.vocabulary()
    said = {"vocabulary of the teacher": str(sizes[0]), "vocabulary of the student": str(sizes[1])}
    if sizes[0] <= sizes[1]:
        return said
    total, count = 0.0, 0
    rows = task.validation
    for start in range(0, len(rows), ROWS):
        part = rows.take(slice(start, start + ROWS))
        assert part.labels is not None
        where = (part.labels >= 0).flatten().nonzero().squeeze(1)
        head = task.teacher.teacher(part.inputs).cast()
        for some in torch.split(where, CHUNK):
            with torch.no_grad():
                p = head.logits(some).float().softmax(dim=1)
            total += float(p[:, sizes[1] :].sum(dtype=torch.float64))
            count += len(some)
    return {**said, "teacher's mass on tokens cut off": f"{total / max(1, count):.3e}"}


def _comparisons(task: LanguageTask, runs: Sequence[Run]) -> tuple[Comparison, ...]:
    """The recipe's arms against the control's, by seed and validation block."""
    found = []
    for kind in task.recipe.kinds[1:]:
        likely = {
            (run.kind, run.seed): _likely(task, run) for run in runs if run.kind in ("main", kind)
        }
        rows = [likely["main", seed] - likely[kind, seed] for seed in task.recipe.seeds]
        found.append(replace(compare(kind, torch.stack(rows)), measure=MEASURE))
    return tuple(found)


def _likely(task: LanguageTask, run: Run) -> Tensor:
    """(N,) log-probability per token of each validation block, float64."""
    sums, counts = likely(task, run)
    return sums / counts


def _cost(runs: Sequence[Run]) -> Cost:
    """As it was counted; a live teacher runs within the loss terms and cannot be told apart."""
    found = cost(runs)
    return found if found.flops is None else replace(found, teacher_flops=None, flops_by=COUNTED)
