"""Lexical separation: BM25 against bm25s and by hand, scores at their edges, parts of an evaluation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.evaluation.measures import Evaluation
from rerank_cli.evaluation.separation import bm25, part_of, separation

terms = st.lists(st.sampled_from("abcdefg"), max_size=12)


def test_bm25_by_hand() -> None:
    # a is in one of two documents, idf ln(1 + 1.5 / 1.5); lengths 1 and 3, mean 2.
    scores = bm25(["a", "z"], [["a"], ["b", "c", "d"]])
    assert scores.tolist() == pytest.approx([math.log(2) * 1 / (1 + 1.5 * (0.25 + 0.75 / 2)), 0])
    assert bm25(["a", "a"], [["a"], ["b", "c", "d"]])[0] == pytest.approx(2 * scores[0])
    assert bm25(["a"], []).tolist() == [] and bm25(["a"], [[]]).tolist() == [0]


@given(
    st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=4, unique=True), st.lists(terms, min_size=2, max_size=6)
)
def test_bm25_is_that_of_bm25s(query: list[str], documents: list[list[str]]) -> None:
    bm25s = pytest.importorskip("bm25s")
    vocabulary = {term: n for n, term in enumerate("abcdefg")}
    corpus = bm25s.tokenization.Tokenized([[vocabulary[t] for t in d] for d in documents], vocabulary)
    if not any(documents):
        return
    oracle = bm25s.BM25(k1=1.5, b=0.75, method="lucene", dtype="float64")
    oracle.index(corpus, show_progress=False)
    assert bm25(query, documents) == pytest.approx(oracle.get_scores(query), rel=1e-5, abs=1e-6)


def test_separation_is_best_relevant_minus_best_other() -> None:
    scores = np.array([1.0, 3.0, 2.5, 0.0])
    assert separation(scores, np.array([True, False, True, False])) == -0.5
    assert separation(scores, np.array([False, True, False, False])) == 0.5
    assert separation(scores, np.zeros(4, bool)) is None and separation(scores, np.ones(4, bool)) is None


def test_a_part_averages_its_own_topics() -> None:
    values = np.array([[0.0, 0.5, 1.0], [3.0, 4.0, 5.0]])
    whole = Evaluation("r", ("AP", "NumRet"), (b"1", b"2", b"3"), values, np.zeros(2), frozenset({"NumRet"}), 0, 0)
    part = part_of(whole, np.array([False, True, True]), "part")
    assert (part.name, part.topics) == ("part", (b"2", b"3"))
    assert [part.of(m) for m in ("AP", "NumRet", "NumQ")] == [0.75, 9, 2]
