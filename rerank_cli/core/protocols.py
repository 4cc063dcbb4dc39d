"""The border between ranking and models: what a ranking algorithm may ask, what an engine answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

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
    as in `Lengths`; `calls`, the model's batches they took; `cached`, whether they were paid for earlier; `repaired (b,)`
    bool, whose answers had to be asked for again or made up because the model's words held none (None: no one's).
    """

    positions: np.ndarray
    values: np.ndarray
    tokens: np.ndarray
    truncated: np.ndarray
    calls: int
    cached: bool = False
    repaired: np.ndarray | None = None


class Scores(NamedTuple):
    """Answers to n pairs: `values (n,)` float32, higher is better; `tokens`, `truncated`, `calls`, `repaired` as in `Answers`; `cached (n,)` bool."""

    values: np.ndarray
    tokens: np.ndarray
    truncated: np.ndarray
    cached: np.ndarray
    calls: int
    repaired: np.ndarray | None = None


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
    """Documents of one query that a model sees together: a list method's whole list, or one question of a ranking algorithm.

    `documents` are the n texts in the order they are presented; `first_stage (n,)` float64 their incoming scores, equal
    where they were tied, carried with the document wherever it stands; `positions (n,)` int64 their places in the incoming
    list, from 0 (a document without text is left out and leaves a gap). A list method's list comes best first.
    """

    query: str
    documents: Sequence[str]
    first_stage: np.ndarray
    positions: np.ndarray

    @property
    def texts(self) -> tuple[str, ...]:
        """The query and the documents."""
        return (self.query, *self.documents)


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


class Reply(NamedTuple):
    """What a model says of one slate of m documents, whatever it was asked.

    `values (m,)` float64 in the slate's order, higher is better, NaN where it said nothing: an order is m, m-1, … 1; a choice
    is 1 for the chosen and 0 for the others, or a number for each where the model gives one; a duel is P(first beats
    second) and 1 minus it; a rating is the rating.
    """

    values: np.ndarray
    #: Tokens read and tokens written; `calls` of the model it took, 0 when it was paid for earlier.
    tokens: int
    written: int = 0
    calls: int = 1
    #: How many of its documents were cut.
    truncated: int = 0
    cached: bool = False
    #: What had to be mended in the model's words to read them: empty, or wrong_format, repetition, missing_documents.
    repaired: str = ""
    #: The reason that the model gave, where it gave one.
    reason: str = ""


@runtime_checkable
class Ranker(Protocol):
    """A model that is asked about several documents at once. A reply depends on its slate, and on no other slate.

    A slate's documents stand as the ranking algorithm presents them; a model that wants another order (shuffled, by first
    stage) arranges them itself and answers in the slate's.
    """

    #: What it tells of a slate: which of two is better, which is the best, an order, or a value for each.
    asks: Literal["prefer", "pick", "order", "rate"]
    #: Most documents of a slate; None: no limit but the model's length.
    most: int | None
    #: How many threads may call `answer` at a time; 1: it batches what it is given by itself.
    at_once: int
    #: The ranking algorithm it was made for, and that algorithm's settings (fields of `strategies.Settings`).
    strategy: str
    settings: Mapping[str, Any]

    def answer(self, slates: Sequence[Slate]) -> Iterator[tuple[int, Reply]]:
        """Answer every slate once, in whatever order and batches are quickest: (place among `slates`, reply).

        A reply is handed over before the next is waited for, so that nothing that was paid for is lost.
        """
        ...

    def measure(self, slates: Sequence[Slate]) -> Lengths:
        """Tokenise only: the tokens of each slate's question, and whether a document of it is cut."""
        ...


def gathered(answers: Iterable[Answers], n: int) -> Scores:
    """The answers to all n pairs, in the pairs' order; waits for the last."""
    whole = Scores(np.empty(n, np.float32), np.empty(n, np.int64), np.empty(n, bool), np.empty(n, bool), 0)
    repaired = None
    calls = 0
    for some in answers:
        whole.values[some.positions] = some.values
        whole.tokens[some.positions] = some.tokens
        whole.truncated[some.positions] = some.truncated
        whole.cached[some.positions] = some.cached
        calls += some.calls
        if some.repaired is not None:
            repaired = np.zeros(n, bool) if repaired is None else repaired
            repaired[some.positions] = some.repaired
    return whole._replace(calls=calls, repaired=repaired)


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
