"""Classifiers of every build against transformers' forward of one unpadded pair at a time, in both engines."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_classifiers
import tiny_models

from rerank_cli.core.protocols import Pair
from rerank_cli.errors import BadData, WrongUsage
from rerank_cli.export import ensure_exported
from rerank_cli.methods import load, load_torch
from rerank_cli.methods.catalog import find

pytest_plugins = ["tiny_scorers"]

CLOSE = 1e-4
DISENTANGLED = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_buckets": 8,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "position_biased_input": False,
    "type_vocab_size": 0,
}
BUILDERS: dict[str, Any] = {
    "roberta": lambda f: tiny_models.bert_like(f, "roberta", 1),
    "camembert-2": lambda f: tiny_models.bert_like(f, "camembert", 2),
    "deberta-v3": lambda f: tiny_models.bert_like(f, "deberta-v2", 1, **DISENTANGLED),
    "deberta-apart": lambda f: tiny_models.bert_like(f, "deberta-v2", 2, **DISENTANGLED | {"share_att_key": False}),
    "modernbert-mean": lambda f: tiny_models.bert_like(f, "modernbert", 1, classifier_pooling="mean"),
    "modernbert-global": lambda f: tiny_models.bert_like(
        f, "modernbert", 1, num_hidden_layers=3, attention_bias=True, norm_bias=True
    ),
    "llama": lambda f: tiny_classifiers.decoder(f, "llama", pad="</s>", begins=True),
    "mistral": lambda f: tiny_classifiers.decoder(f, "mistral"),
    "qwen2-unpadded": lambda f: tiny_classifiers.decoder(f, "qwen2", pad=None),
    "qwen3-2": lambda f: tiny_classifiers.decoder(f, "qwen3", 2),
    "gemma": lambda f: tiny_classifiers.decoder(f, "gemma", begins=True),
    "gemma2": lambda f: tiny_classifiers.decoder(f, "gemma2"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("classifiers")


def folder_of(place: Path, name: str) -> Path:
    if not (place / name).is_dir():
        BUILDERS[name](place / name)
    return place / name


def scorers(place: Path, folder: Path, **how: Any) -> dict[str, Any]:
    """The folder in both engines."""
    checkpoint = find(str(folder))
    exported = ensure_exported(checkpoint, place / "cache", note=lambda _: None, offline=True)
    return {
        "onnx": load(exported, threads=1, note=pytest.fail, **how),
        "torch": load_torch(checkpoint, threads=1, note=lambda _: None, **how),
    }


@pytest.mark.parametrize("name", BUILDERS)
def test_scores_are_transformers_logits(place: Path, pairs: list[Pair], name: str) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    pairs = [pair for pair in pairs if "[SEP]" not in pair.document]
    folder = folder_of(place, name)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        logits = [model(**tokenizer([q], [d], return_tensors="pt")).logits[0].double() for q, d in pairs]
    wanted = np.array([float(one[0] if len(one) == 1 else one.log_softmax(-1)[1]) for one in logits])
    assert np.ptp(wanted) > 100 * CLOSE, "scores that hardly differ would make the comparison empty"
    small = scorers(place, folder, batch_tokens=200)
    for engine, scorer in scorers(place, folder).items():
        together = scorer.score(pairs)
        np.testing.assert_allclose(together.values, wanted, atol=CLOSE, rtol=0, err_msg=engine)
        order = np.random.default_rng(0).permutation(len(pairs))
        shuffled = small[engine].score([pairs[i] for i in order])
        assert shuffled.calls > together.calls
        np.testing.assert_allclose(shuffled.values, together.values[order], atol=1e-5, rtol=0, err_msg=engine)


@pytest.mark.parametrize(("pooling", "labels"), [("cls", 1), ("mean", 2), ("lasttoken", 1)])
def test_modules_score_as_sentence_transformers(place: Path, pairs: list[Pair], pooling: str, labels: int) -> None:
    from sentence_transformers import CrossEncoder
    from torch.nn import Identity

    pairs = [pair for pair in pairs if "[SEP]" not in pair.document]
    folder = tiny_classifiers.modular(place / f"modular-{pooling}-{labels}", pooling, labels=labels)
    logits = CrossEncoder(str(folder), device="cpu").predict(pairs, activation_fn=Identity()).astype(np.float64)
    wanted = logits if labels == 1 else -np.logaddexp(0, logits[:, 0] - logits[:, 1])
    assert np.ptp(wanted) > 100 * CLOSE
    assert find(str(folder)).method == "modular-cross-encoder"
    for engine, scorer in scorers(place, folder).items():
        np.testing.assert_allclose(scorer.score(pairs).values, wanted, atol=CLOSE, rtol=0, err_msg=engine)


TEMPLATE = "<|im_start|>user\n{instruction}\nquery: {query}\n{document}<|im_end|>\n<|im_start|>assistant\n"


def test_a_template_is_read_whole_and_only_the_document_is_cut(place: Path, pairs: list[Pair]) -> None:
    """A chat frame's markers are read as such; written in a text they are text; a long document loses its end alone."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = folder_of(place, "qwen2-unpadded")
    checkpoint = replace(find(str(folder)), template=TEMPLATE, instruction="a lake")
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def logit(text: str) -> float:
        with torch.inference_mode():
            return float(model(tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids).logits[0, 0])

    pairs = [pair for pair in pairs if "[SEP]" not in pair.document]
    wanted = [logit(TEMPLATE.format(instruction="a lake", query=pair.query, document=pair.document)) for pair in pairs]
    exported = ensure_exported(checkpoint, place / "cache", note=lambda _: None, offline=True)
    scores = load(exported, threads=1, note=pytest.fail).score(pairs).values
    np.testing.assert_allclose(scores, wanted, atol=CLOSE, rtol=0)
    told = load(exported, threads=1, note=pytest.fail, instruction="bees")
    assert (told.score(pairs).values != scores).all()
    cut = load(exported, threads=1, note=pytest.fail, max_length=50).score(
        [Pair("lighthouse", "far " * 80 + "<|im_end|>")]
    )
    assert cut.truncated.all() and cut.tokens[0] == 50
    shorter = [
        logit(TEMPLATE.format(instruction="a lake", query="lighthouse", document=("far " * n)[:-1]))
        for n in range(1, 50)
    ]
    assert min(abs(cut.values[0] - one) for one in shorter) < CLOSE


def test_a_chat_template_with_turns_for_query_and_document_is_used(place: Path, pairs: list[Pair]) -> None:
    from sentence_transformers import CrossEncoder
    from torch.nn import Identity

    folder = tiny_classifiers.with_chat_template(tiny_classifiers.decoder(place / "chat", "qwen3"))
    pairs = [pair for pair in pairs if "[SEP]" not in pair.document]
    wanted = CrossEncoder(str(folder), device="cpu").predict(pairs, activation_fn=Identity())
    scorer = load_torch(find(str(folder)), threads=1, note=pytest.fail)
    assert "<Document>: {document}<|im_end|>" in scorer.description.template
    np.testing.assert_allclose(scorer.score(pairs).values, wanted, atol=CLOSE, rtol=0)


def test_code_of_its_own_runs_only_when_trusted_and_is_not_changed(place: Path, pairs: list[Pair]) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = tiny_classifiers.with_code(place / "with-code")
    pairs = [pair for pair in pairs if "[SEP]" not in pair.document]
    with pytest.raises(WrongUsage, match="Python code") as caught:
        load_torch(find(str(folder)), threads=1, note=print)
    assert "--trust-remote-code" in caught.value.hint
    model = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        wanted = [float(model(**tokenizer([q], [d], return_tensors="pt")).logits) for q, d in pairs]
    trusted = ensure_exported(
        find(str(folder)), place / "cache", note=lambda _: None, offline=True, trust_remote_code=True
    )
    scores = load(trusted, threads=1, note=pytest.fail).score(pairs)
    np.testing.assert_allclose(scores.values, wanted, atol=CLOSE, rtol=0)


def test_three_labels_are_no_relevance(place: Path) -> None:
    folder = tiny_models.bert_like(place / "three", "bert", 3)
    with pytest.raises(BadData, match="3 labels"):
        load_torch(find(str(folder)), threads=1, note=print)


def test_modules_that_end_in_no_score(place: Path) -> None:
    folder = shutil.copytree(
        tiny_classifiers.modular(place / "whole", "cls"), place / "beheaded", ignore=shutil.ignore_patterns("4_Dense")
    )
    listing = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps(listing[:-1]))
    with pytest.raises(BadData, match="no modules that pool and then score"):
        load_torch(find(str(folder)), threads=1, note=print)
    (folder / "modules.json").write_text(json.dumps(listing))
    with pytest.raises(BadData, match="4_Dense"):
        load_torch(find(str(folder)), threads=1, note=print)


def test_a_folder_of_modules_given_as_a_classifier_names_the_method(place: Path) -> None:
    folder = tiny_classifiers.modular(place / "misnamed", "cls")
    with pytest.raises(BadData, match="no classification head") as caught:
        load_torch(find(str(folder), method="cross-encoder"), threads=1, note=print)
    assert "--method modular-cross-encoder" in caught.value.hint
