"""Vector feedback by hand: the mean, or Rocchio's sum, of a query and the documents that are fed back."""

from __future__ import annotations

import numpy as np
import pytest
from given_vectors import GivenCorpus, GivenEncoder, silent

from rerank_cli.errors import Missing, WrongUsage
from rerank_cli.retrieval.dense import Dense, kept_dense_index
from rerank_cli.retrieval.retriever import Topic
from rerank_cli.retrieval.vector_feedback import Feedback, VectorFeedback

RNG = np.random.default_rng(4)
VECTORS = {f"text {number}": RNG.normal(size=6).astype(np.float32) for number in range(43)}
IDS = {b"d%d" % number: text for number, text in enumerate(VECTORS)}
TOPICS = [Topic(b"q%d" % number, text) for number, text in enumerate(list(VECTORS)[40:])]


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Dense:
    model = GivenEncoder(VECTORS.__getitem__)
    corpus = GivenCorpus({docid: text for docid, text in list(IDS.items())[:40]})
    return Dense(kept_dense_index(corpus, model, cache_dir=tmp_path_factory.mktemp("prf"), note=silent), model, silent)


def ranked(query: np.ndarray) -> list[tuple[bytes, float]]:
    scores = {docid: float(VECTORS[IDS[docid]].astype(np.float64) @ query) for docid in list(IDS)[:40]}
    return sorted(scores.items(), key=lambda pair: -pair[1])


@pytest.mark.parametrize(
    ("how", "moved"),
    [
        (Feedback("average", 3), lambda query, documents: (query + documents.sum(0)) / 4),
        (Feedback("rocchio", 2, 0.4, 0.6), lambda query, documents: 0.4 * query + 0.6 * documents.mean(0)),
        (Feedback("rocchio", 2, 1, 0), lambda query, documents: query),
    ],
)
def test_own_first_search(dense, how, moved):
    for topic, found in zip(TOPICS, VectorFeedback(dense, how).search(TOPICS, 10), strict=True):
        query = VECTORS[topic.text].astype(np.float64)
        best = [VECTORS[IDS[docid]] for docid, _ in ranked(query)[: how.documents]]
        wanted = ranked(moved(query, np.array(best, np.float64)))[:10]
        assert found.docids.tolist() == [docid for docid, _ in wanted]
        assert found.scores == pytest.approx([score for _, score in wanted], abs=1e-5)


def test_documents_of_a_run(dense):
    fed = {b"q0": [b"d7", b"d1", b"d3"], b"q1": []}
    found = list(VectorFeedback(dense, Feedback("average", 2), fed.get).search(TOPICS, 5))
    query = VECTORS[TOPICS[0].text].astype(np.float64)
    moved = (query + VECTORS[IDS[b"d7"]] + VECTORS[IDS[b"d1"]]) / 3
    assert found[0].docids.tolist() == [docid for docid, _ in ranked(moved)[:5]]
    for number in (1, 2):  # an empty list and none: the query as it is
        (plain,) = dense.search([TOPICS[number]], 5)
        assert found[number].docids.tolist() == plain.docids.tolist()
        assert found[number].scores.tolist() == plain.scores.tolist()


def test_a_document_that_is_not_in_the_index(dense):
    with pytest.raises(Missing, match="document stranger is to be fed back"):
        list(VectorFeedback(dense, Feedback("average"), lambda qid: [b"d1", b"stranger"]).search(TOPICS, 5))


@pytest.mark.parametrize("numbers", [(0, 1, 1), (1, -1, 1), (1, 0, 0), (1, float("nan"), 1), (1, float("inf"), 1)])
def test_numbers_that_make_no_query(numbers):
    with pytest.raises(WrongUsage, match="makes no query"):
        Feedback("rocchio", *numbers)
