"""A sequence classifier of Transformers: ``hf = "folder"``, as ``save_pretrained`` writes it.

Rows are sorted by their number of tokens, answered in batches of similar length, and given back in
the order they were asked; what is padded is masked, so that no answer depends on its neighbours
beyond rounding. Opening reads digests only; PyTorch and Transformers are imported at the first
question.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from kdaudit.errors import ModelError
from kdaudit.models.adapter import Columns, Outputs
from kdaudit.models.code import resolve, said
from kdaudit.models.inputs import select
from kdaudit.models.pretrained import Pretrained, refuse_options, require, versions
from kdaudit.models.torch import Encoder
from kdaudit.models.transformer import ATTENTION, ENCODE, state, texts

if TYPE_CHECKING:
    import torch

ADAPTER = "hf 2"  # raised when the same files would answer differently
LIMIT = 512  # tokens, where neither user nor tokenizer nor architecture says less


@dataclass(frozen=True, kw_only=True, eq=False)
class SequenceClassifier:
    """One classifier; see the module's page.

    Attributes:
        folder: configuration, weights and tokenizer.
        text: the columns it reads, one or a pair; empty for those of the audit file.
        max_length: most tokens of a row, or None for what tokenizer and architecture allow.
        batch_size: rows answered at once.
        dtype: of weights and activations; logits are float32.
    """

    folder: Pretrained
    text: tuple[str, ...]
    max_length: int | None
    batch_size: int
    dtype: str

    @classmethod
    def open(
        cls,
        source: str,
        *,
        base: Path,
        text: str | list[str] = "",
        max_length: int | None = None,
        batch_size: int = 32,
        dtype: str = "float32",
    ) -> Self:
        """Find the folder, and refuse what is no classifier.

        Args:
            source: a folder relative to ``base``, or a model of the hub, where there is a network.
            base: folder of the audit file.
            text: the column to show, or two as a pair; needed where the audit file names others.
            max_length: most tokens of a row; longer ones are cut.
            batch_size: rows answered at once.
            dtype: ``float32`` or ``bfloat16``.

        Raises:
            ConfigError: where Transformers is not installed.
            ModelError: naming the folder or option, its value and the next step.
        """
        require("transformers", "hf", "the adapter hf")
        refuse_options(dtype, batch_size=batch_size, max_length=max_length)
        folder = Pretrained.find(source, base)
        kind = folder.said.get("problem_type") or "single_label_classification"
        if kind != "single_label_classification":
            raise ModelError(
                f"{source}/config.json says problem_type = {kind!r}; kdaudit audits classifiers "
                "that choose one of several classes (single_label_classification)"
            )
        names = _classes(folder)
        if len(set(names)) < max(2, len(names)):
            raise ModelError(
                f"{source}/config.json names the classes {names}; needed are two or more different "
                "ones in id2label"
            )
        columns = (text,) if isinstance(text, str) else tuple(map(str, text))
        return cls(
            folder=folder,
            text=tuple(filter(None, columns)),
            max_length=max_length,
            batch_size=batch_size,
            dtype=dtype,
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of ``id2label``, in the order of the logits."""
        return _classes(self.folder)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads; empty for those of the audit file."""
        return self.text

    def identity(self) -> Mapping[str, str]:
        """Digests of all files that are read, options, and the versions of what reads them."""
        return {
            "adapter": ADAPTER,
            **{f"file {name}": digest for name, digest in self.folder.digests().items()},
            "text": json.dumps(self.text),
            "max_length": str(self.max_length),
            "batch_size": str(self.batch_size),
            "dtype": self.dtype,
            **versions("torch", "transformers", "tokenizers"),
        }

    def predict(self, columns: Columns) -> Outputs:
        """Logits of N rows, in eval mode and without gradients.

        Raises:
            ModelError: for a missing column, more than two, or what the model itself raised.
        """
        import torch

        cells = texts(select(columns, self.text))
        values = np.empty((len(cells[0]), len(self.classes)), np.float32)
        if not len(values):
            return Outputs(values=values, space="logits")
        encoded = self._tokenizer(*cells, truncation=True, max_length=self.limit)
        # Stable: rows of one length stay in the order they were asked.
        order = np.argsort([len(ids) for ids in encoded["input_ids"]], kind="stable")
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            part = {name: [value[i] for i in rows] for name, value in encoded.items()}
            batch = self._tokenizer.pad(part, return_tensors="pt")
            try:
                with torch.inference_mode():
                    answer = self._model(**batch).logits
            except (RuntimeError, ValueError, TypeError, IndexError) as error:
                shape = tuple(batch["input_ids"].shape)
                raise ModelError(
                    f"{self.folder.name} failed on tokens {shape}: {said(error)}"
                ) from error
            values[rows] = answer.float().numpy()
        return Outputs(values=values, space="logits")

    def parameters(self) -> int:
        """Number of weights; shared ones count once."""
        return sum(parameter.numel() for parameter in self._model.parameters())

    def size(self) -> int:
        """Bytes of the files that are read."""
        return self.folder.size()

    def taken_apart(self) -> tuple["torch.nn.Module", Encoder]:
        """A module of its own that maps token ids (N, L) to logits, and what makes token ids.

        Raises:
            ModelError: for a pair of columns, whose kinds of token ids alone do not tell.
        """
        from transformers import AutoModelForSequenceClassification

        from kdaudit.models.transformer_module import Classifier

        if len(self.text) == 2:
            raise ModelError(
                f"{self.folder.name} reads two columns; only its answers can be learnt from"
            )
        model, _ = self.folder.model(
            AutoModelForSequenceClassification, attn_implementation=ATTENTION
        )
        module = Classifier(model, classes=None).eval().requires_grad_(requires_grad=False)
        encoder = Encoder(
            columns=self.text,
            function=resolve(ENCODE, Path()),
            state=state(
                self.folder.tokenizer_text(), max_length=self.limit, padding=module.padding
            ),
            width=self.limit,
        )
        return module, encoder

    @cached_property
    def limit(self) -> int:
        """Most tokens of a row; some tokenizers say 10^30 where they know no limit."""
        positions = getattr(self._model.config, "max_position_embeddings", None) or LIMIT
        return self.max_length or min(self._tokenizer.model_max_length, positions, LIMIT)

    @cached_property
    def _tokenizer(self) -> Any:
        tokenizer = self.folder.tokenizer()
        if tokenizer.pad_token_id is None:
            raise ModelError(
                f"the tokenizer of {self.folder.name} has no padding token, so rows of different "
                "lengths cannot be answered together; set tokenizer.pad_token and save it again"
            )
        # Learned positions are counted from the first column, so padding may not stand there; the
        # heads of Transformers take the last token that is none.
        tokenizer.padding_side = "right"
        return tokenizer

    @cached_property
    def _model(self) -> "torch.nn.Module":
        import torch
        from transformers import AutoModelForSequenceClassification

        model, drawn = self.folder.model(
            AutoModelForSequenceClassification, dtype=getattr(torch, self.dtype)
        )
        if drawn:
            raise ModelError(
                f"{self.folder.name} holds no {min(drawn)} ({len(drawn)} such weights): they would "
                "be drawn at random; name the folder of a fine-tuned classifier"
            )
        found: torch.nn.Module = model.requires_grad_(requires_grad=False)
        return found


def _classes(folder: Pretrained) -> tuple[str, ...]:
    """Names by ``id2label``, or those that Transformers takes where nothing is written."""
    return folder.classes or tuple(f"LABEL_{i}" for i in range(folder.said.get("num_labels", 2)))
