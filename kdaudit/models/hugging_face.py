"""``hf = "…"``: a classifier or a causal language model of Transformers, as its files say."""

from pathlib import Path
from typing import Any

from kdaudit.errors import ModelError
from kdaudit.models.causal.adapter import GGUF, CausalModel, is_gguf
from kdaudit.models.pretrained import Pretrained, require
from kdaudit.models.sequence_classifier import SequenceClassifier

CAUSAL = ("ForCausalLM", "LMHeadModel")  # how Transformers ends the names of such architectures


class HuggingFace:
    """Opens either kind."""

    @classmethod
    def open(  # noqa: PLR0913  # the options of the table
        cls,
        source: str,
        *,
        base: Path,
        text: str | list[str] = "",
        max_length: int | None = None,
        batch_size: int | None = None,
        dtype: str = "float32",
        chat: bool | None = None,
        quantize: str | None = None,
    ) -> SequenceClassifier | CausalModel:
        """Find the model; nothing is loaded.

        Args:
            source: a folder or a GGUF file relative to ``base``, or a model of the hub, where
                there is a network.
            base: folder of the audit file.
            text: of a classifier, as `SequenceClassifier.open` says.
            max_length: as either says.
            batch_size: rows answered at once; by default 32 of a classifier, 8 of a language model.
            dtype: ``float32`` or ``bfloat16``.
            chat: of a language model, as `CausalModel.open` says.
            quantize: likewise.

        Raises:
            ConfigError: where Transformers is not installed.
            ModelError: naming the folder or option, its value and the next step.
        """
        require("transformers", "hf", "the adapter hf")
        sized: dict[str, Any] = {} if batch_size is None else {"batch_size": batch_size}
        if is_causal(source, base):
            if text:
                raise ModelError(
                    f"{source} is a language model: what it is shown is [prompt] template, not text"
                )
            return CausalModel.open(
                source,
                base=base,
                chat=chat,
                dtype=dtype,
                quantize=quantize,
                max_length=max_length,
                **sized,
            )
        for option, value in {"chat": chat, "quantize": quantize}.items():
            if value is not None:
                raise ModelError(
                    f"{source} is a classifier, which has no option {option}; take it out"
                )
        return SequenceClassifier.open(
            source, base=base, text=text, max_length=max_length, dtype=dtype, **sized
        )


def is_causal(source: str, base: Path) -> bool:
    """Whether the files say that it is a causal language model.

    Raises:
        ModelError: if there are no such files.
    """
    if is_gguf(source, base):
        return True
    if source.lower().endswith(GGUF):
        raise ModelError(f"there is no file {source} (looked in {base.resolve()})")
    named = Pretrained.find(source, base).said.get("architectures") or []
    return any(str(name).endswith(CAUSAL) for name in named)
