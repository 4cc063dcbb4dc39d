"""Checkpoints as they were saved years ago: weights in .bin, a SentencePiece model and no tokenizer.json."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_models

from rerank_cli.core.protocols import Pair
from rerank_cli.export import ensure_exported
from rerank_cli.inference.tokens import load_tokenizer
from rerank_cli.methods import load
from rerank_cli.methods.catalog import find

sentencepiece = pytest.importorskip("sentencepiece")


@pytest.fixture(scope="module")
def monot5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny monoT5 with the files, and the name, of the real ones on the hub."""
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("hub") / "monot5-small-msmarco-10k"
    folder.mkdir()
    text = tmp_path_factory.mktemp("corpus") / "text"
    words = tiny_models.WORDS
    text.write_text("\n".join(" ".join(words[i % 50 :] + words[: i % 50]) for i in range(300)))
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "spiece"),
        vocab_size=100,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        user_defined_symbols=["▁true", "▁false"],
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "spiece.vocab").unlink()
    specials = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "extra_ids": 4}
    (folder / "tokenizer_config.json").write_text(json.dumps(specials | {"tokenizer_class": "T5Tokenizer"}))
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=128, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0
    )
    model = transformers.T5ForConditionalGeneration(config)
    config.architectures = ["T5ForConditionalGeneration"]
    config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


def test_they_export_and_tokenise_as_sentencepiece_does(monot5: Path, tmp_path: Path) -> None:
    checkpoint = find(str(monot5))
    assert checkpoint.method == "monot5"
    folder = ensure_exported(checkpoint, tmp_path, note=lambda _: None, offline=True)
    ours = load_tokenizer(folder / "tokenizer.json")
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(monot5 / "spiece.model"))
    for text in ("Query: price of copper Document: a lake, deep Relevant:", "é☃  two  blanks", ""):
        assert ours.encode(text).ids == [*theirs.encode(text), theirs.eos_id()]
    scores = load(folder, threads=1, note=print).score([Pair("price of copper", "a mine"), Pair("a", "b </s> c")])
    assert np.isfinite(scores.values).all() and (scores.values < 0).all()
