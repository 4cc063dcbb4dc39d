"""A first stage that hands on only documents that meet a filter: searched deeper until enough do.

The result is what the first stage would give over all documents, less those that do not pass: exact, whatever the first
stage is. In a hybrid each part is filtered before they are fused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from rerank_cli.retrieval.conditions import Condition, Value
from rerank_cli.retrieval.retriever import Found, Retriever, Topic, cut

#: How many times deeper the next search goes at most.
_DEEPER = 8


class Column(Protocol):
    """A field of all documents: `codes (N,)`, -1 or a position in `values`, all columns in one order of documents."""

    values: list[Value]
    codes: np.ndarray

    def of(self, docids: np.ndarray) -> np.ndarray:
        """The codes (n,) of some documents."""
        ...


class Passing:
    """Which documents meet all of some conditions."""

    def __init__(self, conditions: Sequence[Condition], columns: Mapping[str, Column]) -> None:
        # What is not there has the code -1: the last place.
        self._parts = [
            (column, np.array([*map(condition.holds, column.values), False]))
            for condition in conditions
            for column in [columns[condition.field]]
        ]

    def __call__(self, docids: np.ndarray) -> np.ndarray:
        """Whether each document passes, (n,) bool."""
        return np.logical_and.reduce([met[column.of(docids)] for column, met in self._parts])

    @cached_property
    def count(self) -> int:
        """How many documents of the collection pass. O(N) once."""
        return int(np.logical_and.reduce([met[column.codes] for column, met in self._parts]).sum())


class Filtered:
    """A `Retriever` around another one; `passing` gives a topic's filter, None where it has none."""

    def __init__(
        self, inner: Retriever, passing: Callable[[bytes], Passing | None], told: Mapping[str, Any] | None = None
    ) -> None:
        self.name = inner.name
        self._inner, self._passing, self._told = inner, passing, told or {}

    @property
    def facts(self) -> dict[str, Any]:
        """See `Retriever.facts`."""
        return {**self._inner.facts, **self._told}

    def search(self, topics: Sequence[Topic], k: int) -> Iterator[Found]:
        """See `Retriever.search`; a topic of which too few pass is searched again, deeper, to the end if need be."""
        for topic, found in zip(topics, self._inner.search(topics, k)):
            passing = self._passing(topic.qid)
            yield found if passing is None else self._enough(topic, found, k, passing)

    def _enough(self, topic: Topic, found: Found, k: int, passing: Passing) -> Found:
        depth = k
        while True:
            stay = passing(found.docids)
            n = int(stay.sum())
            if n >= k or n == passing.count or len(found.docids) < depth:
                return cut(Found(found.docids[stay], found.scores[stay]), k)
            depth *= min(_DEEPER, max(2, -(-k // max(n, 1))))
            found = next(iter(self._inner.search([topic], depth)))
