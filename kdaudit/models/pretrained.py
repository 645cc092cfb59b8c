"""A folder that Transformers wrote: configuration, safetensors weights and tokenizer.

Nothing in it is run: weights that are pickles are refused, and code that comes with a model is
never loaded. ``save_pretrained`` of model and tokenizer writes such a folder.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from logging import CRITICAL
from pathlib import Path
from typing import Any, Self

from kdaudit.errors import ConfigError, ModelError
from kdaudit.governance.digest import file_digest
from kdaudit.models.code import said
from kdaudit.models.torch import PICKLES

DTYPES = ("float32", "bfloat16")
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
# Whatever else may lie in such a folder (reports, other frameworks' weights) changes no answer.
READ = {".json", ".txt", ".model", ".safetensors", ".jinja", ".tiktoken"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Pretrained:
    """One such folder; opening it reads names only.

    Attributes:
        path: the folder.
        name: as the user said it.
    """

    path: Path
    name: str

    @classmethod
    def find(cls, source: str, base: Path) -> Self:
        """Find the folder: relative to ``base``, or by its name on the hub where there is network.

        Raises:
            ModelError: if there is no such folder, or its weights are not safetensors.
        """
        local = base / source
        if local.is_file():
            raise ModelError(f"{source} is a file; name the folder that holds config.json")
        path = local if local.is_dir() else _fetched(source, base)
        if not (path / "config.json").is_file():
            raise ModelError(
                f"{source} has no config.json; `save_pretrained` of a Transformers model and of "
                "its tokenizer write such a folder"
            )
        if not any((path / name).is_file() for name in WEIGHTS):
            pickles = sorted(f.name for f in path.iterdir() if f.suffix.lower() in PICKLES)
            if pickles:
                raise ModelError(
                    f"{source} has its weights in {pickles[0]}, a pickle, and opening a pickle "
                    "runs whatever code it holds; save them again as safetensors, with "
                    "model.save_pretrained(folder)"
                )
            raise ModelError(f"{source} has no weights: there is no model.safetensors in it")
        return cls(path=path, name=source)

    def files(self) -> dict[str, Path]:
        """The files that Transformers may read, by name."""
        found = sorted(f for f in self.path.iterdir() if f.suffix in READ and f.is_file())
        return {file.name: file for file in found}

    def digests(self) -> dict[str, str]:
        """SHA-256 of each of the files."""
        return {name: file_digest(file) for name, file in self.files().items()}

    def size(self) -> int:
        """Bytes of the files."""
        return sum(file.stat().st_size for file in self.files().values())

    @property
    def classes(self) -> tuple[str, ...]:
        """Names by ``id2label``; empty where the configuration names none.

        Raises:
            ModelError: if ids are not 0, 1, 2 …
        """
        named = self.said.get("id2label") or {}
        try:
            ids = {int(key): str(value) for key, value in named.items()}
            return tuple(ids[i] for i in range(len(ids)))
        except (ValueError, KeyError, AttributeError) as error:
            raise ModelError(
                f"{self.name}/config.json: id2label must map 0, 1, 2 … to names, got {named!r:.200}"
            ) from error

    @cached_property
    def said(self) -> dict[str, Any]:
        """``config.json`` as it is written.

        Raises:
            ModelError: if it is no JSON object.
        """
        try:
            found = json.loads((self.path / "config.json").read_bytes())
        except ValueError as error:
            raise ModelError(f"{self.name}/config.json is not JSON: {error}") from error
        if not isinstance(found, dict):
            raise ModelError(f"{self.name}/config.json must hold a JSON object")
        return found

    def config(self) -> Any:
        """The configuration, as Transformers reads it."""
        from transformers import AutoConfig

        return self._read(AutoConfig)

    def model(self, kind: Any, **options: object) -> tuple[Any, frozenset[str]]:
        """The model in float32, and the names of its weights that the folder does not hold.

        Args:
            kind: ``AutoModel`` or ``AutoModelForSequenceClassification``.
            options: of ``from_pretrained``.
        """
        import torch

        read = self._read(
            kind,
            **{"dtype": torch.float32, **options},
            use_safetensors=True,
            output_loading_info=True,
        )
        model, info = read
        other = {str(one[0]) for one in info.get("mismatched_keys", ())}
        return model.eval(), frozenset(map(str, info["missing_keys"])) | other

    def tokenizer(self) -> Any:
        """The tokenizer, as Transformers reads it."""
        from transformers import AutoTokenizer

        return self._read(AutoTokenizer)

    def tokenizer_text(self) -> str:
        """``tokenizer.json``, or what it would be.

        Raises:
            ModelError: for a tokenizer of another kind.
        """
        written = self.path / "tokenizer.json"
        if written.is_file():
            return written.read_text("utf-8")
        backend = getattr(self.tokenizer(), "backend_tokenizer", None)
        if backend is None:
            raise ModelError(
                f"{self.name} has no tokenizer.json, and its tokenizer cannot be written as one"
            )
        text: str = backend.to_str()
        return text

    def _read(self, kind: Any, **options: object) -> Any:
        try:
            with quiet():
                return kind.from_pretrained(
                    self.path, local_files_only=True, trust_remote_code=False, **options
                )
        except Exception as error:  # whatever files, architectures and tokenizers raise
            raise ModelError(
                f"{self.name} cannot be read by Transformers: {said(error)}"
            ) from error


def require(library: str, extra: str, what: str) -> None:
    """Say how to install a library that is not there.

    Raises:
        ConfigError: with the command.
    """
    from importlib.util import find_spec

    if find_spec(library) is None:
        raise ConfigError(
            f"{what} needs {library}, which is not installed: `pip install 'kdaudit[{extra}]'`"
        )


def refuse_options(dtype: str, **counts: int | None) -> None:
    """Refuse what no adapter of Transformers takes.

    Args:
        dtype: of weights and activations.
        counts: numbers from 1 on by the option's name; None where it is left out.

    Raises:
        ModelError: naming the option and its value.
    """
    if dtype not in DTYPES:
        raise ModelError(f"dtype is one of {', '.join(DTYPES)}, not {dtype!r}")
    for name, value in counts.items():
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ModelError(f"{name} must be a whole number from 1 on, not {value!r}")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Transformers from drawing bars and from warning of what is checked here anyway."""
    from transformers.utils import logging as library

    logging: Any = library  # partly without annotations
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _fetched(source: str, base: Path) -> Path:
    """The folder of a model of the hub, downloaded or from its cache."""
    from huggingface_hub import snapshot_download

    nowhere = f"there is no folder {source} (looked in {base.resolve()})"
    if source.count("/") != 1 or source.startswith((".", "/")):
        raise ModelError(f"{nowhere}; `save_pretrained` writes one")
    try:
        return Path(snapshot_download(source, allow_patterns=[f"*{end}" for end in sorted(READ)]))
    except Exception as error:  # no network, no such model, no permission: in many classes
        raise ModelError(
            f"{nowhere}, and it could not be fetched from the hub ({said(error)[:200]}); download "
            "it where there is a network, and name the folder"
        ) from error


def versions(*names: str) -> Mapping[str, str]:
    """Versions of installed libraries by name."""
    from importlib.metadata import version

    return {name: version(name) for name in names}
