"""Steps per second and peak memory of the trainer, beside a plain PyTorch loop and torchdistill.

One thread, random numbers in the shape of MNIST, response distillation at T = 3 (soft 0.7, hard
0.3), Adam, gradients clipped. The plain loop does the same by hand: the same batches in the same
order, loss parts summed and read once an epoch, validation after every epoch, the best weights
copied, and model and optimiser saved. All loops of a size train at once, twenty steps each in turn,
and each is timed while it is its turn: a machine that is slower for a second is so for all of them.
What is printed is the ratio of the times, the median over several runs.

    python benchmarks/distill_throughput.py            about twenty minutes on one idle core
    python benchmarks/distill_throughput.py --quick    about four; the small model alone

torchdistill is measured where it is installed. TRL's GKD trainer is not in this table: it trains
causal language models only. The last line is `overhead_percent N`, of the small model at batch 256:
how much longer a step of the trainer takes than one of the plain loop.
"""

import argparse
import math
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div

from kdaudit.distill.objectives import STUDENT, TEACHER, Divergence, Hard, Soft
from kdaudit.distill.objectives.live import Live
from kdaudit.distill.training.checkpoint import Checkpoint
from kdaudit.distill.training.pace import Pace
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.sources import Batch, Stored
from kdaudit.distill.training.train import train
from kdaudit.models.code import Code
from kdaudit.stats.random import stream

PIXELS, CLASSES, T, SOFT, HARD, CLIP, RATE = 784, 10, 3.0, 0.7, 0.3, 1.0, 1e-3
TRAIN, VALIDATION = 60_000, 5_000
SIZES: dict[str, tuple[int, ...]] = {"784-128-10": (128,), "784-512-256-10": (512, 256)}
TEACHING = (1200, 1200)  # as in Hinton et al. 2015
SMALL, BATCH = "784-128-10", 256
TURN = 20  # steps
CODE = Code(name="benchmark:net", function=lambda: None, digest="", source=None)


Step = Callable[[], None]  # told of every step


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """What both loops learn."""

    student: nn.Module
    teacher: nn.Module
    rows: Batch
    validation: Batch
    batch_size: int
    epochs: int

    @property
    def steps(self) -> int:
        """Of a whole run."""
        return self.epochs * len(Stored(rows=self.rows, batch_size=self.batch_size, seed=0))


def perceptron(hidden: tuple[int, ...]) -> nn.Module:
    """A multilayer perceptron with ReLU."""
    widths = (PIXELS, *hidden, CLASSES)
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def setup(size: str, batch_size: int, epochs: int) -> Setup:
    """Rows, a teacher that answered them, and an untrained student."""
    torch.manual_seed(0)
    teacher = perceptron(TEACHING).eval()
    inputs = torch.rand(TRAIN + VALIDATION, PIXELS)
    with torch.no_grad():
        targets = 20 * teacher(inputs)
    rows = Batch(inputs=inputs, labels=targets.argmax(dim=1), targets=targets)
    return Setup(
        student=perceptron(SIZES[size]),
        teacher=teacher,
        rows=rows.take(slice(TRAIN)),
        validation=rows.take(slice(TRAIN, None)),
        batch_size=batch_size,
        epochs=epochs,
    )


def ours(given: Setup, folder: Path, step: Step, *, live: bool = False) -> None:
    """The trainer; ``live`` asks the teacher at every step."""
    module = deepcopy(given.student)
    student = Participant(
        name=STUDENT,
        module=module,
        factory=CODE,
        classes=CLASSES,
        optimiser=torch.optim.Adam(module.parameters(), lr=RATE),
    )
    divergence = Divergence(kind="forward_kl", temperature=T)
    teacher = Participant(
        name=TEACHER, module=deepcopy(given.teacher), factory=CODE, classes=CLASSES
    )
    soft = (
        Live(name="soft", weight=SOFT, divergence=divergence, of=[TEACHER])
        if live
        else Soft(name="soft", weight=SOFT, divergence=divergence)
    )

    def advance(steps: int, /, text: str = "") -> None:  # noqa: ARG001  # as it is told
        if steps:
            step()

    path = folder / "ours.safetensors"
    path.unlink(missing_ok=True)
    train(
        [student, teacher] if live else [student],
        [soft, Hard(name="hard", weight=HARD)],
        Stored(rows=given.rows, batch_size=given.batch_size, seed=0),
        given.validation,
        epochs=given.epochs,
        patience=given.epochs,
        seed=0,
        name="ours",
        checkpoint=Checkpoint(path),
        advance=advance,
        pace=Pace(clip=CLIP),
    )


def plain(given: Setup, folder: Path, step: Step, *, live: bool = False) -> None:
    """A loop as one writes it by hand; ``live`` asks the teacher at every step."""
    module, rows = deepcopy(given.student), given.rows
    optimiser = torch.optim.Adam(module.parameters(), lr=RATE)
    assert rows.labels is not None
    assert rows.targets is not None
    best = math.inf
    log = []
    for epoch in range(1, given.epochs + 1):
        module.train()
        sums = torch.zeros(2)
        order = torch.from_numpy(stream(0, "order", str(epoch)).permutation(len(rows)))
        for index in torch.tensor_split(order, -(-len(rows) // given.batch_size)):
            inputs = rows.inputs[index]
            if live:
                with torch.no_grad():
                    targets = given.teacher(inputs)
            else:
                targets = rows.targets[index]
            soft, hard = losses(module(inputs), targets, rows.labels[index])
            optimiser.zero_grad()
            (soft + hard).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(module.parameters(), CLIP)
            optimiser.step()
            sums += torch.stack([soft, hard]).detach() * len(index)
            step()
        module.eval()
        value, right = validated(module, given.validation)
        log.append([*(sums / len(rows)).tolist(), value, right])
        if value < best:
            best, kept = value, deepcopy(module.state_dict())
        torch.save(
            {"best": kept, "now": module.state_dict(), "optimiser": optimiser.state_dict()},
            folder / "plain.pt",
        )


def losses(answers: Tensor, targets: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Soft and hard, as one writes them by hand."""
    log_p, log_q = (targets / T).log_softmax(dim=1), (answers / T).log_softmax(dim=1)
    soft = SOFT * T**2 * kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return soft, HARD * cross_entropy(answers, labels)


@torch.no_grad()
def validated(module: nn.Module, rows: Batch) -> tuple[float, float]:
    """Loss and accuracy."""
    assert rows.labels is not None
    assert rows.targets is not None
    answers = module(rows.inputs)
    loss = sum(map(float, losses(answers, rows.targets, rows.labels)))
    return loss, float((answers.argmax(dim=1) == rows.labels).double().mean())


def torchdistill(given: Setup, folder: Path, step: Step) -> None:
    """The box of torchdistill, whose teacher answers at every step."""
    del folder
    from torch.utils.data import DataLoader, TensorDataset

    assert given.rows.labels is not None
    box = import_module("torchdistill.core.distillation").DistillationBox(
        deepcopy(given.teacher),
        deepcopy(given.student),
        {},
        {
            "num_epochs": given.epochs,
            "train_data_loader": {},
            "val_data_loader": {},
            "teacher": {"forward_proc": "forward_batch_only", "requires_grad": False},
            "student": {"forward_proc": "forward_batch_only"},
            "optimizer": {"key": "Adam", "kwargs": {"lr": RATE}, "max_grad_norm": CLIP},
            "criterion": {
                "key": "WeightedSumLoss",
                "kwargs": {
                    "sub_terms": {
                        "kd": {
                            "criterion": {
                                "key": "KDLoss",
                                "kwargs": {
                                    "student_module_path": ".",
                                    "student_module_io": "output",
                                    "teacher_module_path": ".",
                                    "teacher_module_io": "output",
                                    "temperature": T,
                                    "alpha": HARD,
                                    "reduction": "batchmean",
                                },
                            },
                            "weight": 1.0,
                        }
                    }
                },
            },
        },
        torch.device("cpu"),
        None,
        False,
        1,
    )
    rows = TensorDataset(given.rows.inputs, given.rows.labels)
    loader = DataLoader(rows, batch_size=given.batch_size, shuffle=True)
    for epoch in range(given.epochs):
        box.pre_epoch_process(epoch=epoch)
        for inputs, labels in loader:
            box.pre_forward_process()
            loss = box.forward_process(inputs, labels, None)
            box.post_forward_process(loss=loss)
            step()


def importable(name: str) -> str:
    """Why a tool is not measured; empty where it can be."""
    try:
        import_module(name)
    except (ImportError, RuntimeError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


Loop = Callable[[Setup, Path, Step], None]
LOOPS: dict[str, Loop] = {
    "ours": ours,
    "ours, teacher live": partial(ours, live=True),
    "plain": plain,
    "plain, teacher live": partial(plain, live=True),
    "torchdistill": torchdistill,
}


class Turn:
    """One of several loops, each in a thread of its own, of which one works at a time.

    Attributes:
        seconds: while it was its turn.
    """

    def __init__(self, loop: Callable[[Step], None]) -> None:
        self.loop = loop
        self.seconds = 0.0
        self.steps = 0
        self.baton = threading.Semaphore(0)
        self.next = self
        self.before = self
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        self.baton.acquire()
        torch.set_num_threads(1)  # each thread has a number of its own
        self.began = time.perf_counter()
        self.loop(self.step)
        self.seconds += time.perf_counter() - self.began
        self.before.next, self.next.before = self.next, self.before
        self.next.baton.release()

    def step(self) -> None:
        """A step is done."""
        self.steps += 1
        if self.steps % TURN == 0:
            self.seconds += time.perf_counter() - self.began
            self.next.baton.release()
            self.baton.acquire()
            self.began = time.perf_counter()


def in_turn(loops: Iterable[Callable[[Step], None]]) -> list[float]:
    """Seconds of each loop."""
    turns = [Turn(loop) for loop in loops]
    for before, after in pairwise([turns[-1], *turns]):
        before.next, after.before = after, before
    for turn in turns:
        turn.thread.start()
    turns[0].baton.release()
    for turn in turns:
        turn.thread.join()
    return [turn.seconds for turn in turns]


def ratios(given: Setup, loops: Sequence[str], repeats: int) -> dict[str, list[float]]:
    """Seconds of each loop over those of the first, run by run; those of the first themselves."""
    found: dict[str, list[float]] = {name: [] for name in (*loops, "seconds")}
    with tempfile.TemporaryDirectory() as place:
        folders = {name: Path(place, name) for name in loops}
        for folder in folders.values():
            folder.mkdir()
        for repeat in range(-1, repeats):  # the first run warms up
            runs = [partial(LOOPS[name], given, folders[name]) for name in loops]
            seconds = in_turn(runs)
            for name, each in zip(loops, seconds, strict=True) if repeat >= 0 else ():
                found[name].append(each / seconds[0])
            found["seconds"].append(seconds[0])
    return found


def peak(loop: str, size: str, batch_size: int) -> float:
    """Mebibytes that a process of its own needs beyond the data, for one epoch."""
    command = [sys.executable, __file__, "--memory", loop, size, str(batch_size)]
    done = subprocess.run(  # noqa: S603  # this file
        command, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def memory(loop: str, size: str, batch_size: int) -> float:
    """The same, of this process."""
    given = setup(size, batch_size, epochs=1)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _kib("VmHWM")
    with tempfile.TemporaryDirectory() as place:
        LOOPS[loop](given, Path(place), lambda: None)
    return (_kib("VmHWM") - before) / 1024


def _kib(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--memory", nargs=3, metavar=("LOOP", "SIZE", "BATCH"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.memory:
        loop, size, batch = options.memory
        print(memory(loop, size, int(batch)))
        return
    why = importable("torchdistill.core.distillation")
    loops = [name for name in LOOPS if name != "torchdistill" or not why]
    cells = [(SMALL, BATCH)]
    if not options.quick:
        cells += [(SMALL, 64), ("784-512-256-10", BATCH)]
    overhead = math.nan
    print(f"{'model':>16} {'batch':>5} {'loop':<20} {'steps/s':>8} {'× plain':>8} {'peak MiB':>9}")
    for size, batch in cells:
        given = setup(size, batch, epochs=2)
        found = ratios(
            given,
            ["plain", *(name for name in loops if name != "plain")],
            5 if options.quick else 9,
        )
        rate = given.steps / statistics.median(found.pop("seconds"))
        for name in loops:
            ratio = statistics.median(found[name])
            print(
                f"{size:>16} {batch:>5} {name:<20} {rate / ratio:8.0f} {ratio:8.3f} "
                f"{peak(name, size, batch):9.1f}",
                flush=True,
            )
        if (size, batch) == (SMALL, BATCH):
            overhead = 100 * (statistics.median(found["ours"]) - 1)
    if why:
        print(f"torchdistill is not measured: {why}")
    print(f"overhead_percent {overhead:.1f}")


if __name__ == "__main__":
    main()
