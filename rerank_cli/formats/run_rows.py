"""The rows of a run as they stand in the file, and the questions one can ask of their order.

A `core.run.Run` is already put right: sorted, each document once. Here nothing is: a row is a line's
place in the file, and every answer is an array of such row numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rerank_cli.core.ids import joined_ids, shown
from rerank_cli.formats.columns import NO_RANK, Columns


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows in the order of their lines: row r is document `docids[r]` of query `qids[query_of[r]]` in line `lines[r]`.

    `scores (n,)` float64; `ranks (n,)` int64 or None. `starts (S,)` are the rows at which a stretch of
    another query begins.
    """

    name: str
    qids: tuple[bytes, ...]
    query_of: np.ndarray
    docids: np.ndarray
    scores: np.ndarray
    ranks: np.ndarray | None
    lines: np.ndarray
    starts: np.ndarray
    scored: bool

    def __len__(self) -> int:
        return len(self.docids)

    @cached_property
    def position(self) -> dict[bytes, int]:
        """Query id -> its number."""
        return {qid: number for number, qid in enumerate(self.qids)}

    def where(self, row: int) -> str:
        """FILE:LINE of a row."""
        return f"{self.name}:{self.lines[row]}"

    def qid(self, row: int) -> str:
        """A row's query, for a message."""
        return shown(self.qids[self.query_of[row]])

    def docid(self, row: int) -> str:
        """A row's document, for a message."""
        return shown(bytes(self.docids[row]))

    def depths(self) -> np.ndarray:
        """The number of rows of each query, (Q,)."""
        return np.bincount(self.query_of, minlength=len(self.qids))

    def first_rows(self) -> np.ndarray:
        """The first row of each query, (Q,)."""
        first = np.full(len(self.qids), len(self), dtype=np.int64)
        np.minimum.at(first, self.query_of[self.starts], self.starts)
        return first

    def split_queries(self) -> np.ndarray:
        """The first row of the second stretch of each query that has several."""
        seen: set[int] = set()
        again: dict[int, int] = {}
        for row, query in zip(self.starts.tolist(), self.query_of[self.starts].tolist(), strict=True):
            if query in seen:
                again.setdefault(query, row)
            seen.add(query)
        return np.array(list(again.values()), dtype=np.int64)

    @cached_property
    def _by_query(self) -> np.ndarray | slice:
        """Rows query by query, in the order of their lines inside each; `slice(None)` where they stand so."""
        if len(self.starts) == len(self.qids):
            return slice(None)
        return np.argsort(self.query_of, kind="stable")

    def doubled(self) -> np.ndarray:
        """Rows whose document stands in an earlier row of the same query. About 0.1 s a million rows."""
        order = np.arange(len(self))[self._by_query]
        docids = self.docids[self._by_query]
        ends = np.cumsum(self.depths()).tolist()
        found: list[int] = []
        start = 0
        for end in ends:
            ids = docids[start:end].tolist()
            if len(set(ids)) < len(ids):
                seen: set[bytes] = set()
                for offset, docid in enumerate(ids):
                    if docid in seen:
                        found.append(int(order[start + offset]))
                    seen.add(docid)
            start = end
        return np.array(found, dtype=np.int64)

    def unsorted(self) -> np.ndarray:
        """Rows with a greater score than the row before them in their query."""
        order = np.arange(len(self))[self._by_query]
        queries, scores = self.query_of[self._by_query], self.scores[self._by_query]
        return order[1:][(queries[1:] == queries[:-1]) & (scores[1:] > scores[:-1])]

    def by_score(self) -> dict[str, np.ndarray]:
        """What each list looks like in the order of its scores: rows that are a tie, a float32 tie, or wrong in their rank.

        Tied documents may have their ranks in any order. Sorts only where the lines are not sorted.
        """
        order = self._score_order()
        queries, scores = self.query_of[order], self.scores[order]
        rows = np.arange(len(self))[order][1:]
        same_query = queries[1:] == queries[:-1]
        tied = same_query & (scores[1:] == scores[:-1])
        with np.errstate(over="ignore"):
            singles = scores.astype(np.float32)
        found = {"tie": rows[tied], "float32": rows[same_query & ~tied & (singles[1:] == singles[:-1])]}
        if self.ranks is not None:
            ranks = self.ranks[order]
            wrong = same_query & (ranks[1:] <= ranks[:-1])
            none = np.flatnonzero(self.ranks == NO_RANK)
            found["rank"] = np.union1d(rows[wrong], none) if len(none) else rows[wrong]
        return found

    def _score_order(self) -> np.ndarray | slice:
        scores, ranks = self.scores, self.ranks
        if len(self.starts) == len(self.qids):
            follows = scores[1:] < scores[:-1]
            equal = scores[1:] == scores[:-1]
            follows |= equal if ranks is None else equal & (ranks[1:] >= ranks[:-1])
            follows[self.starts[1:] - 1] = True
            if follows.all():
                return slice(None)
        return np.lexsort((-scores, self.query_of) if ranks is None else (ranks, -scores, self.query_of))


def joined_rows(parts: Sequence[Columns], name: str, *, scored: bool) -> Rows:
    """Join the columns of a run's chunks; `scored` is False for a format that has no scores."""
    parts = [part for part in parts if len(part.docids)]
    position: dict[bytes, int] = {}
    numbers = [position.setdefault(qid, len(position)) for part in parts for qid in part.qids]
    lengths = np.concatenate([part.lengths for part in parts] or [np.empty(0, dtype=np.int64)])
    stretches = np.array(numbers, dtype=np.int32)
    starts = np.cumsum(lengths) - lengths
    new = np.append([True], stretches[1:] != stretches[:-1])[: len(stretches)]
    have_ranks = bool(parts) and all(part.ranks is not None for part in parts)
    return Rows(
        name,
        tuple(position),
        np.repeat(stretches, lengths),
        joined_ids([part.docids for part in parts]),
        np.concatenate([part.scores for part in parts] or [np.empty(0)]),
        np.concatenate([part.ranks for part in parts if part.ranks is not None]) if have_ranks else None,
        np.concatenate([part.lines for part in parts] or [np.empty(0, dtype=np.int64)]),
        starts[new],
        scored,
    )
