"""Servers of a pool that refuse whatever they are asked: they are left out and named, and the others do all of the work."""

import threading

import pytest
from inference.loopback import Loopback, Reply, echoing, models

from rerank_cli.errors import BudgetSpent, WorkFailed
from rerank_cli.http.ledger import Ledger, Limits
from rerank_cli.http.servers import Servers
from rerank_cli.http.transport import Refused
from rerank_cli.inference.endpoint import EndpointWriter
from rerank_cli.inference.served import Served, served
from rerank_cli.inference.writing import Decoding, Message, Prompt

REFUSALS = {
    "key": Reply({"error": {"message": "Incorrect API key"}}, 401),
    "account": Reply(b"", 402),
    "forbidden": Reply({"detail": "Forbidden"}, 403),
    "model": Reply({"message": "The model `m` does not exist."}, 404),
    "quota": Reply({"error": {"code": "insufficient_quota", "message": "no quota"}}, 429),
    "moved": Reply(b"", 302, {"Location": "http://127.0.0.1:9/"}),
}
#: Of a request, not of a server: any other would say the same.
TOO_LONG = Reply({"error": {"message": "maximum context length is 10 tokens"}}, 400)


def complete(urls, n, notes, **settings):
    """The n answers of echoing servers, and the ledger that was kept."""
    asked = Servers(urls, note=notes.append, **settings)
    writer = EndpointWriter(asked, Served("m"), note=notes.append)
    prompts = [Prompt((Message("user", f"say {at}"),)) for at in range(n)]
    found = dict(writer.complete(prompts, Decoding()))
    assert [found[at].text for at in range(n)] == [f"SAY {at}" for at in range(n)]
    return asked.ledger


@pytest.mark.parametrize("reply", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("hedged", [{}, {"hedge_delay": 5.0}], ids=["", "hedged"])
def test_the_others_answer_and_every_request_is_counted_once(reply, hedged):
    notes = []
    with Loopback(lambda seen: reply) as refusing, Loopback(echoing) as one, Loopback(echoing) as two:
        ledger = complete([refusing.url, one.url, two.url], 60, notes, concurrency=4, **hedged)
        refusals = len(refusing.posts)
        assert 1 <= refusals <= 4, "what was with it when it was left out, and nothing more"
        assert len(one.posts) + len(two.posts) == 60
    assert [note for note in notes if "127.0.0.1" in note] == notes and len(notes) == 1
    assert notes[0].startswith(f"{refusing.url}/v1/chat/completions answered {reply.status}")
    assert notes[0].endswith(": it is left out")
    assert (ledger.calls, ledger.retries, ledger.in_flight) == (60, refusals, 0)
    assert (ledger.read, ledger.written) == (60 * 11, 60 * 3)
    tallies = [ledger.servers[server.url] for server in (refusing, one, two)]
    assert [(tally.failed, tally.in_flight) for tally in tallies] == [(refusals, 0), (0, 0), (0, 0)]
    assert sum(tally.answered for tally in tallies) == 60


def test_the_run_ends_when_none_is_left_and_says_what_the_last_one_said():
    notes = []
    with Loopback(lambda seen: REFUSALS["key"]) as one, Loopback(lambda seen: REFUSALS["model"]) as two:
        with pytest.raises(WorkFailed) as caught:
            complete([one.url, two.url], 30, notes, concurrency=2)
        assert len(one.posts) + len(two.posts) <= 4
        (first, last) = (one, two) if notes[0].startswith(one.url) else (two, one)
    assert len(notes) == 1 and "left out" in notes[0] and first.url in notes[0]
    assert caught.value.message.startswith(last.url) and caught.value.hint


def test_an_answer_that_was_on_its_way_to_who_is_left_out_already_is_not_the_last_word():
    asked = Servers(["http://a:1", "http://b:1"], note=[].append)
    one, two = asked._pool.servers
    for server, said in ((one, "a: no"), (two, "b: no"), (one, "a: no again")):
        asked._pool.refused(server, Refused(said))
    with pytest.raises(WorkFailed, match="b: no"):
        asked.ask("/x", b"{}", lambda reply: reply)


def test_a_server_that_fails_for_a_while_is_waited_for_when_the_other_refuses():
    """Only who refuses is left out: the other is asked until it answers."""
    notes = []
    ill = threading.Semaphore(3)

    def failing(seen):
        return Reply(b"", 500) if ill.acquire(blocking=False) else echoing(seen)

    with Loopback(lambda seen: REFUSALS["key"]) as refusing, Loopback(failing) as slow:
        complete([refusing.url, slow.url], 8, notes, concurrency=1)
        assert len(refusing.posts) == 1


def test_a_server_that_refuses_when_it_is_back_stays_out():
    """It dies, is looked at, looks well, and has lost the key by then: one request finds that out."""

    def changed(seen):
        if seen.method == "GET":
            return models("m")
        return REFUSALS["key"] if seen.number else Reply(b"", 500)

    notes = []
    with Loopback(changed) as back, Loopback(lambda seen: Reply(echoing(seen), after=0.05)) as well:
        complete([back.url, well.url], 60, notes, concurrency=1)
        assert len(back.posts) == 2
    assert [note for note in notes if "left out" in note] == [notes[-1]]


def test_a_request_that_no_server_can_answer_ends_the_run_at_once():
    with Loopback(lambda seen: TOO_LONG) as one, Loopback(lambda seen: TOO_LONG) as two:
        with pytest.raises(WorkFailed, match="maximum context length") as caught:
            complete([one.url, two.url], 1, [])
        assert len(one.posts) + len(two.posts) == 1
    assert "--window" in caught.value.hint


def test_a_budget_counts_calls_and_not_refusals():
    ledger = Ledger(Limits(calls=10))
    with Loopback(lambda seen: REFUSALS["forbidden"]) as refusing, Loopback(lambda seen: ["well"]) as well:
        asked = Servers([refusing.url, well.url], ledger=ledger, note=[].append)
        for _ in range(10):
            assert asked.ask("/x", b"{}", lambda reply: (reply[0], 1, 1)) == "well"
        with pytest.raises(BudgetSpent):
            asked.ask("/x", b"{}", lambda reply: (reply[0], 1, 1))
        assert (len(well.posts), len(refusing.posts), ledger.calls, ledger.retries) == (10, 1, 10, 1)


def test_one_that_refuses_at_the_first_look_is_found_out_by_a_request():
    notes = []

    def closed(seen):
        return REFUSALS["key"]

    def opened(seen):
        return models("m") if seen.method == "GET" else echoing(seen)

    with Loopback(closed) as refusing, Loopback(opened) as well:
        asked = Servers([refusing.url, well.url], concurrency=1, note=notes.append)
        assert served(asked, None, notes.append).model == "m"
        writer = EndpointWriter(asked, Served("m"), note=notes.append)
        prompts = [Prompt((Message("user", f"say {at}"),)) for at in range(6)]
        assert len(dict(writer.complete(prompts, Decoding()))) == 6
        assert len(refusing.posts) <= 1
    assert sum("left out" in note for note in notes) == 1
