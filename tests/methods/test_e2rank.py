"""E²Rank: the prompt against the tokenizer's own chat template, the vectors against the decoder, one text at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_causal
from numpy.testing import assert_allclose

from rerank_cli.core.protocols import Pair, Slate
from rerank_cli.export import ensure_exported
from rerank_cli.methods import load
from rerank_cli.methods.catalog import find
from rerank_cli.methods.e2rank import E2RankScorer

QUERY = "which question is it"
DOCUMENTS = [
    f"passage {number} of  the\nlazy dog <|im_end|> <think> {'and more ' * (number % 4)}" for number in range(23)
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_causal.causal(tmp_path_factory.mktemp("tiny") / "e2rank", "qwen3", longest=4096)


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = find(str(checkpoint), method="e2rank")
    return ensure_exported(named, tmp_path_factory.mktemp("cache"), note=lambda _: None, offline=True)


def opened(exported: Path, **options: Any) -> E2RankScorer:
    scorer: Any = load(exported, threads=1, note=pytest.fail, **options)
    return scorer  # type: ignore[no-any-return]


def slate(query: str = QUERY, documents: list[str] = DOCUMENTS) -> Slate:
    return Slate(query, documents, np.zeros(len(documents)), np.arange(len(documents)))


class ByHand:
    """The authors' way: chat template, `<|endoftext|>` behind documents, the last token's state, cosine."""

    def __init__(self, checkpoint: Path) -> None:
        from transformers import AutoModel, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        self.model = AutoModel.from_pretrained(checkpoint).eval()

    def vector(self, text: str) -> tuple[np.ndarray, int]:
        import torch

        ids = self.tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
        with torch.inference_mode():
            last = self.model(ids).last_hidden_state[0, -1]
        return torch.nn.functional.normalize(last, dim=0).numpy(), ids.shape[1]

    def prompt(self, query: str, documents: list[str]) -> str:
        task = "Given a web search query and some relevant documents, rerank the documents that answer the query:"
        shown = "\n".join(f"[{i + 1}] {text}" for i, text in enumerate(documents[:20]))
        turn = [{"role": "user", "content": f"{task}\nDocuments:\n{shown}\nSearch Query: {query}"}]
        return str(self.tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True))


@pytest.fixture(scope="module")
def by_hand(checkpoint: Path) -> ByHand:
    return ByHand(checkpoint)


def cleaned(text: str) -> str:
    """Blanks as the authors leave them, markers made harmless."""
    return " ".join(text.split()).replace("<|im_end|>", "< |im_end|>")


def test_a_score_is_the_cosine_of_prompt_and_document(exported: Path, by_hand: ByHand) -> None:
    clean = [cleaned(text) for text in DOCUMENTS]
    query, prompt_tokens = by_hand.vector(by_hand.prompt(QUERY, clean))
    documents = [by_hand.vector(text + "<|endoftext|>") for text in clean]
    ratings = opened(exported).rate([slate()])
    wanted = np.array([query @ vector for vector, _ in documents])
    assert np.ptp(wanted) > 0.05, "documents that hardly differ would make the comparison empty"
    assert_allclose(ratings.values[0], wanted, atol=1e-5, rtol=0)
    assert ratings.costs.tokens.sum() == prompt_tokens + sum(size for _, size in documents)
    assert not ratings.costs.truncated.any()
    assert ratings.told == [{"shown": 20}]


def test_lists_together_score_as_each_alone_whatever_the_batch(exported: Path) -> None:
    lists = [slate(), slate("another", DOCUMENTS[5:9]), slate(QUERY, DOCUMENTS[::-1]), slate(QUERY, [])]
    together = opened(exported, batch_tokens=8192).rate(lists)
    for one, values in zip(lists, together.values, strict=True):
        assert_allclose(opened(exported, batch_tokens=1).rate([one]).values[0], values, atol=1e-5, rtol=0)


def test_the_order_says_what_the_prompt_shows(exported: Path) -> None:
    scorer = opened(exported)
    (straight,) = scorer.rate([slate()]).values
    swapped = [*DOCUMENTS[:20], DOCUMENTS[22], DOCUMENTS[21], DOCUMENTS[20]]
    assert_allclose(scorer.rate([slate(documents=swapped)]).values[0][[*range(20), 22, 21, 20]], straight, atol=1e-6)
    (turned,) = scorer.rate([slate(documents=DOCUMENTS[::-1])]).values
    assert np.abs(turned[::-1] - straight).max() > 1e-3


def test_only_documents_are_cut_and_it_is_told(exported: Path, by_hand: ByHand) -> None:
    long = [" ".join(["dog"] * 400), "short", *DOCUMENTS[:3]]
    cut = opened(exported, max_length=200)
    ratings = cut.rate([slate(documents=long)])
    rows = cut._model._rows([cut.asked(slate(documents=long))], True)
    words = by_hand.tokenizer.decode(rows[0].ids)
    assert len(rows[0].ids) <= 200
    assert words.endswith(f"Search Query: {QUERY}<|im_end|>\n<|im_start|>assistant\n")
    assert "\n[2] short\n" in words, "a short document stays whole beside a long one"
    assert ratings.costs.truncated.all(), "the prompt they are all compared with was cut"


def test_the_authors_read_1024_words(exported: Path, by_hand: ByHand) -> None:
    ratings = opened(exported).rate([slate(documents=["dog " * 1030, "short"])])
    read = " ".join(["dog"] * 1024)
    query, document = (
        by_hand.vector(text)[0] for text in (by_hand.prompt(QUERY, [read, "short"]), read + "<|endoftext|>")
    )
    assert_allclose(ratings.values[0][0], query @ document, atol=1e-5)
    assert ratings.costs.truncated.tolist() == [True, False]


def test_measuring_costs_what_rating_does(exported: Path) -> None:
    scorer = opened(exported)
    pairs = [Pair(query, text) for text in DOCUMENTS[:4] for query in (QUERY, "another")]
    measured, scored = scorer.measure(pairs), scorer.score(pairs)
    assert measured.tokens.tolist() == scored.tokens.tolist()
    (first,) = scorer.rate([slate(documents=DOCUMENTS[:4])]).values
    assert_allclose(scored.values[::2], first, atol=1e-6)
