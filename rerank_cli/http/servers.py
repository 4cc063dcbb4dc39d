"""Several servers asked as if they were one: who is asked next, how many at once, when to ask again.

A request goes to the least busy server, healthy ones first. One that fails for a passing reason is sent again, to another
server where there is one, else after a wait that doubles and differs from time to time, so that many do not come back at
the same moment. A server that says how long to wait (Retry-After) gets nothing from anybody until then. Requests that
cannot succeed (a wrong key, a prompt that is too long) fail at once.

Addresses are shown in messages and headers, so they may hold no user, password or parameters.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from rerank_cli.errors import WorkFailed, WrongUsage
from rerank_cli.http import server_errors
from rerank_cli.http.ledger import Ledger
from rerank_cli.http.transport import Passing, Transport, bearer

T = TypeVar("T")
#: Times that one request is sent before it has failed.
TRIES = 6
#: Seconds: of the first wait, of the longest of our own, and the longest that a server may ask for.
_FIRST_WAIT, _LONGEST_WAIT, _PATIENCE = 0.5, 30.0, 600.0


class _Server:
    """One address, and how it is doing."""

    def __init__(self, url: str) -> None:
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
        self.root = url.rstrip("/").removesuffix("/v1").removesuffix("/v2").rstrip("/")
        self.busy = 0
        #: Times that it failed since it last answered, requests that failed together counted once.
        self.failures = 0
        #: Until when it gets no request at all, and until when others are asked before it.
        self.closed_until = self.rests_until = 0.0
        self.told = False


class Servers:
    """The servers at `urls` (with or without /v1), `concurrency` requests at a time in all, each `timeout` seconds at most.

    `key` goes with every request as `signed` writes it; `hint(status, message)` says what can be done about a refusal.
    Any number of threads may ask.
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
        ledger: Ledger | None = None,
        note: Callable[[str], None],
    ) -> None:
        if not urls:
            raise WrongUsage("no address of a server was given", "write it as http://HOST:PORT")
        self.at_once = concurrency
        self.ledger = ledger or Ledger()
        self._servers = [_Server(url) for url in urls]
        self._transport = Transport(self.addresses, key, concurrency, timeout, signed)
        self._note, self._hint = note, hint
        self._slots = threading.BoundedSemaphore(concurrency)
        self._lock = threading.Lock()

    @property
    def addresses(self) -> list[str]:
        """The servers' addresses as they may be shown."""
        return [server.root for server in self._servers]

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
        raises `Passing`. Raises `WorkFailed` with
        address, status and what the server said, and `BudgetSpent` before anything is sent.
        """
        with self._slots, self.ledger.call():
            for tries in range(1, TRIES + 1):
                server = self._next(again=tries > 1)
                try:
                    answer, read_tokens, written = self._made(server, path, body, read, content_type)
                except Passing as failure:
                    self._failed(server, failure)
                    if tries == TRIES:
                        what = f"{server.root}{path} {failure.what}, and so {TRIES} times"
                        raise WorkFailed(what, self._hint(failure.status, "")) from None
                    continue
                finally:
                    with self._lock:
                        server.busy -= 1
                server.failures, server.rests_until = 0, 0.0
                self.ledger.paid(read_tokens, written)
                return answer
        raise AssertionError("the last try returns or raises")

    def look(self, number: int, path: str) -> tuple[int, Any]:
        """What server `number` answers to a GET of `path`: status (0: it cannot be reached) and JSON, None when it has none.

        Asked once, not counted.
        """
        try:
            status, _, body = self._transport.send(self._servers[number].root, "GET", path, None)
        except Passing:
            return 0, None
        try:
            return status, json.loads(body)
        except ValueError:
            return status, None

    def _next(self, again: bool) -> _Server:
        """The server to ask, counted as busy from now on, when it is time to ask it: at once if one is well."""
        if again:
            self.ledger.retried()
        while True:
            with self._lock:
                now = time.monotonic()
                best = min(
                    self._servers,
                    # One request at a time finds out whether a server that failed is back.
                    key=lambda one: (
                        max(one.closed_until, now),
                        one.rests_until > now or (one.failures > 0 and one.busy > 0),
                        one.busy,
                    ),
                )
                wait = max(best.closed_until, best.rests_until if again else 0.0) - now
                if wait <= 0:
                    best.busy += 1
                    return best
            # Those who waited for the same moment do not all come at once.
            time.sleep(wait * random.uniform(1, 1.25))
            again = False

    def _failed(self, server: _Server, failure: Passing) -> None:
        """Rest a server that failed, longer each time in a row, and for as long as it asked."""
        with self._lock:
            now = time.monotonic()
            server.failures += server.rests_until <= now
            own = min(_FIRST_WAIT * 2 ** min(server.failures - 1, 10), _LONGEST_WAIT) * random.uniform(0.5, 1)
            until = now + max(own, failure.wait)
            server.rests_until = max(server.rests_until, until)
            if failure.wait or failure.status in server_errors.BUSY:
                server.closed_until = max(server.closed_until, until)
            told, server.told = server.told, True
        if not told:
            self._note(f"{server.root} {failure.what}: asked again, later or elsewhere")

    def _made(
        self, server: _Server, path: str, body: bytes, read: Callable[[Any], tuple[T, int, int]], content_type: str
    ) -> tuple[T, int, int]:
        """One request and what `read` makes of its reply."""
        status, retry_after, reply = self._transport.send(server.root, "POST", path, body, content_type)
        if status != 200:
            message = server_errors.said(reply)
            shown = self._transport.without_key(f"answered {status}" + (f" ({message})" if message else ""))
            wait = server_errors.seconds_asked(retry_after)
            if not server_errors.is_passing(status, reply):
                raise WorkFailed(f"{server.root}{path} {shown}", self._hint(status, message))
            if wait > _PATIENCE:
                raise WorkFailed(f"{server.root}{path} {shown} and asks to wait {wait:.0f} seconds")
            raise Passing(shown, status, wait)
        try:
            return read(json.loads(reply))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            # Some proxies put the error of whom they asked into a reply of their own that says all is well.
            what = server_errors.said(reply) if b'"error"' in reply else ""
            what = self._transport.without_key(what or type(error).__name__)
            raise Passing(f"answered what is no reply to {path} ({what})") from error
