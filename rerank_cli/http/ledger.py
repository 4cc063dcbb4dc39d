"""What servers were asked and what it cost so far, and the limit that nobody goes beyond.

A limit is looked at before each question. Questions that are on their way when it is reached are still paid for: with
money and tokens it can be passed by what one question costs for each that is in flight; calls are counted as they go out.
"""

from __future__ import annotations

import statistics
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rerank_cli.errors import BudgetSpent


@dataclass(frozen=True)
class Limits:
    """Where to stop: `calls` answered or on their way, `tokens` read and written together, `cost` in the currency of the prices."""

    calls: int | None = None
    tokens: int | None = None
    cost: float | None = None
    #: For a million tokens read, and for a million written.
    prices: tuple[float, float] = (0.0, 0.0)


@dataclass
class Tally:
    """What one server did: requests that are with it, those it answered, those it failed, and tokens, read and written together."""

    in_flight: int = 0
    answered: int = 0
    failed: int = 0
    tokens: int = 0
    #: How long each of its last answers took.
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=4096), repr=False)

    def __str__(self) -> str:
        typical = f", {statistics.median(self.seconds):.3g} s each (median)" if self.seconds else ""
        return f"{self.answered} answers, {self.tokens} tokens, {self.failed} failures{typical}"


class Ledger:
    """Counts of one session with servers; any number of threads may write in it."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        #: Questions asked; each may have taken several requests, all but the first of them counted in `retries`.
        self.calls = 0
        self.retries = 0
        #: Questions that have their answer.
        self.answered = 0
        #: Questions sent to a second server before the first had answered, and answers that came too late to be used.
        self.hedges = 0
        self.late = 0
        #: Tokens of all answers: read by the models, and written by them; those of the late ones are among them.
        self.read = 0
        self.written = 0
        self.late_tokens = 0
        self.in_flight = 0
        #: Address -> what that server did.
        self.servers: dict[str, Tally] = {}

    @property
    def cost(self) -> float:
        """What the tokens cost at the prices that were given; 0 without prices."""
        for_read, for_written = self._limits.prices
        return (self.read * for_read + self.written * for_written) / 1e6

    def __str__(self) -> str:
        retried = f" ({self.retries} sent again)" if self.retries else ""
        money = f", {self.cost:.4g} spent" if any(self._limits.prices) else ""
        of = f" of {self.calls}" if self.answered < self.calls else ""
        return f"{self.answered}{of} requests{retried}, {self.read} tokens read, {self.written} written{money}{self._hedged()}"

    def _hedged(self) -> str:
        if not self.hedges:
            return ""
        coming = sum(server.in_flight for server in self.servers.values())
        uncounted = f", {coming} still on their way and not counted" if coming else ""
        return f"; {self.hedges} hedged: {self.late} answers came too late, {self.late_tokens} tokens{uncounted}"

    def of_each(self) -> Iterator[str]:
        """A line for each server, where there are several."""
        if len(self.servers) > 1:
            yield from (f"{address}: {tally}" for address, tally in self.servers.items())

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one question and its answer; raises `BudgetSpent` instead of letting it be asked."""
        with self._lock:
            self._still_within()
            self.calls += 1
            self.in_flight += 1
        try:
            yield
        finally:
            with self._lock:
                self.in_flight -= 1

    def retried(self) -> None:
        """Count a request that was sent again."""
        with self._lock:
            self.retries += 1

    def hedged(self) -> None:
        """Count a question that goes to a second server too; raises `BudgetSpent` instead of letting it go."""
        with self._lock:
            self._still_within()
            self.hedges += 1

    def paid(self, read: int, written: int, tally: Tally, seconds: float, *, late: bool = False) -> None:
        """Count the answer of a server that took `seconds`, and its tokens; `late`: another server's was used."""
        with self._lock:
            self.read += read
            self.written += written
            self.late += late
            self.answered += not late
            self.late_tokens += late * (read + written)
            tally.answered += 1
            tally.tokens += read + written
            tally.seconds.append(seconds)

    def failed(self, tally: Tally) -> None:
        """Count a request that a server did not answer, or refused."""
        with self._lock:
            tally.failed += 1

    def _still_within(self) -> None:
        limits, tokens = self._limits, self.read + self.written
        if limits.calls is not None and self.calls + self.hedges >= limits.calls:
            raise BudgetSpent(f"the budget of {limits.calls} calls is spent")
        if limits.tokens is not None and tokens >= limits.tokens:
            raise BudgetSpent(f"the budget of {limits.tokens} tokens is spent: {tokens} in {self.calls} calls")
        if limits.cost is not None and self.cost >= limits.cost:
            raise BudgetSpent(f"the budget of {limits.cost:g} is spent: {self.cost:.4g} for {self.calls} calls")
