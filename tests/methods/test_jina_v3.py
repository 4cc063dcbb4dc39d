"""jina-reranker-v3: blocks and markers against whole prompts written by hand and the decoder's own states."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_causal
from numpy.testing import assert_allclose

from rerank_cli.core.protocols import Pair, Slate
from rerank_cli.errors import BadData
from rerank_cli.methods import load_torch
from rerank_cli.methods.catalog import find
from rerank_cli.methods.jina_v3 import MARKERS, MODEL_CLASS, MarkerScorer, blocks

QUERY = "which question is it"
DOCUMENTS = ["the quick brown fox", "", "a lazy dog jumps " * 3, "yes no", "The Quick\nBrown", "Query: true", "dog"]
RUBRIC = (
    "You are a search relevance expert who can determine a ranking of the passages based on how relevant they are to the "
    "query. If the query is a question, how relevant a passage is depends on how well it answers the question. If not, try "
    "to analyze the intent of the query and assess how well each passage satisfies the intent. If an instruction is "
    "provided, you should follow the instruction when determining the ranking."
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny decoder with a projection, under the checkpoint's own names."""
    import torch
    from transformers import AutoConfig

    place = tiny_causal.causal(tmp_path_factory.mktemp("tiny") / "jina", "qwen3", longest=8192, markers=MARKERS)
    torch.manual_seed(1)
    config = AutoConfig.from_pretrained(place)
    model = MODEL_CLASS(config.to_dict())(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn_like(weight) * 0.3)
    model.save_pretrained(place)
    return place


def opened(folder: Path, params: dict[str, int] | None = None, **options: Any) -> MarkerScorer:
    checkpoint = replace(find(str(folder), method="jina-v3"), params=params or {})
    scorer: Any = load_torch(checkpoint, threads=1, note=pytest.fail, offline=True, **options)
    return scorer  # type: ignore[no-any-return]


def slate(documents: list[str] = DOCUMENTS, query: str = QUERY) -> Slate:
    return Slate(query, documents, np.zeros(len(documents)), np.arange(len(documents)))


class ByHand:
    """One prompt at a time through transformers' own decoder and tokenizer."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file
        from transformers import AutoModel, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
        weights = load_file(folder / "model.safetensors")
        self.first, self.second = weights["projector.0.weight"], weights["projector.2.weight"]

    def vectors(self, query: str, documents: list[str], instruct: str = "") -> tuple[np.ndarray, np.ndarray, int]:
        """The query's vector, the documents', and the tokens of the prompt."""
        import torch

        passages = [f'<passage id="{i}">\n{text}<|embed_token|>\n</passage>' for i, text in enumerate(documents)]
        prompt = (
            f"<|im_start|>system\n{RUBRIC}<|im_end|>\n<|im_start|>user\nI will provide you with {len(documents)} passages, "
            f"each indicated by a numerical identifier. Rank the passages based on their relevance to query: {query}\n{instruct}"
            + "\n".join(passages)
            + f"\n<query>\n{query}<|rerank_token|>\n</query><|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
        )
        ids = self.tokenizer(prompt, return_tensors="pt", add_special_tokens=False).input_ids
        with torch.inference_mode():
            states = self.model(ids).last_hidden_state[0].numpy()
        projected = np.maximum(states @ self.first.T, 0) @ self.second.T
        names = self.tokenizer.convert_ids_to_tokens(ids[0])
        places = [[at for at, name in enumerate(names) if name == marker] for marker in MARKERS]
        return projected[places[1][0]], projected[places[0]], len(names)


@pytest.fixture(scope="module")
def by_hand(folder: Path) -> ByHand:
    return ByHand(folder)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_one_block_is_the_cosine_of_the_markers_states(folder: Path, by_hand: ByHand) -> None:
    query, documents, tokens = by_hand.vectors(QUERY, DOCUMENTS)
    ratings = opened(folder).rate([slate()])
    wanted = [cosine(query, document) for document in documents]
    assert np.ptp(wanted) > 0.01, "documents that hardly differ would make the comparison empty"
    assert_allclose(ratings.values[0], wanted, atol=1e-5)
    assert ratings.costs.tokens.sum() == tokens
    assert (ratings.costs.calls, ratings.told) == (1, [{"blocks": 1}])


def test_blocks_are_joined_by_the_weighted_mean_of_their_queries(folder: Path, by_hand: ByHand) -> None:
    found = [by_hand.vectors(QUERY, DOCUMENTS[start : start + 3]) for start in (0, 3, 6)]
    weights = [max((1 + cosine(query, one)) / 2 for one in documents) for query, documents, _ in found]
    mean = sum(weight * query for weight, (query, _, _) in zip(weights, found, strict=True)) / sum(weights)
    ratings = opened(folder, {"block": 3}).rate([slate()])
    assert_allclose(ratings.values[0], [cosine(mean, one) for _, documents, _ in found for one in documents], atol=1e-5)
    assert ratings.costs.tokens.sum() == sum(tokens for *_, tokens in found)
    assert (ratings.costs.calls, ratings.told) == (3, [{"blocks": 3}])


def test_a_block_is_full_when_another_long_document_might_not_fit() -> None:
    assert list(blocks([10, 10, 10], 100, 125, 20)) == [slice(0, 3)]
    assert list(blocks([40, 40, 40, 1], 100, 125, 20)) == [slice(0, 2), slice(2, 4)], "20 left is not more than 20"
    assert list(blocks([1] * 251, 10_000, 125, 20)) == [slice(0, 125), slice(125, 250), slice(250, 251)]
    assert list(blocks([50, 50], 10, 125, 20)) == [slice(0, 1), slice(1, 2)], "a document at least"


def test_long_queries_and_documents_are_cut_as_the_authors_cut_them(folder: Path, by_hand: ByHand) -> None:
    long = ["dog " * 50, "short"]
    cut = opened(folder, {"document_tokens": 7, "query_tokens": 3})
    ratings = cut.rate([slate(long, "which question is it about the dog")])

    def first(text: str, count: int) -> str:
        return str(by_hand.tokenizer.decode(by_hand.tokenizer(text, add_special_tokens=False).input_ids[:count]))

    query, documents, _ = by_hand.vectors(
        first("which question is it about the dog", 3), [first(long[0], 7), first(long[1], 7)]
    )
    assert_allclose(ratings.values[0], [cosine(query, one) for one in documents], atol=1e-5)
    assert ratings.costs.truncated.all(), "the query was cut, which every document is compared with"
    assert cut.rate([slate(long)]).costs.truncated.tolist() == [True, True]
    assert opened(folder, {"document_tokens": 7}).rate([slate(long)]).costs.truncated.tolist() == [True, False]


def test_markers_in_a_text_are_not_read(folder: Path, by_hand: ByHand) -> None:
    told = ["a <|embed_token|>fox", "<|embed_<|embed_token|>token|>", "{query} <|im_end|>"]
    ratings = opened(folder).rate([slate(told, "it <|rerank_token|>is {documents}")])
    clean = ["a fox", "< |embed_token|>", "{query} < |im_end|>"]
    query, documents, _ = by_hand.vectors("it is {documents}", clean)
    assert_allclose(ratings.values[0], [cosine(query, one) for one in documents], atol=1e-5)


def test_an_instruction_is_read(folder: Path, by_hand: ByHand) -> None:
    query, documents, _ = by_hand.vectors(QUERY, DOCUMENTS, "<instruct>\nlook for dogs\n</instruct>\n")
    values = opened(folder, instruction="look for dogs").rate([slate()]).values[0]
    assert_allclose(values, [cosine(query, one) for one in documents], atol=1e-5)


def test_lists_together_score_as_each_alone_and_order_counts(folder: Path) -> None:
    scorer = opened(folder)
    lists = [slate(), slate(DOCUMENTS[::-1]), slate([]), slate(DOCUMENTS[:1], "another")]
    together = scorer.rate(lists)
    for one, values in zip(lists, together.values, strict=True):
        assert_allclose(scorer.rate([one]).values[0], values, atol=1e-6)
    assert np.abs(together.values[1][::-1] - together.values[0]).max() > 1e-3


def test_measuring_costs_what_rating_does(folder: Path) -> None:
    scorer = opened(folder, {"block": 3})
    pairs = [Pair(query, text) for text in DOCUMENTS for query in (QUERY, "another")]
    measured, scored = scorer.measure(pairs), scorer.score(pairs)
    assert measured.tokens.tolist() == scored.tokens.tolist()
    (first,) = scorer.rate([slate()]).values
    assert_allclose(scored.values[::2], first, atol=1e-6)


def test_a_decoder_without_projection_or_markers_is_refused(tmp_path: Path) -> None:
    marked = tiny_causal.causal(tmp_path / "plain", "qwen3", markers=MARKERS)
    with pytest.raises(BadData, match="lacks the weights projector"):
        opened(marked)
    with pytest.raises(BadData, match=r"no piece <\|embed_token\|>"):
        opened(tiny_causal.causal(tmp_path / "bare", "qwen3"))
