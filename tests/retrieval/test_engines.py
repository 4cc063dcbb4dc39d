"""Other people's engines: what they are asked, what is made of their answers, and what a user is told when they fail."""

import base64
import json

import numpy as np
import pytest
from inference.loopback import Loopback, Reply
from retrieval.engines_on_loopback import DOCUMENTS, Elasticsearch, QdrantCollection, VespaApplication

from rerank_cli.errors import WorkFailed, WrongUsage
from rerank_cli.http import servers as pool
from rerank_cli.http.servers import Servers
from rerank_cli.retrieval.engines import elastic
from rerank_cli.retrieval.engines.address import read_address
from rerank_cli.retrieval.engines.elastic import Elastic
from rerank_cli.retrieval.engines.engine import Engine, Fields, hint
from rerank_cli.retrieval.engines.qdrant import Qdrant
from rerank_cli.retrieval.engines.vespa import Vespa
from rerank_cli.retrieval.retriever import Topic

TOPICS = [Topic(b"q1", "wide sea"), Topic(b"q2", "ship"), Topic(b"q3", "nothing there"), Topic(b"q4", "ships")]
BOTH = Fields(title="title", text="text")
MANY = {f"d{n:05}": ("", "sea " + ("wide" if n % 3 == 0 else "")) for n in range(23_456)}


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Our own waits are a hundredth."""
    monkeypatch.setattr(pool, "_FIRST_WAIT", 0.005)


def engine(dialect, server, notes=None, **settings):
    note = [].append if notes is None else notes.append
    return Engine(dialect, Servers([server.url], hint=hint, note=note, **settings), note)


def lists(found):
    return [list(zip(one.docids.tolist(), one.scores.tolist())) for one in found]


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
    assert lines[0] == "{}" and len(lines) == 8
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
    with Loopback(Elasticsearch()) as server:
        answers = list(engine(Elastic("elastic", "/sea", BOTH), server).answers(TOPICS, 2))
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


def test_a_document_twice_is_kept_once_and_counted():
    with Loopback(Elasticsearch(wrong=lambda seen, replies: [one_id(reply) for reply in replies])) as server:
        notes = []
        found = lists(engine(Elastic("elastic", "/sea", BOTH), server, notes).search(TOPICS, 3))
    assert found == [[(b"same", 4.0)], [(b"same", 1.0)], [], [(b"same", 2.0)]]
    assert notes == ["4 hits of documents that stand higher in their lists were left out"]


def one_id(reply):
    for hit in reply["hits"]["hits"]:
        hit["_id"] = "same"
    return reply


def sick(seen, replies):
    """Part of the index is not searched, the first two times."""
    if seen.number < 2:
        replies[1] |= [{"timed_out": True}, {"_shards": {"total": 5, "successful": 4, "failed": 1}}][seen.number]
    return replies


def busy(seen, replies):
    if seen.number < 2:
        replies[0] = {"error": {"type": "es_rejected_execution_exception", "reason": "rejected"}, "status": 429}
    return replies


def fewer(seen, replies):
    return replies[: 1 if seen.number < 2 else None]


@pytest.mark.parametrize("wrong", [sick, busy, fewer])
def test_half_an_answer_is_asked_for_again(wrong):
    with Loopback(Elasticsearch(wrong=wrong)) as server, Loopback(Elasticsearch()) as well:
        notes = []
        found = lists(engine(Elastic("elastic", "/sea", BOTH), server, notes).search(TOPICS, 3))
        assert found == lists(engine(Elastic("elastic", "/sea", BOTH), well).search(TOPICS, 3))
    assert len(server.seen) == 3 and len(notes) == 1


def test_vespa_s_half_answers_too():
    def degraded(seen, reply):
        if seen.number == 0:
            reply["root"]["coverage"] = {"coverage": 60, "full": False, "degraded": {"timeout": True}}
        elif seen.number == 1:
            reply["root"]["errors"] = [{"code": 12, "summary": "Timed out"}]
        return reply

    with Loopback(VespaApplication(wrong=degraded)) as server:
        notes = []
        assert len(lists(engine(Vespa("", BOTH), server, notes, concurrency=1).search(TOPICS[:1], 3))[0]) == 3
    assert len(server.seen) == 3 and "searched 60 per cent of its documents (timeout)" in notes[0]


NOT_THERE = Reply({"error": {"root_cause": [], "reason": "no such index [sea]"}, "status": 404}, 404)
NONSENSE = {
    "garbage": Reply(b"\xff\xfe garbage"),
    "no responses": Reply({"took": 1}),
    "hits that are none": Reply({"responses": [{"_shards": {"failed": 0}, "hits": {"hits": [{}]}}] * 4}),
    "a score that is none": Reply(
        b'{"responses":[%s]}' % b",".join([b'{"_shards":{"failed":0},"hits":{"hits":[{"_id":"d","_score":NaN}]}}'] * 4)
    ),
    "a broken server": Reply(b"<html>oops</html>", 500),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_asked_again_and_then_the_work_fails(name):
    with Loopback(lambda _: NONSENSE[name]) as server:
        with pytest.raises(WorkFailed, match=f"{server.url}/sea/_msearch answered .*, and so 6 times"):
            lists(engine(Elastic("elastic", "/sea", BOTH), server).search(TOPICS, 3))
        assert len(server.seen) == pool.TRIES


def test_a_refusal_is_told_at_once_with_what_to_do():
    with Loopback(Elasticsearch()) as server:
        with pytest.raises(WorkFailed, match=r"/lake/_msearch answered 404 \(no such index \[lake\]\)") as caught:
            lists(engine(Elastic("elastic", "/lake", BOTH), server).search(TOPICS, 3))
        assert "index" in caught.value.hint and len(server.seen) == 1
    with Loopback(QdrantCollection({1: [1.0]})) as server:
        dialect = Qdrant("", "lake", Fields(), lambda texts: [np.ones(1)] * len(texts))
        with pytest.raises(WorkFailed, match=r"404 \(Not found: Collection"):
            list(engine(dialect, server).search(TOPICS, 3))


def test_a_slow_engine_is_asked_again():
    inner = Elasticsearch()
    with Loopback(lambda seen: Reply(inner(seen), after=0.0 if seen.number else 0.8)) as server:
        notes = []
        assert len(lists(engine(Elastic("elastic", "/sea", BOTH), server, notes, timeout=0.3).search(TOPICS, 3))) == 4
    assert len(server.seen) == 2 and "did not answer in 0.3 seconds" in notes[0]


@pytest.mark.parametrize(
    ("signed", "key", "sent"),
    [
        (elastic.signed, "VnVhQ2ZHY0JDZGJrUW0tZTVhT3g=", "ApiKey VnVhQ2ZHY0JDZGJrUW0tZTVhT3g="),
        (elastic.signed_opensearch, "a-token", "Bearer a-token"),
        (elastic.signed, "ann:s3cret-word", "Basic " + base64.b64encode(b"ann:s3cret-word").decode()),
        (elastic.signed_opensearch, "ann:s3cret-word", "Basic " + base64.b64encode(b"ann:s3cret-word").decode()),
    ],
)
def test_keys_are_sent_as_the_engine_wants_them_and_never_shown(signed, key, sent):
    with Loopback(Elasticsearch(authorization=sent)) as server:
        assert lists(engine(Elastic("elastic", "/sea", BOTH), server, key=key, signed=signed).search(TOPICS, 3))[0]

    def telling(seen):
        return Reply({"error": {"reason": f"{seen.headers['Authorization']} for {key} or s3cret-word"}}, 401)

    with Loopback(telling) as server, pytest.raises(WorkFailed) as caught:
        lists(engine(Elastic("elastic", "/sea", BOTH), server, key=key, signed=signed).search(TOPICS, 3))
    assert "--api-key-env" in caught.value.hint
    if ":" in key:
        assert "s3cret-word" not in caught.value.message
    assert key not in caught.value.message and sent.split()[1] not in caught.value.message


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
