"""Work that goes out in blocks makes the same indexes and the same lists as work done here, through pickle as well."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from given_vectors import GivenCorpus, GivenEncoder, folders, silent
from tiny_models import WORDS

from rerank_cli.core.texts import MemoryTexts
from rerank_cli.errors import Missing, WorkFailed
from rerank_cli.fusion import rule_named
from rerank_cli.fusion.fuse import Recipe
from rerank_cli.retrieval import encoding, indexing
from rerank_cli.retrieval.ahead import in_processes
from rerank_cli.retrieval.bm25 import Bm25
from rerank_cli.retrieval.dense import Dense, kept_dense_index
from rerank_cli.retrieval.hybrid import Hybrid
from rerank_cli.retrieval.kept import kept_bm25_index
from rerank_cli.retrieval.learned_sparse import LearnedSparse, kept_encoded_impacts, kept_given_impacts
from rerank_cli.retrieval.retriever import Retriever, Topic
from rerank_cli.retrieval.rm3 import Bm25WithFeedback, Rm3
from rerank_cli.retrieval.sharing import TOGETHER, Shared, worth_processes
from rerank_cli.retrieval.text_feedback import Asked, TextFeedback
from rerank_cli.retrieval.vector_feedback import Feedback, VectorFeedback

draw = np.random.default_rng(7)
TEXTS = {b"d%d" % n: " ".join(draw.choice(WORDS, draw.integers(0, 14))) for n in range(90)}
TOPICS = [Topic(b"q%d" % n, " ".join(draw.choice(WORDS, draw.integers(1, 4)))) for n in range(3 * TOGETHER + 5)]


def vector(text: str) -> np.ndarray:
    return np.array([len(text), text.count("a"), text.count(" "), 1], dtype=np.float32)


def weights(text: str) -> np.ndarray:
    terms = np.unique([WORDS.index(word) for word in text.split()])
    return np.stack([terms, np.sqrt(1 + terms)]).astype(np.float32)


class Company(GivenEncoder):
    """An encoder whose last digits depend on what is encoded together, as those of real ones do."""

    def embed(self, texts, as_query):
        for some in super().embed(texts, as_query):
            yield some._replace(arrays=[array + len(texts) * np.float32(1e-3) for array in some.arrays])


class Away:
    """A mapping function that hands everything over as bytes, takes some blocks ahead, and counts them."""

    def __init__(self, ahead: int = 3) -> None:
        self.blocks, self._ahead = 0, ahead

    def __call__(self, work, blocks: Iterable) -> Iterator:
        packed, waiting = pickle.dumps(work), []
        for block in blocks:
            self.blocks += 1
            waiting.append(pickle.dumps(block))
            if len(waiting) == self._ahead:
                yield self._answer(packed, waiting.pop(0))
        yield from (self._answer(packed, block) for block in waiting)

    def _answer(self, packed: bytes, block: bytes) -> object:
        return pickle.loads(pickle.dumps(pickle.loads(packed)(pickle.loads(block))))


def contents(folder: Path) -> dict[str, bytes]:
    """A folder's files; of the manifest what does not tell the time."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    told = json.loads(files["manifest.json"])
    told.pop("seconds", None)
    return {**files, "manifest.json": json.dumps(told).encode()}


@pytest.mark.parametrize("kind", ["bm25", "dense", "impact"])
def test_an_index_made_elsewhere_is_the_one_made_here(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(indexing, "BATCH_DOCUMENTS", 8)
    monkeypatch.setattr(encoding, "BLOCK_DOCUMENTS", 8)
    corpus, away = GivenCorpus(TEXTS), Away()
    for name, how in (("here", {}), ("away", {"over": away})):
        own = {"cache_dir": tmp_path / name, "note": silent, **how}
        if kind == "bm25":
            kept_bm25_index(corpus, analyzer="whitespace", **own)
        elif kind == "dense":
            kept_dense_index(corpus, Company(vector), **own)
        else:
            kept_encoded_impacts(corpus, GivenEncoder(weights), **own)
    here, there = (tmp_path / name / kind for name in ("here", "away"))
    (name,) = folders(here)
    assert contents(here / name) == contents(there / name)
    assert away.blocks == 12


def test_a_batch_of_several_chunks_comes_back_whole(tmp_path):
    from rerank_cli.retrieval.analysis import WhitespaceAnalyzer

    for name, over in (("here", None), ("away", Away())):
        (tmp_path / name).mkdir()
        indexing.build_index(TEXTS.items(), tmp_path / name, WhitespaceAnalyzer(), {}, chunk_tokens=25, over=over)
    assert contents(tmp_path / "here") == contents(tmp_path / "away")


@pytest.mark.parametrize("kind", ["dense", "impact"])
def test_encoding_that_ended_elsewhere_is_gone_on_with(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "BLOCK_DOCUMENTS", 8)
    build, array_of = {"dense": (kept_dense_index, vector), "impact": (kept_encoded_impacts, weights)}[kind]

    class Gone(Exception):
        """The end of everybody in the middle of the work."""

    def dying(work, blocks):
        for number, answer in enumerate(Away()(work, blocks)):
            if number == 5:
                raise Gone
            yield answer

    corpus, said, again = GivenCorpus(TEXTS), [], Away()
    with pytest.raises(Gone):
        build(corpus, GivenEncoder(array_of), cache_dir=tmp_path / "cut", note=silent, over=dying)
    build(corpus, GivenEncoder(array_of), cache_dir=tmp_path / "cut", note=said.append, over=again)
    assert "after 40 of 90 documents" in said[0] and again.blocks == 7
    build(corpus, GivenEncoder(array_of), cache_dir=tmp_path / "whole", note=silent)
    (name,) = folders(tmp_path / "whole" / kind)
    assert contents(tmp_path / "cut" / kind / name) == contents(tmp_path / "whole" / kind / name)


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Retriever]:
    """A first stage of every kind."""
    cache, corpus = tmp_path_factory.mktemp("stages"), GivenCorpus(TEXTS)
    kept = {"cache_dir": cache, "note": silent}
    bm25 = Bm25(kept_bm25_index(corpus, **kept, analyzer="whitespace"))
    dense = Dense(kept_dense_index(corpus, Company(vector), **kept), Company(vector), silent)
    sparse = LearnedSparse(kept_encoded_impacts(corpus, GivenEncoder(weights), **kept), GivenEncoder(weights), silent)
    given = [(docid, {word: 1.5 for word in text.split()}) for docid, text in TEXTS.items()]
    texts = MemoryTexts({document.docid: document for document in corpus})
    fed = {topic.qid: [b"d1", b"d5"] for topic in TOPICS[::2]}.get
    return {
        "bm25": bm25,
        "dense": dense,
        "splade": sparse,
        "impact": kept_given_impacts(lambda: iter(given), "g", None, **kept),
        "sum": Hybrid([bm25, dense, sparse], Recipe(rule_named("rrf")), silent),
        "rm3": Bm25WithFeedback(bm25, Rm3()),
        "from a run": Bm25WithFeedback(bm25, Rm3(), feedback=fed),
        "moved": VectorFeedback(dense, Feedback("average")),
        "words": TextFeedback(bm25, texts, "{title} {text}", Asked(), silent, fed),
    }


KINDS = ["bm25", "dense", "splade", "impact", "sum", "rm3", "from a run", "moved", "words"]


@pytest.mark.parametrize("kind", KINDS)
def test_topics_searched_elsewhere_find_what_they_find_here(kind, stages):
    away, stage = Away(), stages[kind]
    shared = Shared(stage, away)
    assert (shared.name, shared.facts) == (stage.name, stage.facts)
    ours, theirs = list(stage.search(TOPICS, 12)), list(shared.search(TOPICS, 12))
    assert len(theirs) == len(TOPICS) and away.blocks == 4
    for here, there in zip(ours, theirs, strict=True):
        assert here.docids.tolist() == there.docids.tolist()
        assert here.scores.tobytes() == there.scores.tobytes()


@pytest.mark.parametrize(("topics", "blocks"), [(0, 0), (1, 1), (33, 2), (1024, 32), (2048, 32), (100_000, 391)])
def test_blocks_are_many_and_not_small(topics, blocks):
    class Nobody:
        name, facts = "nobody", {}

        def search(self, some, k):
            return iter(some)

    sizes = []

    def over(work, asked):
        for block in asked:
            sizes.append(len(block))
            yield work(block)

    assert len(list(Shared(Nobody(), over).search(range(topics), 1))) == topics
    assert len(sizes) == blocks and all(size % TOGETHER == 0 for size in sizes[:-1])


@pytest.mark.parametrize("kind", ["bm25", "dense", "splade"])
def test_an_index_is_pickled_as_its_place(kind, stages, tmp_path, monkeypatch):
    packed = pickle.dumps(stages[kind])
    assert len(packed) < 2500
    monkeypatch.chdir(tmp_path)
    assert len(list(pickle.loads(packed).search(TOPICS[:1], 3))) == 1
    folder = stages[kind]._index.folder if kind == "splade" else stages[kind].folder
    folder.rename(tmp_path / "gone")
    try:
        with pytest.raises(Missing, match=str(folder)):
            pickle.loads(packed)
    finally:
        (tmp_path / "gone").rename(folder)


@pytest.mark.parametrize("processes", [1, 3])
def test_processes_answer_as_one_does(tmp_path, processes):
    index = kept_bm25_index(GivenCorpus(TEXTS), cache_dir=tmp_path, note=silent)
    alone = list(Bm25(index).search(TOPICS, 20))
    shared = Shared(Bm25(index), partial(in_processes, processes=processes))
    for one, other in zip(alone, shared.search(TOPICS, 20), strict=True):
        assert (one.docids.tolist(), one.scores.tolist()) == (other.docids.tolist(), other.scores.tolist())


def test_a_process_that_is_killed_ends_the_work_with_a_line():
    with pytest.raises(WorkFailed, match="killed"):
        list(in_processes(os._exit, [9, 9], processes=1))


def test_what_goes_wrong_in_a_process_is_raised_here():
    with pytest.raises(ValueError, match="invalid literal"):
        list(in_processes(int, ["1", "x"], processes=2))


def test_processes_are_begun_for_much_work_alone():
    assert not worth_processes(5_000, 300) and not worth_processes(1_000_000, 200)
    assert worth_processes(1_000_000, 1000) and worth_processes(10_000_000, 50) and worth_processes(100_000, 5_000)
