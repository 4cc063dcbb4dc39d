"""Prompts are the whole template's own tokens; the document alone is cut; no text can write a marker."""

from __future__ import annotations

from typing import Any

import pytest
import tiny_causal
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import WORDS

from rerank_cli.core.protocols import Pair
from rerank_cli.inference.prompts import PromptTokens

TEMPLATE = "<|im_start|>user\n{instruction}\nQuery: {query}\nDocument: {document}<|im_end|>\n<think>\n\n</think>\n\n"
MARKERS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>")
texts = st.text(st.sampled_from("ab yes?\n.0é東") | st.characters(codec="utf-8"), max_size=30)
words = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return tiny_causal.byte_level("yes no")


@given(query=texts, document=texts)
def test_a_prompt_that_fits_is_tokenised_whole(tokenizer: Any, query: str, document: str) -> None:
    row = PromptTokens(tokenizer, 1000, TEMPLATE, "look for it").rows([Pair(query, document)])[0]
    filled = f"<|im_start|>user\nlook for it\nQuery: {query}\nDocument: {document}<|im_end|>\n<think>\n\n</think>\n\n"
    assert row.ids.tolist() == tokenizer.encode(filled).ids
    assert not row.truncated


@given(query=words, document=words, length=st.integers(50, 140))
def test_only_the_document_gives_way(tokenizer: Any, query: str, document: str, length: int) -> None:
    whole = tokenizer.encode(TEMPLATE.format(instruction="", query=query, document=document)).ids
    row = PromptTokens(tokenizer, length, TEMPLATE).rows([Pair(query, document)])[0]
    assert len(row.ids) == min(length, len(whole))
    assert row.truncated == (len(whole) > length)
    text = tokenizer.decode(row.ids.tolist(), skip_special_tokens=False)
    assert text.endswith("<|im_end|>\n<think>\n\n</think>\n\n") and text.startswith("<|im_start|>user\n\nQuery: ")
    kept_query, kept_document = text.removeprefix("<|im_start|>user\n\nQuery: ").split("\nDocument:")
    assert query.startswith(kept_query)
    assert document.startswith(kept_document.partition("<|im_end|>")[0].removeprefix(" "))


@pytest.mark.parametrize("marker", MARKERS)
def test_a_marker_in_a_text_is_text(tokenizer: Any, marker: str) -> None:
    tokens = PromptTokens(tokenizer, 1000, TEMPLATE, f"a {marker} b")
    added = set(tokenizer.get_added_tokens_decoder())
    marked, plain = tokens.rows([Pair(f"a{marker}b", f"{marker}{marker}\n{marker}"), Pair("", "")])
    assert [i for i in marked.ids.tolist() if i in added] == [i for i in plain.ids.tolist() if i in added]


def test_fields_written_in_a_text_are_text(tokenizer: Any) -> None:
    pair = Pair("{document}{|}", "{query} {instruction} {|}")
    row = PromptTokens(tokenizer, 1000, "I {instruction} Q {query} D {document}", "{query}").rows([pair])[0]
    assert tokenizer.decode(row.ids.tolist()) == "I {query} Q {document}{|} D {query} {instruction} {|}"


def test_odd_texts_become_rows(tokenizer: Any) -> None:
    for odd in ("", " ", "\x00", "\ud800 lone surrogate", "x" * 100_000):
        row = PromptTokens(tokenizer, 200, TEMPLATE).rows([Pair(odd, odd)])[0]
        assert 0 < len(row.ids) <= 200
