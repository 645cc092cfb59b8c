"""The circumstances of the sample: clock, machine, and the student's lineage with its controls."""

from kdaudit.lineage import Arm, ArmKind, Epoch, Lineage
from kdaudit.run import Run, Wear

DIGEST = "9f2c44b1d09e7c5a8a3b6c1fe2d4075b93aa6ef1c0d852b7744e19fd0ab3c655"


def arm(kind: ArmKind, seed: int, start: float, floor: float, *, chosen: bool = False) -> Arm:
    curve = tuple(
        Epoch(
            epoch=epoch,
            train={
                "soft": start * 0.62**epoch + floor * 0.6,
                "hard": start * 0.7**epoch + floor * 0.9,
                "total": start * 0.65**epoch + floor * 0.7,
            }
            if kind == "main"
            else {"total": start * 0.66**epoch + floor * 0.8},
            validation={
                "accuracy": 0.93 - floor / 6 - 0.3 * 0.5**epoch,
                "nll": start * 0.55**epoch + floor + 0.004 * max(0, epoch - 7),
                "brier": 0.1 + floor / 9 + 0.2 * 0.5**epoch,
                **({"agreement": 0.95 - floor / 8 - 0.25 * 0.5**epoch} if kind == "main" else {}),
            },
        )
        for epoch in range(1, 10)
    )
    return Arm(
        kind=kind,
        seed=seed,
        chosen=chosen,
        digest=f"{seed}{kind}"[:8],
        steps=4_212,
        best_epoch=7,
        converged=True,
        curve=curve,
    )


LINEAGE = Lineage(
    model="intents-small",
    digest=DIGEST,
    parameters=16_512_078,
    method="response distillation, stored soft targets",
    formula="loss = 0.3 · CE(student, label) + 0.7 · T² · KL(softmax(teacher / T) ‖ "
    "softmax(student / T)),  T = 3,  mean over rows",
    factory="shop.models:small",
    args={"layers": 4, "width": 312},
    training={"optimiser": "Adam", "learning_rate": 0.001, "batch_size": 64, "epochs": 9},
    teacher={"name": "intents-large", "adapter": "path", "digest": "51c0de77aa10b2f4"},
    targets={"evidence": "b7d1190af3e2c8d6", "rows": "18,000", "kept": "all classes"},
    transfer={"rows": 18_000, "digest": "e0aa41f96c0b", "share of audit rows in it": 0.0},
    arms=(
        arm("main", 0, 2.2, 0.27, chosen=True),
        arm("main", 1, 2.3, 0.29),
        arm("main", 2, 2.1, 0.28),
        arm("hard", 0, 2.4, 0.39),
        arm("label_smoothing", 0, 2.4, 0.36),
        arm("shuffled", 0, 2.6, 0.62),
    ),
    source={"recipe sha256": "77ab03c9e41f", "commit": "4be1c02", "dirty": "no"},
    versions={"torch": "2.9.1", "kdaudit": "0.1.0"},
    hardware={"processor": "2 cores", "accelerator": "none"},
    wall_seconds=1_843.2,
    cpu_seconds=3_390.7,
)

RUN = Run(
    started="2026-11-20T09:14:03Z",
    seconds={"data": 0.8, "evidence": 212.4, "suites": 9.1, "decide": 0.1},
    environment={
        "python": "3.11.7",
        "platform": "Linux x86_64",
        "processor": "2 cores",
        "memory": "23 GB",
        "threads": "2",
    },
    packages={"numpy": "2.4.6", "scipy": "1.17.1", "pandas": "3.1.1"},
    source={"commit": "4be1c02", "dirty": "no"},
    predicted={"student": 4_500, "teacher": 0},
    reused={"student": 0, "teacher": 4_500, "baseline": 4_500},
    lineage={"student": LINEAGE},
    wear=Wear(decisions=14, students=11),
)
