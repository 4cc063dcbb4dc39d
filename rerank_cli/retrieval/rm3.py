"""Feedback in words: BM25 is asked twice, the second time with the terms of documents that are taken to be relevant.

They are the first documents of a first search, or those that a run names, for instance a reranked one. Both ways
are Anserini's, to the last bit where it breaks ties as runs do here:

RM3: P(t|d) is a document's frequencies over their sum, of its most frequent terms only; R(t) is the sum of
score(d) * P(t|d); the strongest terms of R, scaled to the sum 1, are mixed with the query's, scaled likewise.
Documents from a run weigh alike: a reranker's scores may be of any kind, logits below zero among them.

Rocchio: each document's frequencies are scaled to length 1; alpha times the query (of length 1) plus beta times
the strongest terms of the documents' mean (of length 1).

N. Abdul-Jaleel et al.: UMass at TREC 2004: Novelty and HARD (RM3). J. Rocchio: Relevance feedback in information
retrieval. In G. Salton (ed.): The SMART retrieval system, 1971.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np

from rerank_cli.core.ids import shown
from rerank_cli.errors import BadData, WrongUsage
from rerank_cli.retrieval.bm25 import Bm25
from rerank_cli.retrieval.index import InvertedIndex
from rerank_cli.retrieval.retriever import Found, Topic

Weights = dict[str, np.float32]
#: The documents of a topic that are taken to be relevant, best first; None for a topic without any said.
Feedback = Callable[[bytes], Sequence[bytes] | None]

#: A term in more of the documents than this is no feedback: it stands for no subject.
_TOO_FREQUENT = np.float32(0.1)
_SHORTEST, _LONGEST = 2, 20
_PLAIN = re.compile("[a-z0-9]+")


class Expansion(Protocol):
    """A way to make a new query of an old one and of documents."""

    name: str

    @property
    def facts(self) -> dict[str, Any]:
        """What a header says of it."""
        ...

    def expanded(
        self, index: InvertedIndex, query: Mapping[str, float], numbers: Sequence[int], scores: np.ndarray
    ) -> Weights:
        """The new query's terms and weights above 0, from the old one's counts and documents (m,) with scores (m,) float32."""
        ...


@dataclass(frozen=True)
class Rm3:
    """Relevance model 3: `terms` of the feedback, which has `weight` (0..1) of the new query. See the module."""

    terms: int = 10
    weight: float = 0.5
    name = "rm3"

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise WrongUsage(f"--fb-weight is {self.weight}, which is not from 0 to 1", "RM3 mixes; its default is 0.5")

    @property
    def facts(self) -> dict[str, Any]:
        """See `Expansion.facts`."""
        return {"feedback": "rm3", "fb_terms": self.terms, "fb_weight": self.weight}

    def expanded(
        self, index: InvertedIndex, query: Mapping[str, float], numbers: Sequence[int], scores: np.ndarray
    ) -> Weights:
        """See `Expansion.expanded`."""
        model: Weights = {}
        for number, score in zip(numbers, scores, strict=True):
            held = dict(islice(_held(index, number, _PLAIN), self.terms))
            norm = np.float32(sum(held.values()))
            for term, frequency in held.items():
                model[term] = model.get(term, np.float32(0)) + frequency / norm * score
        return _mixed(_scaled(query, 1), 1 - self.weight, _scaled(_strongest(model, self.terms), 1), self.weight)


@dataclass(frozen=True)
class Rocchio:
    """The query times 1 (`alpha`) and the documents' mean times `weight` (beta), of its `terms` strongest terms. See the module."""

    terms: int = 10
    weight: float = 0.75
    name = "rocchio"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise WrongUsage(f"--fb-weight is {self.weight}, which is not 0 or more", "Rocchio's default is 0.75")

    @property
    def facts(self) -> dict[str, Any]:
        """See `Expansion.facts`."""
        return {"feedback": "rocchio", "fb_terms": self.terms, "fb_weight": self.weight}

    def expanded(
        self, index: InvertedIndex, query: Mapping[str, float], numbers: Sequence[int], scores: np.ndarray
    ) -> Weights:
        """See `Expansion.expanded`; the scores play no part."""
        mean: Weights = {}
        for number in numbers:
            for term, weight in _scaled(dict(_held(index, number)), 2).items():
                mean[term] = mean.get(term, np.float32(0)) + weight
        mean = {term: weight / np.float32(len(numbers)) for term, weight in mean.items()}
        return _mixed(_scaled(query, 2), 1, _scaled(_strongest(mean, self.terms), 2), self.weight)


class Bm25WithFeedback:
    """A `Retriever`: BM25 asked again with an expanded query."""

    def __init__(
        self,
        bm25: Bm25,
        expansion: Expansion,
        *,
        documents: int = 10,
        feedback: Feedback | None = None,
    ) -> None:
        """`documents` are taken from a first search of `bm25`, or from what `feedback` says of a topic."""
        self.name = f"{bm25.name}-{expansion.name}"
        self._bm25, self._expansion = bm25, expansion
        self._documents, self._feedback = documents, feedback

    @property
    def facts(self) -> dict[str, Any]:
        """See `Retriever.facts`."""
        return {**self._bm25.facts, **self._expansion.facts, "fb_docs": self._documents}

    def search(self, topics: Sequence[Topic], k: int) -> Iterator[Found]:
        """See `Retriever.search`; a topic of which `feedback` says nothing is asked as it is.

        Raises `BadData` on a document of `feedback` that is not in the index. Costs two searches a topic, or one.
        """
        return (self._asked_again(topic, k) for topic in topics)

    def _asked_again(self, topic: Topic, k: int) -> Found:
        index = self._bm25.index
        query = Counter(index.analyzer.terms(topic.text))
        documents = self._relevant(topic)
        weights: Mapping[str, float | np.float32] = query
        if documents is not None and len(documents.docids):
            numbers = [self._number(docid, topic.qid) for docid in documents.docids.tolist()]
            weights = self._expansion.expanded(index.index, query, numbers, documents.scores.astype(np.float32))
        return Found(*index.search_terms(weights, k, self._bm25.parameters))

    def _relevant(self, topic: Topic) -> Found | None:
        if self._feedback is None:
            return next(iter(self._bm25.search([topic], self._documents)))
        said = self._feedback(topic.qid)
        if said is None:
            return None
        docids = np.array(said[: self._documents], dtype=object)
        return Found(docids, np.ones(len(docids)))

    def _number(self, docid: bytes, qid: bytes) -> int:
        number = self._bm25.index.index.document(docid)
        if number is None:
            raise BadData(
                f"document {shown(docid)}, feedback for query {shown(qid)}, is not in the index",
                "the run must be of the collection that is searched: name it with -c",
            )
        return number


def _held(index: InvertedIndex, number: int, plain: re.Pattern[str] | None = None) -> Iterator[tuple[str, np.float32]]:
    """The terms of a document that may be feedback, and their frequencies: the highest first, of equal ones by bytes."""
    terms, frequencies = index.document_terms(number)
    share = index.document_frequencies(terms).astype(np.float32) / np.float32(index.documents_with_terms)
    kept = np.flatnonzero(share <= _TOO_FREQUENT)
    for row in kept[np.argsort(-frequencies[kept].astype(np.float32), kind="stable")].tolist():
        term = index.term(int(terms[row]))
        if _SHORTEST <= len(term) <= _LONGEST and (plain is None or plain.fullmatch(term)):
            yield term, np.float32(frequencies[row])


def _strongest(weights: Weights, terms: int) -> Weights:
    """The heaviest terms; of equal ones those that come first in the order of code points."""
    return dict(sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:terms])


def _scaled(weights: Mapping[str, float | np.float32], power: int) -> Weights:
    """The weights over their norm: the sum of the first power, or the root of that of the second."""
    norm = sum(float(weight) ** power for weight in weights.values()) ** (1 / power)
    return {term: np.float32(float(weight) / norm) for term, weight in weights.items()}


def _mixed(query: Weights, its: float, documents: Weights, theirs: float) -> Weights:
    """The weighted sum, of what is above 0."""
    zero = np.float32(0)
    mixed = {
        term: np.float32(its * float(query.get(term, zero)) + theirs * float(documents.get(term, zero)))
        for term in {**query, **documents}
    }
    return {term: weight for term, weight in mixed.items() if weight > 0}
