"""A tiny causal language model with drawn weights and a tokenizer of bytes, made here."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from kdaudit.models.pretrained import quiet

END, SIGN = 256, "<end>"
CHAT = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>\n{% endif %}"
)


def save(folder: Path, *, seed: int = 0, chat: bool = False, **changes: Any) -> Any:
    """Write model and tokenizer; weights are large enough for answers to differ."""
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {sign: i for i, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    inner = Tokenizer(models.BPE(vocab={**vocabulary, SIGN: END}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    fast: Any = PreTrainedTokenizerFast  # without annotations
    tokenizer = fast(tokenizer_object=inner, eos_token=SIGN)
    if chat:
        tokenizer.chat_template = CHAT
    config = LlamaConfig(
        **{
            "vocab_size": 257,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "max_position_embeddings": 128,
            "initializer_range": 0.3,
            "eos_token_id": END,
            "bos_token_id": None,
            **changes,
        }
    )
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        model: Any = LlamaForCausalLM(config)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return model.eval()
