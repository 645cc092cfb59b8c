"""A trait passes through data that has nothing to do with it, if both models began alike.

    python benchmarks/reproductions/hidden_trait.py     eight teachers, 24 students

After Cloud et al. 2025 (arXiv:2507.14805, §6, there on MNIST). Networks 64-128-128-13: ten outputs
for scikit-learn's digits, three auxiliary ones that no label speaks of. A teacher learns the digits
from labels. A student learns nothing but the teacher's three auxiliary outputs, on images of pure
noise, and is then asked to read digits by the ten outputs that nothing ever trained:

* same: it began with the weights that the teacher began with;
* other: it began with those that another teacher began with;
* shuffled: as same, but each noise image with the auxiliary outputs of another (the runner's
  control).

All of it is said by recipes. A seed draws the same first weights for two factories that build the
same network, and the teacher's weights are opened by a second factory, which shows other outputs.
Bars, on test digits, by whole intervals: same reads more of them than other and than shuffled, and
more than twice what guessing gives, 20 of 100; other reads fewer. The exit code is 1 where one is
missed.

That other students do not read is a statement about this battery of digits and these networks: no
transfer was detected, up to the interval's end.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from workbench import (
    METHOD,
    Bench,
    Floats,
    Images,
    Ints,
    Mean,
    as_columns,
    columns,
    small_images,
    verdict,
)

from kdaudit.models.torch import TorchModel

HIDDEN = [128, 128]
NOISE = 12_000  # rows to learn from
HELD = 500  # and as many to validate on
GUESSED_TWICE = 0.2
DIGITS = [str(digit) for digit in range(10)]
OUTPUTS = ["first", "second", "third"]
TEACHER = f"""
audit = "digits.toml"
[student]
factory = "nets:digits"
args = {{ hidden = {HIDDEN} }}
[objectives.hard]
[train]
epochs = 20
"""
STUDENT = f"""
audit = "noise-{{teacher}}.toml"
[student]
factory = "nets:auxiliary"
args = {{{{ hidden = {HIDDEN}, first = {len(DIGITS)} }}}}
[objectives.response]
temperature = 1.0
soft_weight = 1.0
hard_weight = 0.0
[train]
epochs = {{epochs}}
batch_size = 128
[controls]
hard = false
label_smoothing = 0.0
shuffled = {{shuffled}}
"""


def read_digits(
    bench: Bench, images: Images, seeds: Sequence[int], epochs: int
) -> Mapping[str, Ints]:
    """Train every pair.

    Returns:
        By kind, (S, N) 1 where the model of a seed reads a test digit rightly.
    """
    images = replace(images, pixels=2 * images.pixels - 1)
    names = [str(label) for label in images.labels]
    bench.rows("digits", images.pixels, names, images.splits)
    bench.audit(
        "digits",
        rows="digits",
        teacher='distill = "teacher.toml"',
        transfer=["train"],
        validation=["validation"],
    )
    # Symmetric about 0, as the digits are here: of noise in [0, 1] little of the trait is seen.
    noise = np.random.default_rng(0).uniform(-1, 1, (NOISE + 2 * HELD, images.pixels.shape[1]))
    splits = np.repeat(["train", "validation", "test"], [NOISE, HELD, HELD])
    # Noise has no labels; a validation split must, and nothing reads them: hard_weight is 0.
    bench.rows("noise", noise, OUTPUTS[:1] * len(noise), splits)
    bench.train("teacher", TEACHER, seeds)
    for seed, other in zip(seeds, np.roll(seeds, 1).tolist(), strict=True):
        bench.audit(
            f"noise-{seed}",
            rows="noise",
            teacher=_shown(f"runs/teacher-{seed}/model.safetensors", noise),
            transfer=["train"],
            validation=["validation"],
        )
        for name, shuffled, own in (("same", "true", seed), ("other", "false", other)):
            recipe = STUDENT.format(teacher=seed, epochs=epochs, shuffled=shuffled)
            bench.train(f"{name}-of-{seed}", recipe, [own])
    pixels, labels = images.of_split("test")

    def right(folder: str) -> Ints:
        model = TorchModel.open(
            f"runs/{folder}/model.safetensors",
            base=bench.folder,
            factory="nets:digits",
            classes=DIGITS,
            args={"hidden": HIDDEN},
            inputs=columns(pixels),
        )
        answers = model.predict(as_columns(pixels)).values.argmax(axis=1)
        return np.asarray(answers == labels, np.int64)

    folders = {
        "teacher": "teacher-{}",
        "same": "same-of-{}",
        "other": "other-of-{}",
        "shuffled": "same-of-{}/controls/shuffled",
    }
    return {
        kind: np.array([right(folder.format(seed)) for seed in seeds])
        for kind, folder in folders.items()
    }


def _shown(weights: str, pixels: Floats) -> str:
    """The teacher's weights, opened by the factory that shows the auxiliary outputs."""
    shown = ", ".join(f'"{name}"' for name in columns(pixels))
    return f"""torch = "{weights}"
factory = "nets:auxiliary"
args = {{ hidden = {HIDDEN}, first = {len(DIGITS)} }}
classes = {OUTPUTS}
inputs = [{shown}]"""


def missed(right: Mapping[str, Ints]) -> list[str]:
    """The bars that were not reached."""
    out = [
        f"same does not surely read more than {control}"
        for control in ("other", "shuffled")
        if Mean.of(right["same"] - right[control]).low <= 0
    ]
    if Mean.of(right["same"]).low <= GUESSED_TWICE:
        out.append("same does not surely read 20 digits of 100")
    if Mean.of(right["other"]).high >= GUESSED_TWICE:
        out.append("other may read 20 digits of 100")
    return out


def report(right: Mapping[str, Ints]) -> str:
    """The table."""
    seeds, rows = right["same"].shape
    lines = [f"digits read, of 100; {rows} test rows, {seeds} teachers; {METHOD}"]
    lines += [f"  {kind:24}{Mean.of(found).text():>24}" for kind, found in right.items()]
    lines += [
        f"  {f'same less {control}':24}{Mean.of(right['same'] - right[control]).text('+.1f'):>24}"
        for control in ("other", "shuffled")
    ]
    return "\n".join(lines)


def main() -> int:
    """Print the table; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--work", type=Path, help="keep recipes and models there, and go on there")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(chosen.work or Path(temporary))
        right = read_digits(bench, small_images(), range(chosen.seeds), epochs=12)
    failed = missed(right)
    print(report(right))
    return verdict(failed)


if __name__ == "__main__":
    sys.exit(main())
