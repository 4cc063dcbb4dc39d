"""Leaving out what cannot matter changes nothing: the lists are those of adding everything up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.retrieval.maxscore import Weighted, best_documents
from rerank_cli.retrieval.topk import top_k


def query(draw, documents, terms, slack):
    """Terms from rare and strong to frequent and weak, as idf makes them."""
    found = []
    for _ in range(terms):
        df = int(draw.integers(1, documents + 1) ** draw.choice([0.3, 0.6, 1.0]))
        held = np.sort(draw.choice(documents, df, replace=False)).astype(np.int32)
        parts = (np.log(1 + documents / df) * draw.random(df) ** 0.3).astype(np.float32)
        bound = float(parts.max() * (1 + slack * draw.random()))
        found.append(Weighted(held, parts.__getitem__, bound))
    return found


def everything(terms, documents):
    sums = np.zeros(documents)
    for term in terms:
        sums[term.documents] += term.parts(slice(None))
    return sums


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 400), st.integers(0, 8), st.integers(0, 40), st.sampled_from([0.0, 0.5]))
def test_lists_are_those_of_all_sums(seed, documents, terms, k, slack):
    draw = np.random.default_rng(seed)
    asked = query(draw, documents, terms, slack)
    order = draw.permutation(documents).astype(np.int32)
    room = np.zeros(documents)
    numbers, scores = best_documents(asked, k, order, room)
    whole = everything(asked, documents)
    matching = np.flatnonzero(whole)
    expected = matching[top_k(whole[matching].astype(np.float32), order[matching], k)]
    assert numbers.tolist() == expected.tolist()
    assert scores.tolist() == whole[expected].astype(np.float32).tolist()
    assert not room.any()


@pytest.mark.parametrize("k", [1, 10, 1000, 30_000])
@pytest.mark.parametrize("levels", [1, 3, 10**6])
def test_lists_of_many_documents_are_those_of_all_sums(k, levels):
    """So many that the height of the k-th best is told from a sample; also where most of the sums are equal."""
    draw = np.random.default_rng(levels)
    asked = []
    for df in (40, 3_000, 20_000, 35_000):
        held = np.sort(draw.choice(40_000, df, replace=False)).astype(np.int32)
        parts = (np.log(40_000 / df) + np.ceil(levels * draw.random(df)) / levels).astype(np.float32)
        asked.append(Weighted(held, parts.__getitem__, float(parts.max())))
    order, room = draw.permutation(40_000).astype(np.int32), np.zeros(40_000)
    numbers, scores = best_documents(asked, k, order, room)
    whole = everything(sorted(asked, key=lambda term: -term.bound), 40_000)
    matching = np.flatnonzero(whole)
    expected = matching[top_k(whole[matching].astype(np.float32), order[matching], k)]
    assert numbers.tolist() == expected.tolist()
    assert scores.tolist() == whole[expected].astype(np.float32).tolist()
    assert not room.any()


@pytest.mark.parametrize("k", [1, 10])
def test_a_frequent_term_is_only_looked_up(k):
    """Ten strong documents and a weak term in all: of its postings only those of the ten are asked for."""
    asked = []

    def weak(rows):
        asked.append(len(np.arange(1000)[rows]))
        return np.full(asked[-1], 0.1, dtype=np.float32)

    strong = Weighted(np.arange(0, 100, 10, dtype=np.int32), np.linspace(5, 6, 10, dtype=np.float32).__getitem__, 6.0)
    numbers, _ = best_documents(
        [Weighted(np.arange(1000, dtype=np.int32), weak, 0.1), strong], k, np.arange(1000), np.zeros(1000)
    )
    assert numbers.tolist() == list(range(90, -1, -10))[:k]
    assert sum(asked) <= 10
