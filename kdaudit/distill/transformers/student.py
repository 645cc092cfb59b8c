"""Where a Transformers student begins: from scratch, from a folder, or cut from the teacher.

It becomes an ordinary student: factory and encoder of `kdaudit.models.transformer`, the tokenizer
as the encoder's state, and first weights that are put over the drawn ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kdaudit.data.frame import Frame
from kdaudit.distill.recipe import StudentTable
from kdaudit.distill.targets.teachers import described, torch_model
from kdaudit.distill.transformers.layer_cut import chosen, cut, layer_list
from kdaudit.distill.transformers.table import TransformerTable
from kdaudit.errors import ConfigError, ModelError
from kdaudit.governance.digest import json_digest
from kdaudit.models.code import resolve
from kdaudit.models.folder import ModelFolder, read_lineage
from kdaudit.models.inputs import select
from kdaudit.models.open import Opened
from kdaudit.models.pretrained import Pretrained, require
from kdaudit.models.sequence_classifier import SequenceClassifier
from kdaudit.models.torch import build
from kdaudit.models.transformer import (
    ENCODE,
    FACTORY,
    configuration,
    learnt_tokenizer,
    plain,
    state,
    texts,
)

TEACHER = "teacher"
MAX_LENGTH = 128  # tokens, where nobody says more or less
VOCABULARY = 8000  # tokens of a tokenizer that is learnt from the transfer rows, at most


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Beginning:
    """How a student is built, and where its weights begin.

    Attributes:
        student: its table, as one with factory, args and encode.
        state: of the encoder, where it is not fitted.
        weights: first weights that are not drawn, by name in the module.
        head: names of those weights that give the classes.
        names: the classes that the head gives.
        expected: names of all weights.
        said: for the lineage, or None for a student that is drawn by a factory of the user's.
    """

    student: StudentTable
    state: Mapping[str, Any] | None = None
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    head: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    expected: frozenset[str] = frozenset()
    said: Mapping[str, object] | None = None

    def first(self, classes: tuple[str, ...]) -> dict[str, Tensor]:
        """The first weights of a student with these classes; a head of other classes is drawn."""
        kept = self.names == classes
        return {
            name: weight for name, weight in self.weights.items() if kept or name not in self.head
        }

    def history(self, classes: tuple[str, ...]) -> Mapping[str, object] | None:
        """What the lineage says of the first weights of a student with these classes."""
        if self.said is None or not self.weights:
            return self.said
        return {**self.said, "drawn": sorted(self.expected - self.first(classes).keys())}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Origin:
    """An encoder to begin with.

    Attributes:
        config: of Transformers.
        pooling: of the module the weights are named in.
        weights: by name in the module; those that the origin does not hold are left out.
        tokenizer: the text of its ``tokenizer.json``.
        max_length: most tokens of a row, or None.
        names: the classes of its head.
        digest: of its files.
    """

    config: Any
    pooling: str
    weights: Mapping[str, Tensor]
    tokenizer: str
    max_length: int | None
    names: tuple[str, ...]
    digest: str


def begin(
    student: StudentTable,
    *,
    base: Path,
    transfer: Frame,
    teacher: Callable[[], Opened],
    rename: Mapping[str, str],
    taught: bool,
) -> Beginning:
    """Where the student of a recipe begins.

    Args:
        student: its table.
        base: folder of the recipe.
        transfer: the rows a tokenizer is learnt from where none is named.
        teacher: opens it; called only if the student is cut from it, or learns from it.
        rename: of the teacher's classes.
        taught: whether the student learns from it.

    Raises:
        ConfigError: for a table that does not fit the encoder it names.
        ModelError: for a folder that cannot be read.
    """
    table = student.transformer
    if table is None:
        return Beginning(student=student)
    require("transformers", "hf", "[student.transformer]")
    origin = _origin(table, base, teacher)
    shown = select(transfer.inputs, student.inputs or tuple(transfer.inputs))
    tokenizer = _tokenizer(table, base, teacher, origin)
    if tokenizer is None:
        size = table.config.get("vocab_size", VOCABULARY)
        tokenizer = learnt_tokenizer(
            [row for cells in texts(shown) for row in cells], int(str(size))
        )
    config, weights = _cut(table, origin, tokenizer)
    length = table.max_length or (origin.max_length if origin else None)
    length = length or min(MAX_LENGTH, config.get("max_position_embeddings") or MAX_LENGTH)
    pooling = table.pooling or (origin.pooling if origin else "own")
    args = {"config": config, "pooling": pooling}
    plainly = student.model_copy(
        update={"factory": FACTORY, "args": args, "encode": ENCODE, "transformer": None}
    )
    expected = _expected(plainly, length, len(origin.names) if origin else 0)
    _refuse_other_shapes(weights, expected)
    taken = {name: weight for name, weight in weights.items() if name in expected.shapes}
    return Beginning(
        student=plainly,
        state=state(tokenizer, max_length=length, padding=int(config["pad_token_id"])),
        weights=taken,
        head=expected.head,
        names=_names(table, origin, rename),
        expected=frozenset(expected.shapes),
        said=_said(table, origin, teacher if taught else None),
    )


def _origin(table: TransformerTable, base: Path, teacher: Callable[[], Opened]) -> Origin | None:
    if table.init is None:
        return None
    if table.init.source != TEACHER:
        return _from_folder(Pretrained.find(table.init.source, base), table.pooling or "own")
    opened = teacher()
    if isinstance(opened.adapter, SequenceClassifier):
        # The student reads as many tokens as the teacher does: hints compare them position by
        # position, and where it read fewer it could not know what it does not see.
        found = _from_folder(opened.adapter.folder, table.pooling or "own")
        return replace(found, max_length=opened.adapter.limit)
    model = torch_model(opened.adapter)
    if model is None or model.factory.name != FACTORY:
        raise ConfigError(
            f'init = {{ from = "teacher" }} needs a teacher that is a Transformers encoder: '
            f"{opened.name} ({opened.kind}) is none. Name a folder to begin from, or give "
            "[teacher] hf = ... or the model folder of a recipe with [student.transformer]"
        )
    args: Mapping[str, Any] = model.args
    return Origin(
        config=configuration(args["config"]),
        pooling=str(args.get("pooling", "own")),
        weights=model.module().state_dict(),
        tokenizer=str(model.encoder.state["tokenizer"]),
        max_length=model.width,
        names=model.classes,
        digest=described(opened)["digest"],
    )


def _from_folder(folder: Pretrained, pooling: str) -> Origin:
    from transformers import AutoModel, AutoModelForSequenceClassification

    kind = AutoModel if pooling == "mean" else AutoModelForSequenceClassification
    model, lacking = folder.model(kind)
    held = {k: w for k, w in model.state_dict().items() if k not in lacking}
    return Origin(
        config=model.config,
        pooling=pooling,
        weights={f"model.{name}": weight for name, weight in held.items()},
        tokenizer=folder.tokenizer_text(),
        max_length=None,
        names=folder.classes,
        digest=json_digest(folder.digests()),
    )


def _names(
    table: TransformerTable, origin: Origin | None, rename: Mapping[str, str]
) -> tuple[str, ...]:
    """The classes of the origin's head, as the audit file calls them."""
    if origin is None or table.init is None:
        return ()
    renamed = rename if table.init.source == TEACHER else {}
    return tuple(renamed.get(name, name) for name in origin.names)


def _tokenizer(
    table: TransformerTable, base: Path, teacher: Callable[[], Opened], origin: Origin | None
) -> str | None:
    """The text of the tokenizer that is named; None where it has to be learnt."""
    if table.tokenizer is None:
        return None if origin is None else origin.tokenizer
    if table.tokenizer != TEACHER:
        path = base / table.tokenizer / "tokenizer.json"
        if not path.is_file():
            raise ConfigError(f"student.transformer.tokenizer: there is no file {path}")
        return path.read_text("utf-8")
    opened = teacher()
    if isinstance(opened.adapter, SequenceClassifier):
        return opened.adapter.folder.tokenizer_text()
    model = torch_model(opened.adapter)
    if model is None or model.factory.name != FACTORY:
        raise ConfigError(
            f'student.transformer.tokenizer = "teacher": {opened.name} ({opened.kind}) has none; '
            "name a folder with a tokenizer.json"
        )
    return str(model.encoder.state["tokenizer"])


def _cut(
    table: TransformerTable, origin: Origin | None, tokenizer: str
) -> tuple[dict[str, Any], Mapping[str, Tensor]]:
    """The configuration as plain values, and the weights of the layers that are taken."""
    from tokenizers import Tokenizer

    if origin is None:
        found = Tokenizer.from_str(tokenizer)
        padding = (found.padding or {}).get("pad_id", found.token_to_id("[PAD]"))
        filled = {"pad_token_id": padding, **table.config}
        return plain(configuration({**filled, "vocab_size": found.get_vocab_size()})), {}
    assert table.init is not None
    config = configuration({**plain(origin.config), **table.config})
    count = int(origin.config.num_hidden_layers)
    layers = chosen(table.init.layers, count)
    config.num_hidden_layers = len(layers)
    if isinstance(getattr(config, "layer_types", None), list):
        config.layer_types = [config.layer_types[layer] for layer in layers]
    weights = origin.weights
    if len(layers) < count:
        weights = cut(weights, layer_list(weights, count), layers)
    return plain(config), weights


@dataclass(frozen=True, slots=True, kw_only=True)
class _Expected:
    """What the module that is built holds: shapes by name, and the names of the head."""

    shapes: Mapping[str, tuple[int, ...]]
    head: frozenset[str]


def _expected(student: StudentTable, length: int, classes: int) -> _Expected:
    with torch.random.fork_rng(devices=[]):
        module: Any = build(
            resolve(FACTORY, Path()), width=length, classes=max(2, classes), args=student.args
        )
    shapes = {name: tuple(weight.shape) for name, weight in module.state_dict().items()}
    body = "model." if module.head is not None else f"model.{module.model.base_model_prefix}."
    return _Expected(
        shapes=shapes, head=frozenset(name for name in shapes if not name.startswith(body))
    )


def _refuse_other_shapes(weights: Mapping[str, Tensor], expected: _Expected) -> None:
    for name, weight in weights.items():
        wanted = expected.shapes.get(name)
        if wanted is not None and wanted != tuple(weight.shape):
            raise ConfigError(
                f"student.transformer: {name} is {tuple(weight.shape)} where it begins, and "
                f"{wanted} by config: what config changes may not change the size of weights"
            )
    if weights and not any(name in expected.shapes for name in weights):
        raise ModelError(
            "student.transformer: no weight of init has a place in the student; take the same "
            "pooling as where it begins"
        )


def _said(
    table: TransformerTable, origin: Origin | None, teacher: Callable[[], Opened] | None
) -> dict[str, object]:
    """What the lineage says of the first weights."""
    if origin is None or table.init is None:
        return {"from": "scratch", "shared_init": False}
    count = int(origin.config.num_hidden_layers)
    shared = table.init.source == TEACHER or (
        teacher is not None and _descends(teacher(), origin.digest)
    )
    return {
        "from": table.init.source,
        "digest": origin.digest,
        "layers": list(chosen(table.init.layers, count)),
        "of layers": count,
        "shared_init": shared,
    }


def _descends(teacher: Opened, digest: str) -> bool:
    """Whether the teacher is these files, or was itself trained from them."""
    adapter = teacher.adapter
    if isinstance(adapter, SequenceClassifier):
        return json_digest(adapter.folder.digests()) == digest
    if not isinstance(adapter, ModelFolder):
        return False
    lineage = read_lineage(adapter.path)
    return lineage is not None and (lineage.init or {}).get("digest") == digest
