"""T5s that score with one decoder step, or none: the numbers of transformers' own forward pass, in both engines."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import tiny_t5

from rerank_cli.core.protocols import Pair
from rerank_cli.errors import BadData
from rerank_cli.export import ensure_exported
from rerank_cli.methods import load_torch, method_named, methods
from rerank_cli.methods.catalog import find

pytest_plugins = ["tiny_scorers"]

CLOSE = 1e-4


def plain(pairs: list[Pair]) -> list[Pair]:
    """Pairs without special tokens in their texts, which transformers would read as such."""
    return [pair for pair in pairs if "</s>" not in pair.document]


def first_logits(folder: Path, texts: list[str]) -> np.ndarray:
    """The whole vocabulary's logits at the decoder's first step, one text at a time in double precision."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model = AutoModelForSeq2SeqLM.from_pretrained(folder).double().eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    start = torch.tensor([[model.config.decoder_start_token_id]])
    with torch.inference_mode():
        rows = [model(**tokenizer(text, return_tensors="pt"), decoder_input_ids=start).logits[0, 0] for text in texts]
    return torch.stack(rows).numpy()


@pytest.mark.parametrize(("kind", "engine"), [*((kind, "onnx") for kind in tiny_t5.T5S), ("t5", "torch")])
def test_rankt5_scores_are_the_logit_of_one_piece(tiny: Any, pairs: list[Pair], kind: str, engine: str) -> None:
    pairs = plain(pairs)
    name = f"rankt5:{kind}"
    logits = first_logits(tiny.folder(name), [f"Query: {p.query} Document: {p.document}" for p in pairs])
    wanted = logits[:, method_named("rankt5").record(tiny.source(name)).words["<extra_id_10>"]]
    assert np.ptp(wanted) > 100 * CLOSE
    np.testing.assert_allclose(tiny.scorer(name, engine).score(pairs).values, wanted, atol=CLOSE, rtol=0)


def test_monot5_of_version_1_1_compares_two_words(tiny: Any, pairs: list[Pair]) -> None:
    """As TWOLAR: a T5 with an output matrix of its own, which does not scale what goes into it."""
    pairs = plain(pairs)
    name = "monot5:flan"
    logits = first_logits(tiny.folder(name), [f"Query: {p.query} Document: {p.document} Relevant:" for p in pairs])
    words = method_named("monot5").record(tiny.source(name)).words
    true, false = (np.exp(logits[:, words[word]]) for word in ("▁true", "▁false"))
    scores = tiny.scorer(name).score(pairs).values
    np.testing.assert_allclose(scores, np.log(true / (true + false)), atol=CLOSE, rtol=0)


@pytest.mark.parametrize(("kind", "engine"), [("flan", "onnx"), ("t5", "torch")])
def test_instupr_scores_are_the_expected_grade(tiny: Any, pairs: list[Pair], kind: str, engine: str) -> None:
    pairs = plain(pairs)
    name = f"instupr:{kind}"
    task = method_named("instupr").TEMPLATE.partition("Query:")[0]  # type: ignore[attr-defined]
    texts = [f"{task}Query: {query}\n\nContext: {document}\n\nScore:" for query, document in pairs]
    logits = first_logits(tiny.folder(name), texts)
    words = method_named("instupr").record(tiny.source(name)).words
    chances = np.exp(logits[:, [words[f"▁{grade}"] for grade in (1, 2, 3, 4, 5)]])
    wanted = (chances * [1, 2, 3, 4, 5]).sum(1) / chances.sum(1)
    assert np.ptp(wanted) > 100 * CLOSE
    np.testing.assert_allclose(tiny.scorer(name, engine).score(pairs).values, wanted, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_rankt5_without_a_decoder(tiny: Any, pairs: list[Pair], engine: str) -> None:
    import torch
    from transformers import AutoTokenizer, T5EncoderModel

    pairs = plain(pairs)
    folder = tiny.folder("rankt5-encoder")
    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    own = {name.removeprefix("model."): value for name, value in state.items() if name.startswith("model.")}
    encoder = T5EncoderModel.from_pretrained(None, config=str(folder / "config.json"), state_dict=own).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def score(pair: Pair) -> float:
        with torch.inference_mode():
            first = encoder(**tokenizer([list(pair)], return_tensors="pt")).last_hidden_state[0, 0]
            hidden = state["first_transform.weight"] @ first + state["first_transform.bias"]
            hidden = (hidden - hidden.mean()) / torch.sqrt(hidden.var(unbiased=False) + 1e-12)
            hidden = hidden * state["layer_norm.weight"] + state["layer_norm.bias"]
            return float(state["linear.weight"][0] @ hidden + state["linear.bias"][0])

    wanted = np.array([score(pair) for pair in pairs])
    assert np.ptp(wanted) > 100 * CLOSE
    np.testing.assert_allclose(tiny.scorer("rankt5-encoder", engine).score(pairs).values, wanted, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("name", ["rankt5:flan", "rankt5-encoder"])
def test_a_score_of_a_t5_does_not_depend_on_its_company(tiny: Any, pairs: list[Pair], name: str) -> None:
    together = tiny.scorer(name).score(pairs).values
    alone = np.array([tiny.scorer(name).score([pair]).values[0] for pair in pairs])
    np.testing.assert_allclose(alone, together, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["monot5:flan", "rankt5:t5", "rankt5-encoder"])
def test_a_t5_scores_any_text(tiny: Any, name: str) -> None:
    texts = ["", "</s>" * 30, "<extra_id_0> <extra_id_10>", "\ud800 half a character", "{document}", "a" * 3000]
    pairs = [Pair(query, document) for query in texts for document in texts]
    scores = tiny.scorer(name).score(pairs)
    assert np.isfinite(scores.values).all()


def test_a_vocabulary_without_the_piece(tmp_path: Path) -> None:
    folder = tiny_models.t5(tmp_path / "t5")
    with pytest.raises(BadData, match="has no piece <extra_id_10>"):
        ensure_exported(find(str(folder), method="rankt5"), tmp_path, note=lambda _: None, offline=True)


def test_a_piece_that_the_model_has_no_row_for(tiny: Any, tmp_path: Path) -> None:
    """A tokenizer may have been given pieces that its model never learned."""
    from tokenizers import Tokenizer

    folder = shutil.copytree(tiny.folder("rankt5:t5"), tmp_path / "t5")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens(["▁late"])
    tokenizer.save(str(folder / "tokenizer.json"))
    checkpoint = replace(find(str(folder), method="rankt5"), words=("▁late",))
    with pytest.raises(BadData, match="has no piece ▁late"):
        ensure_exported(checkpoint, tmp_path, note=lambda _: None, offline=True)


@pytest.mark.parametrize("method", ["monot5", "instupr", "rankt5", "rankt5-encoder", "qlm"])
def test_another_model_is_no_t5(tiny: Any, tmp_path: Path, method: str) -> None:
    with pytest.raises(BadData, match=r"is a bert; .* needs a T5 or mT5"):
        ensure_exported(find(str(tiny.folder("bert-1")), method=method), tmp_path, note=lambda _: None, offline=True)


def test_a_head_that_is_not_there_is_not_made_up(tmp_path: Path) -> None:
    folder = tiny_models.t5(tmp_path / "t5")
    with pytest.raises(BadData, match=r"lacks the weights .*first_transform"):
        ensure_exported(find(str(folder), method="rankt5-encoder"), tmp_path, note=lambda _: None, offline=True)


def test_no_t5_may_be_computed_in_fp16() -> None:
    for name in ("monot5", "instupr", "rankt5", "rankt5-encoder", *tiny_t5.LIKELIHOODS):
        precisions = methods()[name].PRECISIONS  # type: ignore[attr-defined]
        assert "fp32" in precisions and "fp16" not in precisions


def test_weights_alone_are_read_with_the_configuration_of_their_base(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Naver's repository has a .bin file and nothing else; its card takes the rest from t5-3b."""
    made = tiny.folder("rankt5-encoder")
    files = {
        "naver--trecdl22-crossencoder-rankT53b-repro": ["pytorch_model.bin"],
        "t5-3b": ["config.json", "tokenizer.json", "tokenizer_config.json"],
    }
    for repository, names in files.items():
        folder = tmp_path / f"models--{repository}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text("abc")
        (folder / "snapshots" / "abc").mkdir(parents=True)
        for name in names:
            shutil.copy(made / name, folder / "snapshots" / "abc" / name)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    pairs = [Pair("price of copper", "a mine")]
    scorer = load_torch(find("rankt5-encoder-3b"), threads=1, offline=True, note=pytest.fail)
    assert scorer.score(pairs).values == tiny.scorer("rankt5-encoder", "torch").score(pairs).values
