"""Tiny checkpoints with random weights, saved as transformers saves real ones: every model path without a download."""

from __future__ import annotations

from pathlib import Path

TEXT = (
    "what is the price of copper in a mine bees find their way home lighthouse glass rings turn small flame into beam "
    "that ships see far away caffeine leaves blood half five hours a an and no answer here only recipe flour water salt "
    "oven hot enough query document relevant true false yes Query: Document: Relevant: deep lake"
)
WORDS = TEXT.split()
#: Real checkpoints spread their scores; these factors keep the tiny ones' apart too.
_SPREAD = 10.0


def bert_like(folder: Path, model_type: str, labels: int | None, *, positions: int = 64, **own: object) -> Path:
    """Save a tiny encoder of `model_type` with a classification head of `labels`, or without a head (None); `own` goes to its configuration."""
    import torch
    import transformers

    torch.manual_seed(0)
    roberta = model_type in ("roberta", "xlm-roberta", "camembert")
    tokenizer = _roberta_tokenizer() if roberta else _bert_tokenizer()
    size = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": positions + (2 if roberta else 0),
        "pad_token_id": tokenizer.token_to_id("<pad>" if roberta else "[PAD]"),
    }
    if model_type == "modernbert":
        size |= {
            "cls_token_id": 1,
            "sep_token_id": 2,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "global_attn_every_n_layers": 2,
            "local_attention": 8,
        }
    elif roberta:
        size |= {"type_vocab_size": 1, "bos_token_id": 0, "eos_token_id": 2}
    size |= own | ({} if labels is None else {"num_labels": labels})
    config = transformers.AutoConfig.for_model(model_type, **size)
    kind = transformers.AutoModel if labels is None else transformers.AutoModelForSequenceClassification
    model = kind.from_config(config)
    spread(model)
    model.save_pretrained(folder)
    names = (
        {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
        if roberta
        else {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    )
    save_tokenizer(tokenizer, folder, positions, names, types=model_type in ("bert", "electra"))
    return folder


def t5(
    folder: Path,
    *,
    words: tuple[str, ...] = ("▁true", "▁false"),
    gated: bool = False,
    model_type: str = "t5",
    layers: int = 2,
) -> Path:
    """Save a tiny T5 (gated=True: of version 1.1, with its own output matrix) whose vocabulary has `words`."""
    import torch
    import transformers

    torch.manual_seed(0)
    tokenizer = _t5_tokenizer(words)
    config = transformers.AutoConfig.for_model(
        model_type,
        vocab_size=tokenizer.get_vocab_size(),
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=layers,
        num_heads=4,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
        **({"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False} if gated else {}),
    )
    model = transformers.AutoModelForSeq2SeqLM.from_config(config)
    model.save_pretrained(folder)
    save_tokenizer(
        tokenizer, folder, 512, {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "</s>"}, types=False
    )
    return folder


def sentence_transformer(
    folder: Path, pooling: str, *, prompts: dict[str, str] | None = None, dense: bool = False
) -> Path:
    """Save a tiny bi-encoder with sentence-transformers' own files."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    encoder = bert_like(folder.with_name(folder.name + "-encoder"), "bert", None)
    torch.manual_seed(1)
    parts = [modules.Transformer(str(encoder), max_seq_length=24), modules.Pooling(32, pooling_mode=pooling)]
    if dense:
        parts.append(modules.Dense(32, 16))
    SentenceTransformer(modules=[*parts, modules.Normalize()], prompts=prompts, device="cpu").save(str(folder))
    return folder


def splade(folder: Path) -> Path:
    """Save a tiny masked language model: a tiny BERT with a random head."""
    import torch
    from transformers import AutoConfig, AutoModelForMaskedLM

    bert_like(folder, "bert", None)
    torch.manual_seed(5)
    model = AutoModelForMaskedLM.from_config(AutoConfig.from_pretrained(folder))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2:
                weight.mul_(10.0)
            elif name.endswith("bias"):
                weight.normal_(std=0.5)
    model.save_pretrained(folder)
    return folder


def spread(model: object, factor: float = _SPREAD) -> None:
    """Multiply the matrices of `model` and fill its biases, so that its scores differ as real ones do."""
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():  # type: ignore[attr-defined]
            if weight.dim() == 2 and "embed" not in name:
                weight.mul_(factor)
            elif name.endswith("bias"):
                weight.normal_(std=0.1)  # fresh ones are zero, and would hide one that is left out


def _bert_tokenizer() -> object:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    specials = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    letters = [c for c in "abcdefghijklmnopqrstuvwxyz[]/<>:."]
    pieces = specials + sorted({w.lower().strip(":") for w in WORDS} | set(letters)) + [f"##{c}" for c in letters]
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(dict.fromkeys(pieces))}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.add_special_tokens(specials)
    return tokenizer


def _roberta_tokenizer() -> object:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces = [(s, 0.0) for s in specials] + _unigrams(())
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(specials)
    return tokenizer


def _t5_tokenizer(words: tuple[str, ...]) -> object:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    specials = ["<pad>", "</s>", "<unk>"]
    unigrams = [(p, s) for p, s in _unigrams(words) if p not in ("▁true", "▁false") or p in words]
    tokenizer = Tokenizer(models.Unigram([(s, 0.0) for s in specials] + unigrams, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.add_special_tokens(specials)
    return tokenizer


def _unigrams(words: tuple[str, ...]) -> list[tuple[str, float]]:
    letters = "abcdefghijklmnopqrstuvwxyzQDR:.,</>[]"
    pieces = {f"▁{word}": -5.0 for word in WORDS} | {word: -4.0 for word in words} | {c: -9.0 for c in letters}
    return [("▁", -8.0), *pieces.items()]


def save_tokenizer(tokenizer: object, folder: Path, length: int, names: dict[str, str], *, types: bool) -> None:
    """Save a `tokenizers.Tokenizer` as transformers saves one."""
    from transformers import PreTrainedTokenizerFast

    inputs = ["input_ids", "token_type_ids", "attention_mask"] if types else ["input_ids", "attention_mask"]
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=length, model_input_names=inputs, **names
    ).save_pretrained(folder)
