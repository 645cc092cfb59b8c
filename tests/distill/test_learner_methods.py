"""Methods with more who learn, set up for models, trained, killed and resumed."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from kdaudit.distill.methods.drawn import Drawn, Gaussian, Generated, Moments, Shuffled, network
from kdaudit.distill.methods.methods import preset
from kdaudit.distill.methods.preset import Preset
from kdaudit.distill.methods.setting import PAST, Setting
from kdaudit.distill.objectives import STUDENT, TEACHER, Forward
from kdaudit.distill.recipe import Recipe
from kdaudit.distill.training.checkpoint import Checkpoint, tensor_digest
from kdaudit.distill.training.learner import Learner
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.sources import Batch, Stored
from kdaudit.distill.training.train import Trained, train
from kdaudit.errors import ConfigError, DataError, KdauditError, ModelError
from kdaudit.models.code import Code

FEATURES, CLASSES = 4, 3
METHODS = {
    "average": "[objectives.self]\nfrom = 'ema'\ndecay = 0.9",
    "snapshot": "[objectives.self]\nfrom = 'snapshot'",
    "peers": "[objectives.online]\npeers = 2",
    "teacher learns": "[objectives.online]\nteacher_learns = true",
    "answers": "[objectives.response]\n[objectives.adversarial]",
    "layers": "[objectives.hard]\n[objectives.adversarial]\nlayers = { body = 'body' }",
    "moments": "[objectives.data_free]\nrows = 50",
    "learned": "[objectives.data_free]\ninputs = 'learned'\n[objectives.relation]",
    "all": "[objectives.response]\n[objectives.self]\nfrom = 'ema'\n[objectives.online]\n"
    "[objectives.adversarial]",
}


class Net(nn.Module):
    def __init__(self, width: int, *, entrance: bool = False) -> None:
        super().__init__()
        self.entrance = nn.BatchNorm1d(FEATURES) if entrance else nn.Identity()
        self.body = nn.Sequential(nn.Linear(FEATURES, width), nn.BatchNorm1d(width), nn.ReLU())
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(width, CLASSES))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.body(self.entrance(inputs)))  # type: ignore[no-any-return]


class Stop(Exception):  # noqa: N818  # stands for a killed process
    pass


def drawn(rows: int, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(rows, FEATURES, generator=generator) + torch.arange(FEATURES)
    targets = 2 * inputs @ torch.randn(FEATURES, CLASSES, generator=generator)
    return Batch(inputs=inputs, labels=targets.argmax(dim=1), targets=targets)


def person(name: str, width: int, *, entrance: bool = False) -> Participant:
    torch.manual_seed(sum(map(ord, name)))
    code = Code(name="nets:net", function=lambda: None, digest="", source=None)
    module = Net(width, entrance=entrance)
    return Participant(name=name, module=module, factory=code, classes=CLASSES)


def another(
    name: str, factory: str | None = None, args: Mapping[str, object] | None = None
) -> Participant:
    assert factory is None
    assert args is None
    return person(name, 6)


def setting(*, entrance: bool = False) -> Setting:
    teacher = person(TEACHER, 8, entrance=entrance)
    teacher.module.requires_grad_(requires_grad=False)
    return Setting(
        participants={STUDENT: person(STUDENT, 6), TEACHER: teacher},
        transfer=drawn(60),
        validation=drawn(24, seed=1),
        classes=CLASSES,
        seed=5,
        another=another,
    )


def made(text: str, scene: Setting) -> Preset:
    raw = {"audit": "a", "student": {"factory": "a:b"}, **tomllib.loads(text)}
    return preset(Recipe.model_validate(raw).objectives, scene)


def everyone(found: Preset, scene: Setting) -> list[Learner]:
    """All who take part, as an arm puts them together."""
    own = {one.name for one in found.learners}
    asked = {name for term in found.terms for name in term.watches} - own - {STUDENT}
    people = scene.participants[STUDENT], *found.learners, *(scene.participants[a] for a in asked)
    learners: list[Learner] = []
    for one in people:
        terms = [term for term in found.terms if term.trains[0] == one.name]
        if one.optimiser is None and terms:
            weights = [*one.module.parameters(), *(p for term in terms for p in term.parameters())]
            one = replace(one, optimiser=torch.optim.Adam(weights, lr=0.02))  # noqa: PLW2901
        learners.append(one.watching(found.terms) if isinstance(one, Participant) else one)
    return learners


class Trial:
    """A method, trained from where its checkpoint stands until it is killed or done."""

    def __init__(self, text: str, path: Path, *, killed_at: int = -1, epochs: int = 3) -> None:
        self.scene = setting()
        self.found = made(text, self.scene)
        self.learners = everyone(self.found, self.scene)
        self.steps, self.killed_at = 0, killed_at
        stored = Stored(rows=self.scene.transfer, batch_size=16, seed=5)
        self.trained: Trained = train(
            self.learners,
            self.found.terms,
            stored if self.found.source is None else self.found.source(stored),
            self.scene.validation,
            epochs=epochs,
            patience=9,
            seed=5,
            name="trial",
            checkpoint=Checkpoint(path),
            advance=self.advance,
        )

    def advance(self, done: int, text: str = "") -> None:
        del text
        self.steps += done
        if self.steps == self.killed_at:
            raise Stop

    def digests(self) -> dict[str, str]:
        return {one.name: tensor_digest(one.module.state_dict()) for one in self.learners}


@pytest.mark.parametrize("name", METHODS)
def test_a_run_that_was_killed_ends_as_one_that_was_not(name: str, tmp_path: Path) -> None:
    whole = Trial(METHODS[name], tmp_path / "whole")
    with pytest.raises(Stop):
        Trial(METHODS[name], tmp_path / "killed", killed_at=6)  # within the second epoch
    resumed = Trial(METHODS[name], tmp_path / "killed")
    assert resumed.trained.steps_now > 0
    assert tensor_digest(resumed.trained.weights) == tensor_digest(whole.trained.weights)
    assert resumed.trained.course.curve == whole.trained.course.curve
    assert resumed.digests() == whole.digests()


@pytest.mark.parametrize("name", METHODS)
def test_the_teacher_of_the_audit_is_untouched_whatever_learns(name: str, tmp_path: Path) -> None:
    trial = Trial(METHODS[name], tmp_path / "run", epochs=2)
    teacher = trial.scene.participants[TEACHER].module
    fresh = setting().participants[TEACHER].module
    assert tensor_digest(teacher.state_dict()) == tensor_digest(fresh.state_dict())
    assert not any(module.training for module in teacher.modules())
    assert all(p.grad is None for p in teacher.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_nothing_but_the_student_is_kept(name: str, tmp_path: Path) -> None:
    trial = Trial(METHODS[name], tmp_path / "run", epochs=1)
    student = trial.scene.participants[STUDENT].module
    assert set(trial.trained.weights) == set(student.state_dict())


def moved(name: str, path: Path) -> set[str]:
    """Who is another after training than before."""
    scene = setting()
    first = {
        one.name: tensor_digest(one.module.state_dict())
        for one in everyone(made(METHODS[name], scene), scene)
    }
    now = Trial(METHODS[name], path, epochs=2).digests()
    return {name for name, digest in first.items() if digest != now[name]}


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("average", {STUDENT, PAST}),
        ("peers", {STUDENT, "peer1", "peer2"}),
        ("teacher learns", {STUDENT, TEACHER}),
        ("layers", {STUDENT, "discriminator"}),
        ("moments", {STUDENT}),
        ("learned", {STUDENT, "generator"}),
    ],
)
def test_those_learn_who_are_to_learn(name: str, who: set[str], tmp_path: Path) -> None:
    assert moved(name, tmp_path / "run") == who


def test_each_learner_minimises_its_own_terms_and_the_student_is_validated_on_its_labels() -> None:
    found = made("[objectives.online]\npeers = 2", setting())
    trains = {term.name: term.trains for term in found.terms}
    assert trains == {
        "online.soft": (STUDENT,),
        "online.hard": (STUDENT,),
        "online.peer1.soft": ("peer1",),
        "online.peer1.hard": ("peer1",),
        "online.peer2.soft": ("peer2",),
        "online.peer2.hard": ("peer2",),
    }
    kept = [term.name for term in found.terms if term.validated and term.trains == (STUDENT,)]
    assert kept == ["online.hard"]
    assert "peer2: 0.7·T²" in found.formula
    assert "a mean over teachers student, peer1 of now" in found.formula


def test_a_generation_learns_from_the_answers_of_the_one_before() -> None:
    scene, text = setting(), "[objectives.self]"
    assert [term.name for term in made(text, scene).terms] == ["self.hard"]
    rows = [
        replace(part, further={PAST: torch.randn(len(part), CLASSES)})
        for part in (scene.transfer, scene.validation)
    ]
    later = made(text, replace(scene, transfer=rows[0], validation=rows[1]))
    assert [term.name for term in later.terms] == ["self.soft", "self.hard"]
    soft = later.terms[0]
    same = {STUDENT: Forward(logits=rows[0].further[PAST] + 3)}
    assert float(soft(same, rows[0])) == pytest.approx(0.0, abs=1e-5)
    assert float(soft({STUDENT: Forward(logits=-rows[0].further[PAST])}, rows[0])) > 0.1


def test_drawn_rows_have_the_moments_of_the_transfer_rows() -> None:
    scene = setting()
    found = made("[objectives.data_free]\nrows = 5000", scene)
    assert found.source is not None
    source = found.source(Stored(rows=scene.transfer, batch_size=50, seed=5))
    batches = list(source.batches(1))
    assert len(source) == len(batches) == 100
    inputs = torch.cat([batch.inputs for batch in batches])
    expected = Moments.of(scene.transfer.inputs)
    torch.testing.assert_close(inputs.mean(dim=0), expected.mean, rtol=0, atol=0.08)
    torch.testing.assert_close(inputs.std(dim=0), expected.std, rtol=0.05, atol=0)
    assert all(batch.labels is None for batch in batches)
    shown = {tuple(row) for row in scene.transfer.inputs.tolist()}
    assert not shown & {tuple(row) for row in inputs.tolist()}


def test_drawn_rows_are_the_same_whenever_an_epoch_is_asked_for_and_answered_live() -> None:
    teacher = person(TEACHER, 8)
    moments = Moments(mean=torch.zeros(FEATURES), std=torch.ones(FEATURES))
    source = Drawn(make=Gaussian(moments=moments), teacher=teacher, rows=23, batch_size=10, seed=1)
    one, again, other = (list(source.batches(epoch)) for epoch in (1, 1, 2))
    assert [len(batch) for batch in one] == [8, 8, 7]
    for a, b, c in zip(one, again, other, strict=True):
        assert torch.equal(a.inputs, b.inputs)
        assert not torch.equal(a.inputs, c.inputs)
        expected = teacher(a.inputs, learning=False).logits
        assert torch.equal(a.answers(TEACHER), expected)
        assert not a.answers(TEACHER).requires_grad


def test_a_shuffled_control_gives_drawn_rows_the_answers_of_others() -> None:
    moments = Moments(mean=torch.zeros(FEATURES), std=torch.ones(FEATURES))
    source = Drawn(
        make=Gaussian(moments=moments), teacher=person(TEACHER, 8), rows=64, batch_size=64, seed=1
    )
    (plain,), (mixed,) = source.batches(1), Shuffled(source=source, seed=1).batches(1)
    assert torch.equal(plain.inputs, mixed.inputs)
    answers = plain.answers(TEACHER), mixed.answers(TEACHER)
    assert not torch.equal(*answers)
    assert sorted(answers[0].tolist()) == sorted(answers[1].tolist())


def test_a_generator_makes_batches_of_given_moments_and_gets_gradients() -> None:
    torch.manual_seed(0)
    moments = Moments(mean=torch.tensor([1.0, -2.0]), std=torch.tensor([0.5, 0.0]))
    net = network(3, 16, 2)
    make = Generated(network=net, latent=3, moments=moments)
    made_rows = make(40, torch.Generator().manual_seed(0))
    torch.testing.assert_close(made_rows.mean(dim=0), moments.mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(made_rows.std(dim=0, correction=0), moments.std, atol=1e-3, rtol=0)
    assert made_rows.requires_grad
    assert not list(net.buffers())
    with pytest.raises(ModelError, match="raise batch_size"):
        make(1, torch.Generator())


def test_moments_can_be_given_or_be_what_the_teacher_remembers() -> None:
    scene = setting(entrance=True)
    teacher = scene.participants[TEACHER].module
    teacher.entrance.running_mean.copy_(torch.arange(4.0))  # type: ignore[union-attr, operator]
    teacher.entrance.running_var.fill_(4.0)  # type: ignore[union-attr, operator]
    given = "[objectives.data_free]\nmean = [0.0, 1.0, 2.0, 3.0]\nstd = 2.0"
    remembered = "[objectives.data_free]\nmoments = 'teacher'"
    facts = [made(text, scene).facts["data_free"] for text in (given, remembered)]
    assert facts[0] == facts[1]
    assert "of the teacher's first batch norm" in made(remembered, scene).formula


MISTAKES: dict[str, tuple[str, type[KdauditError], str]] = {
    "no batch norm": (
        "[objectives.data_free]\nmoments = 'teacher'",
        ConfigError,
        "nets:net has none: give mean and std",
    ),
    "too many": (
        "[objectives.data_free]\nmean = [0.0, 1.0]\nstd = 1.0",
        ConfigError,
        "objectives.data_free.mean has 2 numbers, and the student reads 4 per row",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_moments_that_are_not_there_are_named(name: str) -> None:
    text, error, words = MISTAKES[name]
    with pytest.raises(error, match=re.escape(words)):
        made(text, setting())


def test_rows_cannot_be_drawn_where_the_two_read_them_differently() -> None:
    scene = setting()
    rows = scene.validation
    other = replace(scene, validation=replace(rows, shown={TEACHER: rows.inputs + 1}))
    with pytest.raises(ConfigError, match="encode rows differently"):
        made("[objectives.data_free]", other)
    tokens = replace(scene, validation=replace(rows, inputs=rows.inputs.long()))
    with pytest.raises(ModelError, match="the student reads int64 tokens"):
        made("[objectives.data_free]", tokens)


def test_a_discriminator_needs_logits() -> None:
    scene = setting()
    assert scene.transfer.targets is not None
    scene.transfer.targets[3, 1] = -torch.inf
    with pytest.raises(DataError, match=r"\[objectives\.adversarial\] would be infinite"):
        made("[objectives.hard]\n[objectives.adversarial]", scene)


def test_layers_of_other_widths_are_projected_for_the_discriminator() -> None:
    found = made(METHODS["layers"], setting())
    shapes = [tuple(p.shape) for p in found.terms[0].parameters()]
    assert shapes == [(8, 6), (8,)]
    assert "g = W·h_student + b, layers body → body" in found.formula


def test_what_is_drawn_depends_on_the_seed_alone() -> None:
    def digests(seed: int) -> list[str]:
        torch.manual_seed(seed + 100)
        scene = replace(setting(), seed=seed)
        texts = METHODS["layers"], METHODS["learned"]
        return [
            tensor_digest(one.module.state_dict())
            for text in texts
            for one in made(text, scene).learners
            if one.optimiser is not None
        ]

    assert digests(0) == digests(0)
    assert not set(digests(0)) & set(digests(1))
