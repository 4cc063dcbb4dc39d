"""Replies that were paid for once: what a model said of a slate, under a hash of the model, the query and the slate's texts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rerank_cli.core.protocols import Cache, Lengths, Reply, Slate

_END = b"\n"


class KeptReplies:
    """A `Ranker` over another one that has a `description`: its replies, those in `cache` without asking it."""

    def __init__(self, ranker: Any, cache: Cache) -> None:
        self.checkpoint, self.description, self.tokenizer = ranker.checkpoint, ranker.description, ranker.tokenizer
        self.asks, self.most, self.at_once = ranker.asks, ranker.most, ranker.at_once
        self.strategy, self.settings = ranker.strategy, ranker.settings
        self._ranker, self._cache = ranker, cache
        self._asked = ranker.description.asked()

    def answer(self, slates: Sequence[Slate]) -> Iterator[tuple[int, Reply]]:
        """See `Ranker.answer`; what is kept comes first, and a slate that comes twice is asked once."""
        places: dict[bytes, list[int]] = {}
        for at, slate in enumerate(slates):
            places.setdefault(self._key(slate), []).append(at)
        keys = list(places)
        unknown: list[bytes] = []
        for key, kept in zip(keys, self._cache.get(keys)):
            if kept is None:
                unknown.append(key)
                continue
            reply = _read(kept)
            yield from ((at, reply) for at in places[key])
        if not unknown:
            return
        for number, reply in self._ranker.answer([slates[places[key][0]] for key in unknown]):
            if np.isfinite(reply.values).any():
                self._cache.put([(unknown[number], _written(reply))])
            first, *others = places[unknown[number]]
            yield first, reply
            yield from ((at, reply._replace(calls=0, cached=True)) for at in others)

    def measure(self, slates: Sequence[Slate]) -> Lengths:
        """See `Ranker.measure`."""
        lengths: Lengths = self._ranker.measure(slates)
        return lengths

    def kept(self, slates: Sequence[Slate]) -> np.ndarray:
        """Which slates' replies are kept, (n,) bool."""
        return np.array([value is not None for value in self._cache.get([self._key(slate) for slate in slates])], bool)

    def _key(self, slate: Slate) -> bytes:
        key = self._asked.copy()
        for text in (slate.query, *slate.documents):
            data = text.encode("utf-8", "surrogatepass")
            key.update(len(data).to_bytes(8, "little"))
            key.update(data)
        # A model may arrange a slate by its documents' places, and may read their first scores.
        key.update(np.argsort(slate.positions, kind="stable").astype("<i8").tobytes())
        if getattr(self._ranker, "uses_first_stage", False):
            key.update(np.asarray(slate.first_stage, "<f8").tobytes())
        return bytes(key.digest())


def _written(reply: Reply) -> bytes:
    facts = [reply.tokens, reply.written, reply.truncated, reply.repaired, reply.reason]
    return json.dumps(facts).encode() + _END + reply.values.astype("<f8").tobytes()


def _read(kept: bytes) -> Reply:
    facts, _, values = kept.partition(_END)
    tokens, written, truncated, repaired, reason = json.loads(facts)
    return Reply(
        np.frombuffer(values, "<f8"), tokens, written, 0, truncated, cached=True, repaired=repaired, reason=reason
    )
