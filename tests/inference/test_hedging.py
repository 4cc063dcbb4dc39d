"""Hedged requests: what takes too long goes to a second server; the tail is cut, nothing is doubled, and what it cost is told."""

import time

import pytest
from inference.loopback import Loopback, Reply, echoing

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
    """The seconds that n prompts take, each answered once."""
    writer = EndpointWriter(servers, Served("m"), note=pytest.fail)
    prompts = [Prompt((Message("user", f"say {at}"),)) for at in range(first, first + n)]
    began = time.monotonic()
    answers = list(writer.complete(prompts, Decoding()))
    took = time.monotonic() - began
    assert sorted((at, one.text) for at, one in answers) == [(at, f"SAY {at + first}") for at in range(n)]
    return took


def asked_first(servers, number):
    """Have the next request begin at this server, and not at one by chance."""
    servers._pool.servers[number].last_asked = -9.0


def stalling(every, seconds):
    """One answer in `every` takes long: the server collects garbage, or its machine does something else."""
    return Loopback(lambda seen: Reply(echoing(seen), after=seconds if seen.number % every == every // 2 else 0.01))


def test_the_tail_is_cut_and_its_price_is_told():
    tails = {}
    for delay in (None, 0.3):
        with stalling(40, 2.0) as one, stalling(40, 2.0) as two:
            servers = Servers([one.url, two.url], concurrency=4, hedge_delay=delay, note=pytest.fail)
            tails[delay] = answer(servers, 80)
            posts = len(one.posts) + len(two.posts)
            ledger = servers.ledger
            if delay is None:
                assert posts == 80 and ledger.hedges == 0 and "hedged" not in str(ledger)
                continue
            assert 1 <= ledger.hedges <= 8 and posts == 80 + ledger.hedges
            assert (ledger.calls, ledger.retries) == (80, 0)
            coming = sum(tally.in_flight for tally in ledger.servers.values())
            assert coming and f"{coming} still on their way and not counted" in str(ledger)
            until = time.monotonic() + 4
            while ledger.late < ledger.hedges and time.monotonic() < until:
                time.sleep(0.02)
            assert ledger.late == ledger.hedges and ledger.late_tokens == 14 * ledger.hedges
            assert ledger.read + ledger.written == 14 * posts
            assert str(ledger).endswith(
                f"; {ledger.hedges} hedged: {ledger.late} answers came too late, {ledger.late_tokens} tokens"
            )
    assert tails[0.3] < tails[None] / 2


def test_what_comes_in_time_is_asked_once():
    with Loopback(echoing) as one, Loopback(echoing) as two:
        servers = Servers([one.url, two.url], hedge_delay=5.0, note=pytest.fail)
        answer(servers, 40)
        assert len(one.posts) + len(two.posts) == 40 and servers.ledger.hedges == 0


def test_servers_that_have_enough_to_do_get_no_copies():
    """Hedging would only add to what makes them slow: one has four requests, the other three."""
    with Loopback(lambda seen: Reply(echoing(seen), after=0.5)) as one, Loopback(lambda seen: one.answer(seen)) as two:
        servers = Servers([one.url, two.url], concurrency=4, hedge_delay=0.05, note=pytest.fail)
        began = time.monotonic()
        answer(servers, 7)
        assert len([seen for seen in one.posts + two.posts if seen.at < began + 0.4]) == 7


def test_a_request_waits_for_room_at_another_server():
    stuck = Loopback(lambda seen: Reply(echoing(seen), after=2.0))
    with stuck as one, Loopback(lambda seen: Reply(echoing(seen), after=0.2)) as two:
        servers = Servers([one.url, two.url], concurrency=1, hedge_delay=0.05, note=pytest.fail)
        assert answer(servers, 2) < 1.5
        assert (len(one.posts), len(two.posts)) == (1, 2)


def test_an_error_of_one_leaves_the_answer_of_the_other():
    """The second refuses what the first is working on; and the first fails when the second has been asked."""
    with Loopback(lambda seen: Reply(echoing(seen), after=0.3)) as one, Loopback(lambda seen: Reply(b"", 400)) as two:
        servers = Servers([one.url, two.url], concurrency=1, hedge_delay=0.05, note=pytest.fail)
        asked_first(servers, 0)
        answer(servers, 1)
        assert len(two.posts) == 1
    with (
        Loopback(lambda seen: Reply(b"", 500, after=0.2)) as one,
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
    once_slow = Loopback(lambda seen: Reply(echoing(seen), after=0.3 if seen.number == 0 else 0.0))
    with once_slow as one, Loopback(echoing) as two:
        ledger = Ledger(Limits(cost=3 * 14e-6, prices=(1.0, 1.0)))
        servers = Servers([one.url, two.url], concurrency=1, hedge_delay=0.1, ledger=ledger, note=pytest.fail)
        asked_first(servers, 0)
        answer(servers, 1)
        while not ledger.late:
            time.sleep(0.01)
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
