"""A prompt that holds a list: its documents are found in its tokens, and only they are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.errors import WrongUsage
from rerank_cli.inference.list_prompts import fair_share, placed


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A token a character, and one in front and one behind of its own."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors

    vocabulary = {chr(number): number for number in range(128)} | {"<s>": 128, "</s>": 129}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 128), ("</s>", 129)]
    )
    made.decoder = decoders.Fuse()
    return made


SIZES = st.lists(st.integers(0, 40), min_size=1, max_size=8)


@given(sizes=SIZES, room=st.integers(0, 200))
def test_the_fair_share_is_the_largest_that_fits(sizes: list[int], room: int) -> None:
    share = fair_share(np.array(sizes), room)
    taken = sum(min(size, share) for size in sizes)
    assert taken <= room
    assert taken == sum(sizes) or sum(min(size, share + 1) for size in sizes) > room


@given(sizes=SIZES, room=st.integers(8, 200), framed=st.booleans())
def test_words_stay_whole_and_documents_keep_their_beginnings(
    tokenizer: Any, sizes: list[int], room: int, framed: bool
) -> None:
    documents = [chr(97 + at) * size for at, size in enumerate(sizes)]
    words = [f"W{at}:" for at in range(len(sizes) + 1)]
    parts = [text for pair in zip(words, documents, strict=False) for text in pair] + words[-1:]
    length = len("".join(words)) + 2 * framed + room
    prompt = placed(tokenizer, parts, length, framed=framed)
    assert len(prompt.ids) <= length
    kept = [tokenizer.decode(prompt.ids[first:last].tolist()) for first, last in prompt.spans]
    share = fair_share(np.array(sizes), room)
    assert kept == [document[:share] for document in documents]
    assert prompt.truncated.tolist() == [size > share for size in sizes]
    written = "".join(word + text for word, text in zip(words, [*kept, ""], strict=True))
    assert tokenizer.decode(prompt.ids.tolist(), skip_special_tokens=False).strip("</s>") == written
    whole = "".join(parts)
    own = prompt.ids < 128
    assert [whole[end - 1] for end in prompt.ends[own]] == list(written)


def test_most_holds_where_there_is_room(tokenizer: Any) -> None:
    prompt = placed(tokenizer, ["a", "b" * 9, "c", "d" * 3, "e"], 99, framed=False, most=4)
    assert tokenizer.decode(prompt.ids.tolist()) == "abbbbcddde"
    assert prompt.truncated.tolist() == [True, False]


def test_words_that_leave_no_room_are_refused(tokenizer: Any) -> None:
    with pytest.raises(WrongUsage, match="2 documents do not fit into one prompt of 4 tokens"):
        placed(tokenizer, ["a", "b", "c", "d", "e"], 4, framed=False)
    with pytest.raises(WrongUsage, match="do not fit"):
        placed(tokenizer, ["aaaaa", "", "e"], 4, framed=False)
