"""Servers of a pool are looked at before they are asked: who is away, who hangs, who serves something else."""

import threading
import time

import pytest
from inference.loopback import Loopback, Reply, echoing, models
from inference.test_pool_work import NOBODY, answered, hasty, said
from waiting import until

from rerank_cli.errors import WorkFailed, WrongUsage
from rerank_cli.http.servers import Servers
from rerank_cli.inference.served import served

__all__ = ["hasty"]


def test_one_that_comes_back_with_another_model_is_left_out():
    state = ["well"]

    def changing(seen):
        if state[0] == "away":
            return Reply(b"", 503)
        return models("other") if state[0] == "other" and seen.method == "GET" else echoing(seen)

    notes = []
    with Loopback(changing) as one, Loopback(echoing) as two:
        servers = Servers([one.url, two.url], concurrency=2, note=notes.append)
        assert served(servers, None, pytest.fail).model == "m"
        state[0] = "away"
        answered(servers, [said(at) for at in range(8)])
        state[0] = "other"
        asked = len(one.posts)
        until(lambda: answered(servers, [said(at) for at in range(4)]) or len(notes) > 1)
        assert f"{one.url} serves other now, not m: it is left out" in notes
        assert len(one.posts) == asked


@pytest.mark.parametrize(
    "reply",
    [
        5,
        [],
        b"[" * 100_000,
        {"model_id": "m", "model_type": 5},
        {"model_id": 5, "model_type": {"reranker": {}}},
        {"data": 1},
    ],
    ids=["a number", "a list", "a deep nest", "no kind", "no name", "no models"],
)
def test_whoever_says_nothing_of_a_model_lists_none(reply):
    with Loopback(lambda seen: Reply(reply)) as odd, pytest.raises(WorkFailed, match="no list of models"):
        served(Servers([odd.url], note=pytest.fail), None, pytest.fail, reranks=True)


def test_at_the_start_a_dead_server_is_named_at_once_and_a_hanging_one_holds_up_nobody():
    with Loopback(echoing) as one, Loopback(lambda seen: Reply(b"", after=30)) as hanging:
        notes = []
        servers = Servers([NOBODY, hanging.url, one.url], timeout=3.0, note=notes.append)
        began = time.monotonic()
        assert served(servers, None, notes.append).model == "m"
        assert time.monotonic() - began < 30, "it is given its time and no more"
        assert len(notes) == 2 and NOBODY in notes[0] and hanging.url in notes[1]
        answered(servers, [said(at) for at in range(20)])
        assert not hanging.posts and servers.ledger.retries == 0 and len(notes) == 2


def test_a_server_that_is_still_starting_is_asked_when_it_is_ready():
    """llama.cpp and many proxies answer 503 until the model is loaded."""
    ready = threading.Event()
    notes = []
    with Loopback(lambda seen: echoing(seen) if ready.is_set() else Reply(b"", 503)) as one, Loopback(echoing) as two:
        servers = Servers([one.url, two.url], note=notes.append)
        served(servers, None, pytest.fail)
        assert len(notes) == 1 and f"{one.url} answered 503" in notes[0]
        answered(servers, [said(at) for at in range(8)])
        assert not one.posts
        ready.set()
        until(lambda: answered(servers, [said(at) for at in range(4)]) or one.posts)


@pytest.mark.parametrize(
    ("first", "second", "wanted", "hint"),
    [
        (models("a"), models("b"), None, "serves a; .* serves b"),
        (models("a"), models("a", "b"), None, "serves a; .* serves a, b"),
        (models("a"), models("b"), "a", "serves b, not a"),
        (models("a", "b"), models("a", "b"), None, "2 models are served"),
    ],
)
def test_servers_with_different_models_are_refused_by_name(first, second, wanted, hint):
    with Loopback(lambda seen: first) as one, Loopback(lambda seen: second) as two:
        servers = Servers([one.url, two.url], note=pytest.fail)
        with pytest.raises(WrongUsage, match=hint) as caught:
            served(servers, wanted, pytest.fail)
        assert two.url in caught.value.message and not two.posts


def test_the_shortest_context_is_that_of_all():
    with (
        Loopback(lambda seen: models("m", max_model_len=4096)) as one,
        Loopback(lambda seen: models("m", max_model_len=2048)) as two,
        Loopback(lambda seen: models("m")) as three,
    ):
        assert served(Servers([one.url, two.url, three.url], note=pytest.fail), "m", pytest.fail).context == 2048


def test_two_kinds_of_rerank_servers_do_not_go_together():
    with Loopback(lambda seen: models("m")) as one, Loopback(lambda seen: models("m", owner="infinity")) as two:
        servers = Servers([one.url, two.url], note=pytest.fail)
        with pytest.raises(WrongUsage, match="asked in different ways"):
            served(servers, None, pytest.fail, reranks=True)
        notes = []
        assert served(servers, None, notes.append).owner == "" and len(notes) == 1


def test_an_address_twice_is_refused():
    with pytest.raises(WrongUsage, match="given 2 times"):
        Servers(["http://a:1", "http://a:1/v1"], note=pytest.fail)
