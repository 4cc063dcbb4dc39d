"""Against a real Elasticsearch or OpenSearch: RERANK_TEST_ELASTIC=http://HOST:PORT names one where an index may be made and removed."""

import json
import os

import pytest
import requests
from retrieval.engines_on_loopback import TOPICS

from rerank_cli.errors import WorkFailed
from rerank_cli.http.servers import Servers
from rerank_cli.retrieval.engines.elastic import opened
from rerank_cli.retrieval.engines.engine import Engine, Fields, asking, hint
from rerank_cli.retrieval.retriever import Topic

URL = os.environ.get("RERANK_TEST_ELASTIC", "")
pytestmark = pytest.mark.skipif(not URL, reason="RERANK_TEST_ELASTIC names no real engine")
NAME, DEPTH = "rerank-test-of-retrieve-from", 12_345


@pytest.fixture(scope="module")
def index():
    """Of 12,345 documents in three shards, in which the engine has guessed what the field `key` is."""
    requests.delete(f"{URL}/{NAME}")
    settings = {"number_of_shards": 3, "number_of_replicas": 0}
    made = requests.put(
        f"{URL}/{NAME}", json={"settings": settings, "mappings": {"properties": {"text": {"type": "text"}}}}
    )
    assert made.status_code == 200, made.text
    for start in range(0, DEPTH, 5000):
        rows = []
        for n in range(start, min(start + 5000, DEPTH)):
            rows += [{"index": {"_id": f"d/{n}"}}, {"key": f"K{n}", "text": "sea " + "wide " * (n % 7)}]
        body = "".join(json.dumps(row) + "\n" for row in rows)
        told = requests.post(f"{URL}/{NAME}/_bulk", data=body, headers={"Content-Type": "application/x-ndjson"}).json()
        assert not told["errors"]
    requests.post(f"{URL}/{NAME}/_refresh")
    yield NAME
    requests.delete(f"{URL}/{NAME}")


def retrieved(target, fields, topics, k):
    servers = Servers([URL], hint=hint, note=print)
    found = Engine(opened("elastic", f"/{target}", fields, asking(servers)), servers, print).answers(topics, k)
    return list(found)


def test_lists_and_scores_are_those_of_a_direct_request(index):
    (answer,) = retrieved(index, Fields(text="text"), TOPICS[:1], 50)
    body = {"query": {"match": {"text": TOPICS[0].text}}, "size": 50}
    direct = requests.post(f"{URL}/{index}/_search?search_type=dfs_query_then_fetch", json=body).json()["hits"]["hits"]
    assert answer.found.scores.tolist() == [hit["_score"] for hit in direct]
    assert answer.documents[answer.found.docids[0]].text.startswith("sea wide")


def test_beyond_the_window_by_an_id_that_is_kept_under_another_name(index):
    (answer,) = retrieved(index, Fields("key.keyword", None, "text", carried=False), [Topic(b"1", "sea")], 20_000)
    assert set(answer.found.docids.tolist()) == {b"K%d" % n for n in range(DEPTH)}


def test_what_is_not_there_is_said(index):
    with pytest.raises(WorkFailed, match="has no field titel"):
        retrieved(index, Fields(title="titel", text="text"), TOPICS, 3)
    with pytest.raises(WorkFailed, match="fits no index there"):
        retrieved(f"{index}-not-*", Fields(), TOPICS, 3)
    with pytest.raises(WorkFailed, match="404"):
        retrieved(f"{index}-not", Fields(), TOPICS, 3)
