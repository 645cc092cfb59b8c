"""Methods as presets: set up for models, trained, killed, resumed, exported."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from kdaudit.distill.methods.methods import Setting, preset
from kdaudit.distill.methods.tables import ObjectivesTable
from kdaudit.distill.objectives import STUDENT, TEACHER, Objective
from kdaudit.distill.recipe import Recipe
from kdaudit.distill.training.checkpoint import Checkpoint, tensor_digest
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.sources import Batch, Stored
from kdaudit.distill.training.train import Trained, train
from kdaudit.errors import DataError, ModelError
from kdaudit.models.code import Code


def table(text: str) -> ObjectivesTable:
    raw = {"audit": "a", "student": {"factory": "a:b"}, **tomllib.loads(text)}
    return Recipe.model_validate(raw).objectives


class Net(nn.Module):
    """Two places of the same width, so that there is something to attend to."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 2 * width), nn.BatchNorm1d(2 * width), nn.ReLU())
        self.both = nn.Unflatten(1, (2, width))
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(2 * width, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        given = self.both(self.body(inputs))
        return self.head(self.drop(given.flatten(1)))  # type: ignore[no-any-return]


def participant(name: str, width: int, code: Callable[[str], Code], seed: int) -> Participant:
    torch.manual_seed(seed)
    return Participant(name=name, module=Net(width), factory=code("nets:net"), classes=3)


def drawn(rows: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(rows, 3, generator=generator)
    targets = 2 * inputs @ torch.randn(3, 3, generator=generator)
    return Batch(inputs=inputs, labels=targets.argmax(dim=1), targets=targets)


def setting(code: Callable[[str], Code], seed: int = 0) -> Setting:
    people = {
        STUDENT: participant(STUDENT, 2, code, seed=1),
        TEACHER: participant(TEACHER, 6, code, seed=2),
    }
    rows = drawn(80)
    return Setting(participants=people, transfer=rows, validation=rows, classes=3, seed=seed)


ALL = (
    "[objectives.response]\n[objectives.feature]\nlayers = { both = 'both', 'body.0' = 'body.0' }\n"
    "[objectives.attention]\nlayers = { both = 'both' }\n"
    "[objectives.relation]\nlayers = { body = 'body' }\n"
)


class Stop(Exception):  # noqa: N818  # stands for a killed process
    pass


@pytest.fixture
def start(tmp_path: Path, code: Callable[[str], Code]) -> Callable[..., Trained]:
    """Train a student with every method that looks inside, until it is killed or done."""

    def begin(
        name: str, *, killed_at: int = -1, teacher: list[Participant] | None = None
    ) -> Trained:
        scene = setting(code)
        objectives = list(preset(table(ALL), scene).terms)
        student = scene.participants[STUDENT]
        learnt = [*student.module.parameters(), *(p for o in objectives for p in o.parameters())]
        optimiser = torch.optim.Adam(learnt, lr=0.02)
        learner = Participant(
            name=STUDENT,
            module=student.module,
            factory=student.factory,
            classes=3,
            optimiser=optimiser,
        )
        people = [one.watching(objectives) for one in (learner, scene.participants[TEACHER])]
        if teacher is not None:
            teacher.append(people[1])
        steps = 0

        def advance(done: int, text: str = "") -> None:
            del text
            nonlocal steps
            steps += done
            if steps == killed_at:
                raise Stop

        return train(
            people,
            objectives,
            Stored(rows=scene.transfer, batch_size=16, seed=3),
            scene.validation.take(slice(30)),
            epochs=6,
            patience=9,
            seed=3,
            name=name,
            checkpoint=Checkpoint(tmp_path / f"{name}.safetensors"),
            advance=advance,
        )

    return begin


@pytest.mark.parametrize("killed_at", [1, 12, 20])
def test_a_run_with_projectors_that_was_killed_ends_as_one_that_was_not(
    start: Callable[..., Trained], killed_at: int
) -> None:
    whole = start("whole")
    with pytest.raises(Stop):
        start("killed", killed_at=killed_at)
    resumed = start("killed")
    assert resumed.steps_now > 0
    assert tensor_digest(resumed.weights) == tensor_digest(whole.weights)
    assert resumed.course.curve == whole.course.curve


def test_a_checkpoint_holds_projectors_and_their_moments_but_no_teacher(
    start: Callable[..., Trained], tmp_path: Path
) -> None:
    with pytest.raises(Stop):
        start("killed", killed_at=12)
    found = Checkpoint(tmp_path / "killed.safetensors").load()
    assert found is not None
    shapes = {name: tuple(tensor.shape) for name, tensor in found[0].items()}
    assert (6, 2) in [shape for name, shape in shapes.items() if "projectors" in name]
    assert (6, 2) in [shape for name, shape in shapes.items() if "exp_avg" in name]
    assert not any(TEACHER in name for name in shapes)


def test_the_teacher_and_its_modes_are_untouched_and_no_hook_is_left(
    start: Callable[..., Trained], code: Callable[[str], Code]
) -> None:
    seen: list[Participant] = []
    start("whole", teacher=seen)
    (teacher,) = seen
    fresh = participant(TEACHER, 6, code, seed=2).module
    assert tensor_digest(teacher.module.state_dict()) == tensor_digest(fresh.state_dict())
    assert not any(module.training for module in teacher.module.modules())
    assert all(parameter.grad is None for parameter in teacher.module.parameters())
    assert not any(module._forward_hooks for module in teacher.module.modules())


def test_every_part_of_the_loss_falls(start: Callable[..., Trained]) -> None:
    curve = start("whole").course.curve
    first, last = curve[0].train, curve[-1].train
    assert set(first) == {
        "response.soft",
        "response.hard",
        "feature",
        "attention",
        "relation.distance",
        "relation.angle",
        "total",
    }
    assert {name for name in first if not last[name] < first[name]} == set()


def test_projectors_depend_on_the_seed_and_their_layers_alone(code: Callable[[str], Code]) -> None:
    def digest(seed: int) -> str:
        torch.manual_seed(seed + 100)
        terms = preset(table(ALL), setting(code, seed)).terms
        return tensor_digest(nn.ModuleList(terms).state_dict())

    assert digest(0) == digest(0) != digest(1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[objectives.feature]\nlayers = { bodi = 'body' }",
            "nets:net: unknown module 'bodi'. Did you mean 'body'? Known: body, body.0",
        ),
        (
            "[objectives.feature]\nlayers = { body = 'both' }",
            "body → both give 4 numbers and 2 positions of 6 numbers per row",
        ),
        (
            "[objectives.feature]\nlayers = { body = 'body' }\nprojector = 'none'",
            'give 4 and 12 numbers: projector = "linear" brings',
        ),
        ("[objectives.attention]\nlayers = { body = 'body' }", "or use [objectives.feature]"),
        (
            "[objectives.relation]\nlayers = { 'body[1]' = 'body' }",
            "gives Tensor, which has no part",
        ),
        (
            "[objectives.feature]\nlayers = { both = 'both' }\npadding = 0",
            "in the student's inputs, of shape (2, 3), but the layer has 2 positions",
        ),
    ],
)
def test_layers_that_do_not_fit_are_named(
    code: Callable[[str], Code], text: str, words: str
) -> None:
    scene = setting(code)
    with pytest.raises(ModelError, match=re.escape(words)):
        run_once(list(preset(table(f"[objectives.response]\n{text}"), scene).terms), scene)


def run_once(terms: list[Objective], scene: Setting) -> list[float]:
    rows = scene.transfer.take(slice(2))
    people = {name: one.watching(terms) for name, one in scene.participants.items()}
    outputs = {n: p(rows.seen_by(n), learning=False) for n, p in people.items()}
    return [float(term(outputs, rows)) for term in terms]


def test_what_a_module_returns_besides_can_be_named(code: Callable[[str], Code]) -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

        def forward(self, inputs: Tensor) -> Tensor:
            tokens = inputs[:, :, None].expand(-1, -1, 4)
            given, _ = self.attention(tokens, tokens, tokens, average_attn_weights=False)
            return given.mean(dim=1)  # type: ignore[no-any-return]

    torch.manual_seed(0)
    student, teacher = (
        Participant(name=name, module=Attending(), factory=code("nets:attending"), classes=4)
        for name in (STUDENT, TEACHER)
    )
    rows = Batch(inputs=torch.randn(5, 3), targets=torch.randn(5, 4), labels=torch.arange(5) % 4)
    scene = Setting(
        participants={STUDENT: student, TEACHER: teacher},
        transfer=rows,
        validation=rows,
        classes=4,
        seed=0,
    )
    text = (
        "[objectives.response]\n[objectives.attention]\nof = 'weights'\n"
        "layers = { 'attention[1]' = 'attention[1]' }"
    )
    terms = list(preset(table(text), scene).terms)
    assert student.watching(terms)(rows.inputs, learning=False).inner["attention[1]"].shape == (
        5,
        2,
        3,
        3,
    )
    assert run_once(terms, scene)[-1] > 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[objectives.response]\ndivergence = 'reverse_kl'", 'use divergence = "jsd"'),
        ("[objectives.response]\ndivergence = 'mse'", "probability of exactly 0 in 2 of 160 rows"),
        ("[objectives.response]\n[objectives.relation]", "[objectives.relation] would be infinite"),
    ],
)
def test_a_teacher_that_excludes_a_class_is_refused_where_the_loss_would_be_infinite(
    code: Callable[[str], Code], text: str, words: str
) -> None:
    scene = setting(code)
    assert scene.transfer.targets is not None
    scene.transfer.targets[3, 1] = -torch.inf  # the validation rows are the same here
    with pytest.raises(DataError, match=re.escape(words)):
        preset(table(text), scene)
