"""An index of weights gives the products of the vectors themselves, whatever the blocks it was made in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from given_vectors import GivenCorpus, GivenEncoder, silent
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.errors import BadData, Missing
from rerank_cli.formats.weights import weighted_documents, weighted_topics
from rerank_cli.retrieval import impacts, learned_sparse
from rerank_cli.retrieval.learned_sparse import LearnedSparse, kept_encoded_impacts, kept_given_impacts
from rerank_cli.retrieval.retriever import Topic

WEIGHTS = st.one_of(st.integers(1, 300), st.floats(2**-7, 30, width=32))
VECTORS = st.dictionaries(st.sampled_from([*"abcdefgh", "ä", "a b", "\n"]), WEIGHTS, max_size=6)


def by_hand(documents, query, k):
    """The products of two dictionaries, rounded to 32 bits; only documents that share a term."""
    scores = {
        docid: float(
            np.float32(sum(float(np.float32(own[term])) * weight for term, weight in query.items() if term in own))
        )
        for docid, own in documents.items()
        if own.keys() & query.keys()
    }
    return [(docid, score) for score, docid in sorted(((s, d) for d, s in scores.items()), reverse=True)][:k]


@settings(max_examples=60, deadline=None)
@given(
    vectors=st.lists(VECTORS, max_size=25),
    query=VECTORS,
    k=st.integers(1, 30),
    block=st.integers(1, 20),
    together=st.integers(1, 9),
)
def test_given_weights_score_as_the_product_of_the_vectors(tmp_path_factory, vectors, query, k, block, together):
    documents = {b"d%d" % number: own for number, own in enumerate(vectors)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(impacts, "BLOCK_POSTINGS", block)
        patch.setattr(learned_sparse, "BLOCK_DOCUMENTS", together)
        index = kept_given_impacts(
            documents.items, "f", {b"q": query}, cache_dir=tmp_path_factory.mktemp("impacts"), note=silent
        )
    for _ in range(2):
        (found,) = index.search([Topic(b"q", "")], k)
        wanted = by_hand(documents, query, k)
        assert found.scores.tolist() == pytest.approx([score for _, score in wanted], rel=1e-6)
        if len({score for _, score in wanted}) == len(wanted):
            assert found.docids.tolist() == [docid for docid, _ in wanted]


def test_equal_scores_fall_by_docid_and_words_count_as_often_as_they_come(tmp_path):
    documents = {b"d1": {"x": 2}, b"d10": {"x": 2, "y": 7}, b"d2": {"x": 2}, b"d3": {}}
    said: list[str] = []
    index = kept_given_impacts(documents.items, "f", None, cache_dir=tmp_path, note=said.append)
    found = list(index.search([Topic(b"1", "x x unknown"), Topic(b"2", "y x"), Topic(b"3", "z")], 9))
    assert found[0].docids.tolist() == [b"d2", b"d10", b"d1"]
    assert found[0].scores.tolist() == [4, 4, 4]
    assert (found[1].docids.tolist(), found[1].scores.tolist()) == ([b"d10", b"d2", b"d1"], [9, 2, 2])
    assert len(found[2].docids) == 0
    assert "1 of 4 documents have no weight" in said[-1]


def test_an_encoder_s_words_meet_by_number(tmp_path):
    texts = {b"a": "1 2", b"b": "2 2 3", b"c": "9", b"d": ""}

    def weigh(text: str) -> np.ndarray:
        words, counts = np.unique(np.array(text.split(), dtype=np.float32), return_counts=True)
        return np.stack([words, counts.astype(np.float32) / 2])

    model = GivenEncoder(weigh)
    index = kept_encoded_impacts(GivenCorpus(texts), model, cache_dir=tmp_path, note=silent)
    (found,) = LearnedSparse(index, model, silent).search([Topic(b"q", "2 3 40000")], 5)
    assert list(zip(found.docids.tolist(), found.scores.tolist(), strict=True)) == [(b"b", 0.75), (b"a", 0.25)]


def test_a_topic_without_a_vector_and_an_index_of_others(tmp_path):
    mine = {"cache_dir": tmp_path, "note": silent, "folder": tmp_path / "mine"}
    index = kept_given_impacts({b"d": {"x": 1}}.items, "f", {b"q": {"x": 1}}, **mine)
    with pytest.raises(Missing, match="topic p has no vector"):
        list(index.search([Topic(b"p", "x")], 1))
    with pytest.raises(BadData, match="fingerprint"):
        kept_given_impacts({b"d": {"x": 1}}.items, "g", None, **mine)
    with pytest.raises(BadData, match="document d is in the corpus twice"):
        kept_given_impacts(lambda: [(b"d", {"x": 1}), (b"d", {})], "f", None, cache_dir=tmp_path, note=silent)


def written(path: Path, *records: object) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


def test_files_of_weights(tmp_path):
    name = written(
        tmp_path / "v.jsonl", {"id": "a", "contents": "", "vector": {"x": 1.5, "y": 0}}, {"id": 7, "vector": {}}
    )
    assert list(weighted_documents([name], silent)) == [(b"a", {"x": 1.5}), (b"7", {})]
    assert weighted_topics(name) == {b"a": {"x": 1.5}, b"7": {}}
    assert weighted_topics(written(tmp_path / "q.jsonl", {"id": "a", "text": "x y"})) is None
    (tmp_path / "q.tsv").write_text("a\tx y\n")
    assert weighted_topics(str(tmp_path / "q.tsv")) is None


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"id": "b", "vector": [1, 2]}, "the vector is a JSON list"),
        ({"id": "b", "vector": {"x": -1}}, "the weight of 'x' is -1"),
        ({"id": "b", "vector": {"x": "1"}}, "the weight of 'x' is '1'"),
        ({"id": "b", "vector": {"x": float("nan")}}, "the weight of 'x' is nan"),
        ({"id": "b", "vector": {"x": 1e39}}, "the weight of 'x' is 1e.39"),
        ({"id": "b", "contents": "x"}, "no vector"),
        ({"vector": {}}, "no document id"),
    ],
)
def test_a_line_that_is_no_vector_is_named(tmp_path, record, says):
    name = written(tmp_path / "v.jsonl", {"id": "a", "vector": {}}, record)
    with pytest.raises(BadData, match=f"v.jsonl:2: {says}"):
        list(weighted_documents([name], silent))
