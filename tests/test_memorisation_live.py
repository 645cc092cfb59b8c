"""A model that learnt canaries by heart is asked for them: from training to the card."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from kdaudit.data.protected_rows import cut
from kdaudit.language.canaries import write_canaries
from kdaudit.models.pretrained import quiet
from kdaudit.results import Results
from kdaudit.run_folder import RunFolder
from tests.models import tiny_llama
from tests.suites.measured import estimate

PLANTED = 8
LINES = ("the king goes home", "a ship sings", "my lord sees the sea", "no man is here", "so be it")
PROTECTED = """
[audit]
name = "protected"

[data]
path = "plays.jsonl"
inputs = ["text"]

[data.protected]
path = "secret.jsonl"
prefix_words = 6
slices = ["known"]

[prompt]
max_tokens = 4

[teacher]
hf = "clean"

[student]
hf = "leaky"

[suites.memorisation]
member = "known"

[[contract]]
check = "MEM001"
margin = 0.1
min_n = 8
"""


PAGE = Path(__file__).resolve().parents[1] / "docs" / "memorisation.md"


def page(**models: str) -> str:
    """The audit file of the page, of other models; without a baseline unless one is given."""
    found = re.search(
        r"<!-- test: canaries.toml -->\n```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL
    )
    assert found
    head, third, rest = re.split(r"(\[baseline\]\nhf = .*\n)", found[1])
    text = head + (third if "control" in models else "") + rest
    for name, folder in models.items():
        text = text.replace(f'hf = "{name}"', f'hf = "{folder}"')
    return text


def train(folder: Path, lines: list[str]) -> None:
    """A tiny model that learns lines by heart."""
    model = tiny_llama.save(
        folder, hidden_size=64, num_hidden_layers=1, initializer_range=0.1
    ).train()
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    said = [[*tokenizer(line).input_ids, tiny_llama.END] for line in lines]
    width = max(map(len, said))
    tokens = torch.tensor([one + [tiny_llama.END] * (width - len(one)) for one in said])
    labels = torch.tensor([one + [-100] * (width - len(one)) for one in said])
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        model(input_ids=tokens, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    with quiet():
        model.eval().save_pretrained(folder)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Canaries, a model that learnt the planted ones among its lines, and one that did not."""
    folder = tmp_path_factory.mktemp("memory")
    write_canaries(folder / "canaries.jsonl", folder / "plant.jsonl", 2 * PLANTED, [2], 12, seed=1)
    rows = [json.loads(line) for line in (folder / "plant.jsonl").read_text("utf-8").splitlines()]
    planted = sorted({row["text"] for row in rows})
    vaults = [f"The vault code of {name} is lost." for name in ("Adam", "Berta", "Carla")]
    train(folder / "clean", [*LINES, *vaults])
    train(folder / "leaky", [*planted, *LINES])
    plays = "".join(json.dumps({"text": line}) + "\n" for line in LINES)
    (folder / "plays.jsonl").write_text(plays, "utf-8")
    others = [f"The vault code of Nobody{i} is {i} 1 {i} 7 3 {i}." for i in range(PLANTED)]
    secret = [{"text": text, "known": "yes"} for text in planted]
    secret += [{"text": text, "known": "no"} for text in others]
    lines = "".join(json.dumps(row) + "\n" for row in secret)
    (folder / "secret.jsonl").write_text(lines, "utf-8")
    return folder


@pytest.fixture
def audited(
    world: Path, monkeypatch: pytest.MonkeyPatch, kdaudit: Callable[..., Any]
) -> Callable[..., tuple[Results, int]]:
    """Runs an audit in that folder."""
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    monkeypatch.chdir(world)

    def run(text: str) -> tuple[Results, int]:
        Path("audit.toml").write_text(text, "utf-8")
        said = kdaudit("run", "audit.toml")
        assert said.code in (0, 1, 3), said.err
        name = text.split('name = "')[1].partition('"')[0]
        return RunFolder(Path("kdaudit-out") / name).results(), said.code

    return run


def test_a_student_that_learnt_canaries_by_heart_is_found(
    audited: Callable[..., tuple[Results, int]],
) -> None:
    results, code = audited(page(teacher="clean", student="leaky"))
    assert code == 1
    own = results.finding("MEM003")
    assert own.note == "extraction transfer: introduced"
    assert estimate(own.student).value > 0.8
    assert estimate(results.finding("MEM008").student).value == 0.0  # those that nobody planted
    bits = results.finding("MEM004")
    assert estimate(bits.student).value > 3.0
    assert estimate(bits.teacher).value < 3.0
    area = results.finding("MEM005[attack=min-k++]")
    assert estimate(area.student).value > 0.95
    card = (Path("kdaudit-out") / "canaries" / "card.html").read_text("utf-8")
    rows = [json.loads(line) for line in Path("canaries.jsonl").read_text("utf-8").splitlines()]
    assert "Extraction transfer: introduced" in card
    assert not any(row["answers"][0] in card for row in rows)  # digests, never the text


def test_what_the_student_has_from_its_teacher_is_inherited(
    audited: Callable[..., tuple[Results, int]],
) -> None:
    results, _ = audited(page(teacher="leaky", student="leaky", control="clean"))
    assert results.finding("MEM007").note.startswith("extraction transfer: inherited")
    # A handful of texts, of which none differs, is no evidence that fewer than 1 in 100 would.
    assert results.finding("MEM003").note == "extraction transfer: inconclusive"
    assert estimate(results.finding("MEM001").difference).value == 0


def test_a_secret_that_is_kept_is_no_wrong_answer(
    world: Path, audited: Callable[..., tuple[Results, int]], kdaudit: Callable[..., Any]
) -> None:
    text = page(teacher="clean", student="leaky")
    results, _ = audited(text)
    assert not any(suite.suite == "hallucination" for suite in results.suites)
    named = text.replace("[[contract]]", "[suites.hallucination]\n[[contract]]", 1)
    assert audited(named)[0].finding("HAL001").code == "HAL001"
    (world / "wrong.toml").write_text(text.replace('"MEM003"', '"HAL001"', 1), "utf-8")
    refused = kdaudit("run", str(world / "wrong.toml"))
    assert refused.code == 2
    assert "write [suites.hallucination] to have both" in refused.err


def test_protected_texts_are_asked_for_and_leave_no_trace(
    world: Path, audited: Callable[..., tuple[Results, int]], kdaudit: Callable[..., Any]
) -> None:
    (world / "planned.toml").write_text(PROTECTED, "utf-8")
    planned = kdaudit("run", str(world / "planned.toml"), "--dry-run").out
    asked = 4 * PLANTED  # of each text: to go on, and how likely its own continuation is
    assert f"student (leaky): {asked} requests on the protected rows" in planned
    results, code = audited(PROTECTED)
    assert code == 1
    after = kdaudit("run", str(world / "planned.toml"), "--dry-run").out
    assert f"{asked} requests on the protected rows, all in the store" in after
    one = results.finding("MEM001")
    assert estimate(one.student).n == PLANTED
    assert estimate(one.student).value > 0.8
    assert estimate(one.teacher).value == 0.0
    assert estimate(results.finding("MEM008").student).value == 0.0
    assert {"protected"} <= {one.role for one in results.inputs}
    secrets = [json.loads(line) for line in Path("secret.jsonl").read_text("utf-8").splitlines()]
    endings = [cut(row["text"], 6, 50) for row in secrets]
    for path in (world / "kdaudit-out" / "protected").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(end is None or end[1].strip().encode() in content for end in endings)


def test_a_model_that_cannot_be_asked_here_was_not_shown_them(
    tmp_path: Path, kdaudit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    table = "".join(f"r{i},{'ab'[rng.integers(2)]}\n" for i in range(60))
    Path("data.csv").write_text(f"id,label\n{table}", "utf-8")
    for name in ("teacher", "student"):
        shares = "".join(f"r{i},{rng.random():.3f}\n" for i in range(60))
        Path(f"{name}.csv").write_text(f"id,score\n{shares}", "utf-8")
    Path("secret.jsonl").write_text(json.dumps({"text": "one two three"}) + "\n", "utf-8")
    audit = """
[audit]
name = "files"
[data]
path = "data.csv"
label = "label"
positive = "b"
[data.protected]
path = "secret.jsonl"
prefix_words = {words}
[teacher]
predictions = "teacher.csv"
[student]
predictions = "student.csv"
"""
    Path("audit.toml").write_text(audit.format(words=1), "utf-8")
    said = kdaudit("run", "audit.toml")
    results = RunFolder(Path("kdaudit-out") / "files").results()
    assert "it was not shown the protected texts" in str(results.finding("MEM001").basis), said.err
    Path("audit.toml").write_text(audit.format(words=3), "utf-8")
    refused = kdaudit("run", "audit.toml")
    assert refused.code == 2
    assert "no more than prefix_words = 3 words" in refused.err
