"""A scorer that pays for no pair twice.

What a pair scores depends on the model, on how it is asked and on the two texts: all of that is hashed into the
key, and nothing of the run, its depth or the batches, so that any run finds what any other has paid for. Texts
are looked up before they are tokenised; an answer is kept before it is handed on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rerank_cli.core.protocols import Answers, Cache, Lengths, Pair, Scores, gathered

if TYPE_CHECKING:
    from rerank_cli.methods import LoadedScorer

_ROW = np.dtype([("value", "<f4"), ("tokens", "<u4"), ("truncated", "?")])


class _Found(NamedTuple):
    """Distinct questions of n pairs: their `keys`, the `places` of each among the pairs, and which are answered already."""

    keys: list[bytes]
    places: list[list[int]]
    #: Numbers of the questions that have an answer, and the answers `rows (k,)`; numbers of those that have none.
    known: list[int]
    rows: np.ndarray
    unknown: list[int]


class CachedScorer:
    """A `methods.LoadedScorer` over another one: its answers, those in `cache` without asking it."""

    def __init__(self, scorer: LoadedScorer, cache: Cache) -> None:
        self.checkpoint = scorer.checkpoint
        self.description = scorer.description
        self.tokenizer = scorer.tokenizer
        #: The pairs that keep its servers busy, where it has servers.
        self.under_way: int = getattr(scorer, "under_way", 0)
        self._scorer = scorer
        self._cache = cache
        self._asked = scorer.description.asked()

    def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
        """See `Scorer.stream`; what is kept comes first, and a pair that comes twice is asked once.

        The pairs are looked up when it is called. Answers that are not finite, or repaired, are handed on and not kept.
        """
        found = self._look_up(pairs)
        asked = [pairs[found.places[number][0]] for number in found.unknown]
        return self._answered(found, self._scorer.stream(asked) if asked else ())

    def score(self, pairs: Sequence[Pair]) -> Scores:
        """Every answer, in the pairs' order."""
        return gathered(self.stream(pairs), len(pairs))

    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        """See `Scorer.measure`; what is kept is not tokenised."""
        found = self._look_up(pairs)
        lengths = self._scorer.measure([pairs[found.places[number][0]] for number in found.unknown])
        rows = np.empty(len(found.keys), _ROW)
        rows["tokens"][found.unknown], rows["truncated"][found.unknown] = lengths.tokens, lengths.truncated
        rows[found.known] = found.rows
        number = np.empty(len(pairs), np.int64)
        for at, places in enumerate(found.places):
            number[places] = at
        return Lengths(rows["tokens"][number].astype(np.int64), rows["truncated"][number])

    def kept(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Whose answers are kept, (n,) bool."""
        return np.array([value is not None for value in self._cache.get([self._key(pair) for pair in pairs])], bool)

    def _answered(self, found: _Found, batches: Iterable[Answers]) -> Iterator[Answers]:
        if found.known:
            yield _answers(found, found.known, found.rows, 0, cached=True)
        for batch in batches:
            numbers = [found.unknown[at] for at in batch.positions.tolist()]
            rows = np.empty(len(numbers), _ROW)
            rows["value"], rows["tokens"], rows["truncated"] = batch.values, batch.tokens, batch.truncated
            sound = np.isfinite(batch.values) if batch.repaired is None else np.isfinite(batch.values) & ~batch.repaired
            self._cache.put([(found.keys[numbers[at]], rows[at].tobytes()) for at in np.flatnonzero(sound).tolist()])
            yield _answers(found, numbers, rows, batch.calls, cached=batch.cached, repaired=batch.repaired)

    def _look_up(self, pairs: Sequence[Pair]) -> _Found:
        places: dict[bytes, list[int]] = {}
        for at, pair in enumerate(pairs):
            places.setdefault(self._key(pair), []).append(at)
        keys = list(places)
        values = self._cache.get(keys)
        known = [number for number, value in enumerate(values) if value is not None]
        rows = np.frombuffer(b"".join(value for value in values if value is not None), _ROW)
        unknown = [number for number, value in enumerate(values) if value is None]
        return _Found(keys, list(places.values()), known, rows, unknown)

    def _key(self, pair: Pair) -> bytes:
        query, document = (text.encode("utf-8", "surrogatepass") for text in pair)
        key = self._asked.copy()
        key.update(len(query).to_bytes(8, "little"))
        key.update(query)
        key.update(document)
        return key.digest()


def _answers(
    found: _Found,
    numbers: Sequence[int],
    rows: np.ndarray,
    calls: int,
    *,
    cached: bool,
    repaired: np.ndarray | None = None,
) -> Answers:
    """The answers `rows (b,)` to the questions `numbers (b,)`, at every pair that asks them."""
    places = [found.places[number] for number in numbers]
    times = [len(some) for some in places]
    rows = rows.repeat(times)
    repaired = None if repaired is None else repaired.repeat(times)
    positions = np.fromiter(chain.from_iterable(places), np.int64)
    tokens = rows["tokens"].astype(np.int64)
    return Answers(positions, rows["value"], tokens, rows["truncated"], calls, cached, repaired)
