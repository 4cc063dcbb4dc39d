"""Several servers as one: who gets how much work, who is left out and comes back, and that nothing is lost or doubled."""

import threading
import time
from collections import Counter
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inference.loopback import Loopback, Reply, echoing
from waiting import PATIENCE, until

from rerank_cli.errors import WorkFailed
from rerank_cli.http import pool
from rerank_cli.http.servers import Servers
from rerank_cli.inference.endpoint import EndpointWriter
from rerank_cli.inference.served import Served
from rerank_cli.inference.writing import Decoding, Message, Prompt

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Our own waits are a fiftieth."""
    monkeypatch.setattr(pool, "_FIRST_WAIT", 0.01)


def said(number, words=""):
    return Prompt((Message("user", f"say {number} {words}"),))


def answered(servers, prompts):
    """Every prompt is answered once, by itself."""
    writer = EndpointWriter(servers, Served("m"), note=pytest.fail)
    answers = list(writer.complete(prompts, Decoding()))
    assert sorted(at for at, _ in answers) == list(range(len(prompts)))
    for at, completion in answers:
        assert completion.text == prompts[at].messages[0].content.upper()


def gpu(seconds):
    """A server that answers one request after the other, as one that is busy does."""
    turn = threading.Lock()

    def answer(seen):
        if seen.method == "POST":
            with turn:
                time.sleep(seconds)
        return echoing(seen)

    return Loopback(answer)


def test_a_server_ten_times_slower_gets_a_tenth_of_the_work_and_holds_up_nobody():
    """Its clock is the work of the others: it has an answer whenever they have had twenty more requests."""

    def plodding(seen):
        until(lambda: work() >= 20 * (seen.number + 1) or work() + len(slow.posts) == 200)
        return echoing(seen)

    def work():
        return len(one.posts) + len(two.posts)

    with gpu(0.01) as one, gpu(0.01) as two, Loopback(plodding) as slow:
        servers = Servers([one.url, two.url, slow.url], concurrency=4, note=pytest.fail)
        answered(servers, [said(at) for at in range(200)])
        assert work() + len(slow.posts) == 200 and slow.most_in_flight <= 4
        # One for twenty of the others, and the four that it may have beside.
        assert 1 <= len(slow.posts) <= 4 + work() // 20


def test_the_least_bytes_in_flight_are_asked_first():
    """One long prompt is as much work as a hundred short ones; counted as requests, each server would get half of those."""
    all_there = threading.Event()

    def held(seen):
        all_there.wait(PATIENCE)
        return echoing(seen)

    with Loopback(held) as one, Loopback(held) as two:
        servers = Servers([one.url, two.url], concurrency=8, note=pytest.fail)
        threads = [threading.Thread(target=answered, args=(servers, [said(0, "long " * 2000)]))]
        threads += [threading.Thread(target=answered, args=(servers, [said(at)])) for at in range(1, 7)]
        for number, thread in enumerate(threads):
            thread.start()
            until(lambda number=number: len(one.seen) + len(two.seen) > number)
        all_there.set()
        for thread in threads:
            thread.join()
        shares = [Counter(len(seen.body) > 5000 for seen in server.posts) for server in (one, two)]
        assert sorted((share[True], share[False]) for share in shares) == [(0, 6), (1, 0)]


def test_idle_servers_take_turns():
    with Loopback(echoing) as one, Loopback(echoing) as two, Loopback(echoing) as three:
        servers = Servers([one.url, two.url, three.url], note=pytest.fail)
        for at in range(12):
            answered(servers, [said(at)])
        assert [len(server.posts) for server in (one, two, three)] == [4, 4, 4]


def test_many_who_begin_at_once_do_not_all_begin_with_the_first():
    with Loopback(echoing) as one, Loopback(echoing) as two:
        # Each begins with one of the two by chance: of forty all but one with the same once in 10^10 times.
        for at in range(40):
            answered(Servers([one.url, two.url], note=pytest.fail), [said(at)])
        assert min(len(one.posts), len(two.posts)) >= 2


@pytest.mark.parametrize("how", [Reply(b"", 503), Reply(b"", drop=0, headers={"Content-Length": "9"})])
def test_a_server_that_dies_and_comes_back_is_told_of_twice_and_works_again(how):
    ill = threading.Event()
    notes = []
    with Loopback(lambda seen: how if ill.is_set() else echoing(seen)) as one, Loopback(echoing) as two:
        servers = Servers([one.url, two.url], concurrency=4, note=notes.append)
        answered(servers, [said(at) for at in range(40)])
        ill.set()
        answered(servers, [said(at) for at in range(40)])
        lost = len(one.posts)
        answered(servers, [said(at) for at in range(40)])
        assert len(one.posts) == lost, "it is looked at, and gets no request"
        ill.clear()
        until(lambda: answered(servers, [said(at) for at in range(4)]) or len(notes) == 2)
        before = len(one.posts)
        answered(servers, [said(at) for at in range(40)])
        assert len(one.posts) > before + 5
        assert len(notes) == 2 and notes[1] == f"{one.url} answers again"
        each = servers.ledger.servers
        assert 0 < each[one.url].failed <= 8 and each[two.url].failed == 0
        assert each[one.url].answered + each[two.url].answered == servers.ledger.calls
        assert sum(tally.tokens for tally in each.values()) == servers.ledger.read + servers.ledger.written
        assert [line.split(": ")[0] for line in servers.ledger.of_each()] == [one.url, two.url]
        assert "s each (median)" in next(servers.ledger.of_each())


def test_a_request_finds_the_one_server_of_nine_that_works(monkeypatch):
    """It has much to do, is asked last, and all others claim to be well whenever they are looked at."""
    monkeypatch.setattr(pool, "_FIRST_WAIT", 0.0005)
    monkeypatch.setattr(pool, "_LONGEST_WAIT", 0.001)
    others = [Loopback(lambda seen: echoing(seen) if seen.method == "GET" else Reply(b"", 500)) for _ in range(8)]
    with gpu(0.01) as works, ExitStack() as running:
        for other in others:
            running.enter_context(other)
        servers = Servers([*(other.url for other in others), works.url], concurrency=1, note=lambda told: None)
        servers._pool.servers[-1].last_asked = time.monotonic() + 0.1
        answered(servers, [said(at) for at in range(30)])
    assert len(works.posts) == 30
    for other in others:
        assert len({seen.body for seen in other.posts}) == len(other.posts) > 0, "nobody is asked the same again"


FAILURES = (
    Reply(b"", 500),
    Reply(b"", 503),
    Reply(b"", 429, {"Retry-After": "0.02"}),
    Reply(b"no reply"),
    Reply(b"", drop=0, headers={"Content-Length": "9"}),
)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.booleans(), st.sampled_from(FAILURES)), min_size=1, max_size=12), min_size=1, max_size=3
    ),
    st.integers(1, 4),
    st.integers(0, 3),
    st.booleans(),
)
def test_whatever_fails_when_every_request_is_answered_once_while_one_server_lives(plans, each, place, hedged):
    """A plan says of a server's requests, over and over, which are answered and how the others fail."""

    def planned(plan):
        def answer(seen):
            well, failure = plan[seen.number % len(plan)]
            return echoing(seen) if well else failure

        return Loopback(answer)

    pools = [planned(plan) for plan in plans]
    pools.insert(place, Loopback(echoing))
    with ExitStack() as running:
        for server in pools:
            running.enter_context(server)
        servers = Servers(
            [server.url for server in pools],
            concurrency=each,
            hedge_delay=0.005 if hedged else None,
            note=lambda told: None,
        )
        answered(servers, [said(at) for at in range(30)])
    ledger = servers.ledger
    assert (ledger.calls, ledger.in_flight) == (30, 0)
    assert len({seen.body for server in pools for seen in server.posts}) == 30
    if not hedged:
        assert sum(tally.answered for tally in ledger.servers.values()) == 30
        assert sum(tally.failed for tally in ledger.servers.values()) == ledger.retries
        assert (ledger.read, ledger.written) == (330, 90)


def test_one_that_asks_for_a_day_is_left_alone_for_a_day():
    with Loopback(lambda seen: Reply(b"", 429, {"Retry-After": "86400"})) as one, Loopback(echoing) as two:
        notes = []
        answered(Servers([one.url, two.url], concurrency=2, note=notes.append), [said(at) for at in range(40)])
        assert len(one.posts) <= 2 and len(notes) == 1
        with pytest.raises(WorkFailed, match="answered 429 and asks to wait 86400 seconds"):
            answered(Servers([one.url], note=notes.append), [said(0)])


def test_all_may_be_away_for_a_moment():
    """A pool is no less patient than a server alone: each is asked again, after longer and longer waits."""
    asked = []

    def away(seen):
        asked.append(seen.at)
        return echoing(seen) if seen.at > asked[0] + 0.05 else Reply(b"", 500)

    with ExitStack() as running:
        servers = [running.enter_context(Loopback(away)) for _ in range(5)]
        notes = []
        answered(Servers([server.url for server in servers], note=notes.append), [said(at) for at in range(20)])
        assert any("answers again" in note for note in notes)


def test_when_none_lives_it_is_said():
    with Loopback(lambda seen: Reply(b"", 500)) as one:
        servers = Servers([one.url, NOBODY], note=lambda told: None)
        with pytest.raises(WorkFailed, match="and so 6 times"):
            answered(servers, [said(0)])
