"""``[student.transformer]``: a Transformers encoder as a student. No PyTorch here."""

from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from kdaudit.data.audit_file import Table


class InitTable(Table):
    """``init``: where its first weights come from."""

    source: str = Field(alias="from")
    layers: str | tuple[int, ...] | None = None


class TransformerTable(Table):
    """``[student.transformer]``."""

    init: InitTable | None = None
    config: dict[str, JsonValue] = Field(default_factory=dict)
    tokenizer: str | None = None
    max_length: int | None = Field(default=None, ge=2)
    pooling: Literal["own", "mean"] | None = None

    @model_validator(mode="after")
    def _begins_somewhere(self) -> Self:
        if self.init is None and "model_type" not in self.config:
            raise ValueError(
                'say where it begins: init = { from = "folder" }, or from scratch with config = '
                '{ model_type = "bert", hidden_size = 128, num_hidden_layers = 2, ... }'
            )
        if self.init is not None and "model_type" in self.config:
            raise ValueError("init says what kind of model it is: take model_type out of config")
        return self
