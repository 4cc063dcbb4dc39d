"""What the methods that rate whole lists share: pairs as lists, vectors of texts kept, ratings of lists kept.

Some read each text alone and compare the vectors (`TextLists`): a document that several queries
meet goes through the model once. Others read the list in one prompt (`PromptLists`): nothing of it serves another
list, so the whole list's rating is kept.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rerank_cli.core.protocols import Answers, Cache, Lengths, Pair, Ratings, Scores, Slate, gathered
from rerank_cli.inference.batching import at_once
from rerank_cli.inference.memory import telling
from rerank_cli.methods.vectors import TextMemory, TextModel, distinct

if TYPE_CHECKING:
    from rerank_cli.inference.batching import Row
    from rerank_cli.methods.pointwise import Description


class ListMethod(ABC):
    """A `core.protocols.ListScorer` that also answers pairs, those of each query as one list."""

    uses_first_stage = False
    #: The model's tokenizer; given by `methods.load`.
    tokenizer: Any = None

    def __init__(self, description: Description, name: str) -> None:
        self.description = description
        self.checkpoint = name

    @abstractmethod
    def rate(self, slates: Sequence[Slate]) -> Ratings:
        """See `ListScorer.rate`."""

    @abstractmethod
    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        """See `ListScorer.measure`."""

    def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
        """The pairs of each query as one list without a first stage: how exports are compared and speed is measured."""
        slates, positions = _lists_of(pairs)
        costs = self.rate(slates).costs
        yield Answers(positions, costs.values.astype(np.float32), costs.tokens, costs.truncated, costs.calls)

    def score(self, pairs: Sequence[Pair]) -> Scores:
        """What `stream` answers, in the pairs' order."""
        return gathered(self.stream(pairs), len(pairs))


class _OfLists(ListMethod):
    """One whose cost depends on the list."""

    @abstractmethod
    def lengths(self, slates: Sequence[Slate]) -> Lengths:
        """What rating the lists would cost, their documents end to end; tokenises only."""

    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        """See `ListScorer.measure`."""
        slates, positions = _lists_of(pairs)
        lengths = self.lengths(slates)
        back = np.argsort(positions)
        return Lengths(lengths.tokens[back], lengths.truncated[back])


class TextLists(_OfLists):
    """Lists rated from what the model makes of each text alone; texts' arrays are kept, in memory and in a store when there is one."""

    #: Whether the query's text holds the list: then its tokens are spread over the documents, and else each pair has them all.
    one_prompt = False

    def __init__(self, model: TextModel, name: str) -> None:
        super().__init__(model.description, name)
        self._model = model
        self._memory = TextMemory(model)

    @abstractmethod
    def rated(
        self, query: np.ndarray, documents: Sequence[np.ndarray], slate: Slate
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """The scores (n,) of a list of one document or more from what is kept of its texts, and what to tell of it."""

    def asked(self, slate: Slate) -> str:
        """What goes through the model on the query's side."""
        return slate.query

    def keep_in(self, store: Cache) -> None:
        """Keep texts' arrays in `store` too, and look there before asking the model."""
        self._memory.store = store

    def lengths(self, slates: Sequence[Slate]) -> Lengths:
        """See `_OfLists.lengths`."""
        asked, documents, owner, place = self._texts(slates)
        return self._costs(self._model.lengths(asked, True), self._model.lengths(documents, False), owner, place)

    def kept(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Of which pairs what the model made of the document is kept, (n,) bool."""
        return self._memory.keeps([pair.document for pair in pairs], False)

    def rate(self, slates: Sequence[Slate]) -> Ratings:
        """See `ListScorer.rate`; distinct queries + documents not met before through the model."""
        asked, texts, owner, place = self._texts(slates)
        of_prompt = {self.asked(one): one for one in slates}
        with telling([of_prompt[one] for one in asked] if self.one_prompt else asked):
            queries = self._memory.all(asked, True)
        documents = self._memory.all(texts, False)
        values: list[np.ndarray] = []
        told: list[dict[str, Any]] = []
        start = 0
        for one in slates:
            stop = start + len(one.documents)
            rated: tuple[np.ndarray, dict[str, Any]] = np.zeros(0), {}
            if stop > start:
                found = [documents.arrays[at] for at in place[start:stop]]
                rated = self.rated(queries.arrays[owner[start]], found, one)
            values.append(rated[0])
            told.append(rated[1])
            start = stop
        tokens, truncated = self._costs(queries, documents, owner, place)
        whole = np.concatenate([np.zeros(0), *values])
        costs = Scores(whole, tokens, truncated, documents.cached[place], queries.calls + documents.calls)
        return Ratings(values, costs, told)

    def _texts(self, slates: Sequence[Slate]) -> tuple[list[str], list[str], np.ndarray, np.ndarray]:
        """The distinct texts of both sides, and which of them each document of the lists, end to end, has."""
        texts, owner, place = distinct(
            [Pair(asked, text) for one in slates for asked in [self.asked(one)] for text in one.documents]
        )
        return *texts, owner, place

    def _costs(self, queries: Any, documents: Any, owner: np.ndarray, place: np.ndarray) -> Lengths:
        shares = queries.tokens[owner]
        if self.one_prompt:
            # A prompt that several lists share is read once, and spread over all their documents.
            for number, tokens in enumerate(queries.tokens.tolist()):
                own = np.flatnonzero(owner == number)
                shares[own] = spread(tokens, len(own))
        return Lengths(shares + documents.tokens[place], queries.truncated[owner] | documents.truncated[place])


class Rated(NamedTuple):
    """A list's `values (n,)` float64, its documents' `lengths`, the model's calls, and what to tell of it."""

    values: np.ndarray
    lengths: Lengths
    calls: int
    told: dict[str, Any]


_ROW = np.dtype([("value", "<f8"), ("tokens", "<u4"), ("truncated", "?")])


class PromptLists(_OfLists):
    """Lists that the model reads whole, each by itself, as many at once as the backend takes; their ratings are kept in a store."""

    def __init__(self, description: Description, name: str, workers: int) -> None:
        super().__init__(description, name)
        self._workers = workers
        self._store: Cache | None = None

    @abstractmethod
    def rated(self, slate: Slate) -> Rated:
        """Rate a list of one document or more."""

    def keep_in(self, store: Cache) -> None:
        """Keep every list's rating in `store`, and look there before asking the model."""
        self._store = store

    def kept(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Which pairs' lists, those of each query one, have ratings that are kept, (n,) bool."""
        slates, positions = _lists_of(pairs)
        found = np.zeros(len(pairs), bool)
        if self._store is not None:
            kept = [value is not None for value in self._store.get([self._key(slate) for slate in slates])]
            found[positions] = np.repeat(kept, [len(slate.documents) for slate in slates])
        return found

    def rate(self, slates: Sequence[Slate]) -> Ratings:
        """See `ListScorer.rate`; a rating is in the store before the next list is taken up, unless a value is not finite."""
        keys = [self._key(slate) for slate in slates]
        kept = [None] * len(slates) if self._store is None else self._store.get(keys)
        found = {at: _read(value, len(slates[at].documents)) for at, value in enumerate(kept) if value is not None}
        empty = Rated(np.zeros(0), Lengths(np.zeros(0, np.int64), np.zeros(0, bool)), 0, {})
        found |= {at: empty for at, slate in enumerate(slates) if not slate.documents}
        known = set(found)

        def fresh_of(at: int) -> Iterator[tuple[int, Rated]]:
            with telling([slates[at]]):
                yield at, self.rated(slates[at])

        unknown = iter([at for at in range(len(slates)) if at not in known])
        for at, fresh in at_once(fresh_of, unknown, self._workers):
            found[at] = fresh
            if self._store is not None and np.isfinite(fresh.values).all():
                self._store.put([(keys[at], _written(fresh))])
        whole = [found[at] for at in range(len(slates))]
        values = [one.values for one in whole]
        costs = Scores(
            np.concatenate([np.zeros(0), *values]),
            np.concatenate([np.zeros(0, np.int64), *(one.lengths.tokens for one in whole)]),
            np.concatenate([np.zeros(0, bool), *(one.lengths.truncated for one in whole)]),
            np.repeat([at in known for at in range(len(slates))], [len(one) for one in values]).astype(bool),
            sum(one.calls for one in whole),
        )
        return Ratings(values, costs, [one.told for one in whole])

    def _key(self, slate: Slate) -> bytes:
        key = self.description.asked()
        key.update(b"list ")
        for text in (slate.query, *slate.documents):
            encoded = text.encode("utf-8", "surrogatepass")
            key.update(len(encoded).to_bytes(8, "little") + encoded)
        return key.digest()


def spread(tokens: int, n: int) -> np.ndarray:
    """`tokens` of one prompt over its n documents: (n,) int64 whose sum is `tokens`."""
    return np.diff(np.arange(n + 1, dtype=np.int64) * tokens // max(n, 1))


def _lists_of(pairs: Sequence[Pair]) -> tuple[list[Slate], np.ndarray]:
    """Each query's pairs as a list without a first stage, and where their documents, end to end, are among the pairs."""
    places: dict[str, list[int]] = {}
    for at, pair in enumerate(pairs):
        places.setdefault(pair.query, []).append(at)
    slates = [
        Slate(query, [pairs[at].document for at in own], np.zeros(len(own)), np.arange(len(own)))
        for query, own in places.items()
    ]
    return slates, np.array([at for own in places.values() for at in own], dtype=np.int64)


def _written(rated: Rated) -> bytes:
    rows = np.empty(len(rated.values), _ROW)
    rows["value"], rows["tokens"], rows["truncated"] = rated.values, *rated.lengths
    return rows.tobytes() + json.dumps(rated.told).encode()


def _read(value: bytes, n: int) -> Rated:
    rows = np.frombuffer(value, _ROW, n)
    lengths = Lengths(rows["tokens"].astype(np.int64), rows["truncated"].copy())
    return Rated(rows["value"].copy(), lengths, 0, json.loads(value[n * _ROW.itemsize :]))


def ratings(
    values: list[np.ndarray], rows: Sequence[Sequence[Row]], told: list[dict[str, Any]] | None = None
) -> Ratings:
    """`Ratings` of lists that were each one call: values (n,) and the rows of each list's documents."""
    from rerank_cli.methods.pointwise import lengths

    tokens, truncated = lengths([row for own in rows for row in own])
    whole = np.concatenate([np.zeros(0), *values])
    calls = sum(len(own) > 0 for own in rows)
    return Ratings(
        values, Scores(whole, tokens, truncated, np.zeros(len(whole), bool), calls), told or [{} for _ in rows]
    )
