"""Tiny causal language models with random weights and trained little tokenizers, saved as transformers saves real ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tiny_models import TEXT

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
#: What each family has of its own; sizes that would hide a mistake are told apart (2 key heads for 4, head 16 of hidden 32).
FAMILIES: dict[str, dict[str, object]] = {
    "qwen2": {"use_sliding_window": True, "sliding_window": 24, "max_window_layers": 1},
    "qwen3": {"head_dim": 16, "tie_word_embeddings": True},
    "llama": {"attention_bias": True, "mlp_bias": True},
    "mistral": {"sliding_window": 20, "head_dim": 16},
    "gemma": {"head_dim": 16},
    "gemma2": {
        "head_dim": 16,
        "sliding_window": 24,
        "final_logit_softcapping": 2.0,
        "attn_logit_softcapping": 3.0,
        "query_pre_attn_scalar": 16,
    },
}
#: Merged by the tokenizers as often as these are written here.
_CORPUS = [TEXT, "yes no Yes No true false 0 1 2 3 4", "<Query>: what?\n<Document>: a", "system user assistant\n"] * 3


def causal(
    folder: Path,
    family: str,
    *,
    chat: bool | str = True,
    pad: bool = True,
    words: str = "yes no 0 1 2 3 4",
    longest: int = 512,
    markers: Sequence[str] = (),
) -> Path:
    """Save a tiny decoder of `family`; its tokenizer writes each of `words` as one token, and has `markers` as special ones; `chat` may be a template."""
    import torch
    import transformers

    torch.manual_seed(0)
    tokenizer = (
        byte_level(words) if family.startswith("qwen") else metaspace(words, always=family in ("llama", "mistral"))
    )
    tokenizer.add_special_tokens(list(markers))
    size = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": longest,
        "initializer_range": 0.3,
    }
    if not pad:
        size["pad_token_id"] = None
    config = transformers.AutoConfig.for_model(family, **size, **FAMILIES[family])
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias") or "norm" in name:
                weight.add_(torch.randn_like(weight) * 0.2)
    model.save_pretrained(folder)
    names = {"eos_token": "<|im_end|>"} | ({"pad_token": "<|im_end|>"} if pad else {})
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=longest,
        chat_template=CHAT if chat is True else chat or None,
        **names,
    ).save_pretrained(folder)
    return folder


def byte_level(words: str) -> Any:
    """A byte-level BPE as Qwen's: markers of the chat are special tokens, those of thinking are added words."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(
        Regex(r" ?[a-zA-Z]+|[0-9]| ?[^\sa-zA-Z0-9]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), "isolated"
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([*_CORPUS, *[words.replace(" ", "\n")] * 9], trainer)
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=False)])
    return tokenizer


def metaspace(words: str, *, always: bool) -> Any:
    """A BPE over `▁` as SentencePiece makes it: a beginning mark, and (Llama) a blank before every text."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    specials = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always" if always else "never")
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(
        [*_CORPUS, *words.split() * 9, "abcdefghijklmnopqrstuvwxyz\n.,:;?!'\"()[]{}<>|/-_"], trainer
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer
