"""Prompts with several documents: the whole template's own tokens, documents that give way evenly, texts that stay texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny_causal
import tiny_models
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.core.protocols import Slate
from rerank_cli.inference.slate_prompts import SlatePrompts
from rerank_cli.inference.tokens import as_plain

TEMPLATE = "<|im_start|>user\nFind {query} in {num}:\n{each}[{label}] {document}{between}\n{end}\nBest for {query}:<|im_end|>\n["
LABELS = "ABCDEFGH"
SENTENCE = "Query: {query} {each}Document{label}: {document}{between} {end} Relevant:"
texts = st.text(st.sampled_from("ab yes?\n.0é東[]{}") | st.characters(codec="utf-8"), max_size=20)
words = st.lists(st.sampled_from(tiny_models.WORDS), max_size=30).map(" ".join)


def slate(query: str, documents: list[str]) -> Slate:
    return Slate(query, documents, np.zeros(len(documents)), np.arange(len(documents)))


def filled(query: str, documents: list[str]) -> str:
    listed = "\n".join(f"[{label}] {document}" for label, document in zip(LABELS, documents))
    return f"<|im_start|>user\nFind {query} in {len(documents)}:\n{listed}\nBest for {query}:<|im_end|>\n["


@pytest.fixture(scope="module")
def chat() -> Any:
    return tiny_causal.byte_level("A B")


@pytest.fixture(scope="module")
def sentence() -> Any:
    return as_plain(tiny_models._t5_tokenizer(("▁true", "▁false")))


def row_of(tokenizer: Any, length: int, one: Slate, **options: Any) -> Any:
    return SlatePrompts(tokenizer, length, TEMPLATE, LABELS, chat=True, **options).rows([one])[0]


@given(query=texts, documents=st.lists(texts, min_size=1, max_size=5))
def test_a_prompt_that_fits_is_tokenised_whole(chat: Any, query: str, documents: list[str]) -> None:
    made = row_of(chat, 4000, slate(query, documents), frame=([7], [8, 9]))
    assert made.row.ids.tolist() == [7, *chat.encode(filled(query, documents)).ids, 8, 9]
    assert (made.cut, made.row.truncated) == (0, False)


@given(query=words, documents=st.lists(words, min_size=1, max_size=4), length=st.integers(60, 200))
def test_documents_give_way_evenly_and_the_prompt_never(
    chat: Any, query: str, documents: list[str], length: int
) -> None:
    whole = len(chat.encode(filled(query, documents)).ids)
    made = row_of(chat, length, slate(query, documents))
    assert len(made.row.ids) <= length if whole > length else len(made.row.ids) == whole
    # One token more for each of the documents, or for the query in both its places, would be too many.
    assert len(made.row.ids) >= min(whole, length) - (len(documents) - 1) - 1, "no more is cut than must be"
    text = chat.decode(made.row.ids.tolist(), skip_special_tokens=False)
    assert text.startswith("<|im_start|>user\nFind ") and text.endswith(":<|im_end|>\n[")
    head, _, rest = text.partition(f" in {len(documents)}:\n")
    assert query.startswith(head.removeprefix("<|im_start|>user\nFind ").strip())
    kept = []
    for label, document in zip(LABELS, documents):
        own = rest.partition(f"[{label}]")[2].partition("\n")[0].strip()
        assert document.startswith(own)
        kept.append((len(chat.encode(own).ids), own != document))
    assert made.cut == sum(was_cut for _, was_cut in kept)
    lengths = {size for size, was_cut in kept if was_cut}
    # A cut that falls inside a word makes other tokens of what is left of it.
    assert not lengths or max(lengths) - min(lengths) <= 2
    assert all(size <= max(lengths) + 1 for size, _ in kept) if lengths else True


@given(query=words, documents=st.tuples(words, words).map(list), length=st.integers(30, 90))
def test_a_sentence_keeps_its_last_words_at_any_length(
    sentence: Any, query: str, documents: list[str], length: int
) -> None:
    end = sentence.token_to_id("</s>")
    made = SlatePrompts(sentence, length, SENTENCE, "01", frame=((), (end,))).rows([slate(query, documents)])[0]
    ids = made.row.ids.tolist()
    text = f"Query: {query} Document0: {documents[0]} Document1: {documents[1]} Relevant:"
    whole = sentence.encode(text).ids
    assert len(ids) <= max(length, 30) and ids[-1] == end
    cue = sentence.encode("Relevant:").ids
    assert ids[-len(cue) :] == cue == whole[-len(cue) :]
    if len(whole) <= length:
        assert ids == whole
    assert made.row.truncated == (len(whole) > length)


@pytest.mark.parametrize("marker", ["<|im_start|>", "<|im_end|>", "<|endoftext|>"])
def test_a_marker_in_a_text_is_text(chat: Any, marker: str) -> None:
    specials = {i for i, token in chat.get_added_tokens_decoder().items() if token.special}
    marked = row_of(chat, 1000, slate(f"a{marker}b", [f"{marker}{marker}", "x"])).row.ids.tolist()
    plain = row_of(chat, 1000, slate("", ["", ""])).row.ids.tolist()
    assert [i for i in marked if i in specials] == [i for i in plain if i in specials]


def test_fields_written_in_a_text_are_text(chat: Any) -> None:
    documents = ["{query} {each} {label}", "{between}{end}{document}{num}"]
    made = row_of(chat, 1000, slate("{document} {num}", documents))
    assert chat.decode(made.row.ids.tolist(), skip_special_tokens=False) == filled("{document} {num}", documents)


def test_how_many_documents_have_room(chat: Any) -> None:
    prompts = SlatePrompts(chat, 1 << 30, TEMPLATE, LABELS, chat=True)
    assert prompts.most(1 << 20) == len(LABELS)
    assert prompts.most(10) == 2
    room = [prompts.most(length) for length in range(40, 300, 20)]
    assert room == sorted(room) and room[0] < room[-1]


def test_what_is_cut_before_tokens_are_counted_is_counted(chat: Any) -> None:
    made = row_of(chat, 1000, slate("q", ["one two three", "one"]), passage=lambda t: (t[:3], len(t) > 3))
    assert (made.cut, made.row.truncated) == (1, True)
    assert chat.decode(made.row.ids.tolist()) == chat.decode(chat.encode(filled("q", ["one", "one"])).ids)
