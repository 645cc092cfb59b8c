"""Teachers in three forms: answers that are stored, further ones, and modules to look into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from kdaudit.data.audit_file import AuditFile
from kdaudit.data.frame import Frame
from kdaudit.data.splits import Split
from kdaudit.distill.participant import Participant
from kdaudit.distill.recipe import Recipe, made
from kdaudit.distill.sources import TEACHER
from kdaudit.distill.targets import Targets, Teacher
from kdaudit.errors import ConfigError, DataError, examples
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import json_digest
from kdaudit.models.adapter import Adapter
from kdaudit.models.folder import ModelFolder
from kdaudit.models.open import Opened, open_model
from kdaudit.models.torch import TorchModel, build, load_weights
from kdaudit.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Further:
    """One more teacher's answers.

    Attributes:
        targets: (N, C) logits by split, classes in the order of the first teacher's.
        said: what the lineage says of it.
    """

    targets: Mapping[Split, torch.Tensor]
    said: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asking:
    """What teachers are asked, and where their answers are kept.

    Attributes:
        audit: the audit file.
        frames: the rows by split.
        store: of recordings.
        progress: shows how far it is.
    """

    audit: AuditFile
    frames: Mapping[Split, Frame]
    store: Store
    progress: Progress

    def ask(self, opened: Opened, who: str) -> dict[Split, Targets]:
        """The answers of a model, or of a file, to every row.

        Raises:
            DataError: if any row has no valid answer.
        """
        data, frames = self.audit.data, self.frames.values()
        labels = {str(x) for frame in frames if frame.labels is not None for x in frame.labels}
        favourable, others = data.positive, sorted(labels - set(data.positive))
        teacher = Teacher(
            name=opened.name,
            adapter=opened.adapter,
            id_column=(data.transfer.id if data.transfer else None) or data.id or "id",
            two_classes=(*favourable, *others) if len(favourable) == len(others) == 1 else (),
        )
        return {
            split: teacher.answers(
                frame, split, self.store, self.progress(f"asking {who}, {split} rows", len(frame))
            )
            for split, frame in self.frames.items()
        }


def further(
    recipe: Recipe, base: Path, asking: Asking, classes: Sequence[str]
) -> dict[str, Further]:
    """Ask every ``[teachers.NAME]`` of a recipe.

    Args:
        recipe: the recipe.
        base: its folder.
        asking: what, and where answers are kept.
        classes: (C,) of the first teacher, renamed.

    Raises:
        DataError: if one has other classes.
    """
    found = {}
    for name, table in recipe.teachers.items():
        opened = open_model(f"teachers.{name}", made(table, base), base)
        answers = asking.ask(opened, f"the teacher {name}")
        own = [table.rename.get(one, one) for one in next(iter(answers.values())).classes]
        if sorted(own) != sorted(classes):
            strange = sorted(set(own) ^ set(classes)) or own
            raise DataError(
                f"[teachers.{name}] answers with other classes than [teacher]: only one of them "
                f"knows {examples(strange)}; bring them together, e.g. by "
                'rename = { LABEL_0 = "billing" }'
            )
        order = [own.index(one) for one in classes]
        found[name] = Further(
            targets={split: said.values[:, order] for split, said in answers.items()},
            said={
                **described(opened),
                **{f"{split} evidence": said.evidence for split, said in answers.items()},
            },
        )
    return found


def described(opened: Opened) -> Mapping[str, str]:
    """Name, adapter and digest, for the lineage."""
    identity = dict(opened.adapter.identity())
    digest = identity["sha256"] if set(identity) == {"sha256"} else json_digest(identity)
    return {"name": opened.name, "adapter": opened.kind, "digest": digest}


def live(
    opened: Opened, methods: Sequence[str], frames: Mapping[Split, Frame]
) -> tuple[Participant, Mapping[Split, torch.Tensor]]:
    """The teacher as a participant, and what it is shown of each split.

    Its module is built anew, so that nothing done to it here reaches the model that was audited.

    Args:
        opened: the teacher.
        methods: of the recipe, which look into it; for the message.
        frames: the rows.

    Raises:
        ConfigError: if it is no PyTorch model.
    """
    model = _torch(opened.adapter)
    if model is None:
        named = " and ".join(f"[objectives.{name}]" for name in methods)
        raise ConfigError(
            f"{named} look into the layers of the teacher, and {opened.name} ({opened.kind}) shows "
            'its answers only: give [teacher] a PyTorch model, as distill = "...", path = "..." '
            'or torch = "...", or learn from its answers with [objectives.response]'
        )
    module = build(model.factory, width=model.width, classes=len(model.classes), args=model.args)
    load_weights(module, model.weights, model.factory)
    teacher = Participant(
        name=TEACHER,
        module=module.requires_grad_(requires_grad=False),
        factory=model.factory,
        classes=len(model.classes),
    )
    return teacher, {split: model.encoder(frame.inputs) for split, frame in frames.items()}


def _torch(adapter: Adapter) -> TorchModel | None:
    if isinstance(adapter, ModelFolder):
        return adapter.model
    return adapter if isinstance(adapter, TorchModel) else None
