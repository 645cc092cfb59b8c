"""From text to token ids and back, without tokens for begin and end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from kdaudit.errors import ModelError
from kdaudit.governance.digest import json_digest
from kdaudit.models.pretrained import Pretrained

OWN = ("tokenizer", "special_tokens", "added_tokens", "vocab", "merges", "spiece", "chat_template")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tokenizer:
    """The tokenizer of a folder.

    Attributes:
        folder: where it lies.
        inner: as Transformers reads it.
        end: id of the token that ends a text.
    """

    folder: Pretrained
    inner: Any
    end: int

    @classmethod
    def open(cls, folder: Pretrained) -> Self:
        """Read it.

        Raises:
            ModelError: if there is none, or it has no token that ends a text.
        """
        inner = folder.tokenizer()
        if inner.eos_token_id is None:
            raise ModelError(
                f"the tokenizer of {folder.name} has no token that ends a text: set eos_token in "
                "its tokenizer_config.json"
            )
        return cls(folder=folder, inner=inner, end=int(inner.eos_token_id))

    def encode(self, text: str) -> list[int]:
        """Token ids."""
        return list(self.inner.encode(text, add_special_tokens=False))

    def decode(self, ids: list[int]) -> str:
        """Text; special tokens are left out."""
        text = self.inner.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(text)

    @property
    def vocabulary(self) -> Mapping[str, int]:
        """Token ids by token."""
        found: dict[str, int] = self.inner.get_vocab()
        return found

    @property
    def digest(self) -> str:
        """Of what it does, as far as its tokens tell."""
        return json_digest(dict(self.vocabulary))

    def files(self) -> dict[str, bytes]:
        """Its files, by name, for another folder."""
        named = self.folder.files().items()
        return {name: path.read_bytes() for name, path in named if name.startswith(OWN)}
