"""A causal language model of Transformers: ``hf = "folder"`` or ``hf = "model.gguf"``.

It writes and it scores. Prompts are answered in batches of similar length; what is filled is
masked, so that no answer depends on its neighbours beyond rounding. Opening reads digests only;
PyTorch and Transformers are imported at the first question. ``generation_config.json`` is heeded
for the tokens that end a text, and for nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from kdaudit.errors import ModelError
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import file_digest
from kdaudit.models.adapter import Decoding, Piece, Prompt, ScoredText, UnfitPromptError, Written
from kdaudit.models.causal.encode import PromptEncoder
from kdaudit.models.pretrained import Pretrained, refuse_options, require, versions

ADAPTER = "hf causal 2"  # raised when the same files would answer differently
BATCH = 16
GGUF = ".gguf"


@dataclass(frozen=True, kw_only=True, eq=False)
class CausalModel:
    """One language model; see the module's page.

    Attributes:
        source: the folder, or the GGUF file.
        name: as the user said it.
        store: where the folder of a GGUF file is kept.
        chat: put prompts into the chat template; None where there is one.
        dtype: of weights and activations; log-probabilities are computed in float32.
        quantize: ``int8`` or None.
        batch_size: prompts answered at once.
        max_length: most tokens of prompt and answer together, or None for what the model allows.
    """

    source: Pretrained | Path
    name: str
    store: Store
    chat: bool | None
    dtype: str
    quantize: str | None
    batch_size: int
    max_length: int | None

    @classmethod
    def open(
        cls,
        source: str,
        *,
        base: Path,
        chat: bool | None = None,
        dtype: str = "float32",
        quantize: str | None = None,
        batch_size: int = BATCH,
        max_length: int | None = None,
    ) -> Self:
        """Find the model; nothing is loaded.

        Args:
            source: a folder or a GGUF file relative to ``base``, or a model of the hub, where
                there is a network.
            base: folder of the audit file.
            chat: put prompts into the chat template; by default wherever there is one.
            dtype: ``float32`` or ``bfloat16``.
            quantize: ``int8``: linear layers in 8 bits, whose activations are rounded as they come.
            batch_size: prompts answered at once.
            max_length: most tokens of prompt and answer together, where the model's own limit
                shall not count.

        Raises:
            ConfigError: where Transformers is not installed.
            ModelError: naming the folder or option, its value and the next step.
        """
        require("transformers", "hf", "the adapter hf")
        refuse_options(dtype, batch_size=batch_size, max_length=max_length)
        if quantize not in (None, "int8"):
            raise ModelError(f'quantize is "int8", not {quantize!r}; leave it out for none')
        if chat not in (None, True, False):
            raise ModelError(f"chat is true or false, not {chat!r}")
        file = base / source
        return cls(
            source=file if is_gguf(source, base) else Pretrained.find(source, base),
            name=source,
            store=Store.beside(base),
            chat=chat,
            dtype=dtype,
            quantize=quantize,
            batch_size=batch_size,
            max_length=max_length,
        )

    @property
    def path(self) -> Path | None:
        """The folder that was named, where it was one."""
        return None if isinstance(self.source, Path) else self.source.path

    def identity(self) -> Mapping[str, str]:
        """Digests of all files that are read, options, and the versions of what reads them."""
        return self._identity

    def write(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[tuple[int, Written]]:
        """Continue each prompt, token by token.

        Raises:
            UnfitPromptError: for a prompt that leaves no room for the answer.
            ModelError: for what the model itself raised.
        """
        from kdaudit.models.causal.generate import Ending, Row, draws, generate
        from kdaudit.models.causal.steps import Steps

        encoded = [self._encoder.prompt(prompt) for prompt in prompts]
        for prompt, ids in zip(prompts, encoded, strict=True):
            self._refuse_long(prompt, len(ids), decoding.max_tokens, "to be written")
        ending = Ending(decoding=decoding, ends=self._ends, text=self._encoder.text)
        order = sorted(range(len(prompts)), key=lambda i: len(encoded[i]))
        beginning = Steps.beginning(self._model, self.name, encoded)
        for start in range(0, len(order), self.batch_size):
            rows = [
                Row(number=i, prompt=encoded[i], draws=draws(prompts[i], decoding))
                for i in order[start : start + self.batch_size]
            ]
            for row in generate(beginning, rows, ending, self._encoder.padding):
                yield row.number, row.written()

    @property
    def at_once(self) -> int:
        """One: the processor is shared by all that is asked."""
        return 1

    def stream(self, prompt: Prompt, decoding: Decoding) -> Iterator[Piece]:
        """Continue one prompt; a piece per token, the last of which has the text.

        Raises:
            UnfitPromptError: for a prompt that leaves no room for the answer.
            ModelError: for what the model itself raised.
        """
        from kdaudit.models.causal.generate import Ending, Row, draws, token_by_token
        from kdaudit.models.causal.steps import Steps

        ids = self._encoder.prompt(prompt)
        self._refuse_long(prompt, len(ids), decoding.max_tokens, "to be written")
        ending = Ending(decoding=decoding, ends=self._ends, text=self._encoder.text)
        row = Row(number=0, prompt=ids, draws=draws(prompt, decoding))
        steps, known = Steps.new(self._model, self.name, 1), 0
        for _ in token_by_token(steps, [row], ending, self._encoder.padding):
            yield Piece(text=row.text, tokens=len(row.tokens) - known, prompt_tokens=len(ids))
            known = len(row.tokens)

    def score(
        self, prompts: Sequence[Prompt], continuations: Sequence[str]
    ) -> Iterator[tuple[int, ScoredText]]:
        """Log-probabilities of each continuation after its prompt.

        Raises:
            UnfitPromptError: for a prompt and a continuation that are too long together.
            ModelError: for what the model itself raised.
        """
        from kdaudit.models.causal.likelihood import likelihoods

        asked = list(zip(prompts, continuations, strict=True))
        pairs = [self._encoder.pair(prompt, text) for prompt, text in asked]
        for (prompt, _), (given, scored) in zip(asked, pairs, strict=True):
            self._refuse_long(prompt, len(given), len(scored), "to be scored")
        yield from likelihoods(
            self._model,
            self.name,
            pairs,
            batch_size=self.batch_size,
            filling=self._encoder.padding,
        )

    def prompt_tokens(self, prompts: Sequence[Prompt], continuations: Sequence[str]) -> int | None:
        """How many tokens prompts and continuations have together; the model is not loaded.

        None for a GGUF file that was not converted yet.
        """
        if isinstance(self.source, Path):
            from kdaudit.models.causal.gguf import place

            if not (place(self.source, self.store) / "config.json").is_file():
                return None
        asked = zip(prompts, continuations, strict=True)
        return sum(
            sum(map(len, self._encoder.pair(prompt, text)))
            if text
            else len(self._encoder.prompt(prompt))
            for prompt, text in asked
        )

    def parameters(self) -> int:
        """Number of weights; shared ones count once."""
        if self.quantize is None:
            return sum(parameter.numel() for parameter in self._model.parameters())
        return sum(parameter.numel() for parameter in self._loaded().parameters())

    def size(self) -> int:
        """Bytes of the files that are read."""
        if isinstance(self.source, Path):
            return self.source.stat().st_size
        return self.source.size()

    @cached_property
    def _identity(self) -> Mapping[str, str]:
        if isinstance(self.source, Path):
            from kdaudit.models.causal.gguf import ADAPTER as CONVERSION

            files = {f"file {self.source.name}": file_digest(self.source), "conversion": CONVERSION}
        else:
            files = {f"file {name}": digest for name, digest in self.source.digests().items()}
        return {
            "adapter": ADAPTER,
            **files,
            "chat": str(self.chat),
            "dtype": self.dtype,
            "quantize": str(self.quantize),
            "batch_size": str(self.batch_size),
            "max_length": str(self.max_length),
            **versions("torch", "transformers", "tokenizers"),
        }

    @cached_property
    def _folder(self) -> Pretrained:
        if isinstance(self.source, Pretrained):
            return self.source
        from kdaudit.models.causal.gguf import converted

        return converted(self.source, self.name, self.store)

    @cached_property
    def _encoder(self) -> PromptEncoder:
        tokenizer = self._folder.tokenizer()
        templated = bool(getattr(tokenizer, "chat_template", None))
        if self.chat and not templated:
            raise ModelError(
                f"chat = true, and the tokenizer of {self.name} has no chat template; leave chat "
                "out, and write the whole prompt as [prompt] template"
            )
        chat = templated if self.chat is None else self.chat
        return PromptEncoder(tokenizer=tokenizer, chat=chat, name=self.name)

    @cached_property
    def _model(self) -> Any:
        model = self._loaded()
        if self.quantize is None:
            return model
        from kdaudit.models.causal.int8 import quantize

        return quantize(model, self.name)

    def _loaded(self) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        model, drawn = self._folder.model(AutoModelForCausalLM, dtype=getattr(torch, self.dtype))
        if drawn:
            raise ModelError(
                f"{self.name} holds no {min(drawn)} ({len(drawn)} such weights): they would be "
                "drawn at random; name the folder of a trained language model"
            )
        return model.requires_grad_(requires_grad=False)

    @cached_property
    def _ends(self) -> frozenset[int]:
        """Tokens that end a text, by whatever file says so."""
        model, found = self._model, set()
        for said in (
            getattr(model.generation_config, "eos_token_id", None),
            getattr(model.config, "eos_token_id", None),
            self._encoder.tokenizer.eos_token_id,
        ):
            found |= set(said if isinstance(said, list | tuple) else [said])
        return frozenset(int(i) for i in found if i is not None)

    @cached_property
    def _limit(self) -> int | None:
        """Most tokens that the model can look at, or None where nothing says."""
        if self.max_length is not None:
            return self.max_length
        config = self._folder.config()
        return getattr(config.get_text_config(), "max_position_embeddings", None)

    def _refuse_long(self, prompt: Prompt, given: int, more: int, what: str) -> None:
        if self._limit is not None and given + more > self._limit:
            raise UnfitPromptError(
                f"its prompt has {given:,} tokens; with {more:,} {what} that is more than the "
                f"{self._limit:,} that {self.name} can look at. Shorten the row or the template, "
                "or ask for fewer tokens",
                prompt,
            )


def is_gguf(source: str, base: Path) -> bool:
    """Whether a name is that of a GGUF file which is there."""
    return source.lower().endswith(GGUF) and (base / source).is_file()
