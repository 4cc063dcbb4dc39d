"""BM25F against its formula, written out slowly; against BM25 where there is one field; and its options."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rerank_cli.core.run import Ranking
from rerank_cli.core.texts import Document
from rerank_cli.errors import BadData, WrongUsage
from rerank_cli.retrieval.bm25 import Bm25Index
from rerank_cli.retrieval.field_weights import FieldWeights, numbers_of
from rerank_cli.retrieval.fields import FieldIndex
from rerank_cli.retrieval.variants import VARIANTS, Parameters

EXACT = Parameters(1.2, 0.75, lengths="exact")


def documents(pairs):
    return [Document(b"d%d" % number, *pair) for number, pair in enumerate(pairs)]


def opened(folder, pairs, analyzer="whitespace"):
    folder.mkdir()
    FieldIndex.build(lambda: iter(documents(pairs)), folder, analyzer)
    return FieldIndex(folder)


def slowly(pairs, query, k1, b, weights):
    """The formula of the paper, document by document, with Lucene's idf."""
    split = [dict(zip(("title", "text"), (title.split(), text.split()))) for title, text in pairs]
    some = {name: [fields[name] for fields in split if fields[name]] for name in weights}
    average = {name: sum(map(len, lists)) / len(lists) if lists else 0 for name, lists in some.items()}
    n = sum(any(fields[name] for name in weights) for fields in split)
    scores = {}
    for number, fields in enumerate(split):
        for term in query.split():
            df = sum(any(term in other[name] for name in weights) for other in split)
            pseudo = sum(
                weight * fields[name].count(term) / (1 - b[name] + b[name] * len(fields[name]) / average[name])
                for name, weight in weights.items()
                if term in fields[name]
            )
            if pseudo:
                idf = math.log(1 + (n - df + 0.5) / (df + 0.5))
                scores[b"d%d" % number] = scores.get(b"d%d" % number, 0) + idf * pseudo / (k1 + pseudo)
    return scores


WORDS = st.lists(st.sampled_from("abcdefgh"), max_size=30).map(" ".join)
CORPORA = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=12)
QUERIES = st.lists(st.sampled_from("abcdefghx"), max_size=6).map(" ".join)
POSITIVE = st.floats(0.05, 20)


@settings(max_examples=80, deadline=None)
@given(CORPORA, QUERIES, st.floats(0.01, 3), POSITIVE, POSITIVE, st.floats(0, 1), st.floats(0, 1), st.integers(1, 15))
@example([("a", ""), ("", "a b"), ("", "")], "a b", 0.9, 2, 1, 0.4, 0.4, 3)
def test_scores_and_order_are_those_of_the_formula(tmp_path_factory, pairs, query, k1, title, text, b, of_title, k):
    index = opened(tmp_path_factory.mktemp("i") / "index", pairs)
    asked = Parameters(k1, b, lengths="exact"), FieldWeights({"title": title, "text": text}, {"title": of_title})
    expected = slowly(pairs, query, k1, {"title": of_title, "text": b}, {"title": title, "text": text})
    found = index.search(query, k, *asked)
    assert len(found.docids) == min(k, len(expected))
    assert found.scores == pytest.approx([expected[docid] for docid in found.docids.tolist()], abs=1e-5)
    canonical = Ranking.build(b"q", *index.search(query, 1000, *asked))
    assert found.docids.tolist() == canonical.docids[:k].tolist()
    assert found.scores.tolist() == canonical.scores[:k].tolist()


@settings(max_examples=40, deadline=None)
@given(CORPORA, QUERIES, st.sampled_from(["title", "text"]), st.sampled_from(["bm25f", "sum"]), st.data())
def test_one_field_of_weight_1_is_bm25_over_it_to_the_bit(tmp_path_factory, pairs, query, field, by, data):
    folder = tmp_path_factory.mktemp("i")
    index = opened(folder / "fields", pairs)
    (folder / "plain").mkdir()
    Bm25Index.build(documents(pairs), folder / "plain", "whitespace", template="{" + field + "}")
    parameters = Parameters(
        variant=data.draw(st.sampled_from(sorted(VARIANTS))), lengths=data.draw(st.sampled_from(["lucene", "exact"]))
    )
    plain = Bm25Index.open(folder / "plain").search(query, 5, parameters)
    found = index.search(query, 5, parameters, FieldWeights({field: 1.0}, by=by))
    assert found.docids.tolist() == plain[0].tolist()
    assert found.scores.tolist() == plain[1].tolist()


@settings(max_examples=30, deadline=None)
@given(CORPORA, QUERIES, POSITIVE, POSITIVE)
def test_the_sum_adds_the_weighed_scores_of_the_fields(tmp_path_factory, pairs, query, title, text):
    index = opened(tmp_path_factory.mktemp("i") / "index", pairs)
    expected = {}
    for field, weight in (("title", title), ("text", text)):
        own = index.search(query, 100, EXACT, FieldWeights({field: 1.0}))
        for docid, score in zip(own.docids.tolist(), own.scores.tolist()):
            expected[docid] = expected.get(docid, 0) + weight * score
    found = index.search(query, 100, EXACT, FieldWeights({"title": title, "text": text}, by="sum"))
    assert dict(zip(found.docids.tolist(), found.scores.tolist())) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("by", ["bm25f", "sum"])
def test_the_first_of_many_are_those_of_the_whole_order(tmp_path, by):
    """What is left out of the adding up is below the last place: with titles that weigh much more than texts."""
    draw = np.random.default_rng(3)
    words = np.array([f"w{number}" for number in range(60)])
    lengths = draw.integers((0, 0), (4, 40), (600, 2))
    pairs = [[" ".join(words[(60 * draw.random(n) ** 3).astype(int)]) for n in own] for own in lengths]
    index = opened(tmp_path / "index", pairs)
    weights = FieldWeights({"title": 10, "text": 0.5}, by=by)
    for _ in range(60):
        query = " ".join(words[(60 * draw.random(4) ** 2).astype(int)])
        whole, first = (index.search(query, k, Parameters(), weights) for k in (1000, 5))
        assert first.docids.tolist() == whole.docids[:5].tolist()
        assert first.scores.tolist() == whole.scores[:5].tolist()


def test_what_bm25f_is_for(tmp_path):
    """Two terms of the query in one field each beat one term in both: not so where scores of fields are added up."""
    pairs = [("a", "a x x x"), ("b", "a x x x"), *[("y", "y y z z")] * 20, *[("b", "z z z z")] * 2, ("a", "z z z z")]
    index = opened(tmp_path / "index", pairs)
    both = index.search("a b", 1, EXACT, FieldWeights({"title": 2, "text": 1}))
    assert both.docids.tolist() == [b"d1"]
    once = index.search("a", 30, EXACT, FieldWeights({"title": 1, "text": 1}))
    summed = index.search("a", 30, EXACT, FieldWeights({"title": 1, "text": 1}, by="sum"))
    gain = {name: dict(zip(*found)) for name, found in (("bm25f", once), ("sum", summed))}
    assert gain["bm25f"][b"d0"] / gain["bm25f"][b"d24"] < gain["sum"][b"d0"] / gain["sum"][b"d24"]


def test_a_field_without_weight_is_not_searched_and_does_not_count(tmp_path):
    index = opened(tmp_path / "index", [("a", "b"), ("b", "a a"), ("", "a c")])
    only = index.search("a", 9, EXACT, FieldWeights({"title": 3, "text": 0}))
    assert only.docids.tolist() == [b"d0"]
    assert only.scores.tolist() == index.search("a", 9, EXACT, FieldWeights({"title": 3})).scores.tolist()


def test_ties_go_to_the_greatest_ids(tmp_path):
    index = opened(tmp_path / "index", [("same words", "here"), ("here", "same words")] * 15)
    equal = FieldWeights({"title": 1, "text": 1}, {"title": 0, "text": 0})
    assert index.search("words here", 3, EXACT, equal).docids.tolist() == [b"d9", b"d8", b"d7"]


def test_what_is_empty_answers_nothing(tmp_path):
    weights = FieldWeights({"title": 1, "text": 1})
    for number, pairs in enumerate(([], [("", "")])):
        assert len(opened(tmp_path / str(number), pairs).search("a", 9, EXACT, weights).docids) == 0


def test_a_docid_that_comes_twice(tmp_path):
    with pytest.raises(BadData, match="d0 is in the corpus twice"):
        FieldIndex.build(lambda: documents([("a", "b")]) * 2, tmp_path)


def test_weights_as_they_are_written():
    assert numbers_of("--w", "title=2,text=1") == numbers_of("--w", "title^2, text") == {"title": 2, "text": 1}
    for wrong in ("title=two", "title=1,title=2", "title=", "title^"):
        with pytest.raises(WrongUsage, match="--w"):
            numbers_of("--w", wrong)


@pytest.mark.parametrize(
    ("weights", "b"),
    [
        ({"body": 1}, {}),
        ({"": 1}, {}),
        ({"title": -1, "text": 1}, {}),
        ({"title": math.inf}, {}),
        ({"title": math.nan}, {}),
        ({"title": 0, "text": 0}, {}),
        ({"title": 1}, {"title": 1.5}),
        ({"title": 1}, {"text": 0.5}),
        ({"title": 1}, {"body": 0.5}),
    ],
)
def test_weights_without_a_meaning_are_refused(weights, b):
    with pytest.raises(WrongUsage):
        FieldWeights(weights, b)
