"""Qdrant: the points of a collection that are nearest to the query's vector, which the bi-encoder makes that made theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rerank_cli.retrieval.engines.engine import Ask, Fields, Hit, finite


@dataclass(frozen=True)
class Qdrant:
    """A `Dialect` of the collection below `path`; `encode(texts)` are the queries' vectors (d,), `vector` is theirs in the collection, where it has several."""

    path: str
    collection: str
    fields: Fields
    encode: Callable[[Sequence[str]], Sequence[np.ndarray]]
    vector: str = ""
    name: str = "qdrant"
    together: int = 16

    @property
    def facts(self) -> dict[str, Any]:
        """See `Dialect.facts`."""
        return {
            "index": self.collection,
            "vector": self.vector or None,
            "engine_fields": self.fields.texts or None,
        }

    def queries(self, texts: Sequence[str]) -> list[list[float]]:
        """See `Dialect.queries`; a text a topic through the model."""
        return [np.asarray(vector, np.float32).tolist() for vector in self.encode(texts)]

    def lists(self, ask: Ask, queries: Sequence[list[float]], k: int) -> list[list[Hit]]:
        """See `Dialect.lists`; one request."""
        searches = [self._search(query, k) for query in queries]
        body = json.dumps({"searches": searches}).encode()
        return ask(
            f"{self.path}/collections/{self.collection}/points/query/batch",
            body,
            lambda reply: self._lists(reply, len(queries)),
        )

    def _search(self, query: list[float], k: int) -> dict[str, Any]:
        search = {"query": query, "limit": k, "with_payload": self.fields.wanted or False, "with_vector": False}
        return search | ({"using": self.vector} if self.vector else {})

    def _lists(self, reply: Any, expected: int) -> list[list[Hit]]:
        if len(reply["result"]) != expected:
            raise ValueError("another number of results than queries")
        return [
            [
                Hit(self.fields.document(point.get("payload") or {}, point["id"]), finite(point["score"]))
                for point in one["points"]
            ]
            for one in reply["result"]
        ]
