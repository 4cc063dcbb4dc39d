"""What every first stage is: topics in, the best documents of the whole collection out, query by query in order.

First stages are built into one another: a hybrid holds several, feedback holds the one that it asks twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np


class Topic(NamedTuple):
    """A query as it is asked."""

    qid: bytes
    text: str


class Found(NamedTuple):
    """One topic's best documents: `docids (n,)` bytes and `scores (n,)` float64, in canonical order."""

    docids: np.ndarray
    scores: np.ndarray


class Retriever(Protocol):
    """A first stage, opened."""

    #: What the literature calls it; the tag of its runs.
    name: str

    @property
    def facts(self) -> dict[str, Any]:
        """What a header says of it."""
        ...

    def search(self, topics: Sequence[Topic], k: int) -> Iterator[Found]:
        """The k best documents of each topic, in the topics' order, each as soon as it is known; fewer where fewer match."""
        ...


@runtime_checkable
class Indexed(Protocol):
    """A first stage over an index that is kept."""

    @property
    def folder(self) -> Path:
        """Where the index is."""
        ...


def cut(found: Found, k: int, without: bytes | None = None) -> Found:
    """The first k, leaving out the document `without`."""
    if without is not None:
        others = found.docids != without
        found = Found(found.docids[others], found.scores[others])
    return Found(found.docids[:k], found.scores[:k])


def nothing() -> Found:
    """No document."""
    return Found(np.empty(0, dtype="S1"), np.empty(0))
