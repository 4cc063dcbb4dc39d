"""Feedback in words against queries written by hand and lists joined by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from rerank_cli.core.run import Ranking
from rerank_cli.core.texts import Document, MemoryTexts
from rerank_cli.errors import Missing
from rerank_cli.retrieval.bm25 import Bm25, Bm25Index
from rerank_cli.retrieval.retriever import Topic
from rerank_cli.retrieval.text_feedback import Asked, TextFeedback, queries_of

DOCUMENTS = {
    b"d1": ("Ships", "a ship sails the sea with sailors"),
    b"d2": ("", "sailors of the harbour drink in the harbour bar"),
    b"d3": ("Sea", "the sea is wide and full of fish"),
    b"d4": ("", "fish in a bar with chips"),
    b"d5": ("", "nothing of it"),
}
TEXTS = MemoryTexts({docid: Document(docid, *words) for docid, words in DOCUMENTS.items()})
TOPICS = [Topic(b"1", "ship sea"), Topic(b"2", "unheard-of"), Topic(b"3", "harbour")]


@pytest.fixture(scope="module")
def bm25(tmp_path_factory: pytest.TempPathFactory) -> Bm25:
    folder: Path = tmp_path_factory.mktemp("index")
    Bm25Index.build([Document(docid, *words) for docid, words in DOCUMENTS.items()], folder)
    return Bm25(Bm25Index.open(folder))


def ids(stage: Bm25 | TextFeedback, query: str, k: int = 5) -> list[bytes]:
    found: list[bytes] = next(iter(stage.search([Topic(b"q", query)], k))).docids.tolist()
    return found


def feedback(bm25: Bm25, asked: Asked, notes: list[str] | None = None, **more: object) -> TextFeedback:
    return TextFeedback(bm25, TEXTS, "{title} {text}", asked, (notes if notes is not None else []).append, **more)  # type: ignore[arg-type]


def test_the_queries() -> None:
    passages = ["one two", "three"]
    assert queries_of("my words", passages, "concatenate") == ["my words one two three"]
    assert queries_of("my words", passages, "each") == ["my words one two", "my words three"]
    assert queries_of("my words", passages, "windows") == ["one two three"]
    words = [f"w{number}" for number in range(300)]
    long = [" ".join(words[:100]), " ".join(words[100:])]
    assert queries_of("q", long, "concatenate") == [" ".join(["q", *words[:255]])]
    assert queries_of("q", long, "each") == [f"q {long[0]}", f"q {long[1]}"]
    windows = queries_of("q", long, "windows")
    assert [query.split()[0] for query in windows] == [f"w{start}" for start in range(0, 257, 32)]
    assert [len(query.split()) for query in windows] == [65] * 8 + [44]
    assert windows[-1].split()[-1] == "w299"
    assert len(queries_of("q", [" ".join(words[:65])], "windows")) == 1
    assert len(queries_of("q", [" ".join(words[:66])], "windows")) == 2


def test_one_query_is_the_list_of_that_query(bm25: Bm25) -> None:
    first = ids(bm25, "ship sea", 2)
    assert first == [b"d1", b"d3"]
    written = "ship sea Ships a ship sails the sea with sailors Sea the sea is wide and full of fish"
    found = next(iter(feedback(bm25, Asked("concatenate", 2)).search(TOPICS[:1], 5)))
    expected = next(iter(bm25.search([Topic(b"1", written)], 5)))
    assert found.docids.tolist() == expected.docids.tolist() != ids(bm25, "ship sea")
    assert found.scores.tolist() == expected.scores.tolist()


@pytest.mark.parametrize("aggregate", ["borda", "max", "mean"])
def test_several_queries_joined_by_hand(bm25: Bm25, aggregate: str) -> None:
    queries = ["ship sea Ships a ship sails the sea with sailors", "ship sea Sea the sea is wide and full of fish"]
    points: dict[bytes, list[float]] = {}
    for query in queries:
        docids, scores = next(iter(bm25.search([Topic(b"1", query)], 4)))
        n = len(docids)
        for rank, (docid, score) in enumerate(zip(docids.tolist(), scores.tolist()), 1):
            points.setdefault(docid, []).append((n - rank + 1) / n if aggregate == "borda" else score)
    join = {"borda": sum, "max": max, "mean": lambda values: sum(values) / 2}[aggregate]
    expected = Ranking.build(b"1", list(points), [join(values) for values in points.values()]).top(4)
    found = next(iter(feedback(bm25, Asked("each", 2, aggregate)).search(TOPICS[:1], 4)))  # type: ignore[arg-type]
    assert found.docids.tolist() == expected.docids.tolist()
    assert found.scores.tolist() == pytest.approx(expected.scores.tolist())


def test_documents_from_elsewhere_and_topics_without_any(bm25: Bm25) -> None:
    notes: list[str] = []
    given: dict[bytes, Sequence[bytes]] = {b"1": [b"d4", b"d2"], b"3": []}
    stage = feedback(bm25, Asked("each", 1), notes, feedback=given.get)
    found = [one.docids.tolist() for one in stage.search(TOPICS, 5)]
    assert found[0] == ids(bm25, "ship sea fish in a bar with chips")
    assert found[1] == []
    assert found[2] == ids(bm25, "harbour")
    assert notes == ["2 of 3 topics have no documents to feed back and are asked as they are"]


def test_many_topics_are_as_one(bm25: Bm25) -> None:
    many = [Topic(b"%d" % number, ["ship", "fish", "sailors", "sea bar"][number % 4]) for number in range(70)]
    stage = feedback(bm25, Asked("each", 2))
    together = [found.docids.tolist() for found in stage.search(many, 3)]
    assert together == [ids(stage, topic.text, 3) for topic in many]


def test_a_document_without_text_is_named(bm25: Bm25) -> None:
    stage = feedback(bm25, Asked("each", 1), feedback=lambda qid: [b"gone"])
    with pytest.raises(Missing, match="document gone, fed back for query 1"):
        list(stage.search(TOPICS[:1], 5))
