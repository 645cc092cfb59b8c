"""Methods that change who teaches, who learns beside the student, or what is shown."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor, nn

from kdaudit.distill.methods.drawn import Drawn, Gaussian, Generated, Make, Moments, network
from kdaudit.distill.methods.learner_tables import (
    AdversarialTable,
    DataFreeTable,
    OnlineTable,
    ReversedRolesTable,
    SelfTable,
)
from kdaudit.distill.methods.preset import Preset
from kdaudit.distill.methods.setting import PAST, Setting, pairs_of, probed, projector
from kdaudit.distill.methods.soft_terms import divergence, refuse_excluded, soft_and_hard
from kdaudit.distill.objectives import Hard, Objective, Soft
from kdaudit.distill.objectives.adversarial import DISCRIMINATOR, Critic, Pass, Spaces, Tell
from kdaudit.distill.objectives.generated import GENERATOR, Balance, Confidence, Gap
from kdaudit.distill.objectives.live import Live
from kdaudit.distill.objectives.readings import MeanLogits
from kdaudit.distill.training.checkpoint import tensor_digest
from kdaudit.distill.training.learner import Average, Learner, Snapshot, copied
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.sources import STUDENT, TEACHER
from kdaudit.distill.training.train import draw
from kdaudit.errors import ConfigError, ModelError


def past(table: SelfTable, setting: Setting) -> Preset:
    """Born-again generations (Furlanello et al. 2018), or the student's own running past.

    A first generation learns labels alone. Each later one finds the answers of the one before it
    among the stored answers, under the name of the past.
    """
    if table.past == "born_again":
        if PAST not in setting.transfer.further:
            return Preset(terms=_labels("self", table.hard_weight))
        reading = MeanLogits({PAST: 1.0})
        return Preset(
            terms=tuple(soft_and_hard("self", table, setting, teachers=[PAST], reading=reading)),
            said=(f"past: the generation before, of {table.generations} after generation 0",),
        )
    student = setting.participants[STUDENT]
    follow: Average | Snapshot = Snapshot(of=STUDENT)
    said = "past: the student at the end of the epoch before"
    if table.past == "ema":
        follow = Average(of=STUDENT, decay=table.decay)
        said = f"past: moving average of the student's weights, decay {table.decay!r}"
    follower = replace(student, name=PAST, module=copied(student.module), follow=follow)
    live = Live(name="self.soft", weight=table.soft_weight, divergence=divergence(table), of=[PAST])
    terms = live, *_labels("self", table.hard_weight)
    return Preset(terms=terms, learners=(follower,), said=(said,))


def online(table: OnlineTable, setting: Setting) -> Preset:
    """Deep mutual learning (Zhang et al. 2018), or a teacher that goes on learning labels."""
    if table.teacher_learns:
        teacher = setting.participants[TEACHER]
        module = deepcopy(teacher.module).requires_grad_(requires_grad=True)
        learners = [replace(teacher, module=module)]
        follows = {STUDENT: [TEACHER]}
    else:
        numbers = range(1, table.peers + 1)
        learners = [setting.another(f"peer{i}", table.factory, table.args) for i in numbers]
        everyone = [STUDENT, *(one.name for one in learners)]
        follows = {name: [other for other in everyone if other != name] for name in everyone}
    terms: list[Objective] = []
    for name in (STUDENT, *(one.name for one in learners)):
        method = "online" if name == STUDENT else f"online.{name}"
        if name in follows:
            soft = Live(
                name=f"{method}.soft",
                weight=table.soft_weight,
                divergence=divergence(table),
                of=follows[name],
                learner=name,
            )
            terms.append(soft)
        terms += _labels(method, table.hard_weight, name)
    codes = {one.name: [one.factory.name, one.factory.digest] for one in learners}
    return Preset(terms=tuple(terms), learners=tuple(learners), facts={"online": codes})


def adversarial(table: AdversarialTable, setting: Setting) -> Preset:
    """A discriminator of student and teacher, on answers or on layers."""
    pairs, widths = pairs_of(table.layers), [(setting.classes, setting.classes)]
    if pairs:
        found = probed("adversarial", pairs, setting)
        widths = [(student.shape[2], teacher.shape[2]) for _, student, teacher in found]
    else:
        refuse_excluded(setting, [TEACHER], "[objectives.adversarial]", "layers = {...} in it")
    names = [f"adversarial {pair}" for pair in pairs] or [""]
    projectors = [
        nn.Identity() if own == other else projector(own, other, name, setting)
        for name, (own, other) in zip(names, widths, strict=True)
    ]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(draw(setting.seed, DISCRIMINATOR))
        critics = nn.ModuleList(Critic(other, table.hidden) for _, other in widths)
    term = Pass(
        weight=table.adversarial_weight,
        spaces=Spaces(pairs=pairs, padding=table.padding),
        critics=critics,
        projectors=projectors,
    )
    optimiser = torch.optim.Adam(critics.parameters(), lr=table.learning_rate)
    learner = Learner(name=DISCRIMINATOR, module=critics, optimiser=optimiser)
    return Preset(terms=(term, Tell(term, table.penalty)), learners=(learner,))


def data_free(table: DataFreeTable, setting: Setting) -> Preset:
    """Rows drawn by their moments, or made by a generator that learns from both models."""
    teacher = setting.participants[TEACHER]
    _refuse_other_inputs(setting)
    moments, source = _moments(table, setting)
    soft = Soft(name="data_free.soft", weight=table.soft_weight, divergence=divergence(table))
    terms: list[Objective] = [soft]
    # Beside the student it is moved to the device, and its weights stand in the key of the run.
    learners = [Learner(name="answering", module=teacher.module)]
    make: Make = Gaussian(moments=moments)
    origin = "drawn, normal"
    if table.inputs == "learned":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(draw(setting.seed, GENERATOR))
            made = network(table.latent, table.hidden, len(moments.mean))
        origin = "generator(noise)"
        make = Generated(network=made, latent=table.latent, moments=moments)
        optimiser = torch.optim.Adam(made.parameters(), lr=table.learning_rate)
        learners.append(Learner(name=GENERATOR, module=made, optimiser=optimiser))
        weighed = (
            (Gap, table.gap_weight),
            (Confidence, table.confidence_weight),
            (Balance, table.balance_weight),
        )
        terms += [kind(weight) for kind, weight in weighed if weight > 0]
    rows = table.rows or len(setting.transfer)
    facts = {
        "drawn": table.inputs,
        "rows": rows,
        "moments": tensor_digest({"mean": moments.mean, "std": moments.std}),
        "teacher": [teacher.factory.name, teacher.factory.digest],
    }
    return Preset(
        terms=tuple(terms),
        learners=tuple(learners),
        source=lambda stored: Drawn(
            make=make, teacher=teacher, rows=rows, batch_size=stored.batch_size, seed=stored.seed
        ),
        facts={"data_free": facts},
        said=(f"rows: {origin}, mean and deviation of each encoded feature {source}",),
    )


def reversed_roles(table: ReversedRolesTable, setting: Setting) -> Preset:
    """Response distillation with the roles swapped (Yuan et al. 2020, Re-KD).

    Whose answers are stored as the teacher's is the swap: those of the audit file's student.
    """
    return Preset(terms=tuple(soft_and_hard("reversed_roles", table, setting)))


def _labels(method: str, weight: float, learner: str = STUDENT) -> tuple[Objective, ...]:
    """The labels, where they weigh something."""
    term = Hard(name=f"{method}.hard", weight=weight, learner=learner)
    return (term,) if weight > 0 else ()


def _refuse_other_inputs(setting: Setting) -> None:
    """A row that is drawn is drawn as both models read it."""
    rows = setting.validation
    if not torch.is_floating_point(rows.inputs):
        raise ModelError(
            "[objectives.data_free] draws numbers, and the student reads "
            f"{str(rows.inputs.dtype).removeprefix('torch.')} tokens: show it rows, and learn "
            "from the teacher's answers by [objectives.response]"
        )
    seen = rows.seen_by(TEACHER)
    if seen.shape != rows.inputs.shape or not torch.equal(seen, rows.inputs):
        raise ConfigError(
            "[objectives.data_free] shows student and teacher the same encoded rows, and they "
            "encode rows differently: give the student the teacher's inputs, encode and fit"
        )


def _moments(table: DataFreeTable, setting: Setting) -> tuple[Moments, str]:
    """The moments, and whose they are."""
    width = setting.validation.inputs.shape[1]
    if table.mean is not None and table.std is not None:
        mean, std = (_given(name, getattr(table, name), width) for name in ("mean", "std"))
        return Moments(mean=mean, std=std), "as given"
    if table.moments == "transfer":
        return Moments.of(setting.transfer.inputs), "of the transfer rows"
    teacher, rows = setting.participants[TEACHER], setting.validation.seen_by(TEACHER)
    return _remembered(teacher, rows[:2]), "of the teacher's first batch norm"


def _given(name: str, values: float | Sequence[float], width: int) -> Tensor:
    found = torch.tensor(values, dtype=torch.float32)
    if found.ndim and len(found) != width:
        raise ConfigError(
            f"objectives.data_free.{name} has {len(found)} numbers, and the student reads {width} "
            "per row: give one for all, or one for each"
        )
    return found.expand(width)


def _remembered(teacher: Participant, rows: Tensor) -> Moments:
    """What the batch norm at the teacher's entrance has kept of the rows it was trained on."""
    found: list[Moments] = []

    def note(norm: nn.Module, given: tuple[Tensor, ...]) -> None:
        if given[0] is not rows or not isinstance(norm, nn.BatchNorm1d):
            return
        mean, variance = norm.running_mean, norm.running_var
        assert mean is not None
        assert variance is not None
        found.append(Moments(mean=mean, std=variance.sqrt()))

    entrances = [
        module.register_forward_pre_hook(note)
        for module in teacher.module.modules()
        if isinstance(module, nn.BatchNorm1d) and module.running_mean is not None
    ]
    try:
        teacher(rows, learning=False)
    finally:
        for one in entrances:
            one.remove()
    if not found:
        raise ConfigError(
            '[objectives.data_free] moments = "teacher" reads the batch norm that the teacher '
            f"shows its inputs to, and {teacher.factory.name} has none: give mean and std, or take "
            "those of the transfer rows"
        )
    return found[0]
