"""Rerank servers: each vendor's request byte for byte, every form of reply, and what is no answer."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inference.loopback import Loopback, Reply, models

from rerank_cli.core.protocols import Pair
from rerank_cli.errors import WorkFailed
from rerank_cli.http import pool
from rerank_cli.http.servers import Servers
from rerank_cli.inference.rerank_servers import SHAPES, RemoteScorer, request, shape_of
from rerank_cli.inference.served import Served, served

GOLDEN = {
    "tei": ("/rerank", b'{"query":"q","texts":["a","b"],"raw_scores":true,"truncate":true}'),
    "infinity": (
        "/rerank",
        b'{"model":"m","query":"q","documents":["a","b"],"raw_scores":true,"return_documents":false}',
    ),
    "vllm": ("/v1/rerank", b'{"model":"m","query":"q","documents":["a","b"],"top_n":2,"truncate_prompt_tokens":-1}'),
    "score": ("/score", b'{"model":"m","text_1":"q","text_2":["a","b"],"truncate_prompt_tokens":-1}'),
    "cohere": ("/v2/rerank", b'{"model":"m","query":"q","documents":["a","b"],"top_n":2}'),
    "voyage": (
        "/v1/rerank",
        b'{"model":"m","query":"q","documents":["a","b"],"top_k":2,"return_documents":false,"truncation":true}',
    ),
    "mixedbread": ("/v1/reranking", b'{"model":"m","query":"q","input":["a","b"],"top_k":2,"return_input":false}'),
    "jina": ("/v1/rerank", b'{"model":"m","query":"q","documents":["a","b"],"top_n":2,"return_documents":false}'),
}


def value_of(query, document):
    """The score that the servers of these tests give."""
    return math.sin(len(query) * 7 + sum(document.encode()))


def rows_best_first(seen, name="relevance_score"):
    body = seen.json
    texts = body.get("documents") or body.get("texts") or body.get("text_2") or body.get("input")
    query = body.get("query") or body["text_1"]
    rows = [{"index": at, name: value_of(query, text)} for at, text in enumerate(texts)]
    return sorted(rows, key=lambda row: -row[name])


#: Shape -> the reply that such a server gives.
REPLIES = {
    "tei": lambda seen: rows_best_first(seen, "score"),
    "score": lambda seen: {"data": rows_best_first(seen, "score"), "usage": {"prompt_tokens": 40, "total_tokens": 40}},
    "voyage": lambda seen: {"data": rows_best_first(seen), "usage": {"total_tokens": 40}},
    "mixedbread": lambda seen: {"data": rows_best_first(seen, "score")},
}


def usual_reply(seen):
    return {"results": rows_best_first(seen), "usage": {"total_tokens": 40}}


def scorer(url, shape="jina", batch=32, **options):
    return RemoteScorer(Servers([url], note=[].append, **options), SHAPES[shape], "m", None, batch)


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(pool, "_FIRST_WAIT", 0.005)


def test_every_shape_has_its_golden_request():
    assert set(GOLDEN) == set(SHAPES)


@pytest.mark.parametrize("name", GOLDEN)
def test_requests_byte_for_byte_and_replies_in_the_documents_order(name):
    with Loopback(REPLIES.get(name, usual_reply)) as server:
        found = scorer(server.url, name).score([Pair("q", "a"), Pair("q", "b")])
        assert (server.posts[0].path, server.posts[0].body) == GOLDEN[name]
    assert found.values == pytest.approx([value_of("q", "a"), value_of("q", "b")])
    assert found.calls == 1 and not found.truncated.any() and not found.cached.any()
    told = REPLIES.get(name, usual_reply) not in (REPLIES["tei"], REPLIES["mixedbread"])
    assert found.tokens.sum() == 40 if told else 2 <= found.tokens.sum() <= 8


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["q", "other", "third"]), st.text(max_size=9)), max_size=60), st.integers(1, 9)
)
def test_a_score_is_that_of_its_pair_however_they_are_batched(pairs, batch):
    pairs = [Pair(query, document.encode("utf-8", "replace").decode()) for query, document in pairs]
    with Loopback(usual_reply) as server:
        asking = scorer(server.url, batch=batch, concurrency=4)
        found = asking.score(pairs)
        sizes = [len(seen.json["documents"]) for seen in server.posts]
        assert max(sizes, default=1) <= batch and sum(sizes) == len(pairs) and found.calls == len(sizes)
    assert found.values == pytest.approx([value_of(*pair) for pair in pairs])
    assert len(asking.measure(pairs).tokens) == len(pairs)


def test_ten_batches_are_asked_side_by_side():
    with Loopback(usual_reply, together=10) as server:
        scorer(server.url, batch=2).score([Pair("q", str(at)) for at in range(20)])
        assert server.most_in_flight == 10


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"index": 0, "score": 1}], "1 of 2 documents; document 1"),
        ([{"index": 0, "score": 1}, {"index": 0, "score": 2}, {"index": 1, "score": 2}], "document 0 of 2 twice"),
        ([{"index": 0, "score": 1}, {"index": 2, "score": 2}], "document 2 of 2"),
        ([{"index": 0, "score": 1}, {"index": -1, "score": 2}], "document -1 of 2"),
        ([{"index": 0, "score": math.nan}, {"index": 1, "score": 2}], "by nan"),
        ([{"index": 0, "score": 1}, {"index": 1, "score": math.inf}], "by inf"),
        ([{"index": 0, "score": None}, {"index": 1, "score": 2}], "no reply"),
        ({"error": "no reranker"}, "no reply"),
        ({"results": None}, "no reply"),
        ("ok", "no reply"),
    ],
)
def test_what_is_no_answer_is_an_error(rows, said):
    with Loopback(lambda seen: rows) as server, pytest.raises(WorkFailed, match=said):
        scorer(server.url).score([Pair("q", "a"), Pair("q", "b")])


TEI = {"model_id": "bge", "model_type": {"reranker": {"id2label": {}}}, "max_input_length": 512}
#: What a server answers to GET, and the shape, path and model it is taken for.
SERVERS = {
    "TEI": ({"/info": TEI}, "tei", "/rerank", "bge"),
    "vLLM": ({"/v1/models": models("bge", owner="vllm")}, "vllm", "/v1/rerank", "bge"),
    "infinity": ({"/models": models("bge", owner="infinity")}, "infinity", "/rerank", "bge"),
    "infinity below /v1": ({"/v1/models": models("bge", owner="infinity")}, "infinity", "/v1/rerank", "bge"),
    "llama.cpp": ({"/v1/models": models("bge", owner="llamacpp")}, "jina", "/v1/rerank", "bge"),
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_is_told_by_what_it_says_of_itself(name):
    pages, shape, path, model = SERVERS[name]
    with Loopback(lambda seen: pages.get(seen.path, Reply({"detail": "Not Found"}, 404))) as server:
        found = served(Servers([server.url], note=pytest.fail), None, pytest.fail, reranks=True)
        assert found.model == model
        taken = shape_of(server.url, found, "auto")
        assert (taken.name, taken.path) == (shape, path)
        assert shape_of(server.url, found, "score").path == "/score"


def test_a_hosted_service_is_told_by_its_address():
    hosts = {
        "https://api.cohere.com": "cohere",
        "https://api.voyageai.com": "voyage",
        "https://api.mixedbread.com": "mixedbread",
        "https://api.jina.ai": "jina",
        "https://rerank.example.org/cohere": "jina",
    }
    assert {host: shape_of(host, Served("m"), "rerank").name for host in hosts} == hosts


def test_any_text_can_be_sent():
    odd = ['"]}', "\ud800", "\x00\n", "漢"]
    assert json.loads(request(SHAPES["tei"], "m", "\u2028", odd))["texts"] == odd


def test_no_documents_are_no_request():
    with Loopback(usual_reply) as server:
        assert scorer(server.url).score([]).values.dtype == np.float32
        assert not server.seen
