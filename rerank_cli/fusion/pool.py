"""What every rule works on: the documents of all runs, each once, and what each run says of them.

All queries lie in the same columns, so that a rule is a few array operations whatever the number of
queries. A run's documents are distinct inside a query, so `totals[votes.document] += …` is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rerank_cli.core.hashing import fingerprints, one_of_each, same_ids
from rerank_cli.core.run import Run


@dataclass(frozen=True, eq=False)
class Votes:
    """One run's lists, n rows in canonical order, query after query.

    `document (n,)` and `query (n,)` are positions in the pool, `rank (n,)` counts from 1, `score (n,)`
    float64, `size (n,)` is the length of the row's list. Lists are contiguous: `offsets (L+1,)`.
    """

    name: str
    document: np.ndarray
    query: np.ndarray
    rank: np.ndarray
    score: np.ndarray
    size: np.ndarray
    offsets: np.ndarray

    def scored(self, score: np.ndarray) -> Votes:
        """The same lists with other scores."""
        return replace(self, score=score)

    def lowest(self) -> tuple[float, int]:
        """The lowest score and its row (0.0 and -1 when the run is empty)."""
        if not len(self.score):
            return 0.0, -1
        row = int(np.argmin(self.score))
        return float(self.score[row]), row


@dataclass(frozen=True, eq=False)
class Pool:
    """The union of the runs: D documents of Q queries, in no particular order.

    `qids` in the order of the first run, then new ones; `docids (D,)`, `query (D,)` their positions in `qids`.
    """

    qids: tuple[bytes, ...]
    docids: np.ndarray
    query: np.ndarray
    votes: tuple[Votes, ...]

    def __len__(self) -> int:
        """The number of documents, counted once a query."""
        return len(self.query)

    @cached_property
    def size(self) -> np.ndarray:
        """How many documents each query has, (Q,) int64."""
        return np.bincount(self.query, minlength=len(self.qids)).astype(np.int64)

    @cached_property
    def holders(self) -> np.ndarray:
        """In how many runs each document stands, (D,) int64."""
        held = np.zeros(len(self), dtype=np.int64)
        for votes in self.votes:
            held[votes.document] += 1
        return held

    def total(self, contributions: Sequence[np.ndarray]) -> np.ndarray:
        """Sum over runs, (D,) float64: `contributions[r] (n_r,)` belongs to the rows of `votes[r]`; missing adds 0.

        The sum carries its rounding error along (Knuth's two-sum), so that it does not depend on the
        order of the runs: documents with the same contributions from different runs stay tied.
        """
        high, low = np.zeros(len(self)), np.zeros(len(self))
        for votes, part in zip(self.votes, contributions, strict=True):
            old = high[votes.document]
            new = old + part
            virtual = new - old
            low[votes.document] += (old - (new - virtual)) + (part - virtual)
            high[votes.document] = new
        return high + low

    def table(self, missing: float = np.nan) -> np.ndarray:
        """Scores as a table (D, runs), `missing` where a run does not hold a document; D × runs × 8 bytes."""
        scores = np.full((len(self), len(self.votes)), missing)
        for column, votes in enumerate(self.votes):
            scores[votes.document, column] = votes.score
        return scores

    def only(self, keep: np.ndarray) -> Pool:
        """The pool of some queries, `keep (Q,)` bool; every figure inside a query is as it was. O(D + N)."""
        inside = keep[self.query]
        place = np.cumsum(inside) - 1
        number = np.cumsum(keep) - 1
        votes = []
        for own in self.votes:
            rows = keep[own.query]
            first = own.offsets[:-1]
            lengths = np.diff(own.offsets)[rows[first]] if len(first) else np.empty(0, dtype=np.int64)
            offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
            columns = (place[own.document[rows]], number[own.query[rows]], own.rank[rows], own.score[rows])
            votes.append(Votes(own.name, *columns, own.size[rows], offsets))
        qids = tuple(qid for qid, kept in zip(self.qids, keep.tolist(), strict=True) if kept)
        return Pool(qids, self.docids[inside], number[self.query[inside]], tuple(votes))

    def holds(self, query: np.ndarray, docids: np.ndarray) -> np.ndarray:
        """Which documents (D,) are among the pairs `query (n,)` (positions in `qids`), `docids (n,)`."""
        both = np.concatenate([self.query, query])
        number, _ = _same_documents(both, _joined_ids([self.docids, docids]))
        named = np.zeros(int(number.max(initial=-1)) + 1, dtype=bool)
        named[number[len(self) :]] = True
        return np.asarray(named[number[: len(self)]])


def pool_of(runs: Sequence[Run], names: Sequence[str], depth: int) -> Pool:
    """Read the first `depth` documents of every list of every run into one pool; O(N log N) in all rows."""
    cut = [_without_empty(run.top(depth)) for run in runs]
    positions: dict[bytes, int] = {}
    queries = []
    for run in cut:
        own = np.array([positions.setdefault(qid, len(positions)) for qid in run.qids], dtype=np.int64)
        queries.append(np.repeat(own, np.diff(run.offsets)))
    query = np.concatenate(queries) if queries else np.empty(0, dtype=np.int64)
    docids = _joined_ids([run.docids for run in cut])
    document, first = _same_documents(query, docids)
    votes, start = [], 0
    for run, name in zip(cut, names, strict=True):
        rows = slice(start, start + len(run.docids))
        start = rows.stop
        lengths = np.diff(run.offsets)
        rank = np.arange(1, len(run.docids) + 1) - np.repeat(run.offsets[:-1], lengths)
        votes.append(
            Votes(name, document[rows], query[rows], rank, run.scores, np.repeat(lengths, lengths), run.offsets)
        )
    return Pool(tuple(positions), docids[first], query[first], tuple(votes))


def _without_empty(run: Run) -> Run:
    lengths = np.diff(run.offsets)
    if np.all(lengths > 0):
        return run
    keep = np.flatnonzero(lengths > 0)
    offsets = np.concatenate([[0], np.cumsum(lengths[keep])]).astype(np.int64)
    return replace(run, qids=tuple(run.qids[k] for k in keep), offsets=offsets)


def _joined_ids(parts: Sequence[np.ndarray]) -> np.ndarray:
    if any(part.dtype == object for part in parts):
        parts = [part.astype(object) for part in parts]
    return np.concatenate(parts) if parts else np.empty(0, dtype="S1")


def _same_documents(query: np.ndarray, docids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct (query, docid) pairs: the number of each row (N,), and one row of each number (D,). O(N)."""
    if docids.dtype != object:
        row = one_of_each(fingerprints(docids, query))
        first = row == np.arange(len(row))
        again = np.flatnonzero(~first)
        if np.all(query[row[again]] == query[again]) and same_ids(docids, row[again], again):
            return (np.cumsum(first) - 1)[row], np.flatnonzero(first)
    numbers: dict[tuple[int, bytes], int] = {}
    pairs = zip(query.tolist(), docids.tolist(), strict=True)
    document = np.array([numbers.setdefault(pair, len(numbers)) for pair in pairs], dtype=np.int64)
    return document, np.unique(document, return_index=True)[1]
