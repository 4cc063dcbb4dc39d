"""Query likelihood: the loss that transformers computes for the target's labels, one pair at a time, times their number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_t5

from rerank_cli.core.protocols import Pair
from rerank_cli.errors import BadData, WrongUsage
from rerank_cli.export import ensure_exported
from rerank_cli.inference.likelihood_tokens import Ends, LikelihoodTokens, parts_of
from rerank_cli.inference.onnx import OnnxBackend
from rerank_cli.inference.tokens import load_tokenizer
from rerank_cli.methods import co_prompt, load_torch, method_named
from rerank_cli.methods.catalog import find
from rerank_cli.methods.exported import GRAPH, TOKENIZER, read_record

pytest_plugins = ["tiny_scorers"]

CLOSE = 1e-4


def plain(pairs: list[Pair]) -> list[Pair]:
    """Pairs without special tokens in their texts, which transformers would read as such."""
    return [pair for pair in pairs if "</s>" not in pair.document]


class Transformers:
    """transformers' loss for a target after a text, in double precision."""

    def __init__(self, folder: Path) -> None:
        import transformers

        config = transformers.AutoConfig.from_pretrained(folder)
        self.seq2seq = config.is_encoder_decoder
        kind = transformers.AutoModelForSeq2SeqLM if self.seq2seq else transformers.AutoModelForCausalLM
        self.model = kind.from_pretrained(folder).double().eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.end = config.eos_token_id

    def words(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def total(self, given: str, target: list[int]) -> float:
        """The log-probability of the target's ids: minus the loss, times their number."""
        import torch

        ids = self.tokenizer(given).input_ids
        labels = target if self.seq2seq else [-100] * len(ids) + target
        ids = ids if self.seq2seq else ids + target
        with torch.inference_mode():
            loss = self.model(torch.tensor([ids]), labels=torch.tensor([labels])).loss
        return -float(loss) * len(target)


def expected(method: str, model: Transformers, pair: Pair) -> float:
    query, document = pair
    if method == "upr":
        given = f"Passage:  {document}. Please write a question based on this passage."
        return model.total(given, [*model.words(f"Question: {query}"), model.end])
    given = f"Passage: {document}\nPlease write a question based on this passage."
    if method == "qlm":
        return model.total(given, model.words(f"<pad> {query}"))
    asked, told = model.words(query), model.words(document)
    score = model.total(given, asked) / len(asked)
    if method == "coder-reviewer" and told:
        score += model.total(f"Question: {query}\nPlease write a passage that answers this question.", told) / len(told)
    return score


ONNX = ["upr:t5", "upr:flan", "qlm:mt5", "coder-reviewer:t5", "upr:gpt2", "co-prompt:opt", "coder-reviewer:llama"]
TORCH = ["upr:mt5", "qlm:flan", "co-prompt:t5", "coder-reviewer:flan", "upr:llama", "upr:opt", "coder-reviewer:gpt2"]


@pytest.mark.parametrize(("name", "engine"), [*((n, "onnx") for n in ONNX), *((n, "torch") for n in TORCH)])
def test_scores_are_transformers_losses(tiny: Any, pairs: list[Pair], name: str, engine: str) -> None:
    pairs = plain(pairs)
    model = Transformers(tiny.folder(name))
    wanted = np.array([expected(name.partition(":")[0], model, pair) for pair in pairs])
    one_query = [value for value, pair in zip(wanted, pairs) if pair.query == pairs[0].query]
    assert np.ptp(one_query) > 20 * CLOSE, "documents that hardly differ would make the comparison empty"
    np.testing.assert_allclose(tiny.scorer(name, engine).score(pairs).values, wanted, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("name", ["upr:t5", "upr:gpt2", "coder-reviewer:llama"])
def test_a_likelihood_does_not_depend_on_its_company(tiny: Any, pairs: list[Pair], name: str) -> None:
    """Queries of one word and of many in one batch, documents of all lengths: padding changes nothing."""
    pairs = [*pairs, Pair("price of copper " * 9, "a"), Pair("", "bees"), Pair("a", "glass rings " * 40)]
    together = tiny.scorer(name, batch_tokens=100_000).score(pairs)
    assert together.calls == 1
    alone = [tiny.scorer(name).score([pair]).values[0] for pair in pairs]
    np.testing.assert_allclose(alone, together.values, atol=2e-5, rtol=0)
    order = np.random.default_rng(0).permutation(len(pairs))
    small = tiny.scorer(name, batch_tokens=64).score([pairs[i] for i in order])
    np.testing.assert_allclose(small.values, together.values[order], atol=2e-5, rtol=0)


@pytest.mark.parametrize("name", ["co-prompt:gpt2", "upr:t5"])
def test_batches_that_go_through_a_model_at_once_do_not_mix(tiny: Any, pairs: list[Pair], name: str) -> None:
    """Eight threads, batches of all sizes: places of one batch may not be read for another."""
    folder, method = tiny.folder(name), name.partition(":")[0]
    many = [pair._replace(query=" ".join([pair.query] * times)) for times in range(1, 7) for pair in pairs]
    wanted = tiny.scorer(name, "torch").score(many).values
    eight = load_torch(find(str(folder), method=method), threads=8, note=lambda _: None, batch_tokens=200)
    for _ in range(3):
        np.testing.assert_allclose(eight.score(many).values, wanted, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("name", ["qlm:mt5", "coder-reviewer:t5", "co-prompt:opt"])
def test_a_likelihood_of_any_text(tiny: Any, name: str) -> None:
    texts = ["", " ", "</s>" * 30, "<extra_id_0><s>", "\ud800 half", "{query} {scored} {document}", "mine " * 600]
    scores = tiny.scorer(name).score([Pair(query, document) for query in texts for document in texts])
    assert np.isfinite(scores.values).all() and (scores.values <= 0).all()


def rows(tiny: Any, name: str, template: str, pair: Pair, **lengths: Any) -> tuple[list[str], list[str]]:
    """The words of one row, and those of its labels."""
    tokenizer = load_tokenizer(tiny.folder(name) / "tokenizer.json")
    (row,) = LikelihoodTokens(tokenizer, template, Ends((), (1,)), **lengths).rows([pair])
    return [[tokenizer.id_to_token(i).replace("Ġ", "▁") for i in ids] for ids in (row.ids, row.extra["labels"])]  # type: ignore[return-value]


ASKED = "document: {document} query relevant{scored}Query: {query}"


@pytest.mark.parametrize("length", [8, 9, 20])
def test_a_long_document_leaves_the_question_and_the_prompt_whole(tiny: Any, length: int) -> None:
    pair = Pair("price of copper", "a mine deep in a lake " * 50)
    given, target = rows(tiny, "upr:t5", ASKED, pair, max_length=length, target_length=9, joined=False)
    assert len(given) == length and given[-3:] == ["▁query", "▁relevant", "</s>"]
    assert target == ["▁Query:", "▁price", "▁of", "▁copper", "</s>"]
    joined, target = rows(tiny, "upr:gpt2", ASKED, pair, max_length=20 + length, target_length=20, joined=True)
    assert len(joined) == 20 + length and joined[-len(target) :] == target
    assert "".join(target) == "Query:▁price▁of▁copper</s>"
    assert "".join(joined[: -len(target)]).endswith("▁query▁relevant")


def test_a_long_query_is_cut_at_its_end_and_said(tiny: Any) -> None:
    pair = Pair("price of copper " * 80, "a mine")
    _, target = rows(tiny, "upr:t5", ASKED, pair, max_length=64, target_length=12, joined=False)
    assert target == ["▁Query:", *["▁price", "▁of", "▁copper"] * 3, "▁price", "</s>"]
    assert tiny.scorer("upr:t5").measure([pair, Pair("price", "a mine")]).truncated.tolist() == [True, False]


def test_what_a_template_scores() -> None:
    assert parts_of("a {document} b {query} c") == (("a ", "document", " b "), ("", "query", " c"))
    assert parts_of("{query} b{scored}c {document}") == (("", "query", " b"), ("c ", "document", ""))
    for broken in ("", "{document}", "{query}{scored}{document} {query}", "{document} {document}", "{scored}{query}"):
        with pytest.raises(WrongUsage, match="what is given and what is scored"):
            parts_of(broken)


def test_another_prompt_is_another_score_of_the_same_graph(tiny: Any, pairs: list[Pair]) -> None:
    """`--prompt` replaces the template of a loaded folder: the graph knows nothing of it."""
    pairs = plain(pairs)
    folder = tiny.exported("upr:t5")
    parts = load_tokenizer(folder / TOKENIZER), OnnxBackend(folder / GRAPH, threads=1, note=pytest.fail), None, None
    record = replace(read_record(folder), template="{document} true or false{scored}{query}")
    scores = method_named("upr").scorer(record, *parts).score(pairs).values
    model = Transformers(tiny.folder("upr:t5"))
    wanted = [model.total(f"{p.document} true or false", [*model.words(p.query), model.end]) for p in pairs]
    np.testing.assert_allclose(scores, wanted, atol=CLOSE, rtol=0)
    with pytest.raises(WrongUsage, match="the template has 2"):
        method_named("upr").scorer(replace(record, template=f"{record.template}\n---\n{record.template}"), *parts)


def test_a_prompt_is_measured_by_the_mean_over_relevant_pairs(tiny: Any, pairs: list[Pair]) -> None:
    scorer = tiny.scorer("co-prompt:opt")
    relevant = plain(pairs)[:4]
    model = Transformers(tiny.folder("co-prompt:opt"))
    wanted = np.mean([expected("co-prompt", model, pair) for pair in relevant])
    assert abs(co_prompt.quality(scorer, relevant).value - wanted) < CLOSE
    with pytest.raises(ValueError, match="there are none"):
        co_prompt.quality(scorer, [])


def test_an_encoder_writes_no_query(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"BertForSequenceClassification.*does not write text"):
        ensure_exported(find(str(tiny.folder("bert-1")), method="upr"), tmp_path, note=lambda _: None, offline=True)


def test_no_vocabulary_leaves_the_graph(tiny: Any) -> None:
    import onnx

    for name in ("upr:t5", "upr:gpt2", "coder-reviewer:t5"):
        graph = onnx.load(tiny.exported(name) / "model.onnx").graph
        assert [len(out.type.tensor_type.shape.dim) for out in graph.output] == [1]
    assert set(tiny_t5.LIKELIHOODS) == {"upr", "qlm", "co-prompt", "coder-reviewer"}
