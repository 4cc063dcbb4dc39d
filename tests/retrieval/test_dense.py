"""Dense first stages: the k best by plain arithmetic, the authors' scores, and an index that is never another's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_models
from given_vectors import GivenCorpus, GivenEncoder, sentences, silent
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.errors import BadData, WorkFailed
from rerank_cli.export import ensure_exported
from rerank_cli.methods import load
from rerank_cli.methods.catalog import find
from rerank_cli.retrieval import dense
from rerank_cli.retrieval.dense import Dense, DenseIndex, kept_dense_index
from rerank_cli.retrieval.retriever import Topic


def index_of(vectors: np.ndarray, folder: Path, ids: list[bytes] | None = None) -> DenseIndex:
    """An index of given vectors (n, d)."""
    ids = ids or [b"d%d" % number for number in range(len(vectors))]
    by_text = {f"text {number}": vector for number, vector in enumerate(vectors)}
    corpus = GivenCorpus(list(zip(ids, by_text, strict=True)))
    return kept_dense_index(corpus, GivenEncoder(by_text.__getitem__), cache_dir=folder, note=silent)


def by_hand(vectors: np.ndarray, ids: list[bytes], query: np.ndarray, k: int) -> list[tuple[bytes, float]]:
    """Products in 64 bits, rounded to 32, sorted by score and id, both falling."""
    scores = [float(np.float32(sum(row * query.astype(np.float64)))) for row in vectors.astype(np.float64)]
    return [(docid, score) for score, docid in sorted(zip(scores, ids, strict=True), reverse=True)][:k]


def pairs(found) -> list[tuple[bytes, float]]:
    return list(zip(found.docids.tolist(), found.scores.tolist(), strict=True))


@settings(max_examples=40, deadline=None)
@given(
    documents=st.integers(1, 60),
    dimensions=st.integers(1, 9),
    queries=st.integers(1, 5),
    k=st.integers(1, 70),
    distinct=st.integers(1, 60),
    block=st.integers(1, 4000),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_best_are_those_of_plain_arithmetic_ties_included(
    tmp_path_factory, documents, dimensions, queries, k, distinct, block, seed
):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(distinct, dimensions)).astype(np.float32)[rng.integers(0, distinct, documents)]
    asked = rng.normal(size=(queries, dimensions)).astype(np.float32)
    ids = [b"d%d" % number for number in rng.permutation(documents)]
    index = index_of(vectors, tmp_path_factory.mktemp("index"), ids)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense, "_BLOCK_BYTES", block)
        found = [pairs(one) for one in index.nearest(asked, k)]
    for own, query in zip(found, asked, strict=True):
        wanted = by_hand(vectors, ids, query, k)
        assert [docid for docid, _ in own] == [docid for docid, _ in wanted]
        assert [score for _, score in own] == pytest.approx([score for _, score in wanted], rel=1e-6, abs=1e-6)


def test_a_block_and_a_batch_change_no_digit(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(700, 33)).astype(np.float32)[rng.integers(0, 700, 1500)]
    queries = rng.normal(size=(17, 33)).astype(np.float32)
    index = index_of(vectors, tmp_path)
    whole = [pairs(found) for found in index.nearest(queries, 40)]
    monkeypatch.setattr(dense, "_BLOCK_BYTES", 33 * 4 * 7)
    alone = [pairs(found) for query in queries for found in index.nearest(query[None], 40)]
    assert alone == whole


def test_all_documents_equal_are_kept_by_their_ids_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(dense, "_BLOCK_BYTES", 256)
    index = index_of(np.ones((500, 4), np.float32), tmp_path)
    (found,) = index.nearest(np.ones((1, 4), np.float32), 3)
    assert pairs(found) == [(b"d99", 4.0), (b"d98", 4.0), (b"d97", 4.0)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bi") / "tiny"
    return tiny_models.sentence_transformer(folder, "mean", prompts={"query": "query: ", "document": "deep: "})


def test_scores_are_those_of_sentence_transformers(tiny, tmp_path):
    from sentence_transformers import SentenceTransformer

    texts, queries = [*sentences(60), ""], sentences(7, seed=5)
    exported = ensure_exported(find(str(tiny)), tmp_path, note=silent, offline=True)
    model = load(exported, threads=1, note=silent).model
    corpus = GivenCorpus({b"d%d" % number: text for number, text in enumerate(texts)})
    first = Dense(kept_dense_index(corpus, model, cache_dir=tmp_path, note=silent), model, silent)
    found = list(first.search([Topic(b"q%d" % n, query) for n, query in enumerate(queries)], 100))

    theirs = SentenceTransformer(str(tiny), device="cpu")
    wanted = theirs.encode_query(queries) @ theirs.encode_document(texts).T
    assert np.ptp(wanted) > 0.1
    for own, row in zip(found, wanted, strict=True):
        ours = dict(pairs(own))
        assert np.abs(np.array([ours[b"d%d" % number] for number in range(len(texts))]) - row).max() < 1e-4


def test_that_a_query_is_cut_is_said_once(tmp_path):
    model = GivenEncoder(lambda text: np.ones(2, np.float32))
    index = kept_dense_index(GivenCorpus({b"d": "one"}), model, cache_dir=tmp_path, note=silent)
    said: list[str] = []
    dense = Dense(index, model, said.append)
    list(dense.search([Topic(b"q1", "one two")], 1))
    assert said == []
    for _ in range(2):
        list(dense.search([Topic(b"q1", "one two"), Topic(b"q2", "one " * 9), Topic(b"q3", "one " * 9)], 1))
    (only,) = said
    assert only.startswith("query q2 is longer than the 8 tokens that given reads")


def test_long_vectors_take_half_the_room_and_keep_four_digits(tmp_path):
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(2000, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = index_of(vectors, tmp_path)
    assert index.vectors.dtype == np.float16
    for own, query in zip(index.nearest(vectors[:20], 2000), vectors, strict=False):
        exact = {b"d%d" % number: score for number, score in enumerate(vectors @ query)}
        assert max(abs(score - exact[docid]) for docid, score in pairs(own)) < 1e-4


def test_an_index_of_something_else_is_refused(tmp_path):
    corpus, encoder = GivenCorpus({b"a": "one", b"b": "two"}), GivenEncoder(lambda text: np.ones(2, np.float32))
    ask = {"cache_dir": tmp_path, "note": silent, "folder": tmp_path / "mine"}
    kept_dense_index(corpus, encoder, **ask)
    kept_dense_index(corpus, encoder, **ask)
    assert encoder.documents == 2
    with pytest.raises(BadData, match="fingerprint"):
        kept_dense_index(GivenCorpus({b"a": "one", b"b": "two"}, "g"), encoder, **ask)
    with pytest.raises(BadData, match="--doc-template"):
        kept_dense_index(corpus, encoder, template="{text}", **ask)
    with pytest.raises(BadData, match="--precision"):
        kept_dense_index(corpus, GivenEncoder(encoder._array_of, precision="fp16"), **ask)
    with open(tmp_path / "mine/vectors.npy", "ab") as file:
        file.write(b"x")
    with pytest.raises(BadData, match=r"vectors\.npy: the index is damaged"):
        kept_dense_index(corpus, encoder, **ask)


def test_in_the_cache_each_has_its_own_place(tmp_path):
    encoder = GivenEncoder(lambda text: np.full(2, len(text), np.float32))
    for fingerprint, texts in (("f", {b"a": "one"}), ("g", {b"a": "three"})):
        index = kept_dense_index(GivenCorpus(texts, fingerprint), encoder, cache_dir=tmp_path, note=silent)
        (found,) = index.nearest(np.ones((1, 2), np.float32), 1)
        assert pairs(found) == [(b"a", 2.0 * len(texts[b"a"]))]


def test_numbers_that_16_bits_do_not_hold_are_an_error(tmp_path):
    with pytest.raises(WorkFailed, match="too large for 16 bits"), np.errstate(over="ignore"):
        index_of(np.full((2, 256), 1e6, np.float32), tmp_path)
    assert not [path for path in (tmp_path / "dense").iterdir() if path.is_dir() and path.name.endswith("0")]


def test_a_document_twice_and_no_document(tmp_path):
    with pytest.raises(BadData, match="document a is in the corpus twice"):
        index_of(np.ones((3, 2), np.float32), tmp_path, [b"a", b"b", b"a"])
    empty = kept_dense_index(GivenCorpus({}, "none"), GivenEncoder(len), cache_dir=tmp_path, note=silent)
    (found,) = empty.nearest(np.ones((1, 2), np.float32), 3)
    assert pairs(found) == []
