"""What servers were asked and what it cost so far, and the limit that nobody goes beyond.

A limit is looked at before each question. Questions that are on their way when it is reached are still paid for: with
money and tokens it can be passed by what one question costs for each that is in flight; calls are counted as they go out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rerank_cli.errors import BudgetSpent


@dataclass(frozen=True)
class Limits:
    """Where to stop: `calls` answered or on their way, `tokens` read and written together, `cost` in the currency of the prices."""

    calls: int | None = None
    tokens: int | None = None
    cost: float | None = None
    #: For a million tokens read, and for a million written.
    prices: tuple[float, float] = (0.0, 0.0)


class Ledger:
    """Counts of one session with servers; any number of threads may write in it."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        #: Questions asked; each may have taken several requests, all but the first of them counted in `retries`.
        self.calls = 0
        self.retries = 0
        #: Tokens of all answers: read by the models, and written by them.
        self.read = 0
        self.written = 0
        self.in_flight = 0

    @property
    def cost(self) -> float:
        """What the tokens cost at the prices that were given; 0 without prices."""
        for_read, for_written = self._limits.prices
        return (self.read * for_read + self.written * for_written) / 1e6

    def __str__(self) -> str:
        retried = f" ({self.retries} sent again)" if self.retries else ""
        money = f", {self.cost:.4g} spent" if any(self._limits.prices) else ""
        return f"{self.calls} requests{retried}, {self.read} tokens read, {self.written} written{money}"

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

    def paid(self, read: int, written: int) -> None:
        """Count an answer's tokens."""
        with self._lock:
            self.read += read
            self.written += written

    def _still_within(self) -> None:
        limits, tokens = self._limits, self.read + self.written
        if limits.calls is not None and self.calls >= limits.calls:
            raise BudgetSpent(f"the budget of {limits.calls} calls is spent")
        if limits.tokens is not None and tokens >= limits.tokens:
            raise BudgetSpent(f"the budget of {limits.tokens} tokens is spent: {tokens} in {self.calls} calls")
        if limits.cost is not None and self.cost >= limits.cost:
            raise BudgetSpent(f"the budget of {limits.cost:g} is spent: {self.cost:.4g} for {self.calls} calls")
