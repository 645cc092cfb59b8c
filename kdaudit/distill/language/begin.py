"""Causal language models to begin with: from a folder, cut to some layers, or drawn."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from kdaudit.distill.language.recipe import CausalStudentTable
from kdaudit.distill.language.tokenizer import Tokenizer
from kdaudit.distill.transformers.layer_cut import cut as renumbered
from kdaudit.errors import ConfigError, ModelError
from kdaudit.models.code import said
from kdaudit.models.pretrained import Pretrained, quiet


def read(folder: Pretrained) -> Any:
    """The causal language model of a folder, in float32 and eval mode.

    Raises:
        ModelError: if it cannot be read, or lacks weights.
    """
    from transformers import AutoModelForCausalLM

    model, missing = folder.model(AutoModelForCausalLM)
    tied = set(getattr(model, "all_tied_weights_keys", None) or ())
    lacking = sorted(missing - tied)
    if lacking:
        raise ModelError(
            f"{folder.name} lacks {lacking[0]} ({len(lacking)} weights in all), so it is no causal "
            "language model; save one with AutoModelForCausalLM"
        )
    return model


def begin(table: CausalStudentTable, folder: Pretrained | None, tokenizer: Tokenizer) -> Any:
    """An untrained student; drawn weights come from PyTorch's generator as it stands.

    Args:
        table: what is asked for.
        folder: that of the table, or None where it gives a configuration.
        tokenizer: its own.

    Raises:
        ConfigError: for a layer that is not there.
        ModelError: for a folder or a configuration that makes no causal language model.
    """
    if folder is None:
        return _drawn(dict(table.config or {}), tokenizer)
    model = read(folder)
    return cut(model, table.layers, folder.name) if table.layers else model


def cut(model: Any, layers: Sequence[int], name: str) -> Any:
    """A model of some layers of another, in the order given, with everything around them.

    Args:
        model: the other.
        layers: which, counted from 0.
        name: of the other, for messages.

    Raises:
        ConfigError: for a layer that is not there.
    """
    count = int(model.config.num_hidden_layers)
    strange = [layer for layer in layers if layer >= count]
    if strange:
        raise ConfigError(f"{name} has layers 0 to {count - 1}, and layers names {strange[0]}")
    path, _ = stack(model, name)
    config = type(model.config).from_dict(model.config.to_dict())
    config.num_hidden_layers = len(layers)
    kinds = getattr(config, "layer_types", None)
    if kinds and len(kinds) == count:
        config.layer_types = [kinds[layer] for layer in layers]
    try:
        with quiet():
            smaller = _made(config)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ModelError(
            f"{name} cannot be made with {len(layers)} of its {count} layers: {error}"
        ) from error
    smaller.load_state_dict(renumbered(model.state_dict(), f"{path}.", layers))
    return smaller.eval()


def stack(model: Any, name: str) -> tuple[str, nn.ModuleList]:
    """Where the layers of a model are, and the layers.

    Args:
        model: as Transformers makes it.
        name: for messages.

    Raises:
        ModelError: if that cannot be told.
    """
    count = int(model.config.num_hidden_layers)
    found = [
        (path, module)
        for path, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == count
    ]
    if len(found) != 1:
        raise ModelError(
            f"{name} holds {len(found)} stacks of {count} layers; layers can be cut where there "
            "is one"
        )
    return found[0]


def _drawn(config: dict[str, Any], tokenizer: Tokenizer) -> Any:
    from transformers import AutoConfig

    if "model_type" not in config:
        raise ConfigError('config under [student] needs model_type, e.g. "llama"')
    size = max(tokenizer.vocabulary.values()) + 1
    usual = {"vocab_size": size, "eos_token_id": tokenizer.end, "bos_token_id": None}
    try:
        with quiet():
            made = AutoConfig.for_model(config.pop("model_type"), **{**usual, **config})
            return _made(made).eval()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(
            f"config under [student] makes no causal language model: {said(error)[:300]}"
        ) from error


def _made(config: Any) -> Any:
    """A model with drawn weights."""
    from transformers import AutoModelForCausalLM

    kind: Any = AutoModelForCausalLM
    return kind.from_config(config)
