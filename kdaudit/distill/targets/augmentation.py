"""What a recipe's ``augment`` comes to: views that are stored, or a teacher that is asked anew."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from kdaudit.distill.methods.controls import rows
from kdaudit.distill.recipe import Recipe
from kdaudit.distill.targets.forms import Targets
from kdaudit.distill.targets.targets import Teacher
from kdaudit.distill.targets.teachers import Asking, described, encoder_of
from kdaudit.distill.targets.views import Live, Views, encoded, numbered
from kdaudit.distill.training.checkpoint import tensor_digest
from kdaudit.distill.training.sources import TEACHER, Batch, Source, Stored
from kdaudit.errors import ConfigError
from kdaudit.governance.digest import json_digest
from kdaudit.lineage import ArmKind
from kdaudit.models.adapter import Columns, Runnable
from kdaudit.models.code import Code
from kdaudit.models.open import Opened
from kdaudit.models.torch import Encoder
from kdaudit.stats.random import stream


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Augmentation:
    """How transfer rows are changed, and what of them is known.

    Attributes:
        function: ``augment(columns, generator)``.
        columns: (N,) input columns of the rows as they are.
        encoder: of the student.
        answer: (B, C) targets of changed rows, where the teacher is asked about every batch.
        shown: encoder of the teacher's module, where a method looks into it.
        views: the stored views; empty where there are none.
        said: what the lineage says of it.
        key: what the trained weights depend on beside the rows as they are.
    """

    function: Code
    columns: Columns
    encoder: Encoder
    answer: Callable[[Columns], Tensor] | None
    shown: Callable[[Columns], Tensor] | None
    views: tuple[Batch, ...]
    said: Mapping[str, str]
    key: Mapping[str, object] = field(default_factory=dict)

    def source(self, kind: ArmKind, order: Stored) -> Source:
        """Where an arm's batches come from.

        Args:
            kind: the arm; ``shuffled`` has the teacher see another row's view.
            order: the rows as they are, as that arm has them.
        """
        seed = order.seed
        if self.views:
            return Views(
                views=tuple(replace(order, rows=rows(kind, seed, one)) for one in self.views)
            )
        learns_labels = kind in ("hard", "label_smoothing")
        shuffled = kind == "shuffled"
        return Live(
            order=order,
            columns=self.columns,
            augment=self.function,
            encoder=self.encoder,
            answer=None if learns_labels else self.answer,
            shown=None if learns_labels else self.shown,
            taught=stream(seed, "shuffled").permutation(len(order.rows)) if shuffled else None,
        )


def augmentation(  # noqa: PLR0913  # everything that is changed, and everybody who sees it
    recipe: Recipe,
    asking: Asking,
    *,
    opened: Opened | None,
    rename: Mapping[str, str],
    batch: Batch,
    encoder: Encoder,
    function: Code,
    classes: Sequence[str],
    looked_into: bool,
) -> Augmentation:
    """Ask the teacher about stored views, or get ready to ask it about every batch.

    Args:
        recipe: the recipe.
        asking: whose transfer rows are changed.
        opened: the teacher, or None.
        rename: from its classes to the labels'.
        batch: the transfer rows as they are.
        encoder: of the student.
        function: changes rows.
        classes: (C,) in the order of the targets.
        looked_into: whether a method looks into the teacher's module.

    Raises:
        ConfigError: for a teacher that cannot be asked about changed rows.
    """
    frame = asking.frames["transfer"]
    made = Augmentation(
        function=function,
        columns=frame.inputs,
        encoder=encoder,
        answer=None,
        shown=encoder_of(opened.adapter) if opened is not None and looked_into else None,
        views=(),
        said={"augment": function.name},
        key={
            "augment": f"{function.name} {function.digest}",
            "columns": json_digest([row.hex() for row in frame.rows().tolist()]),
        },
    )
    if opened is None:
        return made
    teacher = asking.teacher(opened, rename)
    _refuse_unasked(recipe, teacher)
    if recipe.targets.live:
        return replace(
            made,
            answer=_Answer(teacher, rename, classes),
            said={**made.said, "targets": "live: the teacher is asked about every batch"},
            key={**made.key, "live": described(opened)["digest"]},
        )
    count = recipe.targets.views or 0
    views = []
    for number in range(count):
        columns = numbered(function, frame.inputs, number)
        stage = asking.progress(f"asking the teacher, view {number + 1} of {count}", len(frame))
        said = teacher.answers(
            replace(frame, inputs=columns), "transfer", asking.store, stage, f"view {number}"
        )
        known = _placed(said, rename, classes)
        views.append(
            replace(
                batch,
                inputs=encoded(encoder, columns, function),
                targets=known.values,
                norms=known.norms,
                shown={} if made.shown is None else {TEACHER: made.shown(columns)},
            )
        )
    return replace(
        made,
        views=tuple(views),
        said={**made.said, "targets": f"{count} stored views of each row, one per epoch in turn"},
        key={**made.key, "views": [tensor_digest(one.tensors()) for one in views]},
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """The teacher, asked about rows as they are now."""

    teacher: Teacher
    rename: Mapping[str, str]
    classes: Sequence[str]

    def __call__(self, columns: Columns) -> Tensor:
        # A model that is built at its first question draws weights; the student's draws go on.
        with torch.random.fork_rng(devices=[]):
            return _placed(self.teacher.now(columns), self.rename, self.classes).values


def _placed(said: Targets, rename: Mapping[str, str], classes: Sequence[str]) -> Targets:
    return said.placed([rename.get(name, name) for name in said.classes], classes)


def _refuse_unasked(recipe: Recipe, teacher: Teacher) -> None:
    if recipe.teachers:
        raise ConfigError(
            "[student] augment asks one teacher about changed rows: take [teachers] out, or augment"
        )
    if not isinstance(teacher.adapter, Runnable):
        raise ConfigError(
            f"[student] augment shows the teacher changed rows, and {teacher.name} holds answers "
            "to the rows as they are: give a model that can be run, or take augment out"
        )
