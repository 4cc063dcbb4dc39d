"""Elasticsearch and OpenSearch: a match query over one field, a multi_match over two, many queries in one `_msearch`.

Two fields are matched as BEIR's baseline does: the better field counts in full, the other by half. An index gives out
10,000 documents of a query and no more (`index.max_result_window`). Whoever wants more asks for what comes after
the last document of the page before (`search_after`), and that needs an order without ties: by score, then by id,
both descending, which is also the order of our runs.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rerank_cli.http.transport import Passing
from rerank_cli.retrieval.engines.engine import Ask, Fields, Hit, finite, refused

#: `index.max_result_window` unless an index says otherwise.
WINDOW = 10_000
_PARTS = "application/x-ndjson"


@dataclass(frozen=True)
class Elastic:
    """A `Dialect` of the index (or pattern of indexes) below `path`; `name` is elastic or opensearch, which speak alike."""

    name: str
    path: str
    fields: Fields
    together: int = 16

    @property
    def facts(self) -> dict[str, Any]:
        """See `Dialect.facts`."""
        return {"index": self.path.strip("/"), "engine_fields": self.fields.texts or None}

    def queries(self, texts: Sequence[str]) -> Sequence[str]:
        """See `Dialect.queries`."""
        return texts

    def lists(self, ask: Ask, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """See `Dialect.lists`; one request for each 10,000 documents of the longest list."""
        found: list[list[Hit]] = [[] for _ in queries]
        after: list[Any] = [None] * len(queries)
        due = list(range(len(queries)))
        while due:
            sizes = {at: min(k - len(found[at]), WINDOW) for at in due}
            bodies = [self._body(queries[at], sizes[at], k > WINDOW, after[at]) for at in due]
            body = "".join(f"{{}}\n{json.dumps(one, separators=(',', ':'))}\n" for one in bodies)
            pages = ask(f"{self.path}/_msearch", body.encode(), partial(self._pages, len(due)), _PARTS)
            more = []
            for at, (hits, last) in zip(due, pages, strict=True):
                found[at] += hits
                after[at] = last
                if len(hits) == sizes[at] and len(found[at]) < k:
                    more.append(at)
            due = more
        return found

    def _body(self, text: str, size: int, paged: bool, after: Any) -> dict[str, Any]:
        names = self.fields.texts
        query: dict[str, Any] = {"multi_match": {"query": text}}
        if len(names) == 1:
            query = {"match": {names[0]: {"query": text}}}
        elif names:
            query["multi_match"] |= {"fields": names, "type": "best_fields", "tie_breaker": 0.5}
        body = {"query": query, "size": size, "_source": self.fields.wanted or False, "track_total_hits": False}
        if paged:
            body["sort"] = [{"_score": "desc"}, {self.fields.docid or "_id": "desc"}]
        if after is not None:
            body["search_after"] = after
        return body

    def _pages(self, expected: int, reply: Any) -> list[tuple[list[Hit], Any]]:
        """Each query's page, and where the next one begins."""
        if len(reply["responses"]) != expected:
            raise ValueError("another number of responses than queries")
        pages = []
        for one in reply["responses"]:
            if "error" in one:
                raise refused(f"{self.path}/_msearch", int(one["status"]), one)
            if one.get("timed_out") or one["_shards"]["failed"]:
                shards = one["_shards"]
                raise Passing(f"searched {shards['total'] - shards['failed']} of {shards['total']} shards in time")
            rows = one["hits"]["hits"]
            hits = [
                Hit(self.fields.document(row.get("_source") or {}, row["_id"]), finite(row["_score"])) for row in rows
            ]
            pages.append((hits, rows[-1].get("sort") if rows else None))
        return pages


def signed(key: str) -> str:
    """The Authorization header of Elasticsearch for an API key, or for user:password."""
    return _basic(key) if ":" in key else f"ApiKey {key}"


def signed_opensearch(key: str) -> str:
    """The Authorization header of OpenSearch for a token, or for user:password."""
    return _basic(key) if ":" in key else f"Bearer {key}"


def _basic(key: str) -> str:
    return f"Basic {base64.b64encode(key.encode()).decode()}"
