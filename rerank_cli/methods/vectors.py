"""Vectors that are kept while a process runs: a document that several queries meet is embedded once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from rerank_cli.core.protocols import Answers, Lengths, Pair
from rerank_cli.inference.batching import computed
from rerank_cli.methods.exported import Record
from rerank_cli.methods.pointwise import BatchScorer, Description, LoadedBackend, lengths

#: Texts kept at most; 384 numbers a text make 200 MB of that.
KEPT = 131_072


class Embedded(NamedTuple):
    """Some of the texts asked for as vectors: `positions (b,)` among them, `vectors (b, d)` float32, `tokens (b,)` int64,
    `truncated (b,)` bool; `calls` model batches."""

    positions: np.ndarray
    vectors: np.ndarray
    tokens: np.ndarray
    truncated: np.ndarray
    calls: int


class VectorMemory:
    """The last `limit` texts' vectors, by the text's hash; the oldest are forgotten first."""

    def __init__(self, embed: Callable[[Sequence[str]], Iterable[Embedded]], limit: int = KEPT) -> None:
        self._embed = embed
        self._limit = limit
        self._kept: dict[bytes, tuple[np.ndarray, int, bool]] = {}

    def embed(self, texts: Sequence[str]) -> Iterator[Embedded]:
        """Embed n distinct texts, those kept first and without the model, the others batch by batch."""
        keys = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        known = [at for at, key in enumerate(keys) if key in self._kept]
        if known:
            vectors, tokens, truncated = zip(*(self._kept[keys[at]] for at in known), strict=True)
            yield Embedded(np.array(known), np.stack(vectors), np.array(tokens), np.array(truncated), 0)
        new = np.array([at for at, key in enumerate(keys) if key not in self._kept], dtype=np.int64)
        for batch in self._embed([texts[at] for at in new]):
            positions = new[batch.positions]
            columns = zip(batch.vectors, batch.tokens.tolist(), batch.truncated.tolist(), strict=True)
            self._kept.update(zip((keys[at] for at in positions), columns, strict=True))
            yield batch._replace(positions=positions)
        for key in list(self._kept)[: max(0, len(self._kept) - self._limit)]:
            del self._kept[key]


class VectorScorer(BatchScorer):
    """Scores pairs by the similarity of two vectors; a text that comes again is not embedded again."""

    def __init__(self, tokens: Any, backend: LoadedBackend, record: Record, description: Description) -> None:
        super().__init__(record, description)
        self._tokens = tokens
        self._backend = backend
        self._record = record
        self._memory = VectorMemory(self._through_model)

    def embed(self, texts: Sequence[str], *, as_query: bool = False) -> np.ndarray:
        """Vectors (n, d) float32 of texts with the prompt for queries or documents; of unit length for cosine models."""
        return _in_order(self._through_model([self._prompted(text, as_query) for text in texts]), len(texts)).vectors

    def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
        """See `Scorer.stream`; distinct queries + documents not met before through the model, the queries first."""
        if not pairs:
            return
        texts, of_query, of_document = self._distinct(pairs)
        queries = _in_order(self._memory.embed(texts[0]), len(texts[0]))
        calls = queries.calls
        for some in self._memory.embed(texts[1]):
            place = np.full(len(texts[1]), -1)
            place[some.positions] = np.arange(len(some.positions))
            at = np.flatnonzero(place[of_document] >= 0)
            query, document = of_query[at], place[of_document[at]]
            values = np.einsum("nd,nd->n", queries.vectors[query], some.vectors[document]).astype(np.float32)
            tokens = queries.tokens[query] + some.tokens[document]
            yield Answers(at, values, tokens, queries.truncated[query] | some.truncated[document], calls + some.calls)
            calls = 0

    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        """See `Scorer.measure`; a pair's tokens are those of its two texts."""
        texts, of_query, of_document = self._distinct(pairs)
        queries, documents = (lengths(self._tokens.rows(some)) for some in texts)
        tokens = queries.tokens[of_query] + documents.tokens[of_document]
        return Lengths(tokens, queries.truncated[of_query] | documents.truncated[of_document])

    def _distinct(self, pairs: Sequence[Pair]) -> tuple[tuple[list[str], list[str]], np.ndarray, np.ndarray]:
        """The distinct prompted queries and documents, and where each pair's are among them."""
        queries: dict[str, int] = {}
        documents: dict[str, int] = {}
        of_query = [queries.setdefault(self._prompted(p.query, True), len(queries)) for p in pairs]
        of_document = [documents.setdefault(self._prompted(p.document, False), len(documents)) for p in pairs]
        return (list(queries), list(documents)), np.array(of_query, dtype=int), np.array(of_document, dtype=int)

    def _prompted(self, text: str, as_query: bool) -> str:
        text = self._record.params["query_prompt" if as_query else "document_prompt"] + text
        return text.lower() if self._record.params["lower"] else text

    def _through_model(self, texts: Sequence[str]) -> Iterator[Embedded]:
        record = self._record
        rows = self._tokens.rows(texts)
        tokens, truncated = lengths(rows)
        for at, vectors in computed(self._backend, rows, record.inputs, record.pad_id, self.description.batch_tokens):
            if record.score == "cosine":
                vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
            yield Embedded(at, vectors, tokens[at], truncated[at], 1)


def _in_order(batches: Iterable[Embedded], n: int) -> Embedded:
    """All n texts' vectors, in the texts' order."""
    done = list(batches)
    order = np.argsort(np.concatenate([batch.positions for batch in done]))
    vectors, tokens, truncated = (
        np.concatenate([getattr(batch, name) for batch in done])[order] for name in ("vectors", "tokens", "truncated")
    )
    return Embedded(np.arange(n), vectors, tokens, truncated, sum(batch.calls for batch in done))
