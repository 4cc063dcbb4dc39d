"""Engines that are sick, busy, slow, talking nonsense or refusing: what is asked again, and what the user is told; never the key."""

import base64

import numpy as np
import pytest
from inference.loopback import Loopback, Reply
from retrieval.engines_on_loopback import BOTH, TOPICS, Elasticsearch, QdrantCollection, VespaApplication, engine, lists

from rerank_cli.errors import WorkFailed
from rerank_cli.http import pool, servers, transport
from rerank_cli.retrieval.engines import elastic
from rerank_cli.retrieval.engines.elastic import Elastic
from rerank_cli.retrieval.engines.engine import Fields
from rerank_cli.retrieval.engines.qdrant import Qdrant
from rerank_cli.retrieval.engines.vespa import Vespa
from rerank_cli.retrieval.retriever import Topic


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Our own waits are a hundredth."""
    monkeypatch.setattr(pool, "_FIRST_WAIT", 0.005)


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
        assert len(server.seen) == servers.TRIES


def test_a_refusal_is_told_at_once_with_what_to_do():
    with Loopback(Elasticsearch()) as server:
        with pytest.raises(WorkFailed, match=r"/lake/_msearch answered 404 \(no such index \[lake\]\)") as caught:
            lists(engine(Elastic("elastic", "/lake", BOTH), server).search(TOPICS, 3))
        assert "index" in caught.value.hint and len(server.seen) == 1
    with Loopback(QdrantCollection({1: [1.0]})) as server:
        dialect = Qdrant("", "lake", Fields(), lambda texts: [np.ones(1)] * len(texts))
        with pytest.raises(WorkFailed, match=r"404 \(Not found: Collection"):
            list(engine(dialect, server).search(TOPICS, 3))


def test_a_pattern_of_no_index_is_no_empty_list():
    """The engine itself calls it a success."""
    with Loopback(Elasticsearch()) as server, pytest.raises(WorkFailed, match=r"lake-\* fits no index there") as caught:
        lists(engine(Elastic("elastic", "/lake-*", BOTH), server).search(TOPICS, 3))
    assert "index" in caught.value.hint and len(server.seen) == 1


def test_a_topic_of_too_many_terms_is_told_in_few_words():
    long = Topic(b"q", " ".join(f"w{n}" for n in range(2000)))
    with (
        Loopback(Elasticsearch()) as server,
        pytest.raises(WorkFailed, match=r"answered 400 \(maxClauseCount is set to 1024\)") as caught,
    ):
        lists(engine(Elastic("elastic", "/sea", BOTH), server).search([long], 3))
    assert "shorten" in caught.value.hint


def test_shards_that_are_not_there_yet_are_asked_again():
    starting = {"root_cause": [], "type": "search_phase_execution_exception", "reason": "all shards failed"}
    starting |= {"phase": "query", "grouped": True, "failed_shards": []}

    def not_yet(seen, replies):
        return replies if seen.number else [{"error": starting, "status": 503}] * len(replies)

    with Loopback(Elasticsearch(wrong=not_yet)) as server:
        notes = []
        assert len(lists(engine(Elastic("elastic", "/sea", BOTH), server, notes).search(TOPICS, 3))) == 4
    assert len(server.seen) == 2 and "all shards failed" in notes[0]


def test_replies_that_are_too_long_are_asked_for_in_parts(monkeypatch):
    many = {f"d{n}": ("", "ship " * 200) for n in range(20)}
    monkeypatch.setattr(transport, "_LARGEST", 60_000)
    topics = [Topic(b"%d" % n, "ship") for n in range(8)]
    with Loopback(Elasticsearch(many)) as server:
        assert [len(found) for found in lists(engine(Elastic("elastic", "/sea", BOTH), server).search(topics, 20))] == [
            20
        ] * 8
        asked = [seen.body.count(b"\n") // 2 for seen in server.seen]
        assert sorted(asked, reverse=True) == [8, 4, 4, 2, 2, 2, 2]
    monkeypatch.setattr(transport, "_LARGEST", 20_000)
    with Loopback(Elasticsearch(many)) as server, pytest.raises(WorkFailed, match="reply of more than") as caught:
        lists(engine(Elastic("elastic", "/sea", BOTH), server).search(topics, 20))
    assert "-k" in caught.value.hint


def test_a_slow_engine_is_asked_again():
    inner = Elasticsearch()
    with Loopback(lambda seen: Reply(inner(seen), after=0.0 if seen.number else 9.0)) as server:
        notes = []
        assert len(lists(engine(Elastic("elastic", "/sea", BOTH), server, notes, timeout=2.0).search(TOPICS, 3))) == 4
    assert len(server.seen) == 2 and "did not answer in 2 seconds" in notes[0]


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
