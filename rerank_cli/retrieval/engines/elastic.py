"""Elasticsearch and OpenSearch: a match query over one field, a multi_match over two, many queries in one `_msearch`.

Two fields are matched as BEIR's baseline does: the better field counts in full, the other by half. As there, terms are
counted over all shards (`dfs_query_then_fetch`): counted in each alone, a document's score is that of the shard it
happens to be in. A query names its shards' copies (`preference`), because copies count deleted documents differently.

An index gives out 10,000 documents of a query and no more (`index.max_result_window`). Whoever wants more asks for
what comes after the last document of the page before (`search_after`), and that needs an order without ties: by
score, then by id, both descending, which is also the order of our runs.

What an index does not have, it does not miss: a field of no document matches nothing, and so does a pattern of no
index. Both are asked about.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import quote

from rerank_cli.errors import WorkFailed
from rerank_cli.http.transport import Passing
from rerank_cli.retrieval.engines.engine import Ask, Fields, Hit, finite, hint, refused

#: `index.max_result_window` unless an index says otherwise.
WINDOW = 10_000
_PARTS = "application/x-ndjson"


@dataclass(frozen=True)
class Elastic:
    """A `Dialect` of the index (or pattern of indexes) below `path`; `name` is elastic or opensearch, which speak alike.

    `stored` names what holds the `fields` in a document, where that is another: see `opened`.
    """

    name: str
    path: str
    fields: Fields
    stored: Fields | None = None
    together: int = 16

    @property
    def _stored(self) -> Fields:
        return self.stored or self.fields

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
            body = "".join(
                f"{_compact(_how(queries[at]))}\n{_compact(one)}\n" for at, one in zip(due, bodies, strict=True)
            )
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
        body = {"query": query, "size": size, "_source": self._stored.wanted or False, "track_total_hits": False}
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
                raise refused(f"{self.path}/_msearch", int(one["status"]), _cause(one["error"]))
            shards = one["_shards"]
            if shards["total"] == 0:
                raise WorkFailed(f"{self.path.strip('/')} fits no index there", hint(404, ""))
            if one.get("timed_out") or shards["failed"]:
                raise Passing(f"searched {shards['total'] - shards['failed']} of {shards['total']} shards in time")
            rows = one["hits"]["hits"]
            hits = [
                Hit(self._stored.document(row.get("_source") or {}, row["_id"]), finite(row["_score"])) for row in rows
            ]
            pages.append((hits, rows[-1].get("sort") if rows else None))
        return pages


def opened(name: str, path: str, fields: Fields, ask: Ask) -> Elastic:
    """An `Elastic` whose index has the fields that are searched; raises `WorkFailed` where it has not.

    A field may be another's text, analysed in another way (title.english of title, docid.keyword of docid): it is searched
    by its own name, and found in a document under the other's. Costs a request where fields are named.
    """
    named = [field for field in (fields.docid, fields.title, fields.text) if field]
    if not named:
        return Elastic(name, path, fields)
    asked = sorted({part for field in named for part in (field, field.rpartition(".")[0]) if part})
    where = f"{path}/_field_caps?fields={quote(','.join(asked))}"
    known: Mapping[str, Mapping[str, Any]] = ask(where, b"", lambda reply: dict(reply["fields"]))
    for field in fields.texts:
        if not any(kind["searchable"] for kind in known.get(field, {}).values()):
            raise WorkFailed(
                f"{path.strip('/')} has no field {field} that can be searched",
                "--from names the index, and --engine-fields the fields of it",
            )

    def holder(field: str | None) -> str | None:
        parent = field.rpartition(".")[0] if field else ""
        return parent if known.get(parent, {}).keys() - {"object", "nested"} else field

    stored = replace(fields, docid=holder(fields.docid), title=holder(fields.title), text=holder(fields.text))
    return Elastic(name, path, fields, stored)


def _how(text: str) -> dict[str, str]:
    """The line that goes before a query: the same copies of the shards each time that it is asked."""
    return {"search_type": "dfs_query_then_fetch", "preference": f"{zlib.crc32(text.encode('utf-8', 'replace')):08x}"}


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _cause(error: Mapping[str, Any]) -> dict[str, Any]:
    """Of an error and what it came of, the one at the bottom: those above may repeat the whole query."""
    shards = error.get("failed_shards") or [{}]
    cause: Mapping[str, Any] = shards[0].get("reason") or next(iter(error.get("root_cause") or ()), error)
    while cause.get("caused_by"):
        cause = cause["caused_by"]
    reason = str(cause["reason"])
    # Some say little: an index is "closed".
    return {"reason": reason if " " in reason else f"{cause['type']}: {reason}"}


def signed(key: str) -> str:
    """The Authorization header of Elasticsearch for an API key, or for user:password."""
    return _basic(key) if ":" in key else f"ApiKey {key}"


def signed_opensearch(key: str) -> str:
    """The Authorization header of OpenSearch for a token, or for user:password."""
    return _basic(key) if ":" in key else f"Bearer {key}"


def _basic(key: str) -> str:
    return f"Basic {base64.b64encode(key.encode()).decode()}"
