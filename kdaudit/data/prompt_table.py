"""``[prompt]``: how the rows of a data file become questions to a language model."""

from string import Formatter
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from kdaudit.data.shown import texts
from kdaudit.models.adapter import Columns, Prompt

Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[
    tuple[Text, ...], BeforeValidator(lambda given: [given] if isinstance(given, str) else given)
]


class PromptTable(BaseModel):
    """``[prompt]``: what language models are shown, and how they answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: str | None = None
    system: Text | None = None
    max_tokens: int = Field(default=64, ge=0, strict=True)
    stop: Texts = ()
    samples: int = Field(default=0, ge=0, strict=True)
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    classes: Texts = ()

    @model_validator(mode="after")
    def _can_be_filled(self) -> Self:
        columns(self.template or "")
        return self

    @model_validator(mode="after")
    def _classes_can_be_told_apart(self) -> Self:
        if self.classes and (len(set(self.classes)) < len(self.classes) or len(self.classes) < 2):
            raise ValueError(f"classes are two or more different names, got {list(self.classes)}")
        if self.classes and not self.max_tokens:
            raise ValueError("max_tokens = 0 lets no class be written")
        return self


def columns(template: str) -> tuple[str, ...]:
    """The columns that a template names, each once.

    Raises:
        ValueError: for braces that name no column.

    >>> columns("{{Q}} {question} of {land}; {question}")
    ('question', 'land')
    """
    return tuple(dict.fromkeys(name for _, name in _parts(template) if name is not None))


def prompts(table: PromptTable, inputs: Columns, size: int) -> list[Prompt]:
    """What each row asks.

    Args:
        table: the audit file's; without a template the inputs stand a line each.
        inputs: (N,) arrays by column; a cell of a csv file is shown as it stands there, and an
            empty cell as an empty text.
        size: N.

    >>> import numpy as np
    >>> rows = {"town": np.array(["Oslo", "Rome"], dtype=object), "year": np.array([1.0, 2.5])}
    >>> [one.text for one in prompts(PromptTable(template="{town}, {year}:"), rows, 2)]
    ['Oslo, 1:', 'Rome, 2.5:']
    """
    cells = {name: texts(column) for name, column in inputs.items()}
    parts: list[tuple[str, str | None]]
    if table.template is None:
        parts = [("\n" if i else "", name) for i, name in enumerate(cells)]
    else:
        parts = _parts(table.template)
    return [
        Prompt(
            text="".join(
                text if name is None else f"{text}{cells[name][row]}" for text, name in parts
            ),
            system=table.system,
        )
        for row in range(size)
    ]


def _parts(template: str) -> list[tuple[str, str | None]]:
    """(text, column after it or None), in order."""
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(
            f"template: {error}; columns stand in braces, and a brace itself is written twice"
        ) from None
    found: list[tuple[str, str | None]] = []
    for text, name, form, conversion in parsed:
        if name == "" or form or conversion:
            marked = f"!{conversion}" if conversion else f":{form}" if form else ""
            raise ValueError(
                "template: braces hold the name of a column and nothing else, got "
                f"{{{name or ''}{marked}}}; a brace itself is written twice"
            )
        found.append((text, name))
    return found
