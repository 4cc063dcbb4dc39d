"""Pseudo-relevance feedback in a dense first stage: the query's vector moves towards documents that are taken for relevant.

The documents are the first few that the query itself found, or those that somebody else ranked first. Two ways
are the field's: `average`, the mean of query and documents, and `rocchio`, alpha times the query plus beta times the
documents' mean. The documents' vectors are in the index, so feedback costs a second search and no text through the
model. Few documents and a query that keeps most of the weight do best. The vector that is asked with is not scaled
again, so its products are no cosines.

H. Li et al.: Pseudo relevance feedback with deep language models and dense retrievers. TOIS 2023, arXiv:2108.11044.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rerank_cli.core.ids import shown
from rerank_cli.errors import Missing, WrongUsage
from rerank_cli.methods.vectors import rocchio
from rerank_cli.retrieval.dense import Dense, batches_of
from rerank_cli.retrieval.retriever import Found, Topic

Way = Literal["average", "rocchio"]


@dataclass(frozen=True)
class Feedback:
    """How far a query moves: `documents` are fed back; alpha and beta are Rocchio's."""

    way: Way
    documents: int = 3
    alpha: float = 0.9
    beta: float = 0.1

    def __post_init__(self) -> None:
        """Raises `WrongUsage` for numbers that make no sense."""
        if self.documents < 1 or not (self.alpha >= 0 and self.beta >= 0 and 0 < self.alpha + self.beta < np.inf):
            raise WrongUsage(
                f"feedback of {self.documents} documents with alpha {self.alpha} and beta {self.beta} makes no query",
                "a document or more, and weights from 0 of which one is above",
            )

    def moved(self, query: np.ndarray, documents: np.ndarray) -> np.ndarray:
        """The query's vector (d,) moved towards documents' (m, d); as it is when there are none."""
        if not len(documents):
            return query
        if self.way == "average":
            return np.asarray(rocchio(query, documents, len(documents)) / (1 + len(documents)), np.float32)
        return np.asarray(rocchio(self.alpha * query, documents, self.beta), np.float32)


class VectorFeedback:
    """A `Retriever` around a dense one, which it asks with queries that have moved.

    `feedback(qid)` gives a topic's documents, the best first, or None for a topic without; without it they are
    those of a first search.
    """

    def __init__(
        self, dense: Dense, how: Feedback, feedback: Callable[[bytes], Sequence[bytes] | None] | None = None
    ) -> None:
        self._dense, self._how, self._feedback = dense, how, feedback
        self.name = f"{dense.name}-{how.way}"

    @property
    def facts(self) -> dict[str, Any]:
        """See `Retriever.facts`."""
        weights = {"alpha": self._how.alpha, "beta": self._how.beta} if self._how.way == "rocchio" else {}
        own = {"prf": self._how.way, "fb_docs": self._how.documents, **weights}
        return {**self._dense.facts, **own}

    def search(self, topics: Sequence[Topic], k: int) -> Iterator[Found]:
        """See `Retriever.search`; raises `Missing` when a document that is fed back is not in the index."""
        for some in batches_of(topics):
            queries = self._dense.vectors(some)
            moved = [self._how.moved(*pair) for pair in zip(queries, self._fed_back(some, queries), strict=True)]
            yield from self._dense.index.nearest(np.stack(moved), k)

    def _fed_back(self, topics: Sequence[Topic], queries: np.ndarray) -> Iterator[np.ndarray]:
        """The vectors (m, d) float32 of each topic's feedback."""
        index = self._dense.index
        if self._feedback is None:
            lists: Iterator[Sequence[bytes]] = (
                found.docids.tolist() for found in index.nearest(queries, self._how.documents)
            )
        else:
            lists = (self._feedback(topic.qid) or () for topic in topics)
        for docids in lists:
            best = list(docids[: self._how.documents])
            numbers = index.ids.numbers(best)
            if (numbers < 0).any():
                absent = best[int(np.argmin(numbers))]
                raise Missing(
                    f"document {shown(absent)} is to be fed back, and it is not in the index",
                    "the run for feedback and the index must be of one collection",
                )
            yield index.vectors[numbers].astype(np.float32)
