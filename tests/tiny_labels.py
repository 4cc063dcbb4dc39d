"""Tiny checkpoints that answer with letters, and what transformers itself makes of one whole prompt, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tiny_causal
import tiny_models

from rerank_cli.core.protocols import Slate

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVW"
T5S: dict[str, dict[str, Any]] = {"t5": {}, "flan": {"gated": True}, "mt5": {"gated": True, "model_type": "mt5"}}
#: A template with a turn for the system, as Zephyr's.
ZEPHYR = (
    "{% for message in messages %}{% if message['role'] == 'system' %}<|im_start|>system\n{{ message['content'] }}<|im_end|>\n"
    "{% else %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def save(folder: Path, kind: str, letters: str = LETTERS) -> Path:
    """Save a tiny model of `kind` (one of `T5S`, or a family of `tiny_causal`) whose vocabulary has the letters."""
    if kind not in T5S:
        return tiny_causal.causal(folder, kind, words=f"Passage {' '.join(letters)}")
    import torch
    import transformers

    words = ("▁true", "▁false", "▁Passage", *(f"▁{letter}" for letter in letters))
    tiny_models.t5(folder, words=words, **T5S[kind])
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder)
    if kind != "t5":  # an output matrix of its own, of the size that trained ones have
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight) * 0.2)
    model.save_pretrained(folder)
    return folder


def next_logits(folder: Path, said: str = "") -> Callable[[str], tuple[np.ndarray, Callable[[int], str]]]:
    """The logits (vocabulary,) of what comes after a prompt (and after `said`, of a T5), and what each id reads as."""
    import torch
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    seq2seq = bool(config.is_encoder_decoder)
    kind = transformers.AutoModelForSeq2SeqLM if seq2seq else transformers.AutoModelForCausalLM
    model = kind.from_pretrained(folder).eval()

    @torch.inference_mode()
    def logits(text: str) -> Any:
        if not seq2seq:
            return model(torch.tensor([tokenizer(text)["input_ids"]])).logits[0, -1].double().numpy()
        start = [config.decoder_start_token_id, *tokenizer(said, add_special_tokens=False)["input_ids"]]
        given = tokenizer(text, return_tensors="pt")
        return model(**given, decoder_input_ids=torch.tensor([start])).logits[0, -1].double().numpy()

    return lambda text: (logits(text), lambda number: tokenizer.convert_ids_to_tokens(number))


def slate(query: str, *documents: str) -> Slate:
    """A question with equal incoming scores."""
    return Slate(query, list(documents), np.zeros(len(documents)), np.arange(len(documents)))


def slates(sizes: tuple[int, ...]) -> list[Slate]:
    """Questions of these sizes about three queries, with long documents, short ones, an empty one and a repeated one."""
    texts = [
        "copper in a mine",
        "glass rings turn a small flame into a beam that ships see far away " * 2,
        "bees find their way home",
        "",
        "no answer here only a recipe flour water salt",
        "a lake",
        "copper in a mine",
        "caffeine leaves blood half five hours",
    ]
    queries = ["what is the price of copper", "lighthouse", "how do bees find their way home"]
    rng = np.random.default_rng(0)
    return [
        slate(queries[at % 3], *(texts[int(i)] for i in rng.choice(len(texts), size, replace=False)))
        for at, size in enumerate(sizes)
    ]
