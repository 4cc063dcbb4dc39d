"""Several servers asked as if they were one: a request is sent, sent again where that helps, and answered once.

A request that fails for a passing reason is sent again, to another server where there is one; who is asked, and when, is
the `Pool`'s. A server that refuses whatever it is asked (a wrong key, a model that it does not have) is left out, and the
others answer. A request that no server can answer (a prompt that is too long) fails at once. A hedged request, one that
takes longer than the hedge delay, is sent to a second server that has little to do: the first answer counts, the other is
counted when it comes.

Addresses are shown in messages and headers, so they may hold no user, password or parameters.
"""

from __future__ import annotations

import json
import queue
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

from rerank_cli.errors import BudgetSpent, WorkFailed, WrongUsage
from rerank_cli.http import server_errors
from rerank_cli.http.ledger import Ledger, Tally
from rerank_cli.http.pool import Pool, Server
from rerank_cli.http.transport import Passing, Refused, Transport, bearer

T = TypeVar("T")
#: Times that one request is sent to a server before it has failed.
TRIES = 6
#: Seconds that looking at a server may take.
_LOOK = 10.0
#: Seconds between two searches for a second server that has room.
_SEARCH = 0.05


class _Request(NamedTuple, Generic[T]):
    """What is posted, and what makes (answer, tokens read, tokens written) of a reply; `once` is taken by the first answer."""

    path: str
    body: bytes
    read: Callable[[Any], tuple[T, int, int]]
    content_type: str
    once: threading.Lock


class Servers:
    """The servers at `urls` (with or without /v1), `concurrency` requests at a time at each, each `timeout` seconds at most.

    `key` goes with every request as `signed` writes it; `hint(status, message)` says what can be done about a refusal;
    after `hedge_delay` seconds a request goes to a second server too. Any number of threads may ask.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        key: str = "",
        signed: Callable[[str], str] = bearer,
        hint: Callable[[int, str], str] = server_errors.hint,
        concurrency: int = 16,
        timeout: float = 120.0,
        hedge_delay: float | None = None,
        ledger: Ledger | None = None,
        note: Callable[[str], None],
    ) -> None:
        if not urls:
            raise WrongUsage("no address of a server was given", "write it as http://HOST:PORT")
        self.addresses = [_root(url) for url in urls]
        for address, count in Counter(self.addresses).items():
            if count > 1:
                raise WrongUsage(f"{address} was given {count} times", "--concurrency says how much each server gets")
        if hedge_delay is not None and len(urls) == 1:
            raise WrongUsage(f"{urls[0]} is the only server: there is none to hedge to", "name several in --endpoint")
        #: Requests at a time, in all.
        self.at_once = concurrency * len(urls)
        self.ledger = ledger or Ledger()
        self._timeout, self._hedge_delay = timeout, hedge_delay
        self._transport = Transport(self.addresses, key, concurrency, timeout, signed)
        tallies = self.ledger.servers
        servers = [Server(address, tallies.setdefault(address, Tally())) for address in self.addresses]
        self._pool = Pool(servers, concurrency, self._what_is_wrong, note)
        self._note, self._hint = note, hint
        self._slots = threading.BoundedSemaphore(self.at_once)
        #: How servers that failed are looked at, what is said against a reply, and which objections were told.
        self._look_path = "/v1/models"
        self._objection: Callable[[Any], str] = lambda reply: ""
        self._objected: set[tuple[str, str]] = set()

    def ask(
        self,
        path: str,
        body: bytes,
        read: Callable[[Any], tuple[T, int, int]],
        *,
        content_type: str = "application/json",
    ) -> T:
        """Post `body` (JSON) to `path` of a server; `read` makes (answer, tokens read, tokens written) of the reply.

        A reply that `read` cannot make sense of (ValueError, KeyError, …) is as good as none, and so is one of which it
        raises `Passing`. Raises `WorkFailed` with address, status and what the server said (`Refused`: when every server refuses
        whatever it is asked), and `BudgetSpent` before anything is sent. Costs one request, and as many more as it takes: as
        long as one server answers, it does.
        """
        request = _Request(path, body, read, content_type, threading.Lock())
        sent = self._sent if self._hedge_delay is None else self._hedged
        failed: Counter[Server] = Counter()
        with self._slots, self.ledger.call():
            while True:
                server = self._pool.take(len(body), failed)
                if failed:
                    self.ledger.retried()
                try:
                    return sent(server, request)
                except Refused:
                    # Who is left is asked; with nobody left `take` raises it.
                    failed[server] += 1
                except Passing as failure:
                    failed[server] += 1
                    if failed[server] == TRIES:
                        what = f"{server.root}{path} {failure.what}, and so {TRIES} times"
                        raise WorkFailed(what, self._hint(failure.status, "")) from None

    def look(self, number: int, path: str) -> tuple[int, Any]:
        """What server `number` answers to a GET of `path`: status (0: it cannot be reached) and JSON, None when it has none.

        Asked once, not counted, for 10 seconds at most. Raises `Refused` as `Transport.send` does.
        """
        try:
            status, _, body = self._transport.send(
                self.addresses[number], "GET", path, None, timeout=min(_LOOK, self._timeout)
            )
        except Passing:
            return 0, None
        try:
            return status, json.loads(body)
        except (ValueError, RecursionError):
            return status, None

    def eject(self, number: int, what: str, status: int) -> None:
        """Ask the others from now on: `what` is wrong with a server that was looked at; it is told."""
        self._pool.failed(self._pool.servers[number], Passing(what, status))

    def leave_out(self, number: int, refusal: Refused) -> None:
        """Never ask a server that refused to be looked at; it is told."""
        self._pool.refused(self._pool.servers[number], refusal)

    def watch(self, path: str, objection: Callable[[Any], str]) -> None:
        """Look at servers that failed by a GET of `path`: they are well when they answer, and there is no objection to it."""
        self._look_path, self._objection = path, objection

    def _what_is_wrong(self, server: Server) -> Passing | None:
        try:
            status, reply = self.look(self.addresses.index(server.root), self._look_path)
        except WorkFailed as refused:
            return Passing(refused.message)
        if status == 0 or status in server_errors.PASSING:
            return Passing("is not back", status)
        objection = self._objection(reply)
        if objection and (server.root, objection) not in self._objected:
            self._objected.add((server.root, objection))
            self._note(f"{server.root} {objection}: it is left out")
        return Passing(objection) if objection else None

    def _sent(self, server: Server, request: _Request[T]) -> T:
        """The reply of a server that was taken for it, counted."""
        began = time.monotonic()
        try:
            answer, read_tokens, written = self._made(server, request)
        except BaseException as error:
            self.ledger.failed(server.tally)
            if isinstance(error, Passing):
                self._pool.failed(server, error)
            elif isinstance(error, Refused):
                self._pool.refused(server, error)
            raise
        finally:
            self._pool.leave(server, len(request.body))
        self._pool.answered(server)
        late = not request.once.acquire(blocking=False)
        self.ledger.paid(read_tokens, written, server.tally, time.monotonic() - began, late=late)
        return answer

    def _hedged(self, server: Server, request: _Request[T]) -> T:
        """The same, or the reply of a second server, whichever is first; raises what went wrong last when both fail."""
        done: queue.SimpleQueue[T | BaseException] = queue.SimpleQueue()

        def send(to: Server) -> None:
            try:
                done.put(self._sent(to, request))
            except BaseException as error:  # a thread has nobody else to tell
                done.put(error)

        def start(to: Server) -> None:
            threading.Thread(target=send, args=(to,), name="hedge", daemon=True).start()

        start(server)
        under_way, wait = 1, self._hedge_delay
        while True:
            try:
                reply = done.get(timeout=wait)
            except queue.Empty:
                wait = _SEARCH
                if second := self._second(server, request):
                    start(second)
                    under_way, wait = 2, None
                continue
            under_way, wait = under_way - 1, None
            if not isinstance(reply, BaseException):
                return reply
            if not under_way:
                raise reply

    def _second(self, first: Server, request: _Request[Any]) -> Server | None:
        """A server that has room for a request that `first` was given; None when there is none, or no money for it."""
        second = self._pool.spare(len(request.body), first)
        if second is None:
            return None
        try:
            self.ledger.hedged()
        except BudgetSpent:
            self._pool.leave(second, len(request.body))
            return None
        return second

    def _made(self, server: Server, request: _Request[T]) -> tuple[T, int, int]:
        """One request and what is made of its reply."""
        path = request.path
        status, retry_after, reply = self._transport.send(server.root, "POST", path, request.body, request.content_type)
        if status != 200:
            message = server_errors.said(reply)
            shown = self._transport.without_key(f"answered {status}" + (f" ({message})" if message else ""))
            wait = server_errors.seconds_asked(retry_after)
            if not server_errors.is_passing(status, reply):
                kind = Refused if server_errors.is_for_good(status) else WorkFailed
                raise kind(f"{server.root}{path} {shown}", self._hint(status, message))
            raise Passing(shown, status, wait)
        try:
            return request.read(json.loads(reply))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            # Some proxies put the error of whom they asked into a reply of their own that says all is well.
            what = server_errors.said(reply) if b'"error"' in reply else ""
            what = self._transport.without_key(what or type(error).__name__)
            raise Passing(f"answered what is no reply to {path} ({what})", status) from error


def _root(url: str) -> str:
    """An address without /v1 and the like; raises `WrongUsage` for what is none, or holds more than may be shown."""
    # What stands before @ or behind ? may be secret.
    shown = re.split("[?#]", url)[0].rpartition("@")[2]
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:
        wrong = True
    if wrong:
        raise WrongUsage(f"{shown!r} is no address of a server", "write it as http://HOST:PORT")
    if shown != url:
        raise WrongUsage(f"{shown} was given with more than host and path", "a key goes into --api-key-env")
    return url.rstrip("/").removesuffix("/v1").removesuffix("/v2").rstrip("/")
