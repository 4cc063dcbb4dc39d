"""The border between ranking and models: what a ranking algorithm may ask, what an engine answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np


class Pair(NamedTuple):
    """One question of a pointwise method: how relevant is this document to this query?"""

    query: str
    document: str


class Lengths(NamedTuple):
    """What pairs cost before any model runs: `tokens (n,)` int64 as scored, `truncated (n,)` bool (the document was cut)."""

    tokens: np.ndarray
    truncated: np.ndarray


class Answers(NamedTuple):
    """Answers to some of the pairs that were asked, as soon as a batch has them.

    `positions (b,)` int64 among the pairs, `values (b,)` float32, higher is better; `tokens (b,)`, `truncated (b,)`
    as in `Lengths`; `calls`, the model's batches they took; `cached`, whether they were paid for earlier.
    """

    positions: np.ndarray
    values: np.ndarray
    tokens: np.ndarray
    truncated: np.ndarray
    calls: int
    cached: bool = False


class Scores(NamedTuple):
    """Answers to n pairs: `values (n,)` float32, higher is better; `tokens`, `truncated`, `calls` as in `Answers`; `cached (n,)` bool."""

    values: np.ndarray
    tokens: np.ndarray
    truncated: np.ndarray
    cached: np.ndarray
    calls: int


class Scorer(Protocol):
    """A pointwise model. The score of a pair does not depend on the pairs beside it (to 1e-5)."""

    def stream(self, pairs: Sequence[Pair]) -> Iterator[Answers]:
        """Score n pairs in whatever batches and order are quickest, each pair once; n model calls' worth of work.

        Every batch is handed over before the next is waited for, so that it can be kept before anything else is paid for.
        May be called for the next pairs, on another thread, while answers to the last ones are still being taken; what can
        be prepared without the model (tokens) is best prepared when it is called.
        """
        ...

    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        """Tokenise only: what `stream` would cost."""
        ...


class Slate(NamedTuple):
    """One query's list as a list method sees it: n `documents`' texts, best first as they came.

    `first_stage (n,)` float64 are their incoming scores, not increasing, equal where they were tied; `positions (n,)`
    int64 their places in the incoming list, from 0 (a document without text is left out and leaves a gap).
    """

    query: str
    documents: Sequence[str]
    first_stage: np.ndarray
    positions: np.ndarray


class Ratings(NamedTuple):
    """Answers to lists: `values`, a float64 array (n,) a list, higher is better; `costs`, the same documents end to end,
    list after list, as a `Scorer` would tell them; `told`, what the method says of each list for `--stats`."""

    values: list[np.ndarray]
    costs: Scores
    told: list[dict[str, Any]]


@runtime_checkable
class ListScorer(Protocol):
    """A model that rates a document beside the others of its list: the score depends on the list, and on no other list."""

    #: Whether the incoming scores are a part of the answer.
    uses_first_stage: bool

    def rate(self, slates: Sequence[Slate]) -> Ratings:
        """Rate every list; texts are batched across the lists."""
        ...

    def measure(self, pairs: Sequence[Pair]) -> Lengths:
        """Tokenise only: what rating these queries' documents would cost."""
        ...


def gathered(answers: Iterable[Answers], n: int) -> Scores:
    """The answers to all n pairs, in the pairs' order; waits for the last."""
    whole = Scores(np.empty(n, np.float32), np.empty(n, np.int64), np.empty(n, bool), np.empty(n, bool), 0)
    calls = 0
    for some in answers:
        whole.values[some.positions] = some.values
        whole.tokens[some.positions] = some.tokens
        whole.truncated[some.positions] = some.truncated
        whole.cached[some.positions] = some.cached
        calls += some.calls
    return whole._replace(calls=calls)


class Cache(Protocol):
    """Answers that were paid for once, under a hash of what was asked."""

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """What is kept under each key, None where nothing is."""
        ...

    def put(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep values under their keys; once it returns they survive the end of the process, however it comes."""
        ...


class Backend(Protocol):
    """One loaded graph: token arrays in, numbers out. Knows no query, no document, no ranking."""

    def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        """Run a padded batch of int64 arrays (n, L); returns float32 (n,) for scores, (n, d) for vectors."""
        ...
