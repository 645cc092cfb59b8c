"""From prompts to token ids, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdaudit.errors import ModelError
from kdaudit.models.adapter import Prompt
from kdaudit.models.code import said
from kdaudit.models.continued import continued

# What a chat template that writes the date is told: answers may not change from day to day.
NO_CLOCK = "{%- macro strftime_now(form) -%} 01 Jan 2025 {%- endmacro %}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PromptEncoder:
    """The tokenizer of a model, and whether prompts are put into its chat template.

    Attributes:
        tokenizer: as Transformers reads it.
        chat: a prompt is what a user says, and the model answers as the assistant.
        name: of the model, for messages.
    """

    tokenizer: Any
    chat: bool
    name: str

    def shown(self, prompt: Prompt) -> str:
        """The text that the model continues.

        Raises:
            ModelError: for a chat template that cannot hold the prompt.
        """
        if not self.chat:
            return f"{prompt.system}\n\n{prompt.text}" if prompt.system else prompt.text
        messages = [{"role": "user", "content": prompt.text}]
        if prompt.system:
            messages.insert(0, {"role": "system", "content": prompt.system})
        try:
            made = self.tokenizer.apply_chat_template(
                messages,
                chat_template=self._template,
                tokenize=False,
                add_generation_prompt=True,
            )
        except Exception as error:  # a template is a program, and raises what it likes
            raise ModelError(
                f"the chat template of {self.name} refuses the prompt ({said(error)}); put what "
                "[prompt] system says into `template`, or set chat = false"
            ) from error
        return str(made)

    def prompt(self, prompt: Prompt) -> list[int]:
        """Token ids of what the model continues; at least one."""
        return self._ids(self.shown(prompt)) or [self._first]

    def pair(self, prompt: Prompt, text: str) -> tuple[list[int], list[int]]:
        """Token ids of what is given, at least one, and of what is scored after it.

        Both are tokenised as one text, and what is scored begins after as many tokens as the given
        part has by itself (Gao et al., lm-evaluation-harness, does the same).

        Raises:
            ModelError: if the text adds no token.
        """
        given, scored = continued(self.shown(prompt), text)
        if given:
            before = self._ids(given)
            after = self._ids(given + scored)[len(before) :]
        else:
            before, after = [self._first], self._plain(scored)
            if after[:1] == before:
                after = after[1:]
        if not after:
            raise ModelError(
                f"{self.name}: the choice {text!r} adds no token to its prompt; write it otherwise"
            )
        return before, after

    def text(self, ids: Sequence[int]) -> str:
        """Text of tokens; special ones are left out."""
        decoded = self.tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return str(decoded)

    @property
    def padding(self) -> int:
        """An id to fill with; it is masked."""
        known = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id, 0)
        return next(int(i) for i in known if i is not None)

    @property
    def _template(self) -> str | None:
        """The tokenizer's own; None where that needs no change."""
        own = self.tokenizer.chat_template
        return NO_CLOCK + own if isinstance(own, str) and "strftime_now" in own else None

    @property
    def _first(self) -> int:
        """What stands before a text that nothing stands before."""
        known = (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id)
        found = [i for i in known if i is not None]
        if not found:
            raise ModelError(
                f"the tokenizer of {self.name} has neither a token that begins a text nor one that "
                "ends it, so an empty prompt cannot be continued; set bos_token or eos_token in "
                "its tokenizer_config.json"
            )
        return int(found[0])

    def _ids(self, text: str) -> list[int]:
        # A chat template writes its own special tokens.
        return self._plain(text) if self.chat else self._listed(self.tokenizer(text))

    def _plain(self, text: str) -> list[int]:
        return self._listed(self.tokenizer(text, add_special_tokens=False))

    @staticmethod
    def _listed(encoded: Mapping[str, Any]) -> list[int]:
        return [int(i) for i in encoded["input_ids"]]
