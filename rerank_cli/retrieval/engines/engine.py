"""A search engine somewhere else as a first stage: it ranks, and what it says is put into our order.

Each engine has a `Dialect`; the rest is the same for all. Several topics share a request where lists are short, and
many requests are under way at once. Scores are the engine's own. Its list must go down with its scores, because
that is the order that a run keeps; equal scores are put in the canonical order. Half an answer (a shard that failed,
a search that was cut short) is no answer: it is asked for again, and then the work fails.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from rerank_cli.core.ids import id_array, shown
from rerank_cli.core.side_by_side import in_order
from rerank_cli.core.texts import Document
from rerank_cli.errors import WorkFailed
from rerank_cli.http import server_errors
from rerank_cli.http.servers import Servers
from rerank_cli.http.transport import Passing, TooLong
from rerank_cli.retrieval.retriever import Found, Topic, nothing

T = TypeVar("T")
#: Documents of one request, without and with their texts.
_DOCUMENTS, _TEXTS = 10_000, 1_000


class Hit(NamedTuple):
    """A document that an engine found."""

    document: Document
    score: float


class Answer(NamedTuple):
    """One topic's list, and its documents with the texts that the engine gave; none where it was asked for no texts."""

    found: Found
    documents: dict[bytes, Document]


@dataclass(frozen=True)
class Fields:
    """Where an engine keeps what is wanted of a document: `docid` None is the engine's own id; `title` and `text` may be wanting.

    The texts come with the list when they are `carried`; else they are searched and no more.
    """

    docid: str | None = None
    title: str | None = None
    text: str | None = None
    carried: bool = True

    @property
    def texts(self) -> list[str]:
        """The fields that hold texts."""
        return [name for name in (self.title, self.text) if name]

    @property
    def carried_texts(self) -> list[str]:
        """Those that a reply must hold."""
        return self.texts if self.carried else []

    @property
    def wanted(self) -> list[str]:
        """Every field that a reply must hold."""
        return [*([self.docid] if self.docid else []), *self.carried_texts]

    def document(self, values: Mapping[str, Any], own_id: Any) -> Document:
        """The document of a hit; raises `WorkFailed` when it has no id where it should be."""
        docid = own_id if self.docid is None else _value(values, self.docid)
        if not isinstance(docid, (str, int)) or docid == "":
            where = "of its own" if self.docid is None else f"in the field {self.docid}"
            raise WorkFailed(f"the engine found a document that has no id {where}", "--engine-id names the field")
        wanted = (self.title, self.text) if self.carried else (None, None)
        title, text = (_text(_value(values, name)) if name else "" for name in wanted)
        return Document(str(docid).encode("utf-8", "surrogatepass"), title, text)


class Ask(Protocol):
    """Sends a request and returns what `read` makes of its JSON; see `Servers.ask`."""

    def __call__(
        self, path: str, body: bytes, read: Callable[[Any], T], content_type: str = "application/json"
    ) -> T: ...


class Dialect(Protocol):
    """How one engine is asked."""

    @property
    def name(self) -> str:
        """What it is called; the tag of its runs."""
        ...

    @property
    def facts(self) -> dict[str, Any]:
        """What a header says of it."""
        ...

    @property
    def fields(self) -> Fields:
        """What is wanted of a document, and where it is kept."""
        ...

    @property
    def together(self) -> int:
        """Topics of one request at most."""
        ...

    def queries(self, texts: Sequence[str]) -> Sequence[Any]:
        """What is sent for each topic: its text, or what a model makes of it. Called by one thread at a time."""
        ...

    def lists(self, ask: Ask, queries: Sequence[Any], k: int) -> list[list[Hit]]:
        """The k best documents of each query as the engine ranks them; called by many threads."""
        ...


class Engine:
    """A `Retriever` over an engine."""

    def __init__(self, dialect: Dialect, servers: Servers, note: Callable[[str], None]) -> None:
        self.name = dialect.name
        self._dialect, self._servers, self._note = dialect, servers, note
        self._ask = asking(servers)

    @property
    def facts(self) -> dict[str, Any]:
        """See `Retriever.facts`."""
        return {"from": self._servers.addresses[0], **self._dialect.facts}

    def search(self, topics: Sequence[Topic], k: int) -> Iterator[Found]:
        """See `Retriever.search`."""
        return (answer.found for answer in self.answers(topics, k))

    def answers(self, topics: Sequence[Topic], k: int) -> Iterator[Answer]:
        """The k best documents of each topic with their texts, in the topics' order.

        Raises `WorkFailed` with the engine's own words when it refuses, is not there, gives half an answer again and
        again, or ranks otherwise than by its scores.
        """
        texts = self._dialect.fields.carried_texts
        together = max(1, min(self._dialect.together, (_TEXTS if texts else _DOCUMENTS) // k))
        groups = (topics[start : start + together] for start in range(0, len(topics), together))
        queries = (self._dialect.queries([topic.text for topic in group]) for group in groups)
        hits_of_all = doubled = without = 0
        for lists in in_order(lambda some: self._lists(some, k), queries, self._servers.at_once):
            for hits in lists:
                answer = _answer(hits, self.name)
                hits_of_all += len(hits)
                doubled += len(hits) - len(answer.documents)
                without += sum(not document.title + document.text for document in answer.documents.values())
                yield answer if texts else answer._replace(documents={})
        if doubled:
            self._note(f"{doubled} hits of documents that stand higher in their lists were left out")
        if texts and without:
            self._note(f"{without} of {hits_of_all} hits have no text in {' or '.join(texts)}")

    def _lists(self, queries: Sequence[Any], k: int) -> list[list[Hit]]:
        """The lists of some topics, in as many requests as the length of the replies takes."""
        try:
            return self._dialect.lists(self._ask, queries, k)
        except TooLong as failure:
            if len(queries) == 1:
                raise WorkFailed(failure.message, "ask for fewer documents (-k); their texts come with jsonl") from None
            half = len(queries) // 2
            return self._lists(queries[:half], k) + self._lists(queries[half:], k)


def asking(servers: Servers) -> Ask:
    """`Servers.ask`, where no tokens are counted."""

    def ask(path: str, body: bytes, read: Callable[[Any], T], content_type: str = "application/json") -> T:
        return servers.ask(path, body, lambda reply: (read(reply), 0, 0), content_type=content_type)

    return ask


def _answer(hits: Sequence[Hit], name: str) -> Answer:
    """An engine's list in the canonical order, each document once."""
    for one, other in pairwise(hits):
        if other.score > one.score:
            raise WorkFailed(
                f"{name} ranks {shown(other.document.docid)} ({other.score:g}) below {shown(one.document.docid)} "
                f"({one.score:g}), and a run goes down with its scores",
                "distances do not (Euclid, Manhattan), nor does an engine's own sorting",
            )
    kept: dict[bytes, Hit] = {}
    for hit in hits:
        kept.setdefault(hit.document.docid, hit)
    if not kept:
        return Answer(nothing(), {})
    best = sorted(kept.values(), key=lambda hit: (hit.score, hit.document.docid), reverse=True)
    found = Found(id_array([hit.document.docid for hit in best]), np.array([hit.score for hit in best], np.float64))
    return Answer(found, {docid: hit.document for docid, hit in kept.items()})


def finite(score: Any) -> float:
    """A hit's score; raises `ValueError` when it is no finite number."""
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not math.isfinite(score):
        raise ValueError(f"a score of {score!r}")
    return float(score)


def refused(where: str, status: int, reply: Any) -> Exception:
    """The error for a part of a reply that is one: `Passing` when it may be gone the next time, else `WorkFailed`."""
    said = server_errors.said(json.dumps(reply).encode())
    what = f"answered {status}" + (f" ({said})" if said else "")
    return (
        Passing(what, status) if status in server_errors.PASSING else WorkFailed(f"{where} {what}", hint(status, said))
    )


def hint(status: int, said: str) -> str:
    """What the user can do about an engine's refusal."""
    if status == 400 and re.search(r"fielddata|id_field_data|No mapping found.*sort", said, re.I):
        return (
            "to go beyond its result window it must sort by the id: "
            "--engine-id names a keyword field that holds it, such as docid.keyword"
        )
    if status == 400 and re.search(r"max_?clause|too many (nested )?clauses", said, re.I):
        return "a topic has more terms than the engine takes: shorten it, or search one field (--engine-fields)"
    if status == 400 and re.search("configured limit|result window", said, re.I):
        return "ask for fewer documents (-k), or raise the limit where the engine is configured"
    return {
        0: "is the engine running, and is this its address?",
        400: "are --from and the --engine options right for this index?",
        401: "--api-key-env NAME says which environment variable holds the key (or user:password)",
        403: "the key may not search there",
        404: "is this the name of an index there, and the address of such an engine?",
        429: "fewer requests at a time (--concurrency)",
    }.get(status, "")


def _value(values: Mapping[str, Any], name: str) -> Any:
    """A field by its name or, inside objects, by its path with dots; None where there is none."""
    if name in values:
        return values[name]
    first, dot, rest = name.partition(".")
    inside = values.get(first)
    return _value(inside, rest) if dot and isinstance(inside, Mapping) else None


def _text(value: Any) -> str:
    """A field as text; several values are joined by a blank."""
    if value is None:
        return ""
    return " ".join(map(_text, value)) if isinstance(value, list) else str(value)
