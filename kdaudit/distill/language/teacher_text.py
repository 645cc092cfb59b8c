"""What a teacher writes, once: JSON lines in the store, then checked and learnt as text.

Sequence-level distillation (Kim and Rush 2016): the student learns the teacher's texts as if they
were the data. What was written is kept as it is; checks and the stripping of reasoning traces come
after, so that another check writes nothing anew.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from kdaudit.distill.language.causal import Causal
from kdaudit.distill.language.recipe import TeacherTextTable
from kdaudit.distill.language.samples import written
from kdaudit.distill.language.texts import Document
from kdaudit.distill.language.tokenizer import Tokenizer
from kdaudit.errors import DamagedError, DataError
from kdaudit.evidence.store import Entry, Store, write_atomically
from kdaudit.governance.digest import json_digest
from kdaudit.progress import Advance
from kdaudit.stats.random import stream

PART = 128  # prompts between two points at which a killed run can go on
HALF = "\ufffd"  # what a character is read as of which only the first bytes were written

Check = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Written:
    """What a teacher wrote.

    Attributes:
        rows: ``prompt``, ``completion`` and ``ended`` each.
        sha256: of the JSON lines.
        now: texts written just now; 0 where all were in the store.
    """

    rows: Sequence[Mapping[str, object]]
    sha256: str
    now: int


def write(
    teacher: Causal,
    tokenizer: Tokenizer,
    prompts: Sequence[Sequence[int]],
    table: TeacherTextTable,
    *,
    who: Mapping[str, str],
    store: Store,
    advance: Advance,
) -> Written:
    """Let the teacher continue every prompt, unless the store already holds what it wrote.

    Args:
        teacher: the model.
        tokenizer: its tokenizer.
        prompts: token ids.
        table: how.
        who: everything its texts depend on beside prompts and table.
        store: of ``text.jsonl``, and of the parts of one that was interrupted.
        advance: told of prompts.

    Raises:
        DamagedError: if the stored texts are not what was written.
    """
    how = table.model_dump(include={"tokens", "per_prompt", "temperature", "seed"})
    asked = [prompt for prompt in prompts for _ in range(table.per_prompt)]
    digest = json_digest([list(prompt) for prompt in asked])
    entry = store.entry("teacher-text", {"who": dict(who), "prompts": digest, **how})
    whole, now = entry.folder / "text.jsonl", 0
    if not (entry.folder / "text.json").exists():
        texts = []
        for number, start in enumerate(range(0, len(asked), PART)):
            path = entry.folder / f"part-{number:05d}.jsonl"
            some = asked[start : start + PART]
            if not path.exists():
                seed = int(stream(table.seed, "teacher text", str(number)).integers(2**63))
                draw = torch.Generator().manual_seed(seed)
                write_atomically(path, _lines(teacher, tokenizer, some, table, draw))
                now += len(some)
            advance(len(some))
            texts.append(path.read_bytes())
        write_atomically(whole, b"".join(texts))
        said = {"sha256": hashlib.sha256(b"".join(texts)).hexdigest(), "rows": len(asked)}
        write_atomically(entry.folder / "text.json", json.dumps(said).encode())
        for path in entry.folder.glob("part-*.jsonl"):
            path.unlink(missing_ok=True)
    else:
        advance(len(asked))
    return _read(entry, now)


def learnt(found: Written, table: TeacherTextTable, check: Check | None) -> list[Document]:
    """The texts that are learnt: traces kept or stripped, then checked.

    Raises:
        DataError: if none is left.
    """
    documents = []
    for row in found.rows:
        text = str(row["completion"])
        stripped = strip(text, table.marks) if table.reasoning == "strip" else text
        prompt = str(row["prompt"])
        if stripped and (check is None or check(prompt, stripped)):
            documents.append(Document(stripped, prompt, ended=bool(row["ended"])))
    if not documents:
        raise DataError(
            f"of {len(found.rows)} texts that the teacher wrote none is left: look at check, "
            "reasoning and tokens under [teacher_text]"
        )
    return documents


def strip(text: str, marks: tuple[str, str]) -> str:
    """A text without its reasoning traces; nothing where a trace never ends.

    >>> strip("<think>2 and 2</think>It is 4.", ("<think>", "</think>"))
    'It is 4.'
    >>> strip("<think>2 and", ("<think>", "</think>"))
    ''
    """
    begin, end = marks
    while begin in text:
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            return ""
        text = before + after.lstrip()
    return text


def _lines(
    teacher: Causal,
    tokenizer: Tokenizer,
    prompts: Sequence[Sequence[int]],
    table: TeacherTextTable,
    draw: torch.Generator,
) -> bytes:
    texts = written(
        teacher,
        prompts,
        tokens=table.tokens,
        temperature=table.temperature,
        end=tokenizer.end,
        draw=draw,
    )
    lines = []
    for prompt, text in zip(prompts, texts, strict=True):
        ended = bool(text) and text[-1] == tokenizer.end
        said = tokenizer.decode(text[: len(text) - ended])
        row = {
            "prompt": tokenizer.decode(list(prompt)),
            "completion": said if ended else said.rstrip(HALF),
            "ended": ended,
        }
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(lines).encode()


def _read(entry: Entry, now: int) -> Written:
    content = (entry.folder / "text.jsonl").read_bytes()
    said = json.loads((entry.folder / "text.json").read_bytes())
    digest = hashlib.sha256(content).hexdigest()
    if digest != said["sha256"]:
        raise DamagedError(
            f"{entry.folder.name}/text.jsonl is not what the teacher wrote: delete the folder in "
            "the store and run again"
        )
    rows = [json.loads(line) for line in content.decode().splitlines()]
    return Written(rows=rows, sha256=digest, now=now)
