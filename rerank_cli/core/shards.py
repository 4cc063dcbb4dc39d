"""One run shared out among processes that never talk to each other.

Each process reads the whole run and cuts it for itself, so the cut may depend on nothing but the run: on positions, or on
costs that everyone computes alike. Positions modulo N need no end, so a pipe will do, and what is long in one region of a run is
spread over all. By cost each shard gets a stretch, and the longest stretch is as short as any cut into stretches can make it.
Either way a shard's positions are a `range`, which is all that joining the parts again has to know.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from rerank_cli.core.candidates import Candidates
from rerank_cli.errors import WrongUsage

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """Shard `number` (from 1) of `of`."""

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> Shard:
        """`3/8`; raises `WrongUsage` for anything else, and for a number that is not 1 to 8."""
        number, _, of = text.partition("/")
        if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in (number, of)):
            raise WrongUsage(f"--shard {text}: a shard is I/N, such as 3/8")
        if not 1 <= int(number) <= int(of):
            raise WrongUsage(
                f"--shard {text}: I goes from 1 to N", "a job array that counts from 0 says --shard $((INDEX + 1))/N"
            )
        return cls(int(number), int(of))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def by_position(shard: Shard) -> range:
    """The positions (from 0) that leave remainder I - 1 by N, in a run of any length."""
    return range(shard.number - 1, sys.maxsize, shard.of)


def by_cost(shard: Shard, costs: np.ndarray) -> range:
    """The shard's stretch of queries that cost `costs (Q,)` int64, each at least 1; the dearest stretch is as cheap as can be.

    O(Q + N log Q log C): the least limit that N stretches can keep, found by halving.
    """
    ends = np.concatenate([[0], np.cumsum(costs, dtype=np.int64)])

    def within(limit: int) -> list[int]:
        bounds = [0]
        # Each stretch holds a query at least.
        for _ in range(min(shard.of, len(costs))):
            bounds.append(int(np.searchsorted(ends, ends[bounds[-1]] + limit, side="right")) - 1)
        return bounds

    low, high = int(costs.max(initial=0)), int(ends[-1])
    while low < high:
        middle = (low + high) // 2
        if within(middle)[-1] == len(costs):
            high = middle
        else:
            low = middle + 1
    bounds = within(low)
    # Where there are fewer queries than shards, the last ones have none.
    first, end = (bounds[min(place, len(bounds) - 1)] for place in (shard.number - 1, shard.number))
    return range(first, end)


class Share:
    """What of a stream is one shard's, and what the whole stream was: `positions` are of its items."""

    def __init__(self, shard: Shard, by: str, positions: range) -> None:
        self.shard, self.by, self.positions = shard, by, positions
        #: The ids of all items that have passed.
        self.ids: set[bytes] = set()
        self._digest = hashlib.blake2b(digest_size=16)

    def of(self, items: Iterable[T], words: Callable[[T], Iterable[bytes]]) -> Iterator[T]:
        """Pass on what is the shard's, and read all; `words` of an item are its id, then what else a fingerprint must see."""
        for position, item in enumerate(items):
            first, *rest = words(item)
            self.ids.add(first)
            for word in (first, *rest):
                self._digest.update(len(word).to_bytes(8, "little") + word)
            if position in self.positions:
                yield item

    def count(self, total: int) -> int:
        """How many of `total` items are the shard's."""
        return len(range(self.positions.start, min(self.positions.stop, total), self.positions.step))

    def facts(self) -> dict[str, Any]:
        """How it was cut, for the part's header: its k-th query (from 0) stood at position first + k * step of the run."""
        return {
            "number": self.shard.number,
            "of": self.shard.of,
            "by": self.by,
            "first": self.positions.start,
            "step": self.positions.step,
        }

    def run(self) -> dict[str, Any]:
        """What the whole run was, once all of it has passed: the number of its queries and a hash of what it says."""
        return {"of_queries": len(self.ids), "run": self._digest.hexdigest()}


def topic_words(one: tuple[bytes, str]) -> Iterator[bytes]:
    """For `Share.of`: a topic's id and its text."""
    yield one[0]
    yield one[1].encode("utf-8", "surrogatepass")


def candidates_words(one: Candidates) -> Iterator[bytes]:
    """For `Share.of`: a query with its documents in order, their scores, and the texts where the run carries them."""
    yield one.ranking.qid
    yield b"\n".join(one.ranking.docids.tolist())
    yield one.ranking.scores.astype("<f8").tobytes()
    texts = [] if one.query is None else [one.query]
    for document in (one.documents or {}).values():
        texts += [document.title, document.text]
    yield from (text.encode("utf-8", "surrogatepass") for text in texts)
