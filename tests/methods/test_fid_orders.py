"""LiT5-Distill and ListT5: the orders that a slow loop over one slate at a time gives, with nothing padded, batched or cached."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_fid import DOCUMENTS, QUERIES, Fused, slate

from rerank_cli.core.protocols import Ranker, Slate
from rerank_cli.inference.memory import Halves
from rerank_cli.methods.fid import ordered

pytest_plugins = ["tiny_fused"]

SLATES = [slate(0, [0, 1, 2, 3, 4]), slate(1, [4, 5, 1, 0, 2]), slate(1, [2, 0]), slate(0, [5, 3, 1], [7, 2, 9])]


def written_by_hand(fused: Fused, method: str, texts: list[str], longest: int) -> list[int]:
    """Each text through the encoder alone, states end to end, the whole decoder anew for every token; ids before the end."""
    import torch
    from transformers.modeling_outputs import BaseModelOutput

    model = fused.model(method)
    with torch.inference_mode():
        states = [model.encoder(torch.tensor([fused.ids(method, text)])).last_hidden_state for text in texts]
        encoded = BaseModelOutput(last_hidden_state=torch.cat(states, dim=1))
        ids = [model.config.decoder_start_token_id]
        while len(ids) < longest:
            logits = model(encoder_outputs=encoded, decoder_input_ids=torch.tensor([ids]), use_cache=False).logits
            ids.append(int(logits[0, -1].argmax()))
            if ids[-1] == model.config.eos_token_id:
                return ids[1:-1]
    return ids[1:]


def values(order: list[int]) -> np.ndarray:
    return np.array([len(order) - order.index(document) for document in range(len(order))], dtype=np.float64)


def lit5_by_hand(fused: Fused, one: Slate) -> tuple[np.ndarray, int]:
    texts = [
        f"Search Query: {one.query} Passage: [{number}] {text} Relevance Ranking: "
        for number, text in enumerate(one.documents, 1)
    ]
    ids = written_by_hand(fused, "lit5-distill", texts, 140)
    text = fused.source("lit5-distill").tokenizer.decode(ids)
    order: list[int] = []
    for number in re.sub("[^0-9]", " ", text).split():
        if int(number) - 1 < len(texts) and int(number) > 0 and int(number) - 1 not in order:
            order.append(int(number) - 1)
    return values(order + [at for at in range(len(texts)) if at not in order]), len(ids)


def listt5_by_hand(fused: Fused, one: Slate) -> tuple[np.ndarray, int]:
    incoming = sorted(range(len(one.documents)), key=lambda at: one.positions[at])
    five = sorted((incoming * 5)[:5], key=lambda at: one.positions[at])
    texts = [f"Query: {one.query}, Index: {number}, Context: {one.documents[at]}" for number, at in enumerate(five, 1)]
    ids = written_by_hand(fused, "listt5", texts, 7)
    words = fused.source("listt5").tokenizer.decode(ids).split()
    named = [five[int(word) - 1] for word in reversed(words) if re.fullmatch("[1-5]", word)]
    return values(list(dict.fromkeys(named + five))), len(ids)


BY_HAND: dict[str, Any] = {"lit5-distill": lit5_by_hand, "listt5": listt5_by_hand}


@pytest.mark.parametrize("method", BY_HAND)
def test_an_order_is_that_of_a_slow_loop(fused: Fused, method: str) -> None:
    ranker = fused.opened(method)
    assert isinstance(ranker, Ranker)
    replies = dict(ranker.answer(SLATES))
    assert set(replies) == set(range(len(SLATES)))
    moved = 0
    for at, one in enumerate(SLATES):
        wanted, written = BY_HAND[method](fused, one)
        np.testing.assert_array_equal(replies[at].values, wanted)
        assert (replies[at].written, replies[at].calls, replies[at].cached) == (written, 1, False)
        moved += not np.array_equal(wanted, np.sort(wanted)[::-1])
    assert moved > 1, "the test must not pass with a model that keeps every order"


@pytest.mark.parametrize("method", BY_HAND)
@pytest.mark.parametrize("batch_tokens", [1, 100_000])
def test_slates_together_are_slates_alone(fused: Fused, method: str, batch_tokens: int) -> None:
    together = dict(fused.opened(method).answer(SLATES))
    ranker = fused.opened(method, batch_tokens=batch_tokens)
    for at, one in enumerate(SLATES):
        ((_, alone),) = ranker.answer([one])
        np.testing.assert_array_equal(alone.values, together[at].values)
        assert alone[1:] == together[at][1:]


@pytest.mark.parametrize("method", BY_HAND)
def test_what_a_slate_costs_is_known_before(fused: Fused, method: str) -> None:
    ranker = fused.opened(method)
    slates = [*SLATES, slate(0, [6, 0])]
    lengths = ranker.measure(slates)
    replies = dict(ranker.answer(slates))
    assert lengths.tokens.tolist() == [replies[at].tokens for at in range(len(slates))]
    assert lengths.truncated.tolist() == [False] * 4 + [True]
    assert [replies[at].truncated for at in range(len(slates))] == [0, 0, 0, 0, 1], (
        "documents, however often they are read"
    )


@pytest.mark.parametrize(
    ("method", "frame", "length"),
    [
        ("lit5-distill", "Search Query: {} Passage: [2] {} Relevance Ranking:", 150),
        ("listt5", "Query: {}, Index: 5, Context: {}", 256),
    ],
)
def test_documents_are_cut_and_never_the_prompt(fused: Fused, method: str, frame: str, length: int) -> None:
    ranker = fused.opened(method)
    rows = ranker._rows(slate(0, [0, 6]) if method == "lit5-distill" else slate(0, [0, 1, 6]))
    long = next(row for row in rows if row.truncated)
    assert len(long.ids) == length
    own = fused.ids(method, frame.format(QUERIES[0], DOCUMENTS[6]))
    tail = len(fused.ids(method, "Relevance Ranking:")) if method == "lit5-distill" else 1
    assert long.ids.tolist() == own[: length - tail] + own[-tail:]


def test_lit5_windows(fused: Fused) -> None:
    from dataclasses import replace

    from rerank_cli.methods import lit5_distill
    from rerank_cli.methods.catalog import find

    assert (find("lit5-distill-base").settings, find("lit5-distill-base-v2").settings) == ({}, {"window": 100})
    ranker = fused.opened("lit5-distill")
    assert (ranker.most, ranker.strategy, ranker.settings) == (20, "sliding", {"window": 20, "step": 10})
    source = fused.source("lit5-distill")
    second = replace(source, checkpoint=replace(source.checkpoint, settings={"window": 100}))
    model: Any = fused.model("lit5-distill")
    settings: Any = {"device": "cpu", "threads": 1, "max_length": None, "halves": Halves(pytest.fail)}
    wide = lit5_distill.by_torch(model, lit5_distill.record(second), source.tokenizer, batch_tokens=None, **settings)
    assert (wide.most, wide.settings) == (100, {"window": 100, "step": 50})
    assert ranker.longest == 140
    assert wide.longest == len(" > ".join(f"[{number}]" for number in range(1, 101)))


def test_listt5_asks_in_the_incoming_order(fused: Fused) -> None:
    """Whatever order the algorithm presents them in, the model sees the same text and says the same of each document."""
    ranker = fused.opened("listt5")
    straight, mixed = slate(0, [0, 1, 2, 4, 5]), slate(0, [4, 0, 5, 2, 1])
    replies = dict(ranker.answer([straight, mixed]))
    of_document = dict(zip(straight.positions.tolist(), replies[0].values))
    assert [of_document[at] for at in mixed.positions.tolist()] == replies[1].values.tolist()
    assert (ranker.most, ranker.strategy) == (5, "tournament")


@given(st.lists(st.text("0123 47a>[]²", max_size=6), max_size=9), st.integers(1, 8))
def test_any_words_give_an_order_and_what_was_mended(words: list[str], n: int) -> None:
    order, repaired = ordered(words, n)
    assert sorted(order) == list(range(n))
    whole = [word.lstrip("0") for word in words]
    right = sorted(whole) == sorted(str(number) for number in range(1, n + 1))
    assert (repaired == "") == right
    if right:
        assert order == [int(word) - 1 for word in whole]


@pytest.mark.parametrize(
    ("words", "order", "repaired"),
    [
        ("3 1 2", [2, 0, 1], ""),
        ("3 3 1", [2, 0, 1], "repetition"),
        ("3", [2, 0, 1], "missing_documents"),
        ("3 9 1 2", [2, 0, 1], "wrong_format"),
        ("", [0, 1, 2], "wrong_format"),
        ("none of these", [0, 1, 2], "wrong_format"),
    ],
)
def test_what_is_said_of_an_answer(words: str, order: list[int], repaired: str) -> None:
    assert ordered(words.split(), 3) == (order, repaired)


def test_weights_under_the_names_of_wrappers(fused: Fused) -> None:
    """ListT5's are there, with the names that the authors' code gave them; plain names do as well."""
    import torch
    from safetensors.torch import load_file

    state = load_file(fused.source("listt5").folder / "model.safetensors")
    name = "block.1.layer.0.SelfAttention.q.weight"
    assert f"encoder.{name}" not in state
    loaded = fused.model("listt5").encoder.get_parameter(name)
    assert torch.equal(loaded, state["encoder.encoder.block.1.module.layer.0.SelfAttention.q.weight"])


def test_weights_that_are_missing_are_told(fused: Fused, tmp_path: Any) -> None:
    import shutil
    from dataclasses import replace

    from safetensors.torch import load_file, save_file

    from rerank_cli.errors import BadData
    from rerank_cli.methods import listt5
    from rerank_cli.methods.torch_model import load_model

    source = fused.source("listt5")
    folder = shutil.copytree(source.folder, tmp_path / "part")
    state = load_file(folder / "model.safetensors")
    save_file(
        {k: v for k, v in state.items() if "block.1.module" not in k}, folder / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(BadData, match=r"lacks the weights encoder\.block\.1\."):
        load_model(replace(source, folder=folder), listt5.MODEL_CLASS, may_lack=listt5.MAY_LACK)
