"""Steps per second and peak memory of a language model's distillation, beside TRL's GKD trainer.

Two Llamas of drawn weights, 16,000 tokens: a teacher of 4 layers, a student of 2, random text,
forward KL from a live teacher at T = 1, AdamW, gradients clipped at 1, one thread, float32. All
learn from the same blocks, 8 of 128 tokens a step, each in a process of its own:

* ours, teacher live: head, loss and gradient in chunks of positions;
* ours, top 64: what the teacher says was recorded beforehand;
* plain: a loop by hand, both models' logits held at once;
* TRL's GKD, likewise (`lmbda = 0`: on the text that is given; `beta = 0`: forward KL), where TRL is
  installed.

    python benchmarks/language_throughput.py            about five minutes on one idle core

The mean loss says that all do the same work; batches differ in order. Turns alternate; what is
printed is the median of the ratios to the plain loop's seconds of the same
turn. Memory is what the process needed at most beyond models and text (Linux).
"""

import argparse
import ctypes
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div

from kdaudit.distill.language.answers import Live, Recorded, record
from kdaudit.distill.language.blocks import of_tokens, pack
from kdaudit.distill.language.causal import Asked, Causal
from kdaudit.distill.language.terms import Tokens
from kdaudit.distill.objectives import STUDENT
from kdaudit.distill.objectives.divergence import Divergence
from kdaudit.distill.training.learner import Learner
from kdaudit.distill.training.pace import Pace
from kdaudit.distill.training.runtime import Runtime
from kdaudit.distill.training.sources import Batch, Stored
from kdaudit.distill.training.step import Step
from kdaudit.evidence.store import Store
from kdaudit.evidence.truncated import TopK
from kdaudit.progress import silent

VOCABULARY, WIDTH, BLOCK, ROWS, STEPS, RATE, CLIP = 16_000, 256, 128, 8, 10, 1e-4, 1.0
DIVERGENCE = Divergence(kind="forward_kl", temperature=1.0)
TURNS = 5


def llama(layers: int, seed: int) -> Any:
    """A causal model of drawn weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=4,
        )
    )


def documents() -> Tensor:
    """(STEPS · ROWS, BLOCK + 1) tokens."""
    return torch.randint(
        0, VOCABULARY, (STEPS * ROWS, BLOCK + 1), generator=torch.Generator().manual_seed(0)
    )


def blocks(text: Tensor) -> Batch:
    """The same, as the trainer learns from them."""
    return pack(
        [p for row in text.tolist() for p in of_tokens(row, 0, BLOCK)], BLOCK, together=False
    )


def ours(
    student: Any, teacher: Any, text: Tensor, *, top: int | None = None
) -> Callable[[], float]:
    """The trainer's steps."""
    rows = blocks(text)
    own, other = Asked(Causal(student)), Asked(Causal(teacher))
    answers: Live | Recorded = Live(other)
    if top is not None:
        with tempfile.TemporaryDirectory() as place:
            kept = record(
                other,
                rows,
                who={},
                split="train",
                top=TopK(k=top, temperatures=(1.0,)),
                vocabulary=VOCABULARY,
                store=Store(Path(place)),
                advance=silent("", 0),
            )
        answers = Recorded((kept,))
    term = Tokens(own, hard_weight=0.0, answers=answers, divergence=DIVERGENCE, soft_weight=1.0)
    optimiser = torch.optim.AdamW(own.causal.parameters(), lr=RATE)
    learner = Learner(name=STUDENT, module=own.causal, optimiser=optimiser)
    step = Step([learner], [term], Runtime())
    move = Pace(clip=CLIP).mover([optimiser], STEPS)
    source = Stored(rows=rows, batch_size=ROWS, seed=0)

    def run() -> float:
        learner.mode(learning=True)
        losses = []
        for index, batch in enumerate(source.batches(1)):
            losses.append(step(batch).sum())
            move(index)
        return float(torch.stack(losses).mean())

    return run


def plain(student: Any, teacher: Any, text: Tensor) -> Callable[[], float]:
    """The dense loss by hand."""
    optimiser = torch.optim.AdamW(student.parameters(), lr=RATE)
    teacher.eval()

    def run() -> float:
        student.train()
        losses = []
        for ids in text.split(ROWS):
            with torch.no_grad():
                said = teacher(input_ids=ids[:, :-1]).logits.log_softmax(-1)
            own = student(input_ids=ids[:, :-1]).logits.log_softmax(-1)
            loss = kl_div(
                own.flatten(0, 1), said.flatten(0, 1), reduction="batchmean", log_target=True
            )
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(student.parameters(), CLIP)
            optimiser.step()
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())

    return run


def gkd(student: Any, teacher: Any, text: Tensor) -> Callable[[], float]:
    """TRL's trainer."""
    from datasets import Dataset
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    trl = import_module("trl.experimental.gkd")
    words = {str(i): i for i in range(VOCABULARY)}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="0")),  # noqa: S106  # a word
        pad_token="0",  # noqa: S106  # likewise
        eos_token="1",  # noqa: S106  # likewise
    )

    def collate(rows: list[dict[str, list[int]]]) -> dict[str, Tensor]:
        ids = torch.tensor([row["input_ids"] for row in rows])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids.clone()}

    arguments = trl.GKDConfig(
        output_dir=tempfile.mkdtemp(),
        lmbda=0.0,
        beta=0.0,
        temperature=1.0,
        per_device_train_batch_size=ROWS,
        num_train_epochs=1,
        learning_rate=RATE,
        lr_scheduler_type="constant",
        max_grad_norm=CLIP,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    trainer = trl.GKDTrainer(
        model=student,
        teacher_model=teacher,
        args=arguments,
        data_collator=collate,
        train_dataset=Dataset.from_dict({"input_ids": text.tolist()}),
        processing_class=tokenizer,
    )

    def run() -> float:
        trainer.train()
        return float(trainer.state.log_history[-1]["train_loss"])

    return run


LOOPS: dict[str, Callable[..., Callable[[], float]]] = {
    "plain": plain,
    "ours, teacher live": ours,
    "ours, top 64": lambda *given: ours(*given, top=64),
    "TRL's GKD": gkd,
}


def measure(loop: str) -> dict[str, float]:
    """Run one loop in this process."""
    torch.set_num_threads(1)
    student, teacher, text = llama(2, 1), llama(4, 2), documents()
    run = LOOPS[loop](student, teacher, text)
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what is free must not hide what is needed
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, clock = _kib("VmHWM"), time.perf_counter()
    loss = run()
    seconds = time.perf_counter() - clock
    return {"seconds": seconds, "mebibytes": (_kib("VmHWM") - before) / 1024, "loss": loss}


def _kib(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop", choices=LOOPS)
    asked = parser.parse_args()
    if asked.loop:
        print(json.dumps(measure(asked.loop)))
        return
    names = list(LOOPS)
    try:
        import_module("trl.experimental.gkd")
    except (ImportError, RuntimeError) as error:
        print(f"TRL's GKD is not measured: {type(error).__name__}: {error}")
        names.remove("TRL's GKD")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for turn in range(TURNS):
        for name in names if turn % 2 else names[::-1]:
            command = [sys.executable, __file__, "--loop", name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # this file
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
    print(f"{'loop':<20} {'steps/s':>8} {'× plain':>8} {'peak MiB':>9} {'mean loss':>11}")
    for name in names:
        ratios = [
            one["seconds"] / plainly["seconds"]
            for one, plainly in zip(found[name], found["plain"], strict=True)
        ]
        middle = {key: statistics.median(one[key] for one in found[name]) for key in found[name][0]}
        print(
            f"{name:<20} {STEPS / middle['seconds']:8.2f} {statistics.median(ratios):8.3f} "
            f"{middle['mebibytes']:9.0f} {middle['loss']:11.6f}"
        )


if __name__ == "__main__":
    main()
