"""Peak memory and seconds of the dense loss of a large vocabulary, and of the chunked one.

2,048 positions, 32,000 tokens, hidden states of 256 numbers, float32, one thread, forward KL at
T = 2 and backward to hidden states and head; the teacher's logits come from its own hidden states
and head. Each variant runs in a process of its own; memory is what the process needed at most
beyond the tensors it began with (Linux).

    python benchmarks/chunked_loss.py
"""

import argparse
import ctypes
import json
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import linear

from kdaudit.distill.objectives.chunked import Head, chunked_loss
from kdaudit.distill.objectives.chunked_terms import Full, TopK
from kdaudit.distill.objectives.divergence import Divergence

POSITIONS, VOCABULARY, HIDDEN, K = 2048, 32_000, 256, 64
DIVERGENCE = Divergence(kind="forward_kl", temperature=2.0)
VARIANTS = ("dense", "chunked", "chunked, top 64")


def measure(variant: str) -> dict[str, float]:
    """Run one variant in this process."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    student = Head(
        hidden=torch.randn(POSITIONS, HIDDEN, requires_grad=True),
        weight=(torch.randn(VOCABULARY, HIDDEN) / 16).requires_grad_(),
    )
    teacher = Head(
        hidden=torch.randn(POSITIONS, HIDDEN), weight=torch.randn(VOCABULARY, HIDDEN) / 16
    )
    term = _top(teacher) if variant == "chunked, top 64" else None
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what is free must not hide what is needed
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, clock = _kib("VmHWM"), time.perf_counter()
    loss = _dense(student, teacher) if variant == "dense" else _chunked(student, teacher, term)
    loss.backward()  # type: ignore[no-untyped-call]
    assert student.hidden.grad is not None
    return {
        "seconds": time.perf_counter() - clock,
        "mebibytes": (_kib("VmHWM") - before) / 1024,
        "loss": float(loss.detach()),
        "gradient": float(student.hidden.grad.norm()),
    }


def _dense(student: Head, teacher: Head) -> Tensor:
    assert student.weight is not None
    with torch.no_grad():
        targets = teacher.logits(torch.arange(POSITIONS))
    logits = linear(student.hidden, student.weight)
    return DIVERGENCE.factor * DIVERGENCE(logits, targets).mean()


def _chunked(student: Head, teacher: Head, term: TopK | None) -> Tensor:
    terms = [term or Full(teacher=teacher.logits, divergence=DIVERGENCE)]
    return chunked_loss(student, terms, torch.ones(POSITIONS, dtype=torch.bool)).total


def _top(teacher: Head) -> TopK:
    """What a store would hold; made a few positions at a time, so that the peak stays low."""
    found = []
    for rows in torch.split(torch.arange(POSITIONS), 64):
        logits = teacher.logits(rows)
        found.append((*logits.topk(K, dim=1), (logits / DIVERGENCE.temperature).logsumexp(dim=1)))
    values, ids, lse = (torch.cat(part) for part in zip(*found, strict=True))
    return TopK(ids=ids, logits=values, lse=lse, divergence=DIVERGENCE)


def _kib(name: str) -> int:
    """A figure of this process in KiB, as Linux tells it."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variant", choices=VARIANTS, help="measure one, and print it as JSON")
    variant = parser.parse_args().variant
    if variant is not None:
        print(json.dumps(measure(variant)))
        return
    found = {}
    for name in VARIANTS:
        command = [sys.executable, __file__, "--variant", name]
        found[name] = json.loads(subprocess.check_output(command))  # noqa: S603  # this file
    print(f"{'variant':<18}{'MiB':>8}{'seconds':>10}{'loss':>10}{'|gradient|':>13}")
    for name, one in found.items():
        print(
            f"{name:<18}{one['mebibytes']:>8.0f}{one['seconds']:>10.2f}"
            f"{one['loss']:>10.5f}{one['gradient']:>13.6f}"
        )
    dense, chunked = found["dense"], found["chunked"]
    print(
        f"chunked / dense: memory {chunked['mebibytes'] / dense['mebibytes']:.2f}, "
        f"time {chunked['seconds'] / dense['seconds']:.2f}"
    )


if __name__ == "__main__":
    main()
