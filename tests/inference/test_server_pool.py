"""Servers that fail in every way there is: what is asked again, when, where, and what the user is told; never the key."""

import threading
import time
from email.utils import formatdate

import pytest
from inference.loopback import Loopback, Reply, chat_reply, echoing, models
from waiting import PATIENCE, until

from rerank_cli.errors import BudgetSpent, RerankError, WorkFailed, WrongUsage
from rerank_cli.http import pool, servers, transport
from rerank_cli.http.ledger import Ledger, Limits
from rerank_cli.http.servers import Servers
from rerank_cli.inference.cache import AnswerCache
from rerank_cli.inference.endpoint import EndpointWriter
from rerank_cli.inference.kept_words import KeptWriter
from rerank_cli.inference.served import Served, served
from rerank_cli.inference.writing import Decoding, Message, Prompt

KEY = "sk-very-secret-0123456789"
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Our own waits are a hundredth; those that a server asks for are not."""
    monkeypatch.setattr(pool, "_FIRST_WAIT", 0.005)


def prompts(n):
    return [Prompt((Message("user", f"say {at}"),)) for at in range(n)]


def answers(urls, n=1, notes=None, **settings):
    """The n answers of an echoing model, and the ledger."""
    note = [].append if notes is None else notes.append
    servers = Servers(urls, note=note, **settings)
    writer = EndpointWriter(servers, Served("m"), note=note)
    found = dict(writer.complete(prompts(n), Decoding()))
    assert [found[at].text for at in range(n)] == [f"SAY {at}" for at in range(n)]
    return servers.ledger


def failing(first, times):
    """A server whose first `times` answers are `first`; then it works."""
    return Loopback(lambda seen: first if seen.number < times else echoing(seen))


PASSING = {
    "busy": Reply({"error": {"message": "slow down"}}, 429),
    "broken": Reply(b"<html>oops</html>", 500),
    "bad gateway": Reply(b"", 502),
    "starting": Reply({"error": "Model is not ready"}, 503),
    "dropped before a word": Reply(b"", 200, {"Content-Length": "50"}, drop=0),
    "dropped in the middle": Reply(chat_reply("SAY 0"), drop=40),
    "garbage": Reply(bytes(range(256)) * 40),
    "not the promised JSON": Reply({"choices": "none today"}),
    "half a JSON": Reply(b'{"choices": [{"message"'),
    "no words": Reply({"choices": [{"message": {"content": 5}}]}),
    "a deep nest": Reply(b"[" * 200_000),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_may_pass_is_asked_again(name):
    with failing(PASSING[name], 2) as server:
        notes = []
        ledger = answers([server.url], notes=notes)
        assert str(ledger) == "1 requests (2 sent again), 11 tokens read, 3 written"
        assert len(server.posts) == 3 and (ledger.calls, ledger.retries) == (1, 2)
        assert len(notes) == 1 and server.url in notes[0]
        assert ("dropped the connection" in notes[0]) == name.startswith("dropped")


def test_but_not_for_ever():
    with failing(Reply({"error": {"message": "out of memory\nTraceback ..."}}, 500), 99) as server:
        with pytest.raises(WorkFailed) as caught:
            answers([server.url])
        assert len(server.posts) == servers.TRIES
        assert caught.value.message == f"{server.url}/v1/chat/completions answered 500 (out of memory), and so 6 times"


def test_a_server_that_takes_too_long_is_asked_again():
    with failing(Reply(chat_reply("SAY 0"), after=9), 1) as server:
        assert answers([server.url], timeout=2.0).retries == 1
    trickling = Reply(chat_reply("SAY 0"), trickle=0.05)
    with failing(trickling, 1) as server:
        # Bytes that trickle do not wind the clock back: else it would be read to its end, after nine seconds.
        assert answers([server.url], timeout=2.0).retries == 1


@pytest.mark.parametrize(("status", "as_date"), [(429, False), (503, True)])
def test_retry_after_is_obeyed_by_everybody(status, as_date):
    """All sixteen threads leave the server alone until it said, not only the one that was told."""

    def limited(seen):
        if seen.number:
            return echoing(seen)
        # A date has whole seconds only.
        return Reply(b"", status, {"Retry-After": formatdate(time.time() + 2, usegmt=True) if as_date else "0.7"})

    with Loopback(limited) as server:
        answers([server.url], n=6, concurrency=1)
        first, second = server.posts[0].at, server.posts[1].at
        assert second - first >= (0.95 if as_date else 0.7)

    notes = []

    def limited_later(seen):
        if seen.number == 3:
            return Reply(b"", status, {"Retry-After": "0.7"})
        # The other three have their answers when ours has heard that it is to wait.
        until(lambda: notes)
        return echoing(seen)

    with Loopback(limited_later) as server:
        answers([server.url], n=16, concurrency=4, notes=notes)
        assert server.posts[4].at - server.posts[3].at >= 0.7


def test_nobody_waits_for_hours():
    too_long = Reply(b"", 429, {"Retry-After": "86400"})
    with failing(too_long, 9) as server, pytest.raises(WorkFailed, match="asks to wait 86400 seconds"):
        answers([server.url])


REFUSALS = {
    400: ({"error": {"message": "This model's maximum context length is 8192 tokens. However, ..."}}, "--window"),
    401: ({"error": {"message": f"Incorrect API key provided: {KEY}."}}, "--api-key-env"),
    403: ({"detail": "Forbidden"}, "not allowed"),
    404: ({"object": "error", "message": "The model `x` does not exist."}, "--served-model"),
    422: ([{"loc": ["body"], "msg": "field required"}], ""),
    429: ({"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}, "quota"),
    302: (b"", "--endpoint"),
}


@pytest.mark.parametrize("status", REFUSALS)
def test_what_cannot_succeed_fails_at_once_with_what_the_server_said(status):
    body, hint = REFUSALS[status]
    reply = Reply(body, status, {"Location": "http://127.0.0.1:9/elsewhere"})
    with failing(reply, 99) as server:
        with pytest.raises(WorkFailed) as caught:
            answers([server.url], key=KEY)
        assert len(server.posts) == 1
        assert f"{server.url}/v1/chat/completions answered {status}" in caught.value.message
        assert hint in caught.value.hint and KEY not in caught.value.message
        said = {400: "maximum context length", 401: "Incorrect API key provided: ***", 404: "does not exist"}
        assert said.get(status, "") in caught.value.message


def test_a_reply_without_end_is_not_read_to_the_end(monkeypatch):
    monkeypatch.setattr(transport, "_LARGEST", 1 << 20)
    with failing(Reply(b"x" * (3 << 20)), 99) as server:
        with pytest.raises(WorkFailed, match="more than 1 MiB"):
            answers([server.url])
        assert len(server.posts) == 1


def test_the_pool_shares_the_work_and_asks_the_least_busy_first():
    """The slow one has an answer when all the others have been asked for."""

    def slow(seen):
        until(lambda: len(one.posts) + len(two.posts) == 40)
        return echoing(seen)

    with Loopback(slow) as one, Loopback(echoing) as two:
        answers([one.url, two.url + "/v1"], n=40, concurrency=4)
        assert 1 <= len(one.posts) <= 4


@pytest.mark.parametrize("dead", ["gone", "broken", "drops"])
def test_with_one_of_two_servers_dead_all_is_answered(dead):
    reply = {"broken": Reply(b"", 500), "drops": Reply(b"", 200, {"Content-Length": "9"}, drop=0)}.get(dead)
    with failing(reply, 9999) as one, Loopback(echoing) as two:
        notes = []
        ledger = answers([NOBODY if dead == "gone" else one.url, two.url], n=60, notes=notes)
        assert len(two.posts) == 60
        assert 0 < ledger.retries < 60, "the dead one is rested"
        assert len(notes) == 1 and ("cannot be reached" in notes[0]) == (dead == "gone")


def test_a_server_that_hangs_costs_what_it_was_given_first():
    """Time-outs are the dearest failures: once one is known to hang, it is looked at, and gets no request."""
    over = threading.Event()

    def well(seen):
        until(lambda: len(one.posts) == 8)
        return echoing(seen)

    with Loopback(lambda seen: over.wait(PATIENCE)) as one, Loopback(well) as two:
        answers([one.url, two.url], n=80, concurrency=8, timeout=3.0)
        assert len(two.posts) == 80 and len(one.posts) == 8
        over.set()


def test_what_a_proxy_says_in_a_reply_that_says_all_is_well():
    refusal = Reply({"error": {"message": "no instances available", "code": 502}})
    said = r"no reply to /v1/chat/completions \(no instances available\), and so 6 times"
    with failing(refusal, 99) as server, pytest.raises(WorkFailed, match=said) as caught:
        answers([server.url])
    assert "--api" in caught.value.hint


def test_a_server_that_dies_halfway_loses_nothing():
    def dying(seen):
        return echoing(seen) if seen.number < 20 else Reply(b"", 200, {"Content-Length": "9"}, drop=0)

    with Loopback(dying) as one, Loopback(echoing) as two:
        answers([one.url, two.url], n=100)
        assert len(two.posts) >= 80


def test_an_address_where_nobody_is():
    servers = Servers([NOBODY], note=pytest.fail)
    with pytest.raises(WorkFailed, match=r"127\.0\.0\.1:9: cannot be reached"):
        served(servers, None, pytest.fail)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", "x", "http://host:port", "http://[1", ""])
def test_what_is_no_address(url):
    with pytest.raises(WrongUsage, match="no address"):
        Servers([url], note=pytest.fail)


def test_never_more_at_a_time_than_asked_for():
    with Loopback(lambda seen: Reply(echoing(seen), after=0.02), together=5) as server:
        answers([server.url], n=60, concurrency=5)
        assert server.most_in_flight == 5


@pytest.mark.parametrize(
    "limits",
    [
        Limits(calls=10),
        Limits(tokens=14 * 9 + 1),
        Limits(cost=(11 * 2.0 + 3 * 8.0) * 9.5 / 1e6, prices=(2.0, 8.0)),
    ],
)
def test_a_spent_budget_sends_no_more(limits):
    """Each answer costs 11 tokens read and 3 written; the tenth reaches each of these limits."""
    with Loopback(echoing) as server:
        ledger = Ledger(limits)
        writer = EndpointWriter(
            Servers([server.url], concurrency=1, ledger=ledger, note=pytest.fail), Served("m"), note=pytest.fail
        )
        found = []
        with pytest.raises(BudgetSpent, match="budget"):
            found.extend(writer.complete(prompts(50), Decoding()))
        assert len(found) == len(server.posts) == ledger.calls == 10
        assert (ledger.read, ledger.written, ledger.in_flight) == (110, 30, 0)


def test_the_key_goes_to_the_server_and_nowhere_else(tmp_path, capfd, monkeypatch):
    """Not into a log, an error, a note, a repr, the store, and not to where a server sends us."""
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password from-netrc\n")
    seen_texts = []

    def tells_it(seen):
        status = 500 if seen.number < 2 else 200
        body = echoing(seen) if status == 200 else {"error": f"denied: {seen.headers['Authorization']}"}
        return Reply(body, status, {"Set-Cookie": f"key={KEY}"})

    with Loopback(tells_it) as server, AnswerCache(tmp_path / "answers", 1 << 27, pytest.fail) as store:
        for wrong in (f"http://user:{KEY}@host", f"http://host/v1?key={KEY}", f"ftp://u:{KEY}@host", f"u:{KEY}@host"):
            with pytest.raises(RerankError) as caught:
                Servers([wrong], key=KEY, note=pytest.fail)
            seen_texts.append(str(caught.value))
        servers = Servers([server.url], key=KEY, note=seen_texts.append)
        writer = EndpointWriter(servers, Served("m"), note=seen_texts.append)
        list(KeptWriter(writer, store).complete(prompts(3), Decoding()))
        assert {seen.headers["Authorization"] for seen in server.seen} == {f"Bearer {KEY}"}
        assert not any("Cookie" in seen.headers for seen in server.seen)
        seen_texts += [repr(servers), repr(vars(writer)), repr(servers.ledger), writer.identity, writer.device]
        server.answer = lambda seen: Reply({"error": f"denied: {KEY}"}, 500)
        with pytest.raises(WorkFailed) as caught:
            list(writer.complete(prompts(1), Decoding()))
        seen_texts += [str(caught.value), caught.value.hint]
        # Without a key nothing is sent, and none is looked for elsewhere.
        server.answer = echoing
        answers([server.url])
        assert "Authorization" not in server.posts[-1].headers
    assert seen_texts and not any(KEY in text for text in seen_texts)
    assert "***" in "".join(seen_texts)
    assert KEY not in "".join(capfd.readouterr())
    for path in tmp_path.rglob("answers/**/*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes()
    with pytest.raises(WrongUsage) as caught:
        Servers(["http://127.0.0.1:9"], key=KEY + "\n", note=pytest.fail)
    assert KEY not in str(caught.value)


def test_one_of_two_servers_may_be_away_when_models_are_listed():
    with Loopback(lambda seen: models("m")) as server:
        notes = []
        servers = Servers([NOBODY, server.url], note=notes.append)
        assert served(servers, None, notes.append).model == "m"
        assert len(notes) == 1 and "127.0.0.1:9" in notes[0]
