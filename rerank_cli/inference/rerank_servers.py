"""Servers that score documents themselves: a dozen vendors, one question, few differences, kept here as data.

All take a query and a list of texts and answer with an index and a score for each, best first; they differ in where they
are asked, in the names of two fields, and in what must be asked for (raw scores, truncation instead of an error).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from rerank_cli.core.protocols import Answers, Lengths, Pair, Scores, gathered
from rerank_cli.core.side_by_side import side_by_side
from rerank_cli.errors import WorkFailed
from rerank_cli.http.ledger import Ledger
from rerank_cli.http.servers import Servers
from rerank_cli.inference.endpoint import estimated_tokens
from rerank_cli.inference.served import Served

#: Documents of one request; TEI refuses more unless told otherwise when it starts.
BATCH = 32


@dataclass(frozen=True)
class Shape:
    """How one kind of server is asked: its `path`, the names of its fields, and the scale of its scores."""

    name: str
    path: str
    #: The fields that hold the texts and the query, and the one (if any) that says how many answers are wanted.
    documents: str = "documents"
    query: str = "query"
    wanted: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    names_model: bool = True
    scale: str = "prob"


SHAPES = {
    shape.name: shape
    for shape in (
        Shape(
            "tei", "/rerank", "texts", fixed={"raw_scores": True, "truncate": True}, names_model=False, scale="logit"
        ),
        Shape("infinity", "/rerank", fixed={"raw_scores": True, "return_documents": False}, scale="logit"),
        Shape("vllm", "/v1/rerank", wanted="top_n", fixed={"truncate_prompt_tokens": -1}),
        Shape("score", "/score", "text_2", "text_1", fixed={"truncate_prompt_tokens": -1}),
        Shape("cohere", "/v2/rerank", wanted="top_n"),
        Shape("voyage", "/v1/rerank", wanted="top_k", fixed={"return_documents": False, "truncation": True}),
        Shape("mixedbread", "/v1/reranking", "input", wanted="top_k", fixed={"return_input": False}),
        # Jina's, which llama.cpp, SGLang and most others have taken over.
        Shape("jina", "/v1/rerank", wanted="top_n", fixed={"return_documents": False}),
    )
}
#: Hosted services, by what their addresses have in common.
_HOSTS = {"cohere": "cohere", "voyageai": "voyage", "mixedbread": "mixedbread", "jina": "jina"}


def shape_of(address: str, served: Served, api: str) -> Shape:
    """How the server at `address` is asked: `api` score is vLLM's own; else by its owner, else by its address, else as Jina's."""
    if api == "score":
        return SHAPES["score"]
    host = urlsplit(address).hostname or ""
    hosted = next((name for part, name in _HOSTS.items() if part in host.split(".")), "jina")
    shape = SHAPES.get(served.owner, SHAPES[hosted])
    # infinity has its addresses where it lists its models.
    return replace(shape, path=served.prefix + shape.path) if shape.name == "infinity" else shape


class RemoteScorer:
    """A `core.protocols.Scorer`, with a `methods.LoadedScorer`'s attributes, whose model is a rerank server's.

    `description` is a `methods.pointwise.Description`. Token counts are the server's where it tells them, else estimates;
    it does not tell which documents it cut.
    """

    tokenizer = None

    def __init__(self, servers: Servers, shape: Shape, model: str, description: Any, batch: int = BATCH) -> None:
        self.checkpoint = model
        self.description = description
        self._servers, self._shape, self._model, self._batch = servers, shape, model, batch
        #: The pairs that keep all servers busy.
        self.under_way = servers.at_once * batch

    @property
    def ledger(self) -> Ledger:
        """What was asked so far, and what it cost."""
        return self._servers.ledger

    def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
        """See `Scorer.stream`; one request for each `batch` documents of a query, several under way at once.

        Raises `WorkFailed` for a reply that leaves out a document, names one twice, or scores one by no finite number.
        """
        of_query: dict[str, list[int]] = {}
        for at, pair in enumerate(pairs):
            of_query.setdefault(pair.query, []).append(at)
        chunks = [
            places[start : start + self._batch]
            for places in of_query.values()
            for start in range(0, len(places), self._batch)
        ]
        return side_by_side(lambda places: self._answers(pairs, places), chunks, self._servers.at_once)

    def score(self, pairs: Sequence[Pair]) -> Scores:
        """Every answer, in the pairs' order."""
        return gathered(self.stream(pairs), len(pairs))

    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        """See `Scorer.measure`; estimates, since the tokenizer is the server's."""
        tokens = [estimated_tokens(pair.query) + estimated_tokens(pair.document) for pair in pairs]
        return Lengths(np.array(tokens, np.int64), np.zeros(len(pairs), bool))

    def _answers(self, pairs: Sequence[Pair], places: list[int]) -> Answers:
        asked = [pairs[at] for at in places]
        tokens = self.measure(asked).tokens

        def read(reply: Any) -> tuple[tuple[np.ndarray, np.ndarray], int, int]:
            told = _tokens_told(reply)
            shared = tokens if told is None else _shared(told, tokens)
            return (np.array(_values(reply, len(asked)), np.float32), shared), int(shared.sum()), 0

        body = request(self._shape, self._model, asked[0].query, [pair.document for pair in asked])
        values, read_tokens = self._servers.ask(self._shape.path, body, read)
        return Answers(np.array(places, np.int64), values, read_tokens, np.zeros(len(places), bool), 1)


def request(shape: Shape, model: str, query: str, documents: Sequence[str]) -> bytes:
    """The body that asks for the scores of some documents; the same question is always the same bytes."""
    body: dict[str, Any] = {"model": model} if shape.names_model else {}
    body |= {shape.query: query, shape.documents: list(documents)}
    if shape.wanted:
        body[shape.wanted] = len(documents)
    return json.dumps(body | dict(shape.fixed), separators=(",", ":")).encode()


def _values(reply: Any, n: int) -> list[float]:
    """The scores of n documents in their own order."""
    rows = reply if isinstance(reply, list) else reply["results"] if "results" in reply else reply["data"]
    values: dict[int, float] = {}
    for row in rows:
        index, value = row["index"], row["relevance_score"] if "relevance_score" in row else row["score"]
        if index in values or index not in range(n):
            raise WorkFailed(f"the server scored document {index} of {n}" + (" twice" if index in values else ""))
        if not math.isfinite(value):
            raise WorkFailed(f"the server scored document {index} by {value}")
        values[index] = float(value)
    if len(values) < n:
        missing = next(at for at in range(n) if at not in values)
        raise WorkFailed(
            f"the server scored {len(values)} of {n} documents; document {missing} is the first that it left out"
        )
    return [values[at] for at in range(n)]


def _tokens_told(reply: Any) -> int | None:
    """The tokens that a reply says it took, None when it does not say."""
    usage = reply.get("usage") if isinstance(reply, dict) else None
    told = usage.get("total_tokens", usage.get("prompt_tokens")) if isinstance(usage, dict) else None
    return told if isinstance(told, int) and told > 0 else None


def _shared(total: int, estimates: np.ndarray) -> np.ndarray:
    """`total` tokens shared among documents (n,) in proportion to their estimates, to the last one."""
    ends = np.round(np.cumsum(estimates) * (total / max(int(estimates.sum()), 1))).astype(np.int64)
    return np.diff(ends, prepend=0)
