"""Filters against a linear scan of the corpus: over BM25, over vectors, over both fused, one filter for all or one a topic."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core.run import Ranking
from rerank_cli.core.texts import Document
from rerank_cli.errors import WrongUsage
from rerank_cli.formats.field_columns import field_column
from rerank_cli.formats.indexed_corpus import IndexedCorpus
from rerank_cli.formats.offsets import open_corpus
from rerank_cli.fusion import rule_named
from rerank_cli.fusion.fuse import Recipe
from rerank_cli.retrieval.bm25 import Bm25, Bm25Index
from rerank_cli.retrieval.conditions import parsed
from rerank_cli.retrieval.filters import Filtered, Passing
from rerank_cli.retrieval.hybrid import Hybrid
from rerank_cli.retrieval.retriever import Found, Retriever, Topic

N = 300
TOPICS = [Topic(b"q%d" % number, text) for number, text in enumerate(["a b", "c", "a c e", "f"])]
#: Filter and the same as a Python condition on the record.
FILTERS: list[tuple[str, Callable[[dict[str, Any]], bool]]] = [
    ("year >= 2000", lambda record: isinstance(record.get("year"), int) and record["year"] >= 2000),
    ("year < 1991", lambda record: isinstance(record.get("year"), int) and record["year"] < 1991),
    ('lang = "en"', lambda record: record.get("lang") == "en"),
    ('lang != "en"', lambda record: record.get("lang") == "de"),
    ("metadata.price <= 2.5", lambda record: record["metadata"]["price"] <= 2.5),
    ("nowhere = 1", lambda record: False),
    (
        'lang = "de" and year > 1995 and metadata.price > 1',
        lambda record: (
            record.get("lang") == "de"
            and isinstance(record.get("year"), int)
            and record["year"] > 1995
            and record["metadata"]["price"] > 1
        ),
    ),
]


class Vectors:
    """An exact search by vectors that are drawn for each id: every document has a score, as with a dense model."""

    name = "vectors"

    def __init__(self, docids: list[bytes]) -> None:
        self.facts: dict[str, Any] = {}
        self.docids = docids
        self.vectors = np.random.default_rng(3).normal(size=(len(docids), 4))

    def search(self, topics: Sequence[Topic], k: int) -> Iterator[Found]:
        for topic in topics:
            query = np.random.default_rng(list(topic.text.encode())).normal(size=4)
            ranking = Ranking.build(topic.qid, self.docids, (self.vectors @ query).tolist()).top(k)
            yield Found(ranking.docids, ranking.scores)


class Collection:
    """Records with fields of several kinds, some without, and first stages over them."""

    def __init__(self, folder: Path) -> None:
        random = np.random.default_rng(1)
        self.records: dict[bytes, dict[str, Any]] = {}
        for number in range(N):
            text = " ".join(random.choice(list("abcdefgh"), size=6))
            record: dict[str, Any] = {"_id": f"d{number}", "text": text, "metadata": {"price": number % 11 / 2}}
            if number % 5:
                record["year"] = 1990 + number % 23 if number % 7 else "1999"
            if number % 3:
                record["lang"] = ["en", "de", True][number % 4 % 3]
            self.records[b"d%d" % number] = record
        self.cache = folder / "cache"
        (folder / "corpus.jsonl.gz").write_bytes(
            gzip.compress("".join(json.dumps(record) + "\n" for record in self.records.values()).encode())
        )
        self.corpus = open_corpus([str(folder / "corpus.jsonl.gz")], self.cache, print)
        index = folder / "index"
        index.mkdir()
        Bm25Index.build(
            [Document(docid, "", record["text"]) for docid, record in self.records.items()], index, "whitespace"
        )
        self.stages: dict[str, Retriever] = {
            "bm25": Bm25(Bm25Index.open(index)),
            "vectors": Vectors(list(self.records)),
        }

    def passing(self, text: str) -> Passing:
        conditions = parsed(text)
        columns = {c.field: field_column(self.corpus, c.field, self.cache, print) for c in conditions}
        return Passing(conditions, columns)


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return Collection(tmp_path_factory.mktemp("filters"))


@pytest.mark.parametrize("stage", ["bm25", "vectors"])
@pytest.mark.parametrize(("text", "meets"), FILTERS, ids=[text for text, _ in FILTERS])
def test_the_list_is_the_whole_one_less_what_does_not_pass(
    collection: Collection, stage: str, text: str, meets: Callable[[dict[str, Any]], bool]
) -> None:
    inner, passing = collection.stages[stage], collection.passing(text)
    scanned = {docid for docid, record in collection.records.items() if meets(record)}
    assert passing.count == len(scanned)
    filtered = Filtered(inner, lambda qid: passing)
    for k in (1, 7, 50, N):
        for whole, found in zip(inner.search(TOPICS, N), filtered.search(TOPICS, k), strict=True):
            stay = [at for at, docid in enumerate(whole.docids.tolist()) if docid in scanned][:k]
            assert found.docids.tolist() == whole.docids[stay].tolist()
            assert found.scores.tolist() == whole.scores[stay].tolist()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([None, 0, 2, 6]), min_size=4, max_size=4), st.integers(1, 40))
def test_a_filter_a_topic(collection: Collection, chosen: list[int | None], k: int) -> None:
    filters = {topic.qid: None if at is None else FILTERS[at] for topic, at in zip(TOPICS, chosen)}
    passing = {qid: None if told is None else collection.passing(told[0]) for qid, told in filters.items()}
    inner = collection.stages["vectors"]
    together = list(Filtered(inner, passing.__getitem__).search(TOPICS, k))
    for topic, whole, found in zip(TOPICS, inner.search(TOPICS, N), together, strict=True):
        told = filters[topic.qid]
        stay = [d for d in whole.docids.tolist() if told is None or told[1](collection.records[d])][:k]
        assert found.docids.tolist() == stay


def test_in_a_hybrid_each_part_is_filtered_before_they_are_fused(collection: Collection) -> None:
    """Reciprocal ranks count places among the documents that pass."""
    text, meets = FILTERS[2]
    passing = collection.passing(text)
    parts = [Filtered(stage, lambda qid: passing) for stage in collection.stages.values()]
    hybrid = Hybrid(parts, Recipe(rule_named("rrf"), depth=20), print)
    for topic, found in zip(TOPICS, hybrid.search(TOPICS, 10), strict=True):
        expected: dict[bytes, float] = {}
        for stage in collection.stages.values():
            whole = next(iter(stage.search([topic], N)))
            stay = [docid for docid in whole.docids.tolist() if meets(collection.records[docid])][:20]
            for rank, docid in enumerate(stay, 1):
                expected[docid] = expected.get(docid, 0.0) + 1 / (60 + rank)
        best = sorted(expected, key=lambda docid: (expected[docid], docid), reverse=True)[:10]
        assert found.docids.tolist() == best


def test_a_column_is_read_once_and_says_so(collection: Collection) -> None:
    notes: list[str] = []
    first = field_column(collection.corpus, "text", collection.cache, notes.append)
    again = field_column(collection.corpus, "text", collection.cache, notes.append)
    assert len(notes) == 1 and "reading text of 300 documents" in notes[0]
    values = [first.values[code] for code in again.of([b"d7", b"d0", b"d7"])]
    assert values == [collection.records[docid]["text"] for docid in (b"d7", b"d0", b"d7")]
    assert first.of([b"unknown"]).tolist() == [-1]


def test_documents_without_fields_are_refused(tmp_path: Path) -> None:
    (tmp_path / "docs.tsv").write_text("d1\tsome words\n")
    corpus: IndexedCorpus = open_corpus([str(tmp_path / "docs.tsv")], tmp_path / "cache", print)
    with pytest.raises(WrongUsage, match="is not JSONL"):
        field_column(corpus, "year", tmp_path / "cache", print)
    assert [path.suffix for path in (tmp_path / "cache" / "fields").iterdir()] == [".lock"]
