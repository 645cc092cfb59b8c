"""Teachers in three forms: answers that are stored, further ones, and modules to look into."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from kdaudit.data.audit_file import AuditFile
from kdaudit.data.frame import Frame
from kdaudit.data.splits import Split
from kdaudit.distill.recipe import Recipe, made
from kdaudit.distill.targets.forms import Targets
from kdaudit.distill.targets.partial import GIVEN, refuse_temperature
from kdaudit.distill.targets.table import TargetsTable
from kdaudit.distill.targets.targets import AS_IT_IS, Teacher
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.sources import TEACHER
from kdaudit.errors import ConfigError, DataError, examples
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import json_digest
from kdaudit.models.adapter import Adapter, Columns
from kdaudit.models.code import resolve
from kdaudit.models.folder import ModelFolder
from kdaudit.models.open import Opened, open_model
from kdaudit.models.sequence_classifier import SequenceClassifier
from kdaudit.models.torch import TorchModel
from kdaudit.models.transformer import FACTORY
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
        keep: what of their answers is kept.
    """

    audit: AuditFile
    frames: Mapping[Split, Frame]
    store: Store
    progress: Progress
    keep: TargetsTable = AS_IT_IS

    def ask(self, opened: Opened, who: str, rename: Mapping[str, str]) -> dict[Split, Targets]:
        """The answers of a model, or of a file, to every row.

        Args:
            opened: it.
            who: for messages.
            rename: from its classes to those of the labels.

        Raises:
            DataError: if any row has no valid answer.
        """
        teacher = self.teacher(opened, rename)
        return {
            split: teacher.answers(
                frame, split, self.store, self.progress(f"asking {who}, {split} rows", len(frame))
            )
            for split, frame in self.frames.items()
        }

    def teacher(self, opened: Opened, rename: Mapping[str, str]) -> Teacher:
        """A model, or a file, as it is asked."""
        data, frames = self.audit.data, self.frames.values()
        labels = {str(x) for frame in frames if frame.labels is not None for x in frame.labels}
        favourable, others = data.positive, sorted(labels - set(data.positive))
        return Teacher(
            name=opened.name,
            adapter=opened.adapter,
            id_column=(data.transfer.id if data.transfer else None) or data.id or "id",
            two_classes=(*favourable, *others) if len(favourable) == len(others) == 1 else (),
            keep=self.keep,
            rename=rename,
            audit=self.audit,
        )


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
        answers = asking.ask(opened, f"the teacher {name}", table.rename)
        first = next(iter(answers.values()))
        _refuse_uncombined(recipe, name, first)
        own = [table.rename.get(one, one) for one in first.classes]
        if sorted(own) != sorted(classes) and not (first.seen_only and set(own) <= set(classes)):
            strange = sorted(set(own) ^ set(classes)) or own
            raise DataError(
                f"[teachers.{name}] answers with other classes than [teacher]: only one of them "
                f"knows {examples(strange)}; bring them together, e.g. by "
                'rename = { LABEL_0 = "billing" }'
            )
        found[name] = Further(
            targets={split: one.placed(own, classes).values for split, one in answers.items()},
            said={
                **described(opened),
                **{f"{split} evidence": said.evidence for split, said in answers.items()},
            },
        )
    return found


def _refuse_uncombined(recipe: Recipe, name: str, answers: Targets) -> None:
    """Several teachers are combined by whole distributions, at a temperature they all know."""
    table = recipe.objectives.multi_teacher
    if table is None or answers.kind == "full":
        return
    refuse_temperature("multi_teacher", answers.kind, answers.temperatures, table.temperature)
    if answers.kind in ("top_k", "label"):
        raise DataError(
            f"[teachers.{name}] gives {GIVEN[answers.kind]}, and [objectives.multi_teacher] "
            "combines whole distributions: give p_<class> columns, or leave it out"
        )


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
        ConfigError: if it is neither a PyTorch model nor one of Transformers.
    """
    model = torch_model(opened.adapter)
    if isinstance(opened.adapter, SequenceClassifier):
        module, encoder = opened.adapter.taken_apart()
        factory, classes = resolve(FACTORY, Path()), opened.adapter.classes
    elif model is not None:
        module, encoder = model.module(), model.encoder
        factory, classes = model.factory, model.classes
    else:
        named = " and ".join(f"[objectives.{name}]" for name in methods)
        raise ConfigError(
            f"{named} need the teacher itself at hand, and {opened.name} ({opened.kind}) shows "
            'its answers only: give [teacher] a PyTorch model, as distill = "...", path = "..." '
            'torch = "..." or hf = "...", or learn from its answers with [objectives.response]'
        )
    teacher = Participant(name=TEACHER, module=module, factory=factory, classes=len(classes))
    return teacher, {split: encoder(frame.inputs) for split, frame in frames.items()}


def encoder_of(adapter: Adapter) -> Callable[[Columns], torch.Tensor]:
    """What makes the input of the module that `live` gives."""
    if isinstance(adapter, SequenceClassifier):
        return adapter.taken_apart()[1]
    model = torch_model(adapter)
    assert model is not None  # live has refused it
    return model.encoder


def torch_model(adapter: Adapter) -> TorchModel | None:
    """The PyTorch model of an adapter that has one: factory, weights and encoder."""
    if isinstance(adapter, ModelFolder):
        return adapter.model
    return adapter if isinstance(adapter, TorchModel) else None
