"""Checkpoints of true shapes with random weights, and made-up texts for them: what a benchmark needs where nothing can be downloaded."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rerank_cli.core.protocols import Pair

SHAPES = ("minilm-l6", "modernbert-150m", "monot5-base")
WORDS = ["".join(word) for word in itertools.product("bdfgklmnprst", "aeiou", "bdgklmnrst", "aeiou", "lmnrs")]


def texts(n: int, words: int) -> list[Pair]:
    """n pairs of a query of 8 words and a document of about `words`; the frequent words come often."""
    draw = random.Random(words)
    weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(WORDS))))

    def text(length: int) -> str:
        return " ".join(draw.choices(WORDS, cum_weights=weights, k=length))

    queries = [text(8) for _ in range(max(1, n // 100))]
    return [Pair(queries[at % len(queries)], text(max(4, int(draw.gauss(words, words / 3))))) for at in range(n)]


def checkpoint(shape: str, folder: Path, tiny: bool) -> Path:
    """Save a model of `shape` with random weights and a tokenizer of the made-up words, as transformers saves real ones."""
    import torch
    import transformers

    torch.manual_seed(0)
    if shape == "monot5-base":
        size = {"d_model": 768, "d_kv": 64, "d_ff": 3072, "num_layers": 12, "num_heads": 12, "vocab_size": 32128}
        if tiny:
            size |= {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
        config = transformers.T5Config(**size, decoder_start_token_id=0, pad_token_id=0)
        model: Any = transformers.T5ForConditionalGeneration(config)
        words = [f"▁{word}" for word in (*WORDS, "true", "false", "Query:", "Document:", "Relevant:")]
        tokenizer = _tokenizer(words, ("<pad>", "</s>", "<unk>"), t5=True)
    else:
        size = (
            {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}
            if tiny
            else {}
        )
        special = {"pad_token_id": 0, "bos_token_id": 2, "cls_token_id": 2, "sep_token_id": 3, "eos_token_id": 3}
        if shape == "minilm-l6":
            size = {"num_hidden_layers": 6, "hidden_size": 384, "intermediate_size": 1536} | size
            config = transformers.BertConfig(**size, vocab_size=30522, num_labels=1)
        else:
            config = transformers.ModernBertConfig(**size, **special, num_labels=1)  # its own sizes are the base's
        model = transformers.AutoModelForSequenceClassification.from_config(config)
        tokenizer = _tokenizer(WORDS, ("[PAD]", "[UNK]", "[CLS]", "[SEP]"), types=shape == "minilm-l6")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(words: Sequence[str], specials: tuple[str, ...], *, t5: bool = False, types: bool = False) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(dict.fromkeys([*specials, *words]))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=specials[2 if t5 else 1]))
    if t5:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
        )
        tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
        names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
        names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if types else [])]
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, model_input_names=inputs, **names)


def operations(folder: Path, shape: str, tokens: int) -> float:
    """Floating-point operations of the whole model, as its authors run it, on one pair of `tokens`."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModelForSeq2SeqLM, AutoModelForSequenceClassification

    kind = AutoModelForSeq2SeqLM if shape == "monot5-base" else AutoModelForSequenceClassification
    model = kind.from_pretrained(folder, attn_implementation="eager").eval()
    more = {"decoder_input_ids": torch.zeros((1, 1), dtype=torch.long)} if shape == "monot5-base" else {}
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(input_ids=torch.full((1, tokens), 9), attention_mask=torch.ones((1, tokens), dtype=torch.long), **more)
    return float(counter.get_total_flops())
