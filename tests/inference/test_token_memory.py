"""Texts that come again are not tokenised again, and what is remembered stays small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tiny_models
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core.protocols import Pair
from rerank_cli.inference.tokens import PairTokens, TokenMemory, as_plain

WORDS = ["bees", "copper", "lake", "a", "glass", "[SEP]", "\ud800", ""]


class Counting:
    """A real tokenizer that counts the texts it is given."""

    def __init__(self) -> None:
        self._tokenizer: Any = as_plain(tiny_models._bert_tokenizer())
        self.texts = 0

    def encode_batch_fast(self, texts: Sequence[str], **options: Any) -> Any:
        self.texts += len(texts)
        return self._tokenizer.encode_batch_fast(texts, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


def test_a_document_that_several_queries_meet_is_tokenised_once() -> None:
    counting = Counting()
    tokens = PairTokens(counting, 32, typed=True)
    before = counting.texts
    for query in ("bees", "copper", "lake"):
        tokens.rows([Pair(query, document) for document in ("a lake", "glass a a", "copper")])
    assert counting.texts - before == 5, "three queries and three documents, one of them a query as well"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join), max_size=6), max_size=6))
def test_remembering_changes_no_ids_and_keeps_its_limit(calls: list[list[str]]) -> None:
    tokenizer = as_plain(tiny_models._bert_tokenizer())
    memory = TokenMemory(tokenizer, limit=200)
    for texts in calls:
        found = memory.ids(texts)
        for text in texts:
            assert np.array_equal(found[text], TokenMemory(tokenizer).ids([text])[text])
        held = sum(len(ids) + 64 for ids in memory._kept.values())
        assert held == memory._size <= 200
