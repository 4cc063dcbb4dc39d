"""Hedged requests: what takes too long goes to a second server; the tail is cut, nothing is doubled, and what it cost is told."""

import threading
from collections import Counter

import pytest
from inference.loopback import Loopback, Reply, echoing
from waiting import PATIENCE, until

from rerank_cli.errors import BudgetSpent, WorkFailed
from rerank_cli.http import pool
from rerank_cli.http.ledger import Ledger, Limits
from rerank_cli.http.servers import Servers
from rerank_cli.inference.endpoint import EndpointWriter
from rerank_cli.inference.served import Served
from rerank_cli.inference.writing import Decoding, Message, Prompt


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(pool, "_FIRST_WAIT", 0.01)


def answer(servers, n, first=0):
    """n prompts, each answered once."""
    writer = EndpointWriter(servers, Served("m"), note=pytest.fail)
    prompts = [Prompt((Message("user", f"say {at}"),)) for at in range(first, first + n)]
    answers = list(writer.complete(prompts, Decoding()))
    assert sorted((at, one.text) for at, one in answers) == [(at, f"SAY {at + first}") for at in range(n)]


def asked_first(servers, number):
    """Have the next request begin at this server, and not at one by chance."""
    servers._pool.servers[number].last_asked = -9.0


def held(until_then, first=1):
    """A server whose first answers wait for an event; then it answers at once."""

    def waiting(seen):
        if seen.number < first:
            until_then.wait(PATIENCE)
        return echoing(seen)

    return Loopback(waiting)


def test_the_tail_is_cut_and_its_price_is_told():
    """Two answers come when all is over: the server collects garbage, or its machine does something else."""
    over = threading.Event()
    with held(over) as one, held(over) as two:
        servers = Servers([one.url, two.url], concurrency=4, hedge_delay=1.0, note=pytest.fail)
        answer(servers, 80)
        ledger, posts = servers.ledger, len(one.posts) + len(two.posts)
        assert ledger.hedges >= 2 and posts == 80 + ledger.hedges
        assert (ledger.calls, ledger.retries) == (80, 0)
        coming = sum(tally.in_flight for tally in ledger.servers.values())
        assert coming >= 2 and f"{coming} still on their way and not counted" in str(ledger)
        over.set()
        until(lambda: ledger.late == ledger.hedges)
        assert ledger.late_tokens == 14 * ledger.hedges
        assert ledger.read + ledger.written == 14 * posts
        assert str(ledger).endswith(
            f"; {ledger.hedges} hedged: {ledger.late} answers came too late, {ledger.late_tokens} tokens"
        )


def test_without_a_delay_nothing_is_asked_twice():
    with Loopback(lambda seen: Reply(echoing(seen), after=0.02)) as one, Loopback(echoing) as two:
        servers = Servers([one.url, two.url], concurrency=4, note=pytest.fail)
        answer(servers, 40)
        assert len(one.posts) + len(two.posts) == 40
        assert servers.ledger.hedges == 0 and "hedged" not in str(servers.ledger)


def test_what_comes_in_time_is_asked_once():
    with Loopback(echoing) as one, Loopback(echoing) as two:
        servers = Servers([one.url, two.url], hedge_delay=5.0, note=pytest.fail)
        answer(servers, 40)
        assert len(one.posts) + len(two.posts) == 40 and servers.ledger.hedges == 0


@pytest.mark.parametrize(("busy", "copies"), [(6, 0), (4, 1)])
def test_servers_that_have_enough_to_do_get_no_copies(busy, copies):
    """Hedging would only add to what makes them slow: besides our request each has three of four, or half of them."""

    def slow(seen):
        until(lambda: len(one.posts) + len(two.posts) == 1 + copies)
        return Reply(echoing(seen), after=0.5)

    with Loopback(slow) as one, Loopback(slow) as two:
        servers = Servers([one.url, two.url], concurrency=4, hedge_delay=0.05, note=pytest.fail)
        for _ in range(busy):
            servers._pool.take(100, Counter())
        answer(servers, 1)
        assert len(one.posts) + len(two.posts) == 1 + copies


def test_a_request_waits_for_room_at_another_server():
    """The one that is held is answered by the other server when that has done its own."""
    over = threading.Event()
    with held(over) as one, Loopback(lambda seen: Reply(echoing(seen), after=0.2)) as two:
        servers = Servers([one.url, two.url], concurrency=1, hedge_delay=0.05, note=pytest.fail)
        answer(servers, 2)
        assert (len(one.posts), len(two.posts)) == (1, 2)
        over.set()


def test_an_error_of_one_leaves_the_answer_of_the_other():
    """The second refuses what the first is working on; and the first fails when the second has been asked."""

    def when_two_is_asked(reply):
        """The first server, whose reply comes a moment after that."""

        def answering(seen):
            until(lambda: two.posts)
            return reply(seen)._replace(after=0.1)

        return Loopback(answering)

    with when_two_is_asked(lambda seen: Reply(echoing(seen))) as one, Loopback(lambda seen: Reply(b"", 400)) as two:
        servers = Servers([one.url, two.url], concurrency=1, hedge_delay=0.05, note=pytest.fail)
        asked_first(servers, 0)
        answer(servers, 1)
        assert len(two.posts) == 1
    with (
        when_two_is_asked(lambda seen: Reply(b"", 500)) as one,
        Loopback(lambda seen: Reply(echoing(seen), after=0.3)) as two,
    ):
        servers = Servers([one.url, two.url], hedge_delay=0.05, note=lambda told: None)
        asked_first(servers, 0)
        answer(servers, 1)
        assert (len(one.posts), len(two.posts), servers.ledger.retries) == (1, 1, 0)


def test_when_both_refuse_it_has_failed():
    with Loopback(lambda seen: Reply(b"", 400, after=0.2)) as one, Loopback(lambda seen: Reply(b"", 400)) as two:
        servers = Servers([one.url, two.url], hedge_delay=0.05, note=pytest.fail)
        with pytest.raises(WorkFailed, match="answered 400"):
            answer(servers, 1)


def test_a_budget_counts_both_copies():
    """Three answers of 14 tokens are paid for; the late copy of the first is one of them, so that the third is not sent."""
    over = threading.Event()
    with held(over) as one, Loopback(echoing) as two:
        ledger = Ledger(Limits(cost=3 * 14e-6, prices=(1.0, 1.0)))
        servers = Servers([one.url, two.url], concurrency=1, hedge_delay=1.0, ledger=ledger, note=pytest.fail)
        asked_first(servers, 0)
        answer(servers, 1)
        over.set()
        until(lambda: ledger.late)
        answer(servers, 1)
        with pytest.raises(BudgetSpent):
            answer(servers, 1)
        assert len(one.posts) + len(two.posts) == 3 and ledger.cost == pytest.approx(3 * 14e-6)


def test_no_copy_is_sent_beyond_the_budget():
    with Loopback(lambda seen: Reply(echoing(seen), after=0.3)) as one, Loopback(echoing) as two:
        ledger = Ledger(Limits(calls=1))
        servers = Servers([one.url, two.url], concurrency=1, hedge_delay=0.1, ledger=ledger, note=pytest.fail)
        asked_first(servers, 0)
        answer(servers, 1)
        assert (ledger.hedges, len(two.posts)) == (0, 0)
        assert not any(tally.in_flight for tally in ledger.servers.values())
