"""What is cut when a pair is too long: the document, the query only when it would crowd the document out, a prompt never."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny_models
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.core.protocols import Pair
from rerank_cli.errors import WrongUsage
from rerank_cli.inference.tokens import PairTokens, TemplateTokens, TextTokens, cut, load_tokenizer
from rerank_cli.methods.monot5 import TEMPLATE

pytest_plugins = ["tiny_scorers"]

LONG = " ".join(tiny_models.WORDS * 4)
words = st.lists(st.sampled_from(tiny_models.WORDS), max_size=40).map(" ".join)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 200))
def test_the_document_gives_way_first(query: int, document: int, room: int) -> None:
    q, d = cut(query, document, room)
    assert q + d == min(query + document, room)
    if query <= room - room // 4:
        assert q == query, "a query that leaves the document a quarter of the room is whole"
    if document >= room // 4:
        assert d >= room // 4, "the document keeps a quarter of the room"


@pytest.mark.parametrize("name", ["bert-1", "xlm-roberta-1"])
@pytest.mark.parametrize("length", [16, 20, 33])
def test_a_pair_is_cut_as_transformers_cuts_only_the_second(tiny: Any, name: str, length: int) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny.folder(name))
    tokens = PairTokens(load_tokenizer(tiny.folder(name) / "tokenizer.json"), length, typed=name == "bert-1")
    pairs = [Pair("price of copper", LONG), Pair("lighthouse", "a mine"), Pair("a a a", "")]
    for pair, row in zip(pairs, tokens.rows(pairs), strict=True):
        wanted = tokenizer([pair.query], [pair.document], truncation="only_second", max_length=length)
        assert row.ids.tolist() == wanted["input_ids"][0]
        if row.types is not None:
            assert row.types.tolist() == wanted["token_type_ids"][0]
        assert row.truncated == (pair.document == LONG)


@given(query=words, document=words)
def test_a_sentence_that_fits_is_tokenised_whole(tiny: Any, query: str, document: str) -> None:
    tokenizer = load_tokenizer(tiny.folder("t5") / "tokenizer.json")
    row = TemplateTokens(tokenizer, 512, TEMPLATE).rows([Pair(query, document)])[0]
    assert row.ids.tolist() == tokenizer.encode(f"Query: {query} Document: {document} Relevant:").ids
    assert not row.truncated


@given(query=words, document=words, length=st.integers(12, 60))
def test_a_sentence_keeps_its_last_words_at_any_length(tiny: Any, query: str, document: str, length: int) -> None:
    tokenizer = load_tokenizer(tiny.folder("t5") / "tokenizer.json")
    whole = tokenizer.encode(f"Query: {query} Document: {document} Relevant:").ids
    row = TemplateTokens(tokenizer, length, TEMPLATE).rows([Pair(query, document)])[0]
    assert len(row.ids) == min(length, len(whole))
    assert row.truncated == (len(whole) > length)
    assert row.ids.tolist()[-2:] == [tokenizer.token_to_id("▁Relevant:"), tokenizer.token_to_id("</s>")]
    head = tokenizer.encode("Query:", add_special_tokens=False).ids
    assert row.ids.tolist()[: len(head)] == head
    assert tokenizer.token_to_id("▁Document:") in row.ids


def test_a_cut_document_scores_like_its_beginning(tiny: Any) -> None:
    """The end of a long document is what goes, in every method."""
    query = "price of copper"
    for name in ("bert-1", "t5", "bi-mean"):
        scorer = tiny.scorer(name, max_length=22)
        long = scorer.score([Pair(query, LONG)])
        assert long.truncated.tolist() == [True]
        kept = (
            next(n for n in range(1, 99) if scorer.measure([Pair(query, " ".join(LONG.split()[:n]))]).truncated[0]) - 1
        )
        short = scorer.score([Pair(query, " ".join(LONG.split()[:kept]))])
        if short.tokens[0] == long.tokens[0]:
            np.testing.assert_allclose(short.values, long.values, atol=1e-6)
        assert kept >= 5


def test_a_length_the_model_cannot_take_is_refused(tiny: Any) -> None:
    with pytest.raises(WrongUsage, match="64 positions"):
        tiny.scorer("bert-1", max_length=65)
    with pytest.raises(WrongUsage, match="64 positions"):
        tiny.scorer("xlm-roberta-1", max_length=66)
    with pytest.raises(WrongUsage, match="leaves no room"):
        tiny.scorer("t5", max_length=5)


@pytest.mark.parametrize("name", ["bert-1", "xlm-roberta-1", "t5", "bi-mean"])
def test_markers_in_a_text_are_text(tiny: Any, name: str) -> None:
    """A document that writes the model's own special tokens does not end its input or change its layout."""
    tokenizer = load_tokenizer(tiny.exported(name) / "tokenizer.json")
    special = set(tokenizer.get_added_tokens_decoder()) - {
        tokenizer.token_to_id("[UNK]"),
        tokenizer.token_to_id("<unk>"),
    }
    marked = " ".join(["a", "[SEP]", "[CLS]", "</s>", "<pad>", "<s>", "b"])
    if name == "t5":
        make = TemplateTokens(tokenizer, 512, TEMPLATE)
        with_markers, without = make.rows([Pair(marked, marked), Pair("a", "b")])
    elif name == "bi-mean":
        with_markers, without = TextTokens(tokenizer, 64, typed=False).rows([marked, "a b"])
    else:
        with_markers, without = PairTokens(tokenizer, 64, typed=False).rows([Pair(marked, marked), Pair("a", "b")])
    assert [i for i in with_markers.ids.tolist() if i in special] == [i for i in without.ids.tolist() if i in special]


@pytest.mark.parametrize("name", ["bert-1", "t5", "bi-mean"])
def test_odd_texts_get_a_score(tiny: Any, name: str) -> None:
    odd = ["", " ", "\n\t", "\x00", "𝕬 ﷽ e\u0301", "\ud800 lone surrogate", "{query} {document}", "x" * 100_000]
    scores = tiny.scorer(name).score(
        [Pair("price of copper", text) for text in odd] + [Pair(text, "a") for text in odd]
    )
    assert np.isfinite(scores.values).all()
