"""Work that others may do: blocks go out, and the answers come back in the blocks' order.

What a block is and what is made of it is said in this room; who does it is not: the built-in `map` here, or workers on
other machines. So a block and what is done with it can be pickled. An index is pickled as the place of its folder, and
is opened and memory-mapped there: it must lie where all who search in it can see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from rerank_cli.retrieval.retriever import Found, Retriever, Topic

#: First stages ask models and each other with so many topics together at least: a block is a multiple of it, so that the
#: last digits of a model's numbers do not depend on who searches.
TOGETHER = 32
#: Topics in a block at most, that many blocks at least where there are topics enough.
_BLOCK, _BLOCKS = 256, 32
#: A search of BM25 costs so many documents of its own, whatever the index; this many in all take two seconds.
_OVERHEAD, _WORK = 250_000, 400_000_000
B = TypeVar("B")
A = TypeVar("A")


class Over(Protocol):
    """What the built-in `map` is: `work` of each block, in the blocks' order, which are taken some at a time."""

    def __call__(self, work: Callable[[B], A], blocks: Iterable[B], /) -> Iterator[A]:
        """Raises what the work raises."""
        ...


class Batch(NamedTuple):
    """Documents that follow each other in the corpus, the first by its number."""

    first_document: int
    texts: list[str]


class Shared:
    """A `Retriever` around another one, which is asked a block of topics at a time by `over`."""

    def __init__(self, inner: Retriever, over: Over) -> None:
        self.name, self.facts = inner.name, inner.facts
        self._inner, self._over = inner, over

    def search(self, topics: Sequence[Topic], k: int) -> Iterator[Found]:
        """See `Retriever.search`; what is held is the lists of the blocks that are on their way."""
        size = TOGETHER * min(max(len(topics) // (TOGETHER * _BLOCKS), 1), _BLOCK // TOGETHER)
        blocks = (topics[start : start + size] for start in range(0, len(topics), size))
        for lists in self._over(partial(_searched, self._inner, k), blocks):
            yield from lists


def worth_processes(documents: int, topics: int) -> bool:
    """Whether so many topics take so long that beginning processes for them, a third of a second, is gained back."""
    return topics * (documents + _OVERHEAD) >= _WORK


def _searched(retriever: Retriever, k: int, topics: Sequence[Topic]) -> list[Found]:
    return list(retriever.search(topics, k))
