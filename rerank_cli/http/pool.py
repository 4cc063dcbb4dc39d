"""Who is asked next: the servers of a pool, how each of them is doing, and how much it has to do.

The next request goes to a server that is well and has room, the one with the fewest bytes of requests in flight (texts
differ in length), of equals the one that was left alone for longest. Room is each server's own, so that one that is slow
fills its own places and nobody else's.

One that fails for a passing reason is ejected for a wait that doubles and differs from time to time, so that many do not
come back at the same moment. Then it is looked at, which costs no request, and is well when it has answered one. A server
that says how long to wait (Retry-After) gets nothing from anybody until then. Where none is well, requests find out.
One that refuses whatever it is asked is left out and not looked at again.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from rerank_cli.errors import WorkFailed
from rerank_cli.http import server_errors
from rerank_cli.http.ledger import Tally
from rerank_cli.http.transport import Passing, Refused

#: Seconds: of the first wait, of the longest of our own, and the longest that a server may ask for when it is the last.
_FIRST_WAIT, _LONGEST_WAIT, _PATIENCE = 0.5, 30.0, 600.0
#: Seconds after which a server that fails again is told of again; twice as many each time.
_QUIET = 60.0


class Server:
    """One address, and how it is doing; only its `Pool` writes here."""

    def __init__(self, root: str, tally: Tally) -> None:
        self.root = root
        self.tally = tally
        #: Bytes of the requests that are with it; when it was given one last, whoever comes first is by chance.
        self.work = 0
        self.last_asked = -random.random()
        #: Times that it failed since it last answered, requests that failed together counted once.
        self.failures = 0
        #: Until when it gets no request at all, and until when others are asked instead.
        self.closed_until = self.rests_until = 0.0
        #: What it did when it failed last.
        self.wrong = ""
        #: How it refuses whatever it is asked; it is left out.
        self.refused: Refused | None = None
        #: Since it failed: whether it is being looked at, whether it was found well, and whether a request tries it.
        self.looked_at = self.found_well = self.tried = False
        #: Whether its failure was told, until when the next one is not, and for how long after that.
        self.told, self.quiet_until, self.quiet = False, 0.0, _QUIET

    def is_well(self, now: float) -> bool:
        """Whether it may be given a request; one at a time when it has failed and was found well since."""
        if self.refused is not None or self.closed_until > now:
            return False
        return not self.failures or (self.found_well and not self.tried)


class Pool:
    """`servers`, each with room for `each` requests at a time.

    `look(server)` asks one how it is doing, without a request that costs, and says what is wrong or None; it is called on
    a thread of its own. Any number of threads may take servers.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        each: int,
        look: Callable[[Server], Passing | None],
        note: Callable[[str], None],
    ) -> None:
        self.servers = list(servers)
        self._each, self._look, self._note = each, look, note
        self._changed = threading.Condition()
        self._last_refusal: Refused | None = None

    def take(self, work: int, failed: Counter[Server]) -> Server:
        """The server to ask for something of `work` bytes, which was in vain as often as `failed` says.

        To be given back by `leave`. Waits while none is ready, and raises `WorkFailed` when that is for too long, `Refused`
        when none is left. Of the servers that are well, those where this request failed least come first, even when it has
        to wait for them: so one server that works is found in the end.
        """
        again = bool(failed)
        with self._changed:
            while True:
                now = time.monotonic()
                well = [server for server in self.servers if server.is_well(now)]
                if well:
                    self._have_looked_at(now)
                    fewest = min(failed[server] for server in well)
                    free = self._with_room(server for server in well if failed[server] == fewest)
                    if free:
                        return self._taken(free, work, now)
                    self._changed.wait(_FIRST_WAIT)
                    continue
                left = [server for server in self.servers if server.refused is None]
                if not left:
                    assert self._last_refusal is not None
                    raise Refused(self._last_refusal.message, self._last_refusal.hint)
                best = min(
                    left,
                    key=lambda one: (
                        max(one.closed_until, now),
                        # One request at a time finds out whether a server that failed is back.
                        one.rests_until > now or (one.failures > 0 and one.tally.in_flight > 0),
                        one.work,
                    ),
                )
                wait = max(best.closed_until, best.rests_until if again else 0.0) - now
                if wait > _PATIENCE:
                    raise WorkFailed(f"{best.root} {best.wrong} and asks to wait {wait:.0f} seconds")
                if wait > 0:
                    # Those who waited for the same moment do not all come at once.
                    self._changed.wait_for(self._any_well, wait * random.uniform(1, 1.25))
                    again = False
                elif best.tally.in_flight < self._each:
                    return self._taken(best, work, now)
                else:
                    self._changed.wait(_FIRST_WAIT)

    def spare(self, work: int, besides: Server) -> Server | None:
        """Another server that is well and has half of its room at this moment, to be given back by `leave`; None without one."""
        with self._changed:
            now = time.monotonic()
            idle = [one for one in self.servers if one.is_well(now) and one.tally.in_flight <= self._each // 2]
            free = self._with_room(one for one in idle if one is not besides)
            return self._taken(free, work, now) if free else None

    def leave(self, server: Server, work: int) -> None:
        """The request is done, in whatever way."""
        with self._changed:
            server.tally.in_flight -= 1
            server.work -= work
            server.tried = False
            # Room for one; who cannot use it looks again before long.
            self._changed.notify()

    def answered(self, server: Server) -> None:
        """It has answered a request: it is well."""
        with self._changed:
            told = server.told
            if server.failures:
                self._changed.notify_all()
            server.failures, server.rests_until, server.found_well, server.told = 0, 0.0, False, False
        if told and len(self.servers) > 1:
            self._note(f"{server.root} answers again")

    def failed(self, server: Server, failure: Passing, *, tell: bool = True) -> None:
        """Eject a server, for longer each time in a row, and for as long as it asked."""
        with self._changed:
            now = time.monotonic()
            server.failures += server.rests_until <= now
            server.found_well, server.wrong = False, failure.what
            own = min(_FIRST_WAIT * 2 ** min(server.failures - 1, 10), _LONGEST_WAIT) * random.uniform(0.5, 1)
            until = now + max(own, failure.wait)
            server.rests_until = max(server.rests_until, until)
            if failure.wait or failure.status in server_errors.BUSY:
                server.closed_until = max(server.closed_until, until)
            tell = tell and not server.told and server.quiet_until <= now and server.refused is None
            if tell:
                server.told, server.quiet_until, server.quiet = True, now + server.quiet, 2 * server.quiet
        if tell:
            self._note(f"{server.root} {failure.what}: asked again, later or elsewhere")

    def refused(self, server: Server, refusal: Refused) -> None:
        """Leave a server out from now on, and tell it, unless it was the last."""
        with self._changed:
            new = server.refused is None
            if new:
                server.refused = self._last_refusal = refusal
            last = all(one.refused is not None for one in self.servers)
            self._changed.notify_all()
        if new and not last:
            self._note(f"{refusal.message}: it is left out")

    def _with_room(self, servers: Iterable[Server]) -> Server | None:
        """The one of them with the least to do."""
        free = [server for server in servers if server.tally.in_flight < self._each]
        return min(free, key=lambda one: (one.work, one.tally.in_flight, one.last_asked), default=None)

    def _taken(self, server: Server, work: int, now: float) -> Server:
        server.tally.in_flight += 1
        server.work += work
        server.last_asked = now
        server.tried = server.failures > 0
        return server

    def _any_well(self) -> bool:
        now = time.monotonic()
        return any(server.is_well(now) for server in self.servers)

    def _have_looked_at(self, now: float) -> None:
        """Begin to look at every server whose wait is over."""
        for server in self.servers:
            waits = max(server.closed_until, server.rests_until) > now
            settled = server.found_well or server.looked_at or server.refused is not None
            if server.failures and not settled and not waits:
                server.looked_at = True
                threading.Thread(target=self._look_at, args=(server,), name="look", daemon=True).start()

    def _look_at(self, server: Server) -> None:
        wrong = self._look(server)
        if wrong is not None:
            self.failed(server, wrong, tell=False)
        with self._changed:
            server.looked_at = False
            server.found_well = wrong is None
            self._changed.notify_all()
