"""Tiny T5s that rank and tiny language models that write: checkpoints for the fixture `tiny`, by method and architecture."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import tiny_models

#: Names of tiny checkpoints, and how transformers' T5 differs between them: 1.0 shares its output matrix, 1.1 is gated.
T5S = {"t5": {}, "flan": {"gated": True}, "mt5": {"gated": True, "model_type": "mt5"}}
WORDS = ("▁true", "▁false", "▁1", "▁2", "▁3", "▁4", "▁5")
MARKERS = ("<extra_id_0>", "<extra_id_10>")
CAUSAL = ("gpt2", "llama", "opt")
LIKELIHOODS = ("upr", "qlm", "co-prompt", "coder-reviewer")


def ranking_t5(folder: Path, kind: str) -> Path:
    """Save a tiny T5 of `kind` whose vocabulary has the words of monoT5, InstUPR and RankT5."""
    import torch
    import transformers
    from tokenizers import Tokenizer

    tiny_models.t5(folder, words=(*WORDS, *MARKERS), **T5S[kind])  # type: ignore[arg-type]
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder)
    if kind != "t5":  # an output matrix of its own, of the size that trained ones have
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight) * 0.2)
    model.save_pretrained(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens(list(MARKERS))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def encoder_ranker(folder: Path) -> Path:
    """Save a tiny encoder of a T5 with the head, the names and the .bin file of Naver's RankT5."""
    import torch
    import transformers
    from tokenizers import Tokenizer, processors

    tiny_models.t5(folder)
    torch.manual_seed(1)
    state = {f"model.{k}": v for k, v in transformers.T5EncoderModel.from_pretrained(folder).state_dict().items()}
    for name, shape in {"first_transform": (32, 32), "layer_norm": (32,), "linear": (1, 32)}.items():
        state |= {f"{name}.weight": torch.randn(shape), f"{name}.bias": torch.randn(shape[0])}
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def causal(folder: Path, kind: str) -> Path:
    """Save a tiny causal language model of `kind` with a byte-level BPE; llama and opt begin texts with a token of their own."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    torch.manual_seed(0)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator([tiny_models.TEXT] * 3, trainer)
    if kind != "gpt2":
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=200, **names).save_pretrained(
        folder
    )
    common = {"vocab_size": tokenizer.get_vocab_size(), "bos_token_id": 0, "eos_token_id": 1}
    size = {
        "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 200},
        "llama": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        | {"num_key_value_heads": 2, "max_position_embeddings": 200, "pad_token_id": 1},
        "opt": {"hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        | {"max_position_embeddings": 200, "word_embed_proj_dim": 32, "pad_token_id": 1},
    }[kind]
    config = transformers.AutoConfig.for_model(kind, **common, **size)
    model = transformers.AutoModelForCausalLM.from_config(config)
    tiny_models.spread(model, 3.0)
    model.save_pretrained(folder)
    return folder


#: As `tiny_scorers.BUILDERS`: METHOD:ARCHITECTURE.
BUILDERS: dict[str, tuple[Callable[[Path], Path], str]] = {"rankt5-encoder": (encoder_ranker, "rankt5-encoder")}
for _kind in T5S:
    for _method in ("monot5", "instupr", "rankt5", *LIKELIHOODS):
        BUILDERS[f"{_method}:{_kind}"] = functools.partial(ranking_t5, kind=_kind), _method
for _kind in CAUSAL:
    for _method in ("upr", "co-prompt", "coder-reviewer"):
        BUILDERS[f"{_method}:{_kind}"] = functools.partial(causal, kind=_kind), _method
