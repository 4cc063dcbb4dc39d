"""Texts that go through the model alone: what it makes of each is kept, so a document that several queries meet is read once.

What is kept of a text is an array: one vector for a bi-encoder, one a token for late interaction. A method
says how texts become rows, what is kept of the model's numbers, and how a query's array and documents' arrays
become scores; the rest is here.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from rerank_cli.core.protocols import Answers, Cache, Lengths, Pair
from rerank_cli.inference.batching import Row, computed
from rerank_cli.inference.memory import numbered_by, telling
from rerank_cli.methods.exported import Record
from rerank_cli.methods.pointwise import BatchScorer, Description, LoadedBackend, lengths

#: Bytes of arrays kept in memory at most: 350,000 vectors of 384 numbers, or 9,000 passages of 80 such in 16 bits.
KEPT_BYTES = 1 << 29
#: Token rows x numbers of one product in `best_matches`.
_BLOCK_ROWS = 16_384


class Embedded(NamedTuple):
    """Some of the texts asked for as arrays: `positions (b,)` among them, `arrays`, one a text, `tokens (b,)` int64,
    `truncated (b,)` bool; `cached (b,)` bool, which came from a store; `calls`, the model's batches they took."""

    positions: np.ndarray
    arrays: list[np.ndarray]
    tokens: np.ndarray
    truncated: np.ndarray
    cached: np.ndarray
    calls: int


class Kept(NamedTuple):
    """What is remembered of a text."""

    array: np.ndarray
    tokens: int
    truncated: bool
    cached: bool


def _key(asked: hashlib.blake2b, text: str) -> bytes:
    key = asked.copy()
    key.update(text.encode("utf-8", "surrogatepass"))
    return key.digest()


class TextModel:
    """Texts of one side, queries or documents, to arrays.

    `rows(texts, as_query)` are the token rows; `kept(numbers, row, as_query)` is what is kept of the model's
    numbers for one row: (d,), or (L, d) with padding below the row's own tokens.
    """

    def __init__(
        self,
        rows: Callable[[Sequence[str], bool], list[Row]],
        kept: Callable[[np.ndarray, Row, bool], np.ndarray],
        backend: LoadedBackend,
        record: Record,
        description: Description,
    ) -> None:
        self._rows, self._kept = rows, kept
        self._backend, self._record, self.description = backend, record, description

    def lengths(self, texts: Sequence[str], as_query: bool) -> Lengths:
        """What texts cost; tokenises only."""
        return lengths(self._rows(texts, as_query))

    def embed(self, texts: Sequence[str], as_query: bool) -> Iterator[Embedded]:
        """Texts through the model, batch by batch."""
        record, budget = self._record, self.description.batch_tokens
        rows = self._rows(texts, as_query)
        tokens, truncated = lengths(rows)
        with telling(texts):
            for at, numbers in computed(self._backend, rows, record.inputs, record.pad_id, budget):
                # A copy, for a view would hold the whole batch.
                arrays = [np.array(self._kept(own, rows[row], as_query)) for own, row in zip(numbers, at, strict=True)]
                yield Embedded(at, arrays, tokens[at], truncated[at], np.zeros(len(at), bool), 1)

    def pair_lengths(self, pairs: Sequence[Pair]) -> Lengths:
        """See `Scorer.measure`; a pair's tokens are those of its two texts."""
        texts, of_query, of_document = distinct(pairs)
        queries, documents = self.lengths(texts[0], True), self.lengths(texts[1], False)
        tokens = queries.tokens[of_query] + documents.tokens[of_document]
        return Lengths(tokens, queries.truncated[of_query] | documents.truncated[of_document])


class TextMemory:
    """What a model made of texts: the last ones up to `limit` bytes, and more in `store` when there is one."""

    def __init__(self, model: TextModel, limit: int = KEPT_BYTES) -> None:
        self._model = model
        self._limit = limit
        self._bytes = 0
        self._kept: dict[bytes, Kept] = {}
        self.store: Cache | None = None

    def embed(self, texts: Sequence[str], as_query: bool) -> Iterator[Embedded]:
        """Embed n distinct texts: those in memory, those in the store, and the others batch by batch.

        A batch is in the store before it is handed over.
        """
        keys = self._keys(texts, as_query)
        known = [at for at, key in enumerate(keys) if key in self._kept]
        if known:
            yield _columns(known, [self._kept[keys[at]] for at in known])
        new = [at for at, key in enumerate(keys) if key not in self._kept]
        if new and self.store is not None:
            found = {at: _read(value) for at, value in zip(new, self.store.get([keys[at] for at in new])) if value}
            if found:
                self._remember({keys[at]: what for at, what in found.items()})
                yield _columns(list(found), list(found.values()))
                new = [at for at in new if at not in found]
        rest = np.array(new, dtype=np.int64)
        with numbered_by(rest):
            for batch in self._model.embed([texts[at] for at in rest], as_query) if len(rest) else ():
                positions = rest[batch.positions]
                columns = (batch.arrays, batch.tokens.tolist(), batch.truncated.tolist(), batch.cached.tolist())
                whats = [Kept(*row) for row in zip(*columns, strict=True)]
                fresh = dict(zip((keys[at] for at in positions), whats, strict=True))
                if self.store is not None:
                    self.store.put([(key, _written(what)) for key, what in fresh.items()])
                self._remember(fresh)
                yield batch._replace(positions=positions)

    def keeps(self, texts: Sequence[str], as_query: bool) -> np.ndarray:
        """Which texts' arrays are in the store, (n,) bool."""
        kept = self.store.get(self._keys(texts, as_query)) if self.store is not None else [None] * len(texts)
        return np.array([value is not None for value in kept], bool)

    def _keys(self, texts: Sequence[str], as_query: bool) -> list[bytes]:
        asked = self._model.description.asked()
        asked.update(b"query " if as_query else b"document ")
        return [_key(asked, text) for text in texts]

    def all(self, texts: Sequence[str], as_query: bool) -> Embedded:
        """All n distinct texts, in their order."""
        done = list(self.embed(texts, as_query))
        if not done:
            return Embedded(np.arange(0), [], np.zeros(0, np.int64), np.zeros(0, bool), np.zeros(0, bool), 0)
        order = np.argsort(np.concatenate([some.positions for some in done]))
        arrays = [array for some in done for array in some.arrays]
        tokens, truncated, cached = (
            np.concatenate([getattr(some, name) for some in done])[order] for name in ("tokens", "truncated", "cached")
        )
        calls = sum(some.calls for some in done)
        return Embedded(np.arange(len(order)), [arrays[at] for at in order], tokens, truncated, cached, calls)

    def _remember(self, fresh: dict[bytes, Kept]) -> None:
        self._kept |= fresh
        self._bytes += sum(what.array.nbytes for what in fresh.values())
        while self._bytes > self._limit:
            self._bytes -= self._kept.pop(next(iter(self._kept))).array.nbytes


class TextScorer(BatchScorer):
    """Scores pairs from what the model makes of each text alone; `compare(query, documents)` gives n documents' scores (n,)."""

    def __init__(
        self, model: TextModel, compare: Callable[[np.ndarray, list[np.ndarray]], np.ndarray], record: Record
    ) -> None:
        super().__init__(record, model.description)
        #: What makes the arrays, and what it has made of texts, for who wants these and no scores.
        self.model = model
        self.memory = TextMemory(model)
        self._compare = compare

    def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
        """See `Scorer.stream`; distinct queries + documents not met before through the model, the queries first."""
        texts, of_query, of_document = distinct(pairs)
        queries = self.memory.all(texts[0], True)
        calls = queries.calls
        for some in self.memory.embed(texts[1], False):
            place = np.full(len(texts[1]), -1)
            place[some.positions] = np.arange(len(some.positions))
            at = np.flatnonzero(place[of_document] >= 0)
            query, document = of_query[at], place[of_document[at]]
            values = np.empty(len(at), np.float32)
            for number in sorted(set(query.tolist())):
                own = np.flatnonzero(query == number)
                values[own] = self._compare(queries.arrays[number], [some.arrays[place] for place in document[own]])
            tokens = queries.tokens[query] + some.tokens[document]
            yield Answers(at, values, tokens, queries.truncated[query] | some.truncated[document], calls + some.calls)
            calls = 0

    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        """See `Scorer.measure`."""
        return self.model.pair_lengths(pairs)


def best_matches(query: np.ndarray, documents: Sequence[np.ndarray]) -> np.ndarray:
    """For each document and each of the query's vectors, its greatest product with one of the document's vectors.

    `query (Lq, d)` float32, documents (Ld, d) of one row or more each, of their own tokens only, so that padding
    cannot win; returns (n, Lq) float32. The sum over Lq is ColBERT's MaxSim.
    O. Khattab, M. Zaharia: ColBERT. SIGIR 2020, arXiv:2004.12832.
    """
    best = np.empty((len(documents), len(query)), np.float32)
    start = 0
    while start < len(documents):
        stop, rows = start + 1, len(documents[start])
        while stop < len(documents) and rows + len(documents[stop]) <= _BLOCK_ROWS:
            rows += len(documents[stop])
            stop += 1
        some = documents[start:stop]
        products = np.concatenate(some).astype(np.float32, copy=False) @ query.T
        first = np.cumsum([0, *(len(document) for document in some[:-1])])
        best[start:stop] = np.maximum.reduceat(products, first, axis=0)
        start = stop
    return best


def rocchio(query: np.ndarray, fed_back: np.ndarray, weight: float) -> np.ndarray:
    """The query's vector (d,) moved towards documents that were fed back, (m, d): `weight` times their mean is added.

    J. Rocchio: Relevance feedback in information retrieval. The SMART Retrieval System, 1971.
    """
    return np.asarray(query + weight * fed_back.mean(0))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., d) float32 scaled to length one; zeros stay zeros."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12), np.float32)


def one_by_one(module: Any, inputs: Sequence[str], batch: dict[str, Any]) -> Any:
    """A PyTorch module's answers to a batch, one text at a time without padding; token vectors end in zeros."""
    import torch

    answers = [
        module(*(batch[name][at : at + 1, :length] for name in inputs))[0]
        for at, length in enumerate(batch["attention_mask"].sum(1).tolist())
    ]
    return torch.nn.utils.rnn.pad_sequence(answers, batch_first=True) if answers[0].dim() == 2 else torch.stack(answers)


def distinct(pairs: Sequence[Pair]) -> tuple[tuple[list[str], list[str]], np.ndarray, np.ndarray]:
    """The distinct queries and documents, and where each pair's are among them."""
    queries: dict[str, int] = {}
    documents: dict[str, int] = {}
    of_query = [queries.setdefault(pair.query, len(queries)) for pair in pairs]
    of_document = [documents.setdefault(pair.document, len(documents)) for pair in pairs]
    return (list(queries), list(documents)), np.array(of_query, dtype=int), np.array(of_document, dtype=int)


def _columns(positions: list[int], whats: list[Kept]) -> Embedded:
    arrays, tokens, truncated, cached = zip(*whats, strict=True)
    return Embedded(np.array(positions), list(arrays), np.array(tokens), np.array(truncated), np.array(cached), 0)


_COST = struct.Struct("<q?")


def _written(what: Kept) -> bytes:
    out = io.BytesIO()
    out.write(_COST.pack(what.tokens, what.truncated))
    np.save(out, what.array)
    return out.getvalue()


def _read(value: bytes) -> Kept:
    source = io.BytesIO(value)
    tokens, truncated = _COST.unpack(source.read(_COST.size))
    return Kept(np.load(source, allow_pickle=False), tokens, truncated, cached=True)
