"""BM25 against two independent computations: the formula in ten lines, and the library bm25s."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core.run import Ranking
from rerank_cli.core.texts import Document
from rerank_cli.errors import WrongUsage
from rerank_cli.retrieval.bm25 import Bm25Index
from rerank_cli.retrieval.index import length_bytes, lucene_lengths
from rerank_cli.retrieval.topk import top_k
from rerank_cli.retrieval.variants import Parameters


def opened(folder, texts, analyzer="whitespace"):
    folder.mkdir()
    Bm25Index.build([Document(b"d%d" % n, "", text) for n, text in enumerate(texts)], folder, analyzer)
    return Bm25Index.open(folder)


def by_the_formula(texts, query, k1, b, length=lambda n: n):
    documents = [text.split() for text in texts]
    with_terms = [terms for terms in documents if terms]
    average = sum(map(len, documents)) / len(with_terms)
    scores = {}
    for number, terms in enumerate(documents):
        for term in query.split():
            tf, df = terms.count(term), sum(term in other for other in documents)
            if tf:
                idf = math.log(1 + (len(with_terms) - df + 0.5) / (df + 0.5))
                part = idf * tf / (tf + k1 * (1 - b + b * length(len(terms)) / average))
                scores[b"d%d" % number] = scores.get(b"d%d" % number, 0) + part
    return scores


CORPORA = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=60).map(" ".join), min_size=1, max_size=12).filter(
    any
)
QUERIES = st.lists(st.sampled_from("abcdefghx"), max_size=6).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(CORPORA, QUERIES, st.floats(0.01, 3), st.floats(0, 1), st.integers(1, 15))
def test_scores_and_order_are_those_of_the_formula(tmp_path_factory, texts, query, k1, b, k):
    index = opened(tmp_path_factory.mktemp("i") / "index", texts)
    docids, scores = index.search(query, k, Parameters(k1, b, lengths="exact"))
    expected = by_the_formula(texts, query, k1, b)
    assert len(docids) == min(k, len(expected))
    assert scores == pytest.approx([expected[docid] for docid in docids.tolist()], abs=1e-5)
    everything = index.search(query, 1000, Parameters(k1, b, lengths="exact"))
    canonical = Ranking.build(b"q", *everything)
    assert docids.tolist() == canonical.docids[:k].tolist()
    assert scores.tolist() == canonical.scores[:k].tolist()


@settings(max_examples=20, deadline=None)
@given(CORPORA, QUERIES)
def test_the_default_rounds_lengths_as_lucene_does(tmp_path_factory, texts, query):
    index = opened(tmp_path_factory.mktemp("i") / "index", texts)
    expected = by_the_formula(texts, query, 0.9, 0.4, lambda n: lucene_lengths()[length_bytes(np.array([n]))[0]])
    docids, scores = index.search(query, 100)
    assert dict(zip(docids.tolist(), scores.tolist())) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("k1", "b"), [(0.9, 0.4), (1.2, 0.75), (1.5, 0.0)])
def test_scores_equal_bm25s(tmp_path, k1, b):
    import bm25s

    rng = np.random.default_rng(7)
    words = np.array([f"w{n}" for n in range(300)])
    texts = [" ".join(words[(300 * rng.random(rng.integers(1, 120)) ** 3).astype(int)]) for _ in range(400)]
    other = bm25s.BM25(method="lucene", k1=k1, b=b, dtype="float64")
    other.index([text.split() for text in texts], show_progress=False)
    index = opened(tmp_path / "index", texts)
    for query in (["w0", "w5"], ["w17", "w17", "w250"], ["w1", "w2", "w3", "w120", "w299"]):
        expected = other.get_scores(query)
        docids, scores = index.search(" ".join(query), 400, Parameters(k1, b, lengths="exact"))
        assert len(docids) == np.count_nonzero(expected) > 5
        assert np.abs(scores - expected[[int(docid[1:]) for docid in docids]]).max() < 1e-5


def test_a_term_twice_in_the_query_counts_twice(tmp_path):
    index = opened(tmp_path / "index", ["a b", "a", "c"])
    once, twice = dict(zip(*index.search("a", 9))), dict(zip(*index.search("a a", 9)))
    assert twice == pytest.approx({docid: 2 * score for docid, score in once.items()}, rel=1e-6)


def test_one_search_leaves_nothing_to_the_next(tmp_path):
    index = opened(tmp_path / "index", ["a b", "a", "b c"])
    first = index.search("a", 9)
    index.search("a b c", 1)
    again = index.search("a", 9)
    assert first[0].tolist() == again[0].tolist()
    assert first[1].tolist() == again[1].tolist()


def test_ties_at_the_last_place_go_to_the_greatest_ids(tmp_path):
    index = opened(tmp_path / "index", ["same words here"] * 30)
    assert index.search("words", 3)[0].tolist() == [b"d9", b"d8", b"d7"]


def test_only_documents_with_a_term_are_found(tmp_path):
    index = opened(tmp_path / "index", ["a", "", "b"])
    assert index.search("b", 9)[0].tolist() == [b"d2"]
    assert index.search("x", 9)[0].tolist() == []
    assert index.search("", 9)[1].tolist() == []


def test_an_empty_corpus_answers_nothing(tmp_path):
    assert len(opened(tmp_path / "index", []).search("a", 9)[0]) == 0
    assert len(opened(tmp_path / "empty", ["", ""]).search("a", 9)[0]) == 0


def test_without_saturation_a_score_is_the_idf(tmp_path):
    index = opened(tmp_path / "index", ["a a a", "a b", "c"])
    assert index.search("a", 9, Parameters(k1=0.0))[1] == pytest.approx([math.log(1 + 1.5 / 2.5)] * 2)


@pytest.mark.parametrize("wrong", [{"k1": -0.1}, {"k1": math.nan}, {"b": 1.1}, {"b": -0.1}, {"b": math.nan}])
def test_parameters_without_a_meaning_are_refused(wrong):
    with pytest.raises(WrongUsage):
        Parameters(**wrong)


def test_text_is_analysed_alike_in_documents_and_queries(tmp_path):
    index = opened(tmp_path / "index", ["Rerankers are running.", "nothing"], "english")
    assert index.search("the reranker's RUN", 9)[0].tolist() == [b"d0"]


@given(st.lists(st.integers(0, 4).map(float), max_size=40), st.integers(0, 45), st.randoms(use_true_random=False))
def test_top_k_is_the_beginning_of_the_whole_order(scores, k, random):
    order = list(range(len(scores)))
    random.shuffle(order)
    whole = sorted(range(len(scores)), key=lambda at: (-scores[at], -order[at]))
    assert top_k(np.array(scores), np.array(order, dtype=np.int32), k).tolist() == whole[:k]


@given(CORPORA, st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 4), max_size=4))
@settings(max_examples=20, deadline=None)
def test_weighted_terms_are_repeated_terms(tmp_path_factory, texts, weights):
    index = opened(tmp_path_factory.mktemp("i") / "index", texts)
    repeated = index.search(" ".join(Counter(weights).elements()), 50)
    weighted = index.search_terms(weights, 50)
    assert repeated[0].tolist() == weighted[0].tolist()
    assert repeated[1].tolist() == weighted[1].tolist()
