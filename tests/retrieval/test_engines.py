"""Other people's engines: what they are asked, what is made of their answers, and what a user is told when they fail."""

import json
from dataclasses import replace

import numpy as np
import pytest
from inference.loopback import Loopback, Reply
from retrieval.engines_on_loopback import (
    BOTH,
    DOCUMENTS,
    TOPICS,
    Elasticsearch,
    QdrantCollection,
    VespaApplication,
    engine,
    lists,
)

from rerank_cli.errors import WorkFailed, WrongUsage
from rerank_cli.http.servers import Servers
from rerank_cli.retrieval.engines.address import read_address
from rerank_cli.retrieval.engines.elastic import Elastic, opened
from rerank_cli.retrieval.engines.engine import Fields, asking, hint
from rerank_cli.retrieval.engines.qdrant import Qdrant
from rerank_cli.retrieval.engines.vespa import Vespa
from rerank_cli.retrieval.retriever import Topic

MANY = {f"d{n:05}": ("", "sea " + ("wide" if n % 3 == 0 else "")) for n in range(23_456)}


def canonical(rows):
    return sorted(((docid.encode(), score) for score, docid in rows), key=lambda row: (row[1], row[0]), reverse=True)


def test_elasticsearch_is_asked_many_queries_at_once():
    with Loopback(Elasticsearch()) as server:
        found = lists(engine(Elastic("elastic", "/sea", BOTH), server).search(TOPICS, 3))
    assert found == [
        [(b"d3", 4.0), (b"d4", 2.0), (b"d1", 1.0)],
        [(b"d4", 1.0), (b"d1", 1.0)],
        [],
        [(b"d1", 2.0), (b"d2", 1.0)],
    ]
    (seen,) = server.seen
    lines = seen.body.decode().splitlines()
    assert len(lines) == 8
    hows = [json.loads(line) for line in lines[::2]]
    assert {how["search_type"] for how in hows} == {"dfs_query_then_fetch"}
    assert len({how["preference"] for how in hows}) == 4
    assert json.loads(lines[1]) == {
        "query": {
            "multi_match": {"query": "wide sea", "fields": ["title", "text"], "type": "best_fields", "tie_breaker": 0.5}
        },
        "size": 3,
        "_source": ["title", "text"],
        "track_total_hits": False,
    }


@pytest.mark.parametrize(
    ("fields", "query", "source"),
    [
        (Fields(), {"multi_match": {"query": "ship"}}, False),
        (Fields("key", None, "text"), {"match": {"text": {"query": "ship"}}}, ["key", "text"]),
    ],
)
def test_elasticsearch_with_other_fields(fields, query, source):
    with Loopback(Elasticsearch()) as server:
        (found,) = lists(engine(Elastic("opensearch", "/sea", fields), server).search(TOPICS[1:2], 10))
    body = json.loads(server.seen[0].body.splitlines()[1])
    assert (body["query"], body["_source"], body["size"]) == (query, source, 10)
    assert found == [(b"k-d4", 1.0), (b"k-d1", 1.0)] if fields.docid else [(b"d4", 1.0), (b"d1", 1.0)]


def opened_at(server, fields, path="/sea"):
    return opened("elastic", path, fields, asking(Servers([server.url], hint=hint, note=print)))


def test_a_field_that_is_another_s_text_is_searched_by_its_name_and_read_from_the_other():
    with Loopback(Elasticsearch()) as server:
        dialect = opened_at(server, Fields("key.keyword", None, "text.english"))
        (answer,) = engine(dialect, server).answers(TOPICS[1:2], 10)
        asked, told = server.seen
    assert asked.path == "/sea/_field_caps?fields=key%2Ckey.keyword%2Ctext%2Ctext.english"
    body = json.loads(told.body.splitlines()[1])
    assert body["query"] == {"match": {"text.english": {"query": "ship"}}} and body["_source"] == ["key", "text"]
    assert answer.documents[b"k-d4"].text == "the wide sea and the ship"


def test_a_field_inside_an_object_is_its_own():
    with Loopback(Elasticsearch()) as server:
        assert opened_at(server, Fields(text="meta.title")).stored == Fields(text="meta.title")


@pytest.mark.parametrize("fields", [Fields(title="titel", text="text"), Fields(text="meta"), Fields(text="sea.text")])
def test_a_field_that_cannot_be_searched_is_told_before_anything_is_retrieved(fields):
    with Loopback(Elasticsearch()) as server:
        with pytest.raises(WorkFailed, match=r"sea has no field (titel|meta|sea.text) that can be searched") as caught:
            opened_at(server, fields)
        assert "--engine-fields" in caught.value.hint
        with pytest.raises(WorkFailed, match=r"404 \(no such index \[lake\]\)"):
            opened_at(server, BOTH, "/lake")


def test_texts_that_nobody_reads_are_not_asked_for():
    with Loopback(Elasticsearch()) as server:
        (answer,) = engine(Elastic("elastic", "/sea", replace(BOTH, carried=False)), server).answers(TOPICS[:1], 2)
    body = json.loads(server.seen[0].body.splitlines()[1])
    assert body["_source"] is False and body["query"]["multi_match"]["fields"] == ["title", "text"]
    assert answer.found.docids.tolist() == [b"d3", b"d4"] and not answer.documents


def test_beyond_the_result_window_in_pages():
    with Loopback(Elasticsearch(MANY)) as server:
        several = engine(Elastic("elastic", "/sea", Fields()), server)
        deep, other = lists(several.search([Topic(b"1", "wide sea"), Topic(b"2", "wide")], 21_000))
        assert len(server.seen) == 4  # three pages for one topic, one for the other
        assert len(lists(several.search([Topic(b"1", "wide sea")], 10_000))[0]) == 10_000
    expected = canonical((1.0 + (n % 3 == 0), docid) for n, docid in enumerate(MANY))
    assert deep == expected[:21_000]
    assert other == [row for row in canonical((1.0, docid) for docid in MANY) if int(row[0][1:]) % 3 == 0]
    assert "sort" not in json.loads(server.seen[-1].body.splitlines()[1])


def test_what_cannot_be_sorted_by_its_id_says_which_option_helps():
    with Loopback(Elasticsearch(sortable=("key",))) as server:
        deep = engine(Elastic("elastic", "/sea", Fields()), server).search(TOPICS[:1], 10_001)
        with pytest.raises(WorkFailed, match="Fielddata access on the _id field") as caught:
            next(deep)
    assert len(server.seen) == 1 and "--engine-id" in caught.value.hint


def test_vespa_is_asked_in_words_without_syntax_page_by_page():
    tricky = Topic(b"q", 'wide -sea "the title:ship')
    many = {f"d{n:04}": DOCUMENTS["d4"] for n in range(1500)}
    with Loopback(VespaApplication(many)) as server:
        dialect = Vespa("", BOTH, "passage", "bm25", 7.5)
        (found,) = lists(engine(dialect, server).search([tricky], 1000))
    assert [docid for docid, _ in found] == sorted((f"d{n:04}".encode() for n in range(1000)), reverse=True)
    asked = [seen.json for seen in server.seen]
    assert [(one["hits"], one["offset"]) for one in asked] == [(400, 0), (400, 400), (200, 800)]
    assert asked[0]["yql"] == "select documentid, title, text from passage where userQuery()"
    assert asked[0]["query"] == tricky.text
    assert (asked[0]["ranking.profile"], asked[0]["timeout"]) == ("bm25", "7.5s")


def test_vespa_s_limits_are_told_in_its_words():
    many = {f"d{n:04}": DOCUMENTS["d4"] for n in range(2500)}
    with Loopback(VespaApplication(many)) as server:
        vespa = engine(Vespa("", Fields()), server)
        assert len(lists(vespa.search(TOPICS[:1], 1200))[0]) == 1200
        with pytest.raises(WorkFailed, match="Offset of 1200 requested, configured limit: 1000") as caught:
            lists(vespa.search(TOPICS[:1], 1600))
        assert "-k" in caught.value.hint


def test_vespa_without_ids_of_its_own():
    with Loopback(VespaApplication(documentid=False)) as server:
        with pytest.raises(WorkFailed, match="no id of its own") as caught:
            lists(engine(Vespa("", BOTH), server).search(TOPICS, 3))
        assert "--engine-id" in caught.value.hint
        found = lists(engine(Vespa("", Fields("key")), server).search(TOPICS, 1))
    assert found == [[(b"k-d3", 4.0)], [(b"k-d1", 1.0)], [], [(b"k-d1", 2.0)]]


def test_qdrant_is_asked_with_vectors():
    vectors = {1: [1.0, 0.0], 2: [0.0, 1.0], 3: [0.5, 0.5], 4: [0.5, 0.5]}

    def encode(texts):
        return [np.array([len(text), 0.5], np.float32) for text in texts]

    for fields, names in ((Fields(), [b"1", b"4", b"3", b"2"]), (Fields("meta.key"), [b"d1", b"d4", b"d3", b"d2"])):
        with Loopback(QdrantCollection(vectors, using="dense")) as server:
            found = list(engine(Qdrant("", "sea", fields, encode, "dense"), server).search(TOPICS, 4))
        assert found[1].docids.tolist() == names and found[1].scores.tolist() == [4.0, 2.25, 2.25, 0.5]
        (seen,) = server.seen
        assert seen.json["searches"][1] == {
            "query": [4.0, 0.5],
            "limit": 4,
            "with_payload": ["meta.key"] if fields.docid else False,
            "with_vector": False,
            "using": "dense",
        }
    with Loopback(QdrantCollection(vectors, distance="Euclid")) as server:
        by_distance = engine(Qdrant("", "sea", Fields(), encode), server).search(TOPICS, 4)
        with pytest.raises(WorkFailed, match="a run goes down with its scores"):
            next(by_distance)


def test_texts_come_with_the_list():
    with Loopback(Elasticsearch({**DOCUMENTS, "d5": ("", "")})) as server, Loopback(VespaApplication()) as other:
        answers = list(engine(Elastic("elastic", "/sea", BOTH), server).answers(TOPICS, 2))
        assert all(
            not answer.documents for answer in engine(Elastic("elastic", "/sea", Fields()), server).answers(TOPICS, 2)
        )
        notes = []
        list(engine(Vespa("", Fields(text="txet")), other, notes).answers(TOPICS, 2))
    assert notes == ["6 of 6 hits have no text in txet"]
    assert answers[0].documents[b"d3"] == (b"d3", "Sea", "the sea is wide")
    assert [len(answer.documents) for answer in answers] == [2, 2, 0, 2]


def test_the_order_of_the_topics_is_kept_and_few_wait_in_memory():
    """The first answer is the slowest; no more than a bounded number of topics is asked before it is taken."""
    inner = Elasticsearch()

    def slow_first(seen):
        reply = inner(seen)
        return Reply(reply, after=0.4) if b'"wide sea"' in seen.body else reply

    topics = [TOPICS[0], *(Topic(str(n).encode(), "ship") for n in range(400))]
    with Loopback(slow_first) as server:
        found = engine(Elastic("elastic", "/sea", BOTH), server, concurrency=3).search(topics, 1000)
        assert next(found).docids.tolist() == [b"d3", b"d4", b"d1"]
        assert len(server.seen) <= 6 and server.most_in_flight <= 3
        assert [one.docids.tolist() for one in found] == [[b"d4", b"d1"]] * 400


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("opensearch+http://h:9200/sea", ("opensearch", "http://h:9200", "", "sea")),
        ("elastic+https://h/behind/a/proxy/sea-*/", ("elastic", "https://h", "/behind/a/proxy", "sea-*")),
        ("vespa+http://h:8080", ("vespa", "http://h:8080", "", "")),
        ("qdrant+http://[::1]:6333/sea", ("qdrant", "http://[::1]:6333", "", "sea")),
    ],
)
def test_addresses(text, read):
    assert read_address(text) == read


@pytest.mark.parametrize(
    "text",
    [
        "http://h:9200/sea",
        "solr+http://h/sea",
        "elastic+ftp://h/sea",
        "elastic+http://h:9200",
        "elastic+http://ann:secret@h:9200/sea",
        "elastic+http://h:9200/sea?key=secret",
        "vespa+http://h/a;drop",
        "elastic+http://[h/sea",
    ],
)
def test_what_is_no_address(text):
    with pytest.raises(WrongUsage) as caught:
        read_address(text)
    assert "secret" not in caught.value.message
