"""What the arms of a language model's recipe share: blocks, prompts, and what the teacher says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdaudit.distill.language.answers import Answers, Live, Recorded, record
from kdaudit.distill.language.begin import read
from kdaudit.distill.language.blocks import pack, pieces
from kdaudit.distill.language.causal import Asked, Causal
from kdaudit.distill.language.importance import staying, stored_rises
from kdaudit.distill.language.recipe import LanguageRecipe
from kdaudit.distill.language.teacher_text import learnt, write
from kdaudit.distill.language.texts import Document, split
from kdaudit.distill.language.texts import read as read_text
from kdaudit.distill.language.tokenizer import Tokenizer
from kdaudit.distill.training.checkpoint import tensor_digest
from kdaudit.distill.training.sources import Batch
from kdaudit.errors import ConfigError, DataError, ModelError
from kdaudit.evidence.store import Store
from kdaudit.evidence.truncated import TopK
from kdaudit.governance.digest import manifest_digest
from kdaudit.models.code import resolve
from kdaudit.models.pretrained import Pretrained, versions
from kdaudit.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LanguageTask:
    """Everything the arms share.

    Attributes:
        recipe: the recipe.
        base: its folder.
        tokenizer: of teacher and student.
        folder: what the student begins from, or None where it is drawn.
        text: blocks of the files' text.
        taught: blocks that the recipe's own arm learns from: the same, or what the teacher wrote.
        validation: blocks to stop by, of texts that are in neither.
        teacher: or None.
        answers: what it says of blocks, or None.
        said: name, adapter and digest of the teacher for the lineage, or None.
        targets: what was stored of it, for the lineage.
        rows: what the lineage says of the text.
        rises: of the loss without each layer of the folder, where they were measured.
    """

    recipe: LanguageRecipe
    base: Path
    tokenizer: Tokenizer
    folder: Pretrained | None
    text: Batch
    taught: Batch
    validation: Batch
    documents: Sequence[Document]
    teacher: Asked | None
    answers: Answers | None
    said: Mapping[str, str] | None
    targets: Mapping[str, str]
    rows: Mapping[str, object]
    rises: tuple[float, ...] = ()

    def prompts(self, most: int, room: int) -> list[list[int]]:
        """Beginnings of the texts to learn from.

        Args:
            most: tokens of a beginning; the whole prompt where a text has one of its own.
            room: tokens that a prompt may have at all; longer ones are left out.
        """
        return beginnings(self.documents, self.tokenizer, most, room)


def prepare(recipe: LanguageRecipe, base: Path, store: Store, progress: Progress) -> LanguageTask:
    """Read texts and models, let the teacher write, and record what it says.

    Raises:
        KdauditError: for texts or models that do not fit.
    """
    table, student = recipe.language, recipe.student
    folder = None if student.folder is None else Pretrained.find(student.folder, base)
    owner = None if recipe.teacher is None else Pretrained.find(recipe.teacher.folder, base)
    tokenizer = _tokenizer(recipe, base, folder, owner)
    _refuse_longer_blocks(recipe, [one for one in (folder, owner) if one is not None])
    documents = [one for name in table.text for one in read_text(base / name)]
    learning, stopping = split(documents, table.validation)
    text, validation = (_packed(some, recipe, tokenizer) for some in (learning, stopping))
    rows = {
        "documents": len(learning),
        "blocks": len(text),
        "positions learnt from": int((text.labels >= 0).sum()) if text.labels is not None else 0,
        "validation documents": len(stopping),
        "digest": tensor_digest(text.tensors()),
    }
    recipe, rises = _shortened(recipe, folder, text, store, progress)
    if owner is None:
        return LanguageTask(
            recipe=recipe,
            base=base,
            tokenizer=tokenizer,
            folder=folder,
            text=text,
            taught=text,
            validation=validation,
            documents=learning,
            teacher=None,
            answers=None,
            said=None,
            targets={},
            rows=rows,
            rises=rises,
        )
    teacher = Asked(Causal(read(owner)).eval(), recipe.train.precision)
    digest = manifest_digest(owner.digests())
    who = {"folder": digest, "tokenizer": tokenizer.digest, **versions("torch", "transformers")}
    who["threads"] = str(recipe.train.threads)
    taught, targets = _written(recipe, base, (teacher, tokenizer, who), learning, store, progress)
    blocks = {"validation": validation, "transfer": text if taught is None else taught}
    answers, kept = _answers(recipe, teacher, who, blocks, store, progress)
    return LanguageTask(
        recipe=recipe,
        base=base,
        tokenizer=tokenizer,
        folder=folder,
        text=text,
        taught=blocks["transfer"],
        validation=validation,
        documents=learning,
        teacher=teacher,
        answers=answers,
        said={"name": owner.name, "adapter": "causal", "digest": digest},
        targets={**targets, **kept},
        rows=rows,
        rises=rises,
    )


def beginnings(
    documents: Sequence[Document], tokenizer: Tokenizer, most: int, room: int
) -> list[list[int]]:
    """Each different beginning once, in the order of the texts; see `LanguageTask.prompts`.

    Raises:
        DataError: if there is none.
    """
    found: dict[tuple[int, ...], None] = {}
    for document in documents:
        own = tokenizer.encode(document.prompt) if document.prompt else None
        prompt = tokenizer.encode(document.text)[:most] if own is None else own
        if 0 < len(prompt) <= room:
            found.setdefault(tuple(prompt))
    if not found:
        raise DataError(
            f"no text begins with a prompt of 1 to {room} tokens; give a longer block, or fewer "
            "tokens to write"
        )
    return [list(prompt) for prompt in found]


def _tokenizer(
    recipe: LanguageRecipe, base: Path, folder: Pretrained | None, owner: Pretrained | None
) -> Tokenizer:
    named = recipe.student.tokenizer
    place = folder or owner if named is None else Pretrained(path=base / named, name=named)
    if place is None:
        raise ModelError(
            'a student that is drawn needs a tokenizer: tokenizer = "folder" under [student]'
        )
    found = Tokenizer.open(place)
    if owner is not None and owner.path != place.path:
        other = Tokenizer.open(owner)
        if (other.vocabulary, other.end) != (found.vocabulary, found.end):
            raise ModelError(
                f"{owner.name} and {place.name} have different tokenizers, so their distributions "
                "are over different tokens; take a student with the teacher's tokenizer"
            )
    return found


def _shortened(
    recipe: LanguageRecipe, folder: Pretrained | None, text: Batch, store: Store, progress: Progress
) -> tuple[LanguageRecipe, tuple[float, ...]]:
    """The recipe with the layers that stay, and how much each matters, where some are dropped."""
    student = recipe.student
    if student.drop is None or folder is None:
        return recipe, ()
    model = read(folder)
    count = int(model.config.num_hidden_layers)
    advance = progress("how much each layer matters", count)
    who = {"folder": manifest_digest(folder.digests()), **versions("torch", "transformers")}
    rises = stored_rises(model, folder.name, text, who, store=store, advance=advance)
    layers = staying(rises, student.drop, folder.name)
    shorter = student.model_copy(update={"layers": layers})
    return recipe.model_copy(update={"student": shorter}), rises


def longest(config: Mapping[str, Any]) -> int | None:
    """How many positions a model of a configuration looks at, where it says so.

    >>> longest({"max_position_embeddings": 512, "sliding_window": 128})
    128
    """
    keys = ["max_position_embeddings", "n_positions"]
    if config.get("use_sliding_window", True):
        keys.append("sliding_window")
    return min((config[key] for key in keys if isinstance(config.get(key), int)), default=None)


def _refuse_longer_blocks(recipe: LanguageRecipe, folders: Sequence[Pretrained]) -> None:
    known = {one.name: one.said for one in folders} | {"[student]": recipe.student.config or {}}
    for name, config in known.items():
        most = longest(config)
        if most is not None and recipe.language.block > most:
            raise ConfigError(
                f"block = {recipe.language.block} under [language] is more than the {most} "
                f"positions that {name} looks at"
            )


def _packed(documents: Sequence[Document], recipe: LanguageRecipe, tokenizer: Tokenizer) -> Batch:
    table = recipe.language
    found = pieces(documents, tokenizer.encode, tokenizer.end, table.block)
    return pack(found, table.block, together=table.packing)


def _written(
    recipe: LanguageRecipe,
    base: Path,
    by: tuple[Asked, Tokenizer, Mapping[str, str]],
    documents: Sequence[Document],
    store: Store,
    progress: Progress,
) -> tuple[Batch | None, dict[str, str]]:
    """Blocks of what the teacher wrote, and what the lineage says of it."""
    table = recipe.teacher_text
    if table is None:
        return None, {}
    teacher, tokenizer, who = by
    check = None if table.check is None else resolve(table.check, base)
    room = recipe.language.block - table.tokens
    prompts = beginnings(documents, tokenizer, table.prompt_tokens, room)
    advance = progress("the teacher writes", len(prompts) * table.per_prompt)
    found = write(teacher.causal, tokenizer, prompts, table, who=who, store=store, advance=advance)
    kept = learnt(found, table, None if check is None else check.function)
    whole = sum(1 for row in found.rows if row["ended"])
    return _packed(kept, recipe, tokenizer), {
        "teacher text sha256": found.sha256,
        "teacher texts written": str(len(found.rows)),
        "teacher texts kept": f"{len(kept)} ({len(kept) / len(found.rows):.4f})",
        "teacher texts that end": f"{whole} ({whole / len(found.rows):.4f})",
        "reasoning traces": table.reasoning,
        "check": "none" if check is None else f"{check.name}, sha256 {check.digest}",
    }


def _answers(
    recipe: LanguageRecipe,
    teacher: Asked,
    who: Mapping[str, str],
    blocks: Mapping[str, Batch],
    store: Store,
    progress: Progress,
) -> tuple[Answers | None, dict[str, str]]:
    table = recipe.objectives.tokens
    if not table.soft_weight:
        return None, {}
    if table.top_k is None:
        return Live(teacher), {"targets": "live: all logits, asked at every step"}
    top = TopK(k=table.top_k, temperatures=(table.temperature,))
    size = teacher.causal.vocabulary()
    if table.top_k >= size:
        raise ConfigError(
            f"top_k = {table.top_k} under [objectives.tokens] is the whole vocabulary of {size:,} "
            "tokens: take it out, and all logits are used"
        )
    kept = {
        split: record(
            teacher,
            batch,
            who=who,
            split=split,
            top=top,
            vocabulary=size,
            store=store,
            advance=progress(f"recording the teacher, {split} blocks", len(batch)),
        )
        for split, batch in blocks.items()
    }
    said = {f"{split} evidence": one.digest for split, one in kept.items()}
    form = f"top {table.top_k} and one bucket, T = {table.temperature:g}"
    return Recorded(tuple(kept.values())), {"targets": f"stored: {form}", **said}
