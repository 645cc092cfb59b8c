"""Write data/digits.parquet: handwritten digits with a rare class, noise, and what is no digit.

Everything comes with scikit-learn: 1,797 images of 8 x 8 pixels, and two photographs. Nines are
made rare in the training rows; every audited image appears clean and noisy (rows of one image are
one cluster); patches of the photographs belong to no class.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits, load_sample_images

TARGET = Path(__file__).parent / "data" / "digits.parquet"
RARE, RARE_ROWS = 9, 20
NOISE = {"clean": 0.0, "light": 2.5, "heavy": 5.0}
PIXELS = [f"p{i:02d}" for i in range(64)]


def patches(count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, 64) patches of the photographs in grey, stretched to the digits' 0 to 16."""
    grey = [image.mean(axis=2) for image in load_sample_images().images]
    out = np.empty((count, 64))
    for k in range(count):
        image = grey[k % len(grey)]
        y, x = (int(rng.integers(0, side - 32)) for side in image.shape)
        patch = image[y : y + 32, x : x + 32].reshape(8, 4, 8, 4).mean(axis=(1, 3)).ravel()
        span = patch.max() - patch.min()
        out[k] = 16 * (patch - patch.min()) / (span or 1.0)
    return out


def rows(pixels: np.ndarray, **columns: object) -> pd.DataFrame:
    """Pixels as columns beside the given ones."""
    return pd.DataFrame(np.round(pixels, 3), columns=PIXELS).assign(**columns)


def main() -> None:
    """Build the table, unless it is there."""
    if TARGET.exists():
        return
    rng = np.random.default_rng(0)
    digits = load_digits()
    order = rng.permutation(len(digits.data))
    data, target = digits.data[order], digits.target[order]
    audited, validating = slice(0, 800), slice(800, 1000)
    train = np.arange(1000, len(data))
    nines = train[target[train] == RARE]
    train = np.setdiff1d(train, nines[RARE_ROWS:])
    parts = [
        rows(data[validating], label=target[validating], split="val", noise="clean"),
        rows(data[train], label=target[train], split="train", noise="clean"),
    ]
    for name, spread in NOISE.items():
        noisy = np.clip(data[audited] + spread * rng.standard_normal((800, 64)), 0, 16)
        image = [f"image-{i:04d}" for i in range(800)]
        parts.append(rows(noisy, label=target[audited], split="test", noise=name, image=image))
    strange = patches(400, rng)
    image = [f"patch-{i:04d}" for i in range(len(strange))]
    parts.append(rows(strange, label="none", split="test", noise="clean", image=image))
    table = pd.concat(parts, ignore_index=True).astype({"label": str})
    table["id"] = [f"digit-{i:05d}" for i in range(len(table))]
    table["image"] = table.image.fillna(table.id)
    TARGET.parent.mkdir(exist_ok=True)
    beside = TARGET.with_suffix(".part")
    table.to_parquet(beside, index=False)
    beside.rename(TARGET)
    print(f"wrote {len(table):,} rows to {TARGET.name}")


if __name__ == "__main__":
    main()
