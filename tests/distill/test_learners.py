"""Several who learn or follow in one run: a peer, a follower, and two that pull apart."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, kl_div

from kdaudit.distill.objectives import STUDENT, Borrowed, Forward, Hard, Objective
from kdaudit.distill.training.checkpoint import Checkpoint, tensor_digest
from kdaudit.distill.training.learner import Average, Follow, Learner, Snapshot, copied
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.runtime import Runtime
from kdaudit.distill.training.sources import Batch, Stored
from kdaudit.distill.training.step import Step
from kdaudit.distill.training.train import Trained, train
from kdaudit.models.code import Code
from kdaudit.progress import Advance

WIDTH, CLASSES = 4, 3


class Stop(Exception):  # noqa: N818  # stands for a killed process
    pass


class Labels(Objective):
    """Cross-entropy of any participant."""

    def __init__(self, who: str) -> None:
        super().__init__()
        self.name = f"{who}.labels"
        self.formula = "-log q(y)"
        self.trains = (who,)

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        assert batch.labels is not None
        return nn.functional.cross_entropy(outputs[self.trains[0]].logits, batch.labels)


class Alike(Objective):
    """KL from another's answers, whose gradient would reach the other one too."""

    def __init__(self, who: str, other: str) -> None:
        super().__init__()
        self.name = f"{who}.like.{other}"
        self.formula = "KL"
        self.trains = (who,)
        self.other = other

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        del batch
        log_q = outputs[self.trains[0]].logits.log_softmax(dim=1)
        p = outputs[self.other].logits.softmax(dim=1)
        return kl_div(log_q, p, reduction="batchmean")


class Judged(Objective):
    """A critic tells the student's logits from labels; or the student is to be taken for them."""

    def __init__(self, critic: nn.Module, who: str) -> None:
        super().__init__()
        self.name = f"{who}.judged"
        self.formula = "BCE"
        self.trains = (who,)
        self.validated = False
        self.critic = Borrowed(critic)

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        assert batch.labels is not None
        false = self.critic(outputs[STUDENT].logits)
        if self.trains == (STUDENT,):
            return binary_cross_entropy_with_logits(false, torch.ones_like(false))
        true = self.critic(5 * nn.functional.one_hot(batch.labels, CLASSES).float())
        return binary_cross_entropy_with_logits(
            true, torch.ones_like(true)
        ) + binary_cross_entropy_with_logits(false, torch.zeros_like(false))


class Cast(NamedTuple):
    """Who takes part, and what they learn by."""

    learners: list[Learner]
    terms: list[Objective]

    def __getitem__(self, name: object) -> Learner:  # type: ignore[override]
        return next(one for one in self.learners if one.name == name)


@pytest.fixture
def rows() -> Batch:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(96, WIDTH, generator=generator)
    return Batch(inputs=inputs, labels=inputs[:, :CLASSES].argmax(dim=1))


@pytest.fixture
def net(code: Callable[[str], Code]) -> Callable[..., Participant]:
    def build(name: str, *, follow: Follow | None = None, like: nn.Module | None = None) -> Learner:
        module = (
            nn.Sequential(
                nn.Linear(WIDTH, 16), nn.BatchNorm1d(16), nn.Dropout(0.2), nn.Linear(16, CLASSES)
            )
            if like is None
            else copied(like)
        )
        optimiser = None if follow else torch.optim.Adam(module.parameters(), lr=0.02)
        return Participant(
            name=name,
            module=module,
            factory=code("a:b"),
            classes=CLASSES,
            optimiser=optimiser,
            follow=follow,
        )

    return build  # type: ignore[return-value]


def peers(net: Callable[..., Learner]) -> Cast:
    return Cast(
        [net(STUDENT), net("peer")],
        [Labels(STUDENT), Labels("peer"), Alike(STUDENT, "peer"), Alike("peer", STUDENT)],
    )


def average(net: Callable[..., Learner]) -> Cast:
    student = net(STUDENT)
    mean = net("mean", like=student.module, follow=Average(of=STUDENT, decay=0.9))
    return Cast([student, mean], [Labels(STUDENT), Alike(STUDENT, "mean")])


def earlier(net: Callable[..., Learner]) -> Cast:
    student = net(STUDENT)
    before = net("before", like=student.module, follow=Snapshot(of=STUDENT))
    return Cast([student, before], [Labels(STUDENT), Alike(STUDENT, "before")])


def critic(net: Callable[..., Learner]) -> Cast:
    judge = nn.Sequential(nn.Linear(CLASSES, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
    learner = Learner(
        name="critic", module=judge, optimiser=torch.optim.Adam(judge.parameters(), lr=0.01)
    )
    return Cast(
        [net(STUDENT), learner], [Labels(STUDENT), Judged(judge, STUDENT), Judged(judge, "critic")]
    )


CASTS = [peers, average, earlier, critic]


@pytest.mark.parametrize("cast", CASTS)
def test_all_who_change_end_alike_whether_the_run_was_killed_or_not(
    cast: Callable[..., Cast], net: Callable[..., Learner], rows: Batch, tmp_path: Path
) -> None:
    def run(name: str, killed_at: int = -1) -> tuple[Trained, dict[str, str]]:
        torch.manual_seed(1)
        who = cast(net)
        found = train(
            who.learners,
            who.terms,
            Stored(rows=rows.take(slice(64)), batch_size=16, seed=3),
            rows.take(slice(64, 96)),
            epochs=6,
            patience=6,
            seed=3,
            name=name,
            checkpoint=Checkpoint(tmp_path / name),
            advance=stopping(killed_at),
        )
        return found, {one.name: tensor_digest(one.module.state_dict()) for one in who.learners}

    whole, ends = run("whole")
    torch.manual_seed(1)
    first = cast(net)
    for one in first.learners:
        assert ends[one.name] != tensor_digest(one.module.state_dict()), f"{one.name} stood still"
    with pytest.raises(Stop):
        run("killed", killed_at=14)
    resumed, again = run("killed")
    assert resumed.steps_now == 12
    assert again == ends
    assert resumed.course.curve == whole.course.curve
    assert tensor_digest(resumed.weights) == tensor_digest(whole.weights)


def stopping(at: int) -> Advance:
    done = 0

    def advance(more: int, text: str = "") -> None:
        del text
        nonlocal done
        done += more
        if done == at:
            raise Stop

    return advance


@pytest.mark.parametrize("cast", [peers, critic])
def test_a_learner_has_the_gradient_of_its_own_terms_and_of_no_other(
    cast: Callable[..., Cast], net: Callable[..., Learner], rows: Batch
) -> None:
    who = cast(net)
    for one in who.learners:
        for module in one.module.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # so that asking again gives the same
        one.mode(learning=True)
    Step(who.learners, who.terms, Runtime())(rows)
    for one in who.learners:
        weights = list(one.module.parameters())
        found = [weight.grad for weight in weights]
        outputs = {
            p.name: p(rows.inputs, learning=True)
            for p in who.learners
            if isinstance(p, Participant)
        }
        own = [term(outputs, rows) for term in who.terms if term.trains == (one.name,)]
        for grad, wanted in zip(
            found, torch.autograd.grad(torch.stack(own).sum(), weights), strict=True
        ):
            torch.testing.assert_close(grad, wanted)


def test_one_who_learns_alone_has_the_bits_of_one_plain_backward(
    net: Callable[..., Learner], rows: Batch
) -> None:
    student = net(STUDENT)
    student.module[2].p = 0.0  # type: ignore[index]
    terms = [Hard(name="hard", weight=0.3), Labels(STUDENT)]
    values = Step([student], terms, Runtime())(rows)
    found = [weight.grad for weight in student.module.parameters()]
    student.optimiser.zero_grad()  # type: ignore[union-attr]
    assert isinstance(student, Participant)
    outputs = {STUDENT: student(rows.inputs, learning=True)}
    plain = torch.stack([term(outputs, rows) for term in terms])
    torch.autograd.backward(plain.sum())
    assert torch.equal(values, plain)
    for grad, weight in zip(found, student.module.parameters(), strict=True):
        assert grad is not None
        assert weight.grad is not None
        assert torch.equal(grad, weight.grad)


def test_an_average_follows_every_step_and_a_snapshot_every_epoch() -> None:
    student, own = nn.Linear(1, 1), nn.Linear(1, 1)
    student.weight.data.fill_(1.0)
    own.weight.data.fill_(0.0)
    others = {STUDENT: student}
    mean = Average(of=STUDENT, decay=0.75)
    for wanted in (0.25, 0.4375):
        mean.after_step(own, others)
        mean.after_epoch(own, others)
        assert own.weight.item() == pytest.approx(wanted)
    Snapshot(of=STUDENT).after_step(own, others)
    assert own.weight.item() == pytest.approx(0.4375)
    Snapshot(of=STUDENT).after_epoch(own, others)
    assert own.weight.item() == 1.0


def test_a_term_that_trains_somebody_who_does_not_learn_is_refused(
    net: Callable[..., Learner],
) -> None:
    with pytest.raises(ValueError, match=r"peer.labels trains unknown learner 'peer'"):
        Step([net(STUDENT)], [Labels("peer")], Runtime())


class Invented:
    """Rows a generator makes from noise."""

    def __init__(self, maker: nn.Module) -> None:
        self.maker = maker

    def __len__(self) -> int:
        return 3

    def batches(self, epoch: int) -> Iterator[Batch]:
        noise = torch.Generator().manual_seed(epoch)
        for _ in range(len(self)):
            yield Batch(inputs=self.maker(torch.randn(16, 2, generator=noise)))


class Apart(Alike):
    """The same with its sign turned, for whoever makes rows on which the two disagree."""

    def __init__(self, other: str) -> None:
        super().__init__(STUDENT, other)
        self.name = "maker.apart"
        self.trains = ("maker",)
        self.validated = False

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        del batch
        log_q = outputs[STUDENT].logits.log_softmax(dim=1)
        return -kl_div(log_q, outputs[self.other].logits.softmax(dim=1), reduction="batchmean")


def test_a_generator_learns_through_a_teacher_whom_nothing_moves(
    net: Callable[..., Learner], rows: Batch, tmp_path: Path
) -> None:
    def run(name: str, killed_at: int = -1) -> tuple[str, ...]:
        torch.manual_seed(1)
        teacher = replace(net("teacher"), optimiser=None)
        before = tensor_digest(teacher.module.state_dict())
        maker = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Linear(8, WIDTH))
        first = tensor_digest(maker.state_dict())
        learners = [
            net(STUDENT),
            Learner(name="maker", module=maker, optimiser=torch.optim.Adam(maker.parameters())),
            teacher,
        ]
        found = train(
            learners,
            [Alike(STUDENT, "teacher"), Apart("teacher")],
            Invented(maker),
            rows,
            epochs=4,
            patience=4,
            seed=3,
            name=name,
            checkpoint=Checkpoint(tmp_path / name),
            advance=stopping(killed_at),
        )
        assert tensor_digest(teacher.module.state_dict()) == before
        assert all(weight.grad is None for weight in teacher.module.parameters())
        made = tensor_digest(maker.state_dict())
        assert made != first
        return tensor_digest(found.weights), made

    whole = run("whole")
    with pytest.raises(Stop):
        run("killed", killed_at=8)
    assert run("killed") == whole
