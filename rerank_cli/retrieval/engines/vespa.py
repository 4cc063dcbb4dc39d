"""Vespa: the topic's words, joined by OR, ranked by a profile of the application.

The words are sent as data beside the YQL, and read with no syntax at all: a topic's quotes, minus signs or colons ask for
nothing. They are looked for in the field set `default` of the schema. An application gives out 400 documents a
request (`maxHits`), from the first thousand on no further (`maxOffset`), unless its query profile says otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rerank_cli.http.transport import Passing
from rerank_cli.retrieval.engines.engine import Ask, Fields, Hit, finite

#: `maxHits` unless an application says otherwise.
PAGE = 400


@dataclass(frozen=True)
class Vespa:
    """A `Dialect` of an application below `path`; `schema` empty: all of them; `profile` empty: the default one."""

    path: str
    fields: Fields
    schema: str = ""
    profile: str = ""
    timeout: float = 120.0
    name: str = "vespa"
    together: int = 1

    @property
    def facts(self) -> dict[str, Any]:
        """See `Dialect.facts`."""
        return {
            "index": self.schema or None,
            "rank_profile": self.profile or "default",
            "engine_fields": self.fields.texts or None,
        }

    def queries(self, texts: Sequence[str]) -> Sequence[str]:
        """See `Dialect.queries`."""
        return texts

    def lists(self, ask: Ask, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """See `Dialect.lists`; one request for each 400 documents."""
        return [self._list(ask, text, k) for text in queries]

    def _list(self, ask: Ask, text: str, k: int) -> list[Hit]:
        found: list[Hit] = []
        while len(found) < k:
            size = min(k - len(found), PAGE)
            page = ask(f"{self.path}/search/", json.dumps(self._body(text, size, len(found))).encode(), self._page)
            found += page
            if len(page) < size:
                break
        return found

    def _body(self, text: str, hits: int, offset: int) -> dict[str, Any]:
        wanted = ", ".join(["documentid", *self.fields.wanted])
        body = {
            "yql": f"select {wanted} from {self.schema or 'sources *'} where userQuery()",
            "query": text,
            "model.type.composite": "or",
            "model.type.tokenization": "internal",
            "model.type.syntax": "none",
            "hits": hits,
            "offset": offset,
            "timeout": f"{self.timeout:g}s",
            # Half a list is no list.
            "ranking.softtimeout.enable": False,
        }
        return body | ({"ranking.profile": self.profile} if self.profile else {})

    def _page(self, reply: Any) -> list[Hit]:
        root = reply["root"]
        if errors := root.get("errors"):
            raise Passing(f"answered with an error ({errors[0].get('message') or errors[0].get('summary')})")
        degraded = (root.get("coverage") or {}).get("degraded") or {}
        if why := [name for name, so in degraded.items() if so and name != "match-phase"]:
            raise Passing(f"searched {root['coverage'].get('coverage')} per cent of its documents ({', '.join(why)})")
        return [
            Hit(self.fields.document(row.get("fields") or {}, _own_id(row)), finite(row["relevance"]))
            for row in root.get("children", ())
        ]


def _own_id(row: Any) -> str:
    """What the user called the document: the last part of id:NAMESPACE:TYPE:KEYS:ID; empty where only Vespa's own number is told."""
    whole = (row.get("fields") or {}).get("documentid") or row["id"]
    return str(whole).split(":", 4)[4] if str(whole).startswith("id:") else ""
