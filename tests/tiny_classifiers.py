"""Tiny classifiers with random weights beyond BERT's build: decoders with a score head, and sentence-transformers' modules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tiny_models

#: What makes each family's attention its own: biases, windows narrower than the rows, capped weights.
DECODERS: dict[str, dict[str, Any]] = {
    "llama": {"attention_bias": True},
    "mistral": {"sliding_window": 16},
    "qwen2": {},
    "qwen3": {},
    "gemma": {},
    "gemma2": {"sliding_window": 16, "query_pre_attn_scalar": 8, "attn_logit_softcapping": 2.0},
}
#: Special tokens of the chat frames, and where a text begins.
MARKS = ["<s>", "</s>", "<pad>", "<|im_start|>", "<|im_end|>"]


def decoder(
    folder: Path,
    kind: str,
    labels: int | None = 1,
    *,
    pad: str | None = "<pad>",
    begins: bool = False,
    positions: int = 512,
) -> Path:
    """Save a tiny decoder with a classification head of `labels` (None: without a head); `begins`: its tokenizer puts `<s>` before each text, as Llama's does."""
    import torch
    import transformers

    torch.manual_seed(0)
    tokenizer = _byte_pairs(begins)
    config = transformers.AutoConfig.for_model(
        kind,
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=positions,
        pad_token_id=None if pad is None else tokenizer.token_to_id(pad),
        **DECODERS[kind],
        **({} if labels is None else {"num_labels": labels}),
    )
    build = transformers.AutoModel if labels is None else transformers.AutoModelForSequenceClassification
    model = build.from_config(config)
    tiny_models.spread(model)
    model.save_pretrained(folder)
    names = {"bos_token": "<s>", "eos_token": "</s>"} | ({} if pad is None else {"pad_token": pad})
    tiny_models.save_tokenizer(tokenizer, folder, positions, names, types=False)
    return folder


def modular(folder: Path, pooling: str, *, labels: int = 1) -> Path:
    """Save a tiny cross-encoder of sentence-transformers' modules, as ettin's: encoder (for "lasttoken" a decoder), pooling, dense, norm, dense."""
    import torch
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import LayerNorm, Pooling

    encoder = folder.with_name(folder.name + "-encoder")
    if pooling == "lasttoken":
        decoder(encoder, "qwen3", None)
    else:
        tiny_models.bert_like(encoder, "modernbert", None)
    torch.manual_seed(1)
    modules = [
        Transformer(str(encoder), transformer_task="feature-extraction"),
        Pooling(32, pooling_mode=pooling),
        Dense(32, 32, bias=False, activation_function=torch.nn.GELU()),
        LayerNorm(32),
        Dense(32, labels, activation_function=torch.nn.Identity(), module_output_name="scores"),
    ]
    with torch.no_grad():
        modules[3].norm.weight.normal_(1.0, 0.2)
        modules[3].norm.bias.normal_(0.0, 0.2)
    CrossEncoder(modules=modules, device="cpu").save(str(folder))
    return folder


def with_code(folder: Path) -> Path:
    """Save a tiny BERT whose head reads the mean of its tokens, by Python code that comes with it, under BERT's own model type."""
    from safetensors.torch import load_file, save_file

    tiny_models.bert_like(folder, "bert", 1)
    weights = load_file(folder / "model.safetensors")
    renamed = {name.replace("classifier.", "judge."): weight for name, weight in weights.items()}
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "modeling_own.py").write_text(
        "import torch\nfrom transformers import BertModel, BertPreTrainedModel\n"
        "from transformers.modeling_outputs import SequenceClassifierOutput\n\n\n"
        "class OwnForSequenceClassification(BertPreTrainedModel):\n"
        "    def __init__(self, config):\n        super().__init__(config)\n        self.bert = BertModel(config)\n"
        "        self.judge = torch.nn.Linear(config.hidden_size, 1)\n        self.post_init()\n\n"
        "    def forward(self, attention_mask=None, **batch):\n"
        "        states = self.bert(attention_mask=attention_mask, **batch).last_hidden_state\n"
        "        real = attention_mask[:, :, None]\n"
        "        return SequenceClassifierOutput(logits=self.judge((states * real).sum(1) / real.sum(1)))\n"
    )
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForSequenceClassification": "modeling_own.OwnForSequenceClassification"}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def with_chat_template(folder: Path) -> Path:
    """Give a tiny decoder the turns that sentence-transformers has for classifiers: query and document."""

    def turn(role: str) -> str:
        return "{{ messages | selectattr('role', 'eq', '" + role + "') | map(attribute='content') | first }}"

    frame = (
        f"<|im_start|>user\n<Query>: {turn('query')}\n<Document>: {turn('document')}<|im_end|>\n<|im_start|>assistant\n"
    )
    (folder / "chat_template.jinja").write_text(frame)
    return folder


def _byte_pairs(begins: bool) -> Any:
    """A byte-level vocabulary learnt from a few words, as GPT's, Qwen's and Llama 3's are built."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=MARKS, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([tiny_models.TEXT], trainer)
    if begins:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 0)]
        )
    return tokenizer
