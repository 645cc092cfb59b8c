"""The model folder: everything kdaudit writes, and the simplest thing to hand it.

``model.json`` names the adapter, the code, the classes and the SHA-256 of every file; beside it lie
``model.safetensors``, ``state.json`` where something was fitted, ``code/*.py``, and
``lineage.json``. Every digest is checked before anything is loaded. That shows that the folder is
whole, not that it is harmless: its code runs, so open only folders whose origin you trust.
"""

import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from kdaudit.data.audit_file import parse
from kdaudit.errors import ConfigError, DamagedError, ModelError, writing
from kdaudit.governance.digest import file_digest
from kdaudit.lineage import Lineage
from kdaudit.models.adapter import Columns, Outputs
from kdaudit.models.code import Code, resolve
from kdaudit.models.code import files as code_files
from kdaudit.models.torch import Encoder, TorchModel, read_state

if TYPE_CHECKING:
    import torch

WRITTEN = {"model.json", "model.safetensors", "state.json", "lineage.json", "code", "controls"}
SAFE_NAME = re.compile(r"[\w.-]+(/[\w.-]+)*")

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """``model.json`` (format 1); names of files are relative to the folder, with ``/``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1]
    adapter: Literal["torch"]
    weights: str
    factory: str
    args: dict[str, Any]
    width: int = Field(ge=1)
    classes: tuple[str, ...] = Field(min_length=2)
    inputs: tuple[str, ...]
    encode: str | None
    state: str | None
    files: dict[str, Sha256]


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelFolder:
    """A model folder whose digests were all right when it was opened."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, source: str, *, base: Path) -> Self:
        """Read ``model.json`` in the folder ``source`` and check every file it names.

        Raises:
            ModelError: if there is no such folder, or a name in it points elsewhere.
            ConfigError: if ``model.json`` says what it may not.
            DamagedError: if a file is missing, changed, or code was added.
        """
        path = base / source
        if not (path / "model.json").is_file():
            raise ModelError(
                f"there is no model folder {source} (no model.json in {path.resolve()}); "
                "`kdaudit distill` writes one"
            )
        manifest = _manifest(path)
        _verify(path, manifest)
        return cls(path=path, manifest=manifest)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the logits."""
        return self.manifest.classes

    @property
    def columns(self) -> tuple[str, ...]:
        """The input columns it reads."""
        return self.manifest.inputs

    @property
    def digest(self) -> str:
        """SHA-256 of ``model.json``, which holds those of all other files."""
        return file_digest(self.path / "model.json")

    def identity(self) -> Mapping[str, str]:
        """The folder's digest, and what its adapter says."""
        return {"folder": self.digest, **self.model.identity()}

    def predict(self, columns: Columns) -> Outputs:
        """Logits of N rows."""
        return self.model.predict(columns)

    def parameters(self) -> int:
        """Number of weights."""
        return self.model.parameters()

    def size(self) -> int:
        """Bytes of ``model.json`` and the files it names; not of the lineage."""
        return sum(
            (self.path / name).stat().st_size for name in ["model.json", *self.manifest.files]
        )

    @cached_property
    def model(self) -> TorchModel:
        """The model inside."""
        said, code = self.manifest, self.path / "code"
        state = None if said.state is None else self.path / said.state
        return TorchModel(
            weights=self.path / said.weights,
            factory=resolve(said.factory, code),
            args=said.args,
            encoder=Encoder(
                columns=said.inputs,
                function=None if said.encode is None else resolve(said.encode, code),
                state={} if state is None else read_state(state),
                width=said.width,
            ),
            width=said.width,
            classes=said.classes,
            state=state,
        )


def torch_files(
    weights: Mapping[str, "torch.Tensor"],
    *,
    factory: Code,
    args: Mapping[str, Any],
    encoder: Encoder,
    classes: tuple[str, ...],
) -> dict[str, bytes]:
    """The files of a model folder, but for its lineage; same model, same bytes.

    Args:
        weights: the module's state by name.
        factory: builds the module.
        args: JSON-able arguments of the factory.
        encoder: with its width.
        classes: names, in the order of the logits.
    """
    assert encoder.width is not None
    files = {"model.safetensors": weights_file(weights)}
    if encoder.state:
        files["state.json"] = _json(encoder.state)
    files |= code_files(factory, encoder.function)
    manifest = Manifest(
        format=1,
        adapter="torch",
        weights="model.safetensors",
        factory=factory.name,
        args=dict(args),
        width=encoder.width,
        classes=classes,
        inputs=encoder.columns,
        encode=None if encoder.function is None else encoder.function.name,
        state="state.json" if encoder.state else None,
        files={name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())},
    )
    return {"model.json": _json(manifest.model_dump(mode="json")), **files}


def weights_file(weights: Mapping[str, "torch.Tensor"]) -> bytes:
    """``model.safetensors``."""
    from safetensors.torch import save

    # Tied weights share memory, which safetensors refuses: each name gets a tensor of its own.
    return save({name: tensor.clone() for name, tensor in weights.items()})


def lineage_file(lineage: Lineage) -> bytes:
    """``lineage.json``."""
    return _json(TypeAdapter(Lineage).dump_python(lineage, mode="json"))


def read_lineage(path: Path) -> Lineage | None:
    """The history of the model in a folder, or None where none is written.

    Raises:
        DamagedError: if it cannot be read, or is that of another model.
    """
    file = path / "lineage.json"
    if not file.exists():
        return None
    try:
        lineage = TypeAdapter(Lineage).validate_json(file.read_bytes())
    except (ValidationError, OSError) as error:
        first = str(error).splitlines()
        raise DamagedError(f"{file} is no lineage: {' '.join(first[:3])}") from error
    if lineage.digest != file_digest(path / "model.json"):
        raise DamagedError(f"{file} is the history of another model; distil again, or remove it")
    return lineage


def refuse_foreign(path: Path, ours: Collection[str] = ()) -> None:
    """Keep a folder from being replaced that kdaudit did not write.

    Args:
        path: the folder.
        ours: names in it that it wrote beside the usual ones.

    Raises:
        ConfigError: naming what is there.
    """
    if path.is_file():
        raise ConfigError(f"{path} is a file; name a folder as out")
    foreign = {found.name for found in path.iterdir()} - WRITTEN if path.exists() else set()
    foreign -= set(ours)
    if foreign:
        raise ConfigError(
            f"{path} holds {min(foreign)}, which kdaudit did not write and will not replace; "
            "name another folder as out, or move that away"
        )


def write_folder(path: Path, files: Mapping[str, bytes], ours: Collection[str] = ()) -> None:
    """Write a folder beside, then rename: a reader sees the old one or the new one, whole.

    Args:
        path: the folder; replaced if kdaudit wrote it.
        files: contents by relative name.
        ours: as `refuse_foreign` takes it.

    Raises:
        ConfigError: if something else is there.
    """
    path = path.resolve()
    refuse_foreign(path, ours)
    beside, old = (path.with_name(f".{path.name}.{uuid.uuid4().hex}") for _ in range(2))
    try:
        with writing(path):
            for name, data in files.items():
                target = beside / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
            if path.exists():
                path.rename(old)
            beside.rename(path)
    finally:
        for rest in (beside, old):
            shutil.rmtree(rest, ignore_errors=True)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _manifest(path: Path) -> Manifest:
    try:
        raw = json.loads((path / "model.json").read_bytes(), object_pairs_hook=_unique)
    except (OSError, ValueError) as error:
        raise DamagedError(f"{path / 'model.json'} cannot be read: {error}") from error
    if not isinstance(raw, dict):
        raise DamagedError(f"{path / 'model.json'} must hold a JSON object")
    if raw.get("adapter") == "causal":
        raise ModelError(
            f"{path.name} holds a language model, in files of Transformers: name it as "
            "`hf`, not as `path`"
        )
    return parse(raw, Manifest, f"{path.name}/model.json")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} appears twice")
    return dict(pairs)


def _verify(path: Path, manifest: Manifest) -> None:
    for name, digest in manifest.files.items():
        file = _inside(path, name)
        if not file.is_file() or file_digest(file) != digest:
            raise DamagedError(
                f"{path.name}/{name} is {'changed' if file.is_file() else 'missing'}: model.json "
                "names other bytes; restore the folder, or distil again"
            )
    for name in filter(None, (manifest.weights, manifest.state)):
        if name not in manifest.files:
            raise ModelError(f"{path.name}/model.json gives no digest of {name}")
    for file in (path / "code").glob("*"):
        if f"code/{file.name}" not in manifest.files:
            raise DamagedError(
                f"{path.name}/code/{file.name} is not named in model.json; remove it"
            )


def _inside(path: Path, name: str) -> Path:
    """A file of the folder; nothing that leads out of it.

    Raises:
        ModelError: for an absolute name, ``..``, or a symbolic link on the way.
    """
    parts = PurePosixPath(name).parts
    steps = [path.joinpath(*parts[: i + 1]) for i in range(len(parts))]
    if not SAFE_NAME.fullmatch(name) or ".." in parts or any(step.is_symlink() for step in steps):
        raise ModelError(
            f"{path.name}/model.json names the file {name!r}, which may lie outside the folder; "
            "names are relative, without '..' and symbolic links"
        )
    return path.joinpath(*parts)
